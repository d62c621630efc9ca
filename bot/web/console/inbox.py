"""The inbox: the live list, the thread, the customer panel."""

import asyncio
import re
from typing import Any

from aiohttp import web

from bot.clock import now
from bot.conversations import gate
from bot.conversations.message import MESSAGE
from bot.errors import NotFound
from bot.records.permissions import allowed
from bot.records.tx import Record, Tx
from bot.records.write import get
from bot.web.console.customer import read_customer
from bot.web.console.door import Viewer, room, show, wants_fragment
from bot.web.console.queries import TABS, ListPage, Tab, list_conversations, read_thread
from bot.web.pages.extra import buttons_of, files_of, place_of
from bot.web.pages.files import send_file

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
HELPERS: dict[str, Any] = {"files_of": files_of, "buttons_of": buttons_of, "place_of": place_of}


def _tab(request: web.Request) -> Tab:
    wanted = request.query.get("tab", "all")
    return next((tab for tab in TABS if tab == wanted), "all")


async def _list(request: web.Request, viewer: Viewer) -> dict[str, Any]:
    tab = _tab(request)
    page: ListPage = await viewer.app.store.read(
        list_conversations, viewer.actor, tab, request.query.get("after", "")
    )
    return {"page": page, "tab": tab, "tabs": TABS, "more": bool(request.query.get("after"))}


@room
async def front(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console: to the room this role works in."""
    reads = allowed(viewer.actor, "read", "conversations")
    raise web.HTTPSeeOther("/console/conversations" if reads else "/console/articles")


@room
async def desk(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/conversations: the list, nothing chosen."""
    context = await _list(request, viewer)
    return show(request, viewer, "inbox.html", chosen="", **context)


@room
async def rows(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/list: the rows of a tab, or the page after one."""
    context = await _list(request, viewer)
    return show(request, viewer, "_list.html", chosen="", **context)


@room
async def conversation(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/conversations/{id}: the whole page, or only its work pane for htmx."""
    which = request.match_info["id"]
    store = viewer.app.store
    thread, customer = await asyncio.gather(
        store.read(read_thread, viewer.actor, which), store.read(read_customer, viewer.actor, which)
    )
    work: dict[str, Any] = {
        "thread": thread,
        "customer": customer,
        "tab": _tab(request),
        "chosen": which,
        **_sending(viewer, thread.conversation),
        **HELPERS,
    }
    if wants_fragment(request):
        return show(request, viewer, "_work.html", **work)
    return show(request, viewer, "inbox.html", **work | await _list(request, viewer))


def _sending(viewer: Viewer, conversation: Record) -> dict[str, Any]:
    """What the composer offers: templates, and whether free words would have to wait."""
    features = viewer.app.runtime.features(conversation["channel_account_id"])
    to = gate.Recipient(False, False, conversation["last_inbound_at"], None, "UTC")
    closed = gate.check("staff", to, features, now()).reason == "window_closed"
    return {"templates": features.templates, "closed": closed}


@room
async def messages(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET …/messages: the thread's newest items with its head, or those before a message."""
    return await refreshed(request, viewer, request.match_info["id"])


async def refreshed(request: web.Request, viewer: Viewer, which: str, notice: str = "") -> web.Response:
    """The thread as it is now, to be merged into the page; `notice` is a key of what to tell."""
    before = request.query.get("before", "")
    if before and not _ID.fullmatch(before):
        raise NotFound("There is no such message")
    thread = await viewer.app.store.read(read_thread, viewer.actor, which, before)
    return show(
        request,
        viewer,
        "_refresh.html",
        thread=thread,
        earlier=bool(before),
        notice=notice,
        tab="all",
        **_sending(viewer, thread.conversation),
        **HELPERS,
    )


@room
async def panel(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET …/panel: the customer panel."""
    customer = await viewer.app.store.read(read_customer, viewer.actor, request.match_info["id"])
    return show(request, viewer, "_panel.html", customer=customer)


def _message(tx: Tx, message_id: str) -> Record:
    return get(tx, MESSAGE, message_id)


@room
async def media(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/messages/{id}/files/{place}: a file of a message the viewer may see."""
    row = await viewer.app.store.read(_message, viewer.actor, request.match_info["id"])
    files = files_of(row)
    place = int(request.match_info["place"])
    if place >= len(files):
        raise NotFound("That message has no such file")
    return send_file(viewer.app.media, files[place])
