"""What agents do in conversations: every button of the thread."""

import asyncio
from typing import Any

from aiohttp import web

from bot.channels.twilio.segments import count, lean
from bot.conversations.conversation import get_conversation
from bot.crm.contact import set_blocked
from bot.errors import InvalidInput
from bot.media.fitting import bare, fit
from bot.media.sniff import HEAD, sniff
from bot.messages import Media, MediaKind, kind_of
from bot.notices import Notice
from bot.pipeline import staff
from bot.records.tx import Tx
from bot.web.console.door import Viewer, room, show, wants_fragment
from bot.web.console.inbox import refreshed
from bot.web.keys import AGENT_TYPES

MOST_FILES = 10
RECORDED = "voice-note."
"""How the composer names what an agent spoke into it."""
STARTABLE = ("whatsapp", "sms", "email", "telegram")


async def done(request: web.Request, viewer: Viewer, which: str, notice: str = "") -> web.Response:
    """The thread as it is now; without htmx, the page again."""
    if wants_fragment(request):
        response = await refreshed(request, viewer, which, notice)
        response.headers["HX-Trigger"] = "samvad:done"
        return response
    return web.Response(status=303, headers={"Location": f"/console/conversations/{which}"})


@room
async def take_over(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST …/take-over."""
    which = request.match_info["id"]
    await viewer.app.store.run(staff.take_over, viewer.actor, which)
    return await done(request, viewer, which)


@room
async def hand_back(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST …/hand-back."""
    which = request.match_info["id"]
    await viewer.app.store.run(staff.hand_back, viewer.actor, which)
    return await done(request, viewer, which)


@room
async def say(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST …/say: a reply to the customer, with files if there are any, or a private note."""
    app, which = viewer.app, request.match_info["id"]
    form = await request.post()
    text = str(form.get("text", ""))
    given = form.getall("files", [])
    if form.get("mode") == "note":
        if _chosen(given):
            raise InvalidInput("A private note takes no files", field="note_files")
        await app.store.run(staff.note, viewer.actor, which, text)
        return await done(request, viewer, which)
    files = await uploads(viewer, which, given)
    sent = await app.store.run(staff.reply, viewer.actor, which, text, app.runtime.features, files)
    return await done(request, viewer, which, "console.held" if sent.held else "")


def _chosen(given: list[Any]) -> list[web.FileField]:
    """What of a form's field is files: a browser sends an empty one for none."""
    return [one for one in given if isinstance(one, web.FileField) and one.filename]


async def uploads(
    viewer: Viewer, which: str, given: list[Any], as_kind: MediaKind | None = None
) -> list[Media]:
    """The files of a form, kept, as the conversation's channel takes them. Raises InvalidInput."""
    chosen = _chosen(given)
    if not chosen:
        return []
    if len(chosen) > MOST_FILES:
        raise InvalidInput(f"At most {MOST_FILES} files go at once", field="files")
    app = viewer.app
    conversation = await app.store.read(get_conversation, viewer.actor, which)
    features = app.runtime.features(conversation["channel_account_id"])
    kept = []
    for one in chosen:
        content = await asyncio.to_thread(one.file.read)
        if not content:
            raise InvalidInput(f"{one.filename} is empty", field="files")
        recorded = one.filename.startswith(RECORDED)
        told = bare(one.content_type, one.filename)
        mime = told if recorded else sniff(content[:HEAD], one.filename) or told
        kind = MediaKind.VOICE if recorded else kind_of(mime)
        ref = await asyncio.to_thread(app.media.put, content)
        media = Media(kind, ref, mime, one.filename[:200], len(content))
        fitted = await fit(app.media, media, features)
        if as_kind is not None and fitted.kind is not as_kind:
            raise InvalidInput(f"Here goes a file of the kind {as_kind}", field="template_file")
        kept.append(fitted)
    return kept


def _writable(tx: Tx, conversation_id: str) -> None:
    tx.require("create", "messages")
    get_conversation(tx, conversation_id)


@room
async def types(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST …/typing: the agent is writing; the customer's page is told, nothing is stored."""
    which = request.match_info["id"]
    await viewer.app.store.read(_writable, viewer.actor, which)
    viewer.app.bus.post([Notice(AGENT_TYPES, which)])
    return web.Response(status=204)


@room
async def parts(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/parts?text=…: how many SMS a text is, and why."""
    found = count(lean(request.query.get("text", "")[:5000].strip()))
    return show(request, viewer, "_parts.html", found=found)


@room
async def resend(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST …/messages/{message}/resend."""
    await viewer.app.store.run(staff.resend, viewer.actor, request.match_info["message"])
    return await done(request, viewer, request.match_info["id"])


def _block(tx: Tx, conversation_id: str, blocked: bool) -> None:
    conversation = get_conversation(tx, conversation_id)
    set_blocked(tx, conversation["contact_id"], blocked)
    tx.notify("conversation", conversation_id)


@room
async def block(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST …/block and …/unblock: the sender of a conversation."""
    which = request.match_info["id"]
    blocked = request.path.endswith("/block")
    await viewer.app.store.run(_block, viewer.actor, which, blocked)
    response = await done(request, viewer, which)
    if wants_fragment(request):
        response.headers["HX-Trigger"] = "samvad:done, samvad:customer"
    return response


@room
async def start_form(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/start: write to somebody first."""
    on = {channel for adapter in viewer.app.channels.values() for channel, _ in adapter.accounts}
    channels = [channel for channel in STARTABLE if channel in on]
    return show(request, viewer, "start.html", channels=channels)


@room
async def start(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/start."""
    form = await request.post()
    given = {name: str(form.get(name, "")) for name in ("channel", "address", "text", "name")}
    app = viewer.app
    begun = await app.store.run(
        staff.start,
        viewer.actor,
        **given,
        features_of=app.runtime.features,
        country=app.profile.country,
    )
    target = f"/console/conversations/{begun.conversation_id}?tab=mine"
    if wants_fragment(request):
        return web.Response(headers={"HX-Redirect": target})
    return web.Response(status=303, headers={"Location": target})
