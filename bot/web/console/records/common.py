"""What every page of records begins with: which kind, who reads, and what they may do with it."""

from zoneinfo import ZoneInfo

from aiohttp import web

from bot.errors import NotFound
from bot.records.access import Action
from bot.records.actor import Actor
from bot.records.entity import Entity
from bot.records.permissions import allowed, visible
from bot.records.tx import Record
from bot.web.console.door import Viewer
from bot.web.console.records.layout import LAYOUTS
from bot.web.console.records.reader import Reader

ROOT = "/console/records"
_ALWAYS = ("id", "version", "deleted_at")


def kind_of(request: web.Request, viewer: Viewer) -> Entity:
    """The record kind in the address. Raises NotFound for one without pages."""
    name = request.match_info["kind"]
    if name not in LAYOUTS:
        raise NotFound(f"There are no pages for {name[:40]!r}", kind=name[:40])
    return viewer.app.store.schema.entity(name)


def reader_of(viewer: Viewer) -> Reader:
    """How this viewer reads values."""
    profile = viewer.app.profile
    return Reader(
        viewer.app.words,
        viewer.lang,
        viewer.app.store.schema,
        ZoneInfo(profile.time_zone),
        profile.country,
        profile.currency,
    )


def may(viewer: Viewer, action: Action, entity: Entity) -> bool:
    """Whether this viewer may do this to records of a kind by hand."""
    by_hand = action == "read" or action in entity.takes
    return by_hand and allowed(viewer.actor, action, entity.name)


def seen_of(actor: Actor, entity: Entity, row: Record) -> Record:
    """A row that was read whole without the fields that are hidden from this reader."""
    return {name: value for name, value in row.items() if name in _ALWAYS or visible(actor, entity, name)}


def go(request: web.Request, target: str) -> web.Response:
    """To another page, with htmx or without."""
    if request.headers.get("HX-Request") == "true":
        return web.Response(headers={"HX-Redirect": target})
    return web.Response(status=303, headers={"Location": target})
