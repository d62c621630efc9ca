"""The page of one record: fields by sections, what belongs to it, its timeline; deletion and return."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa
from aiohttp import web

from bot.crm.file import HOLDERS
from bot.errors import NotFound
from bot.records import permissions
from bot.records.change import delete_record, restore_record
from bot.records.entity import Entity
from bot.records.permissions import allowed, visible
from bot.records.tx import Record, Tx
from bot.records.write import expanded
from bot.web.console.door import Viewer, room, show
from bot.web.console.records.common import ROOT, go, kind_of, may, reader_of, seen_of
from bot.web.console.records.control import editable
from bot.web.console.records.layout import LAYOUTS, MAIN, layout_of, sections_of
from bot.web.console.records.names import extras_of, names_of, pointed_at
from bot.web.console.records.reader import Cell, Reader
from bot.web.console.records.related import Related, read_related


@dataclass(frozen=True, slots=True)
class Fact:
    """A field on the page, and whether this reader may change it here."""

    cell: Cell
    editable: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """A record's fields as its page shows them."""

    row: Record
    title: str
    head: list[Fact]
    sections: list[tuple[str, list[Fact]]]


@dataclass(frozen=True, slots=True)
class RecordPage:
    """All that a record's page shows at first; `deleted` ones show nothing but that."""

    facts: Facts
    related: Sequence[Related] = ()
    deleted: bool = False
    may_write: bool = False


def read_any(tx: Tx, entity: Entity, record_id: str) -> Record:
    """What the actor may see of a record, of a deleted one too if they may bring it back. Raises NotFound."""
    tx.require("read", entity.name)
    entity = tx.schema.of(entity)
    statement = sa.select(entity.table).where(entity.table.c.id == record_id)
    mine = permissions.row_filter(tx.actor, entity)
    row = tx.row(statement if mine is None else statement.where(mine))
    if row is None or (row["deleted_at"] is not None and not allowed(tx.actor, "delete", entity.name)):
        raise NotFound(f"There is no such record in {entity.name}", kind=entity.name)
    return seen_of(tx.actor, entity, expanded(entity, row))


def writes(tx: Tx, entity: Entity, record_id: str) -> bool:
    """Whether the actor may change this very record by hand."""
    if "update" not in entity.takes or not allowed(tx.actor, "update", entity.name):
        return False
    mine = permissions.row_filter(tx.actor, entity, writing=True)
    if mine is None:
        return True
    return tx.row(sa.select(entity.table.c.id).where(entity.table.c.id == record_id, mine)) is not None


def facts_of(tx: Tx, reader: Reader, entity: Entity, row: Record, *, may_write: bool) -> Facts:
    """The fields of a record that the actor sees: one statement for each kind that they point to."""
    entity = tx.schema.of(entity)
    layout = layout_of(entity)
    extras = entity.extras.names if entity.extras is not None else ()
    names = names_of(tx, reader, pointed_at(entity, [row], entity.fields))
    lists = extras_of(tx, entity, [row], extras).get(row["id"], {})

    def fact(name: str) -> Fact:
        can = may_write and editable(tx.actor, entity, name)
        if name in extras:
            items = tuple(lists.get(name, ()))
            return Fact(Cell(name, reader.label(entity, name), "texts", ", ".join(items), items=items), can)
        cell = reader.cell(entity, name, row, names)
        # A record's own name leads nowhere on its own page.
        return Fact(replace(cell, href="") if name == entity.title else cell, can)

    def seen(wanted: Sequence[str]) -> list[Fact]:
        return [fact(name) for name in wanted if visible(tx.actor, entity, name)]

    sections = []
    for title, wanted in sections_of(entity, layout):
        with_lists = (*wanted[:1], *extras, *wanted[1:]) if title == "main" else wanted
        if shown := seen(with_lists):
            sections.append((title, shown))
    return Facts(row, reader.title(entity, row), seen(layout.head), sections)


def _read(tx: Tx, reader: Reader, entity: Entity, record_id: str) -> RecordPage:
    row = read_any(tx, entity, record_id)
    if row["deleted_at"] is not None:
        return RecordPage(Facts(row, reader.title(entity, row), [], []), deleted=True)
    may_write = writes(tx, entity, record_id)
    facts = facts_of(tx, reader, entity, row, may_write=may_write)
    return RecordPage(facts, read_related(tx, reader, entity, row), may_write=may_write)


def page_of(request: web.Request, viewer: Viewer, entity: Entity, page: RecordPage) -> web.Response:
    """A record's page, or a part of it."""
    return show(
        request,
        viewer,
        "records/record.html",
        entity=entity,
        reader=reader_of(viewer),
        layout=layout_of(entity),
        page=page,
        facts=page.facts,
        path=f"{ROOT}/{entity.name}",
        here_path=f"{ROOT}/{entity.name}/{page.facts.row['id']}",
        may_delete=may(viewer, "delete", entity),
        sees_files=entity.name in {one.name for one in HOLDERS} and allowed(viewer.actor, "read", "files"),
        sees_shares=entity.main and allowed(viewer.actor, "read", "shares"),
        may_note=entity.main and entity.name in MAIN and allowed(viewer.actor, "create", "activities"),
    )


@room
async def record(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/records/{kind}/{id}."""
    entity = kind_of(request, viewer)
    at = LAYOUTS[entity.name].at
    if not at.startswith(ROOT):
        raise web.HTTPSeeOther(at.format(kind=entity.name, id=request.match_info["id"]))
    page = await viewer.app.store.read(
        _read, viewer.actor, reader_of(viewer), entity, request.match_info["id"]
    )
    return page_of(request, viewer, entity, page)


def read_facts(tx: Tx, reader: Reader, entity: Entity, record_id: str) -> Facts:
    """A record's fields as they are now. Raises NotFound."""
    row = read_any(tx, entity, record_id)
    return facts_of(tx, reader, entity, row, may_write=writes(tx, entity, record_id))


@room
async def remove(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/records/{kind}/{id}/delete: its page says so, and offers to bring it back."""
    entity, record_id = kind_of(request, viewer), request.match_info["id"]
    await viewer.app.store.run(delete_record, viewer.actor, entity, record_id)
    return go(request, f"{ROOT}/{entity.name}/{record_id}")


@room
async def bring_back(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/records/{kind}/{id}/restore."""
    entity, record_id = kind_of(request, viewer), request.match_info["id"]
    await viewer.app.store.run(restore_record, viewer.actor, entity, record_id)
    return go(request, f"{ROOT}/{entity.name}/{record_id}")
