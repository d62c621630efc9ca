"""`/calendar/{token}.ics`: a user's calendar, for their calendar program. The address is the permission."""

import hashlib

from aiohttp import web

from bot.crm.feed import read_feed, user_of_feed
from bot.errors import NotFound
from bot.records.actor import SYSTEM
from bot.records.tx import Tx
from bot.web.keys import APP
from bot.web.pages.site import public

FRESH_S = 300
"""How long a program may keep it without asking; then it asks whether it changed."""


def address_of(base_url: str, token: str) -> str:
    """The whole address of a calendar."""
    return f"{base_url}/calendar/{token}.ics"


@public
async def feed(request: web.Request) -> web.StreamResponse:
    """GET: the calendar, or 304 when it is still what the program has."""
    app = request.app[APP]
    value = app.unsign(request.match_info["token"])
    body = await app.store.read(_read, SYSTEM, value, app.profile.name)
    tag = hashlib.sha256(body).hexdigest()[:32]
    headers = {
        "Cache-Control": f"private, max-age={FRESH_S}",
        "ETag": f'"{tag}"',
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex",
    }
    asked = request.if_none_match or ()
    if any(one.value in (tag, "*") for one in asked):
        return web.Response(status=304, headers=headers)
    headers["Content-Disposition"] = 'inline; filename="samvad.ics"'
    return web.Response(body=body, content_type="text/calendar", charset="utf-8", headers=headers)


def _read(tx: Tx, value: str | None, name: str) -> bytes:
    user_id = user_of_feed(tx, value)
    body = read_feed(tx, user_id, name) if user_id is not None else None
    if body is None:
        raise NotFound("There is no such calendar; its address may have been changed")
    return body
