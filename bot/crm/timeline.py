"""What happened around a record, newest first: its events, the activities about it or linked to it, the
messages with its people.

Ids are made in the order of time, so the three are cut at the same id and merged by it: a page costs one
statement of each, by index, however long the past is.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from heapq import merge
from itertools import islice
from typing import Any, Literal

import sqlalchemy as sa

from bot.crm import links
from bot.records.actor import Actor
from bot.records.change import business_currency
from bot.records.entity import Entity
from bot.records.events import events
from bot.records.keys import BUSINESS
from bot.records.money import to_major
from bot.records.permissions import allowed, row_filter, visible
from bot.records.schema import Schema
from bot.records.tx import Record, Tx
from bot.storage import Id

Around = Mapping[str, tuple[tuple[str, str], ...]]
_AROUND: Around = {
    "contacts": (
        ("leads", "contact_id"),
        ("opportunities", "contact_id"),
        ("cases", "contact_id"),
        ("conversations", "contact_id"),
    ),
    "accounts": (("contacts", "account_id"), ("opportunities", "account_id"), ("cases", "account_id")),
}
"""Whose events and activities belong to the record too: (kind, the field that points to it)."""
KINDS = ("contacts", "accounts", "leads", "opportunities", "cases", "conversations", "activities")
"""The kinds that have a timeline."""
What = Literal["event", "activity", "message"]
_BOUND = ("record", "conversation", "before", "most")
_NEWEST = "ffffffff-ffff-ffff-ffff-ffffffffffff"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened. An event's row has its changes as the actor may see them, and `erased` where
    personal values were destroyed."""

    kind: What
    row: Record


@dataclass(frozen=True, slots=True)
class Timeline:
    """Entries, and the cursor of older ones; None when these are the oldest."""

    entries: list[Entry]
    next_cursor: str | None


def newest_activities(
    tx: Tx, entity: Entity, record_id: str, *, limit: int, before: str | None = None
) -> list[str]:
    """The ids of the newest activities about a record, linked to it, or of this contact, that the actor sees;
    of those before an id."""
    statement = links.around(tx.schema, tx.actor, entity.name, [record_id])
    if statement is None:
        return []
    bound = {"before": before or _NEWEST, "most": limit}
    return [row["id"] for row in tx.rows(statement, bound | _record_of(entity, record_id))]


def _record_of(entity: Entity, record_id: str) -> dict[str, str]:
    return {"record": record_id} if entity.name == "contacts" else {}


def timeline(
    tx: Tx, entity: Entity, record: Record, *, limit: int = 50, cursor: str | None = None
) -> Timeline:
    """A page of what happened around a record that was read as this actor: at most three statements.

    `cursor` is the `next_cursor` of the page before. What the actor may not see is left out.
    """
    bound = {
        "record": record["id"],
        "conversation": record.get("conversation_id"),
        "before": cursor or _NEWEST,
        "most": limit + 1,
    }
    found = [
        [Entry(kind, row) for row in tx.rows(statement, {name: bound[name] for name in names})]
        for kind, (statement, names) in _statements(tx.schema, entity.name, tx.actor).items()
    ]
    merged = list(islice(merge(*found, key=lambda entry: entry.row["id"], reverse=True), limit + 1))
    kept = merged[:limit]
    older = kept[-1].row["id"] if len(merged) > limit else None
    return Timeline(list(_readable(tx, record, kept)), older)


@lru_cache(maxsize=512)
def _statements(schema: Schema, kind: str, actor: Actor) -> dict[What, tuple[sa.Select[Any], list[str]]]:
    """What reads each log around a record of this kind, for this actor, and the names it binds."""
    ids = _ids(schema, kind, actor)
    made: dict[What, sa.Select[Any] | None] = {
        "event": _events(schema, kind, actor, ids),
        "activity": None if kind == "activities" else links.around(schema, actor, kind, ids),
        "message": _messages(schema, kind, actor),
    }
    return {
        name: (statement, [bound for bound in statement.compile().params if bound in _BOUND])
        for name, statement in made.items()
        if statement is not None
    }


