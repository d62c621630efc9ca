"""Pictures put into an article while it is written."""

import asyncio
from datetime import timedelta

from aiohttp import web
from aiohttp.web_request import FileField

from bot import clock
from bot.errors import InvalidInput
from bot.media.fitting import convert
from bot.media.pictures import MAX_BYTES, Pictures, kind_of
from bot.messages import Media, MediaKind, clean_name
from bot.records.tx import Tx
from bot.web.console.door import Viewer, room

_WITH_SECRETS = ("image/jpeg", "image/webp")
"""What cameras write says where it was taken, and may lie on its side: it is drawn anew."""


def _may(tx: Tx) -> None:
    tx.require("update", "articles")


@room
async def upload(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/articles/pictures: keeps a picture; answers its address, which stays."""
    app = viewer.app
    await app.store.read(_may, viewer.actor)
    field = (await request.post()).get("picture")
    if not isinstance(field, FileField):
        raise InvalidInput("Choose a picture", field="picture")
    content = await asyncio.to_thread(field.file.read, MAX_BYTES + 1)
    mime = kind_of(content)
    pictures = Pictures(app.settings.data_dir)
    if mime in _WITH_SECRETS:
        content = await _drawn_anew(pictures, content, mime)
    address = await asyncio.to_thread(pictures.put, content)
    return web.json_response({"address": address, "name": clean_name(field.filename).rpartition(".")[0]})


async def _drawn_anew(pictures: Pictures, content: bytes, mime: str) -> bytes:
    """The picture upright, without what its camera says of it. Raises InvalidInput."""
    store = pictures.store
    ref = await asyncio.to_thread(store.put, content)
    try:
        made = await convert(store, Media(MediaKind.IMAGE, ref, mime, "picture"), "image/jpeg", MAX_BYTES)
        if made is None:
            raise InvalidInput("That picture cannot be read", field="picture")
        return await asyncio.to_thread(store.path(made.ref).read_bytes)
    finally:
        await asyncio.to_thread(store.remove, ref, clock.now() + timedelta(minutes=1))
