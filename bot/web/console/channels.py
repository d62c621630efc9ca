"""`/console/channels`: how each channel fares, how it is connected, and its live test."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from bot.channels import CHANNELS, examine
from bot.conversations.channel_account import connect, connected, disconnect, unsealed
from bot.conversations.traffic import Line, in_use, read_lines, unreadable_of
from bot.errors import Conflict, NotFound, SamvadError
from bot.ids import new_id
from bot.pipeline.connections import is_secret, overlaid
from bot.records.permissions import allowed
from bot.records.tx import Tx
from bot.web.console import guides
from bot.web.console.door import Viewer, room, show, wants_fragment

ADAPTERS = ("webchat", *CHANNELS)
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104 (recognised, not listened on)


def _may_change(viewer: Viewer) -> bool:
    return allowed(viewer.actor, "update", "channel_accounts")


def needs_https(public_url: str) -> bool:
    """Whether providers cannot call this address."""
    parts = urlsplit(public_url)
    return parts.scheme != "https" or (parts.hostname or "") in _LOCAL


def _state(viewer: Viewer, adapter: str, lines: list[Line]) -> str:
    """off, on, or trouble."""
    if adapter in viewer.app.connections.unusable:
        return "trouble"
    if adapter not in viewer.app.channels:
        return "off"
    return "trouble" if any(line.failing for line in in_use(lines, adapter)) else "on"


def _source(viewer: Viewer, adapter: str) -> str:
    """Who set it up: it is always there, the environment, or the console."""
    if adapter == "webchat":
        return "always"
    return "environment" if adapter in viewer.app.connections.fixed else "console"


@room
async def channels(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/channels: a card a channel."""
    lines = await viewer.app.store.read(read_lines, viewer.actor)
    cards = [
        {
            "adapter": adapter,
            "state": _state(viewer, adapter, lines),
            "source": _source(viewer, adapter),
            "lines": in_use(lines, adapter) if adapter in viewer.app.channels else [],
            "unreadable": unreadable_of(lines, adapter),
        }
        for adapter in ADAPTERS
    ]
    return show(request, viewer, "channels.html", cards=cards)


def _saved(tx: Tx, adapter: str) -> dict[str, str]:
    """What the console was given before; {} when it has not, or it can no longer be read."""
    tx.require("update", "channel_accounts")
    sealed = connected(tx).get(adapter)
    return unsealed(tx, adapter, sealed) if sealed else {}


async def _before(viewer: Viewer, adapter: str) -> dict[str, str]:
    try:
        return await viewer.app.store.read(_saved, viewer.actor, adapter)
    except SamvadError:
        if not _may_change(viewer) or adapter in viewer.app.connections.unusable:
            return {}
        raise


def _adapter(request: web.Request) -> str:
    adapter = request.match_info["adapter"]
    if adapter not in ADAPTERS:
        raise NotFound("There is no such channel")
    return adapter


@room
async def channel(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/channels/{adapter}: what to do there, what to enter here, and whether it works."""
    adapter = _adapter(request)
    lines = await viewer.app.store.read(read_lines, viewer.actor)
    saved = await _before(viewer, adapter)
    public_url = viewer.app.settings.public_url
    return show(
        request,
        viewer,
        "channel.html",
        adapter=adapter,
        state=_state(viewer, adapter, lines),
        source=_source(viewer, adapter),
        lines=in_use(lines, adapter) if adapter in viewer.app.channels else [],
        unreadable=unreadable_of(lines, adapter),
        steps=guides.steps_of(adapter, public_url, saved),
        form=_form(adapter, saved, public_url),
        saved=bool(saved),
        just_saved="saved" in request.query,
        may_change=_may_change(viewer),
        needs_https=needs_https(public_url) and adapter not in ("webchat", "email", "telegram"),
        public_url=public_url,
    )


def _form(adapter: str, saved: Mapping[str, str], public_url: str) -> list[dict[str, Any]]:
    """The form's fields with what may be shown of their values."""
    fields = []
    for name in guides.fields_of(adapter):
        value = saved.get(name, "")
        if name == "telegram_mode" and not value:
            value = "polling" if needs_https(public_url) else "webhook"
        fields.append(
            {
                "name": name,
                "secret": is_secret(name),
                "optional": guides.may_lack(adapter, name),
                "shown": "" if name in guides.SERVERS else guides.shown(name, value) if value else "",
                "saved": bool(value),
                "choices": guides.CHOICES.get(name, ()),
                "server": guides.server_parts(value) if name in guides.SERVERS else None,
            }
        )
    return fields


def _changeable(viewer: Viewer, adapter: str) -> None:
    """Raise unless the console may change this channel."""
    if adapter not in CHANNELS:
        raise NotFound("This channel has nothing to set")
    if adapter in viewer.app.connections.fixed:
        raise Conflict("The environment sets this channel up", reason="set_by_environment")


@room
async def save(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/channels/{adapter}: connect it, or change how."""
    adapter = _adapter(request)
    before = await _before(viewer, adapter)
    _changeable(viewer, adapter)
    given = {name: str(value) for name, value in (await request.post()).items()}
    app = viewer.app
    values = guides.read_form(adapter, given, before, app.profile.country)
    built = CHANNELS[adapter].build(overlaid(app.settings, values))
    assert built is not None
    await app.store.run(connect, viewer.actor, adapter, built.accounts, values)
    await app.connections.refresh()
    # Another address each time: to the one it has already a browser would only scroll.
    return _to(request, f"/console/channels/{adapter}?saved={new_id()[-8:]}#test")


@room
async def remove(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST …/remove: the channel is off."""
    adapter = _adapter(request)
    _changeable(viewer, adapter)
    await viewer.app.store.run(disconnect, viewer.actor, adapter)
    await viewer.app.connections.refresh()
    return _to(request, f"/console/channels/{adapter}")


@room
async def test(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST …/test: ask the provider whether all is well. Nothing reaches a customer."""
    adapter = _adapter(request)
    await viewer.app.store.read(_may_test, viewer.actor)
    running = viewer.app.channels.get(adapter)
    if running is None:
        raise Conflict("This channel is off", reason="channel_off")
    return show(request, viewer, "_checks.html", checks=await examine(running))


def _may_test(tx: Tx) -> None:
    tx.require("update", "channel_accounts")


def _to(request: web.Request, target: str) -> web.Response:
    if wants_fragment(request):
        return web.Response(headers={"HX-Redirect": target})
    return web.Response(status=303, headers={"Location": target})
