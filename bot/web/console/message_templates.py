"""Approved message templates: the list of them, and sending one in a conversation."""

from typing import Any

from aiohttp import web

from bot.conversations.conversation import get_conversation
from bot.conversations.template import as_template, ask_for_news, get_template, templates_of
from bot.messages import Media, MediaKind
from bot.pipeline import staff
from bot.records.permissions import allowed
from bot.records.tx import Record, Tx
from bot.web.console.deeds import done, uploads
from bot.web.console.door import Viewer, room, show


def values_of(given: Any) -> dict[str, str]:
    """What a form or query fills in: fields `v:body.1` by their key."""
    return {name[2:]: str(value) for name, value in given.items() if name.startswith("v:")}


@room
async def page(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/templates: all of them, with what the provider says of each."""
    rows = await viewer.app.store.read(templates_of, viewer.actor)
    accounts = {account: channel for (_, channel, _), account in viewer.app.runtime.accounts.items()}
    may_sync = allowed(viewer.actor, "update", "templates")
    adapters = viewer.app.channels.values()
    known = any(one.features(channel).templates for one in adapters for channel, _ in one.accounts)
    return show(
        request,
        viewer,
        "templates.html",
        rows=[(row, as_template(row)) for row in rows],
        accounts=accounts,
        may_sync=may_sync,
        known=known,
    )


@room
async def sync(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/templates/sync: read them again; the page shows them when it is loaded next."""
    await viewer.app.store.run(ask_for_news, viewer.actor)
    return web.Response(status=303, headers={"Location": "/console/templates"})


def _usable(tx: Tx, conversation_id: str) -> list[Record]:
    conversation = get_conversation(tx, conversation_id)
    return templates_of(tx, conversation["channel_account_id"], usable=True)


@room
async def choose(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET …/templates: those that may be sent in this conversation."""
    which = request.match_info["id"]
    rows = await viewer.app.store.read(_usable, viewer.actor, which)
    return show(request, viewer, "_templates.html", rows=rows, which=which)


def _chosen(tx: Tx, conversation_id: str, template_id: str) -> Record:
    get_conversation(tx, conversation_id)
    return get_template(tx, template_id)


@room
async def form(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET …/templates/{template}: what is to be filled in, and what the customer will read."""
    return await _show(request, viewer, "_template.html")


@room
async def preview(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET …/templates/{template}/preview: what the customer will read, as it is filled in."""
    return await _show(request, viewer, "_template_preview.html")


async def _show(request: web.Request, viewer: Viewer, page: str) -> web.Response:
    which, chosen = request.match_info["id"], request.match_info["template"]
    row = await viewer.app.store.read(_chosen, viewer.actor, which, chosen)
    template = as_template(row)
    text = template.filled(values_of(request.query))
    return show(request, viewer, page, row=row, approved=template, which=which, text=text)


@room
async def send(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST …/templates/{template}."""
    which, chosen = request.match_info["id"], request.match_info["template"]
    form = await request.post()
    app = viewer.app
    row = await app.store.read(_chosen, viewer.actor, which, chosen)
    media: list[Media] = []
    if row["header_file"]:
        media = await uploads(viewer, which, form.getall("files", []), MediaKind(row["header_file"]))
    await app.store.run(staff.send_template, viewer.actor, which, chosen, values_of(form), media)
    return await done(request, viewer, which)