def _ids(schema: Schema, kind: str, actor: Actor) -> sa.Select[Any] | sa.CompoundSelect[Any]:
    """The record and those around it that the actor sees."""
    parts = [sa.select(sa.bindparam("record", type_=Id).label("id"))]
    for other, field in _AROUND.get(kind, ()):
        if allowed(actor, "read", other):
            parts.append(_pointing(schema.entity(other), field, actor))
    return parts[0] if len(parts) == 1 else sa.union_all(*parts)


def _pointing(entity: Entity, field: str, actor: Actor) -> sa.Select[Any]:
    table = entity.table
    chosen = sa.select(table.c.id).where(
        table.c[field] == sa.bindparam("record", type_=Id), table.c.deleted_at.is_(None)
    )
    mine = row_filter(actor, entity)
    return chosen if mine is None else chosen.where(mine)


def _page(statement: sa.Select[Any], id_: sa.ColumnElement[Any]) -> sa.Select[Any]:
    older = statement.where(id_ < sa.bindparam("before", type_=Id))
    return older.order_by(id_.desc()).limit(sa.bindparam("most", type_=sa.Integer))


def _events(schema: Schema, kind: str, actor: Actor, ids: Any) -> sa.Select[Any] | None:
    if not allowed(actor, "read", "events"):
        return None
    codes = []
    for name in (kind, *(other for other, _ in _AROUND.get(kind, ()))):
        table = schema.entity(name).table
        if "currency" in table.c:
            codes.append(
                sa.select(table.c.currency).where(table.c.id == events.c.record_id).scalar_subquery()
            )
    code = sa.func.coalesce(*codes, sa.null()) if codes else sa.null()
    return _page(sa.select(events, code.label("currency")).where(events.c.record_id.in_(ids)), events.c.id)


def _messages(schema: Schema, kind: str, actor: Actor) -> sa.Select[Any] | None:
    entity = schema.entity("messages")
    if not allowed(actor, "read", entity.name):
        return None
    table, record = entity.table, sa.bindparam("record", type_=Id)
    if kind == "contacts":
        theirs: sa.ColumnElement[bool] = table.c.contact_id == record
    elif kind == "accounts" and allowed(actor, "read", "contacts"):
        theirs = table.c.contact_id.in_(_pointing(schema.entity("contacts"), "account_id", actor))
    elif kind == "conversations":
        theirs = table.c.conversation_id == record
    elif "conversation_id" in schema.entity(kind).table.c:
        theirs = table.c.conversation_id == sa.bindparam("conversation", type_=Id)
    else:
        return None
    chosen = sa.select(table).where(theirs)
    mine = row_filter(actor, entity)
    return _page(chosen if mine is None else chosen.where(mine), table.c.id)


def _readable(tx: Tx, record: Record, entries: list[Entry]) -> Iterator[Entry]:
    """The entries with the changes of events unsealed; the keys of a page are read at once."""
    sealed = [entry.row for entry in entries if entry.kind == "event" and entry.row["sealed"]]
    ours = cache(partial(business_currency, tx))  # read at most once a page
    keys = tx.keys.find_all({row["contact_id"] or BUSINESS for row in sealed})
    for entry in entries:
        if entry.kind != "event":
            yield entry
            continue
        row = entry.row
        subject = row["contact_id"] or BUSINESS
        changes, erased = dict(row["changes"] or {}), False
        if row["sealed"]:
            erased = subject not in keys
            changes |= {} if erased else tx.keys.unseal_values(subject, row["sealed"])
        yield Entry("event", {**row, "changes": _seen(tx, row, changes, ours), "erased": erased})


def _seen(
    tx: Tx, event: Record, changes: Mapping[str, Any], ours: Callable[[], str]
) -> dict[str, Any] | None:
    """Changes without what is hidden from the actor, and with amounts in major units."""
    entity = tx.schema.entities.get(event["entity"])
    if entity is None:
        return None
    shown: dict[str, Any] = {}
    for name, pair in changes.items():
        if not visible(tx.actor, entity, name):
            continue
        spec = entity.fields.get(name)
        if spec is not None and spec.type == "money":
            fixed = spec.currency if spec.currency not in entity.fields else ""
            codes = [None, None] if fixed else changes.get(spec.currency) or [event["currency"]] * 2
            pair = [
                None if value is None else to_major(value, fixed or code or ours())
                for value, code in zip(pair, codes, strict=True)
            ]
        shown[name] = pair
    return shown or None
