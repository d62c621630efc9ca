"""Finding a record by typing a part of its name, for fields that point to one."""

from aiohttp import web

from bot.records.entity import Entity
from bot.records.permissions import visible
from bot.records.query import Query, page, parse
from bot.records.query.text import quoted
from bot.records.tx import Record, Tx
from bot.web.console.door import Viewer, room, show
from bot.web.console.records.common import kind_of, reader_of
from bot.web.console.records.reader import Reader

MOST = 8
_SMALL = 500
"""Kinds that are not searched (people, teams) are few: read whole, and looked through here."""
_BESIDE = ("email", "city", "entity", "need")


def find(tx: Tx, reader: Reader, entity: Entity, text: str) -> list[tuple[str, str, str]]:
    """(id, title, what tells it from its namesakes) of records that fit what was typed."""
    entity = tx.schema.of(entity)
    names = [
        name for name in (entity.title, *_BESIDE) if name in entity.fields and visible(tx.actor, entity, name)
    ]
    searched = any(spec.search for spec in entity.fields.values())
    beside = next((name for name in names if name != entity.title), "")
    if "active" in entity.fields and visible(tx.actor, entity, "active"):
        names.append("active")
    fields = tuple(names) or ("id",)
    if searched:
        where = f"~ {quoted(text)}" if text else ""
        query = parse(tx.schema, entity, tx.actor, where=where, order="id desc", fields=fields, limit=MOST)
        rows = page(tx, entity, query).rows
    else:
        everything = page(tx, entity, Query(entity.name, limit=_SMALL, fields=fields)).rows
        rows = [row for row in everything if _fits(row, names, text.casefold())][:MOST]
    return [
        (row["id"], reader.title(entity, row), str(row.get(beside) or "")[:60])
        for row in rows
        if row.get("active", True)
    ]


def _fits(row: Record, names: list[str], text: str) -> bool:
    return any(text in str(row.get(name) or "").casefold() for name in names if name != "active")


@room
async def lookup(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/records/{kind}/lookup?q=…: what may be meant."""
    entity, text = kind_of(request, viewer), request.query.get("q", "").strip()[:100]
    found = await viewer.app.store.read(find, viewer.actor, reader_of(viewer), entity, text)
    return show(request, viewer, "records/_options.html", found=found)
