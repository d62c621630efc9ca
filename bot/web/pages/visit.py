"""`/visit/{token}.ics`: a visit that a customer booked, for their calendar program. The address is the
permission, and shows nothing but the visit."""

from aiohttp import web

from bot.crm.calendar_file import feed
from bot.crm.feed import entry_of
from bot.crm.visit import find_visit
from bot.errors import NotFound
from bot.records.actor import SYSTEM
from bot.records.tx import Tx
from bot.web.keys import APP
from bot.web.pages.site import public


@public
async def visit(request: web.Request) -> web.StreamResponse:
    """GET: the visit as it is now, also when it was moved or called off since."""
    app = request.app[APP]
    value = app.unsign(request.match_info["token"]) or ""
    kind, _, visit_id = value.partition(":")
    body = await app.store.read(_read, SYSTEM, visit_id if kind == "visit" else "", app.profile.name)
    headers = {
        "Cache-Control": "private, no-cache",
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex",
        "Content-Disposition": 'attachment; filename="visit.ics"',
    }
    return web.Response(body=body, content_type="text/calendar", charset="utf-8", headers=headers)


def _read(tx: Tx, visit_id: str, name: str) -> bytes:
    row = find_visit(tx, visit_id) if visit_id else None
    if row is None:
        raise NotFound("There is no such visit any more")
    entry = entry_of(row, None, hidden=frozenset({"body"}))  # notes are our own people's
    return feed(name, [entry], row["updated_at"])
