"""`/widget/files`: a visitor's file comes in before the message that names it. And files as pages see them.

The page gets a token for what it uploaded; only the visitor who uploaded it can put it into a message, so
nobody can name a stranger's file by its hash.
"""

import base64
import json
import shutil
from collections.abc import AsyncIterator, Mapping
from typing import Any

from aiohttp import web

from bot.adapter import MediaLimit
from bot.channels.webchat import FILES_LIMIT
from bot.errors import Forbidden, InvalidInput, NotSignedIn, SamvadError, TooLarge, Unavailable
from bot.media import shown_inline
from bot.media.links import FileLinks
from bot.media.sniff import HEAD, sniff
from bot.messages import Media, MediaKind, clean, kind_of
from bot.web.keys import APP
from bot.web.pages.extra import File, file_of
from bot.web.widget.hub import HUB, LEAST_BYTES
from bot.web.widget.origins import may_embed
from bot.web.widget.visitor import Signer, recognise

_FREE_BYTES = 500 * 1024 * 1024
"""Below this much free disk no stranger's file is taken: the database needs the rest."""
_NAME_LIMIT = 120
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Max-Age": "86400",
    "Cache-Control": "no-store",
}


async def preflight(_request: web.Request) -> web.Response:
    """OPTIONS /widget/files: any page may ask; the token decides."""
    return web.Response(status=204, headers=_CORS)


async def upload(request: web.Request) -> web.Response:
    """POST /widget/files?name=…: the file is the body, the visitor's token the bearer."""
    try:
        answer, status = await _keep(request), 201
    except SamvadError as error:
        answer, status = {"code": error.code, "detail": error.message, **error.data}, error.status
    return web.json_response(answer, status=status, headers=_CORS)


async def _keep(request: web.Request) -> dict[str, Any]:
    app = request.app[APP]
    if not may_embed(request):
        raise Forbidden("SAMVAD_WIDGET_ORIGINS does not name this site")
    visitor = recognise(app, request.headers.get("Authorization", "").removeprefix("Bearer "))
    if visitor is None:
        raise NotSignedIn("Send the token of the welcome as bearer")
    if not request.app[HUB].uploads.allow(visitor.id):
        raise Unavailable("Too many files at once; wait a minute")
    if shutil.disk_usage(app.settings.data_dir.resolve()).free < _FREE_BYTES:
        raise Unavailable("The disk is nearly full")
    name = clean(request.query.get("name", "")).replace("/", "_").replace("\\", "_")[-_NAME_LIMIT:]
    head = await _head(request)
    mime = sniff(head, name)
    limits = app.channels["webchat"].features("webchat").media
    limit = _limit(mime, limits)
    size = len(head) if request.content_length is None else request.content_length
    if size > limit.max_bytes:
        raise TooLarge("The file is too large", limit=limit.max_bytes)
    most = limit.max_bytes if request.content_length is None else size
    if not request.app[HUB].bytes.allow(request.remote or "", max(most, LEAST_BYTES)):
        raise Unavailable("Too much came from this address; come back in an hour")
    ref = await app.media.put_stream(_body(head, request), limit.max_bytes)
    assert mime is not None
    size = app.media.path(ref).stat().st_size
    media = Media(kind_of(mime), ref, mime, name, size)
    shown = as_page_sees(file_of(media), app.runtime.links)
    return {**shown, "token": _upload_token(app, visitor.id, media)}


async def _head(request: web.Request) -> bytes:
    head = b""
    while len(head) < HEAD and (piece := await request.content.read(HEAD - len(head))):
        head += piece
    if not head:
        raise InvalidInput("The file is empty", field="empty")
    return head


def _limit(mime: str | None, limits: Mapping[MediaKind, MediaLimit]) -> MediaLimit:
    """What may be sent of this type. Raises InvalidInput for a type that may not."""
    limit = limits.get(kind_of(mime)) if mime else None
    if limit is None or (limit.mimes and mime not in limit.mimes):
        raise InvalidInput("This kind of file is not taken", field="kind")
    return limit


async def _body(head: bytes, request: web.Request) -> AsyncIterator[bytes]:
    yield head
    async for piece in request.content.iter_chunked(256 * 1024):
        yield piece


def _upload_token(signer: Signer, visitor: str, media: Media) -> str:
    packed = json.dumps([visitor, media.kind, media.ref, media.mime, media.filename, media.size])
    return signer.sign("upload:" + base64.urlsafe_b64encode(packed.encode()).decode())


def uploaded(signer: Signer, tokens: object, visitor: str) -> tuple[Media, ...]:
    """The files that a page's message names. Raises InvalidInput for what this visitor did not upload."""
    if tokens is None:
        return ()
    if not isinstance(tokens, list) or len(tokens) > FILES_LIMIT:
        raise InvalidInput(f"files must be a list of at most {FILES_LIMIT} tokens", field="files")
    found = []
    for token in tokens:
        value = signer.unsign(token) if isinstance(token, str) else None
        if value is None or not value.startswith("upload:"):
            raise InvalidInput("files holds a token that is not ours", field="files")
        owner, kind, ref, mime, name, size = json.loads(
            base64.urlsafe_b64decode(value.removeprefix("upload:"))
        )
        if owner != visitor:
            raise InvalidInput("files holds a token of somebody else", field="files")
        found.append(Media(MediaKind(kind), ref, mime, name, size))
    return tuple(found)


def as_page_sees(file: File, links: FileLinks) -> dict[str, Any]:
    """A file as JSON for the page, with the link by which it is read."""
    return {
        "kind": file.kind,
        "url": links.path(Media(MediaKind(file.kind), file.ref, file.mime, file.name)),
        "name": file.name,
        "size": file.size,
        "inline": shown_inline(file.mime) and file.kept,
    }
