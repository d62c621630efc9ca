"""The list of a kind: filter, search, sort, columns, pages by key, and the views people keep of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from bot.errors import QueryInvalid
from bot.records.entity import Entity
from bot.records.tx import Tx
from bot.web.console.door import Viewer, room, show, wants_fragment
from bot.web.console.records import views
from bot.web.console.records.asked import Asked, asked_of, choosable, columns_of, from_view
from bot.web.console.records.common import ROOT, kind_of, may, reader_of
from bot.web.console.records.layout import layout_of
from bot.web.console.records.listing import Fault, Listing, fault_of, read_page
from bot.web.console.records.pickers import Picker, picked, pickers_of
from bot.web.console.records.reader import Reader

_UNSORTED = ("json", "tags", "texts")


@dataclass(frozen=True, slots=True)
class Heading:
    """A column's head: where a click leads, and which way the list is sorted by it."""

    name: str
    label: str
    href: str = ""
    sorted: str = ""


@dataclass(frozen=True, slots=True)
class ListPage:
    """All that a list's page shows."""

    asked: Asked
    columns: tuple[str, ...]
    listing: Listing
    views: Sequence[views.Choice]
    pickers: Sequence[Picker]
    fault: Fault | None


@room
async def records(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/records/{kind}: a page of the list, or for htmx the rows of the next one."""
    entity, reader = kind_of(request, viewer), reader_of(viewer)
    if (target := picked(request, entity)) is not None:
        raise web.HTTPSeeOther(target)
    found = await viewer.app.store.read(_read, viewer.actor, reader, entity, *asked_of(request))
    path = f"{ROOT}/{entity.name}"
    context: dict[str, Any] = {
        "entity": entity,
        "path": path,
        "found": found,
        "asked": found.asked,
        "headings": _headings(entity, reader, found, path),
        "next": found.asked.address(path, after=found.listing.next) if found.listing.next else "",
        "may_change": may(viewer, "update", entity),
        "may_delete": may(viewer, "delete", entity),
        "many": may(viewer, "delete", entity) or (entity.main and may(viewer, "update", entity)),
    }
    if wants_fragment(request) and found.asked.after:
        return show(request, viewer, "records/_rows.html", **context)
    return show(
        request,
        viewer,
        "records/list.html",
        status=400 if found.fault else 200,
        reader=reader,
        layout=layout_of(entity),
        choosable=[(name, reader.label(entity, name)) for name in choosable(viewer.actor, entity)],
        may_create=may(viewer, "create", entity) and layout_of(entity).alone,
        searched=any(spec.search for spec in entity.fields.values()),
        may_share=views.may_share(viewer.actor),
        **context,
    )


def _read(tx: Tx, reader: Reader, entity: Entity, asked: Asked, changed: bool) -> ListPage:
    """One page of the list. A condition that does not parse is told, with nothing listed."""
    tx.require("read", entity.name)
    entity = tx.schema.of(entity)
    saved = views.views_of(tx, entity)
    chosen = views.chosen(saved, asked.view, changed=changed)
    if chosen is not None:
        asked = from_view(asked, views.content(chosen), changed=changed)
        asked = Asked(chosen.key, asked.where, asked.text, asked.order, asked.columns, asked.after)
    columns = columns_of(tx.actor, entity, asked)
    fault, listing = None, Listing([])
    try:
        listing = read_page(tx, reader, entity, asked, columns)
    except QueryInvalid as error:
        fault = fault_of(error, asked.where, reader)
    return ListPage(
        asked,
        columns,
        listing,
        views.choices(saved, reader, asked.view),
        pickers_of(tx, reader, entity),
        fault,
    )


def _headings(entity: Entity, reader: Reader, found: ListPage, path: str) -> list[Heading]:
    order = found.asked.order or layout_of(entity).order
    first, _, direction = order.partition(",")[0].strip().partition(" ")
    made = []
    for name in found.columns:
        label = reader.label(entity, name)
        if name not in entity.fields or entity.fields[name].type in _UNSORTED:
            made.append(Heading(name, label))
            continue
        down = name == first and direction.strip() == "desc"
        up = name == first and not down
        target = found.asked.address(path, order=f"{name} desc" if up else name)
        made.append(Heading(name, label, target, "descending" if down else "ascending" if up else ""))
    return made
