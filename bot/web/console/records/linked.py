"""The records an activity is linked to, on its page; and on a record's page the activities linked to it."""

from dataclasses import dataclass

from aiohttp import web

from bot.crm.activity import ACTIVITY_LINK
from bot.errors import Conflict, InvalidInput, NotFound, SamvadError
from bot.ids import is_id
from bot.records.change import create_record, delete_record
from bot.records.permissions import allowed
from bot.records.query import Comparison, Order, Query, page
from bot.records.search.find import find_everywhere
from bot.records.tx import Tx
from bot.web.console.door import Viewer, room, show
from bot.web.console.records.common import kind_of, may, reader_of
from bot.web.console.records.control import sentence
from bot.web.console.records.layout import LAYOUTS, MAIN, address_of, layout_of
from bot.web.console.records.listing import Line
from bot.web.console.records.names import names_of
from bot.web.console.records.panel import panel, read_live
from bot.web.console.records.reader import Names, Reader
from bot.web.console.records.record import writes
from bot.web.console.records.related import activity_lines

MOST = 100
_PAGE = 20
_FOUND = 8


@dataclass(frozen=True, slots=True)
class Link:
    """A record that an activity is linked to; `first` is what the activity is about."""

    id: str
    icon: str
    kind: str
    title: str
    href: str
    first: bool


@dataclass(frozen=True, slots=True)
class Links:
    """All of an activity, and whether this reader may change them."""

    links: list[Link]
    may_write: bool


def _read(tx: Tx, reader: Reader, record_id: str) -> Links:
    """The links in the order in which they were made: one statement, and one for each kind."""
    activities = tx.schema.entity("activities")
    read_live(tx, activities, record_id)
    if not allowed(tx.actor, "read", ACTIVITY_LINK.name):
        return Links([], may_write=False)
    where = (Comparison("activity_id", "=", record_id),)
    query = Query(ACTIVITY_LINK.name, where, (Order("id"),), limit=MOST)
    rows = [row for row in page(tx, ACTIVITY_LINK, query).rows if "entity" in row and "record_id" in row]
    rows.sort(key=lambda row: not row.get("first"))
    names = names_of(tx, reader, {(row["entity"], row["record_id"]) for row in rows})
    return Links(
        [
            _link(tx, reader, row["id"], row["entity"], row["record_id"], names, bool(row.get("first")))
            for row in rows
            if row["entity"] in LAYOUTS
        ],
        writes(tx, activities, record_id),
    )


def _link(
    tx: Tx,
    reader: Reader,
    link_id: str,
    kind: str,
    record_id: str,
    names: Names,
    first: bool,
) -> Link:
    entity, title = tx.schema.entity(kind), names.get((kind, record_id))
    shown = reader.say("records.out_of_sight") if title is None else title
    href = "" if title is None else address_of(entity, record_id)
    return Link(link_id, layout_of(entity).icon, reader.kind(kind, one=True), shown, href, first)


async def _show(request: web.Request, viewer: Viewer, wrong: str = "") -> web.Response:
    entity, record_id = viewer.app.store.schema.entity("activities"), request.match_info["id"]
    found: Links = await viewer.app.store.read(_read, viewer.actor, reader_of(viewer), record_id)
    return panel(
        request,
        viewer,
        "records/_links.html",
        entity,
        record_id,
        wrong=wrong,
        links=found.links,
        may_link=found.may_write and may(viewer, "create", ACTIVITY_LINK),
        may_unlink=found.may_write and may(viewer, "delete", ACTIVITY_LINK),
    )


@room
async def links(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/records/activities/{id}/links."""
    return await _show(request, viewer)


@room
async def link(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/records/activities/{id}/links: to one record more, given as KIND/ID."""
    kind, _, target = str((await request.post()).get("record", "")).partition("/")
    reader = reader_of(viewer)
    if not is_id(target):
        return await _show(request, viewer, reader.say("links.choose"))
    given = {"activity_id": request.match_info["id"], "entity": kind, "record_id": target}
    try:
        await viewer.app.store.run(create_record, viewer.actor, ACTIVITY_LINK, given)
    except SamvadError as error:
        if isinstance(error, Conflict):
            return await _show(request, viewer, reader.say("links.twice"))
        if error.data.get("field") is None:
            raise
        return await _show(request, viewer, sentence(error, ACTIVITY_LINK, reader))
    return await _show(request, viewer)


def _remove(tx: Tx, activity_id: str, link_id: str) -> None:
    where = (Comparison("id", "=", link_id), Comparison("activity_id", "=", activity_id))
    if not page(tx, ACTIVITY_LINK, Query(ACTIVITY_LINK.name, where)).rows:
        raise NotFound("This activity has no such link", kind=ACTIVITY_LINK.name)
    delete_record(tx, ACTIVITY_LINK, link_id)


@room
async def unlink(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/records/activities/{id}/links/{link}/remove."""
    activity_id, link_id = request.match_info["id"], request.match_info["link"]
    await viewer.app.store.run(_remove, viewer.actor, activity_id, link_id)
    return await _show(request, viewer)


def _find(tx: Tx, reader: Reader, text: str) -> list[tuple[str, str, str]]:
    """(KIND/ID, title, kind) of records that an activity may be linked to."""
    kinds = [kind for kind in MAIN if kind != "activities"]
    try:
        hits = find_everywhere(tx, text, kinds, _FOUND)
    except InvalidInput:
        return []
    names = names_of(tx, reader, {(hit.kind, hit.id) for hit in hits})
    return [
        (f"{hit.kind}/{hit.id}", names[hit.kind, hit.id], reader.kind(hit.kind, one=True))
        for hit in hits
        if (hit.kind, hit.id) in names
    ]


@room
async def linkable(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/search/records?q=…: the main records that may be meant, of every kind."""
    text = request.query.get("q", "").strip()[:200]
    found = await viewer.app.store.read(_find, viewer.actor, reader_of(viewer), text)
    return show(request, viewer, "records/_options.html", found=found)


@room
async def linked(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/records/{kind}/{id}/linked?before=…: older activities about a record or linked to it."""
    entity, reader = kind_of(request, viewer), reader_of(viewer)
    record_id, before = request.match_info["id"], request.query.get("before", "")
    if before and not is_id(before):
        raise InvalidInput("There is no such activity", field="before")
    if not entity.main:
        raise NotFound("No activities are about such records", kind=entity.name)

    def read(tx: Tx) -> tuple[list[Line], str]:
        read_live(tx, entity, record_id)
        return activity_lines(tx, reader, entity, record_id, before or None, _PAGE)

    lines, older = await viewer.app.store.read(read, viewer.actor)
    return panel(request, viewer, "records/_lines.html", entity, record_id, lines=lines, older=older)
