"""The records that an activity is linked to: the first is what it is about, the others stand beside it.

Hooks of the kinds in `bot.crm.activity`, which imports this module.
"""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from bot.crm.guests import guests_of, show_to
from bot.errors import Conflict, InvalidInput
from bot.ids import new_id
from bot.records.actor import Actor
from bot.records.permissions import allowed, row_filter, visible
from bot.records.schema import Schema
from bot.records.tx import Record, Tx
from bot.records.write import find
from bot.storage import Id
from bot.storage.upsert import insert

KINDS_BESIDE = ("conversations",)
"""What activities may be about beside the main records."""


def target_of(tx: Tx, kind: str, record_id: str, field: str) -> Record:
    """The record that something is to be linked to. Raises InvalidInput when the actor sees none such."""
    wanted = tx.schema.entities.get(kind)
    if wanted is None or not (wanted.main or kind in KINDS_BESIDE):
        raise InvalidInput(f"{kind[:40]!r} is no kind that this can be about", field=field)
    found = find(tx, wanted, record_id) if allowed(tx.actor, "read", kind) else None
    if found is None:
        raise InvalidInput(f"There is no such record in {kind} that you see", field=f"{field}_id")
    return found


def _links(tx: Tx) -> sa.Table:
    return tx.schema.entity("activity_links").table


def link_about(tx: Tx, before: Record | None, now: Record) -> None:
    """The record that it is about is its first link. An index like that of tags: without an event."""
    about = (now["about"], now["about_id"])
    if before is not None and (before["about"], before["about_id"]) == about:
        return
    table = _links(tx)
    if now["version"] > 1:
        tx.execute(table.delete().where(table.c.activity_id == now["id"], table.c.first))
    if now["about"] is not None:
        add_links(tx, now["id"], [about], first=True)


def add_links(tx: Tx, activity_id: str, records: Iterable[tuple[str, str]], *, first: bool = False) -> None:
    """Link an activity to records; those that are linked already stay so."""
    rows = [
        {
            "id": new_id(),
            "activity_id": activity_id,
            "entity": kind,
            "record_id": record_id,
            "first": first,
            "created_at": tx.now,
            "updated_at": tx.now,
            "version": 1,
        }
        for kind, record_id in records
    ]
    statement = insert(_links(tx), tx.dialect)
    again = {"deleted_at": None} | ({"first": True} if first else {})
    if rows:
        keys = ["activity_id", "entity", "record_id"]
        tx.execute(statement.on_conflict_do_update(index_elements=keys, set_=again), rows)


def further_links(tx: Tx, activity_id: str) -> list[tuple[str, str]]:
    """The records that an activity is linked to beside what it is about."""
    link = _links(tx)
    statement = sa.select(link.c.entity, link.c.record_id).where(
        link.c.activity_id == activity_id, link.c.first.is_(sa.false()), link.c.deleted_at.is_(None)
    )
    return [(row["entity"], row["record_id"]) for row in tx.rows(statement.order_by(link.c.id))]


def around(schema: Schema, actor: Actor, kind: str, records: Any) -> sa.Select[Any] | None:
    """The newest activities about these records, linked to them, or with `kind` contacts of the contact
    `:record`: those that this actor sees, each once, `:most` before the id `:before`; None where they may
    see none. `records` are ids, or what selects them.

    Each way to a record is a selection of its own that follows its index, and their ids are cut before the
    activities are read: a plan that hopes to meet some of them soon reads those of everybody.
    """
    activity, link = schema.entity("activities"), schema.entity("activity_links")
    if not allowed(actor, "read", activity.name):
        return None
    table, beside = activity.table, link.table
    seen = sa.select(table.c.id).where(table.c.deleted_at.is_(None))
    if (mine := row_filter(actor, activity)) is not None:
        seen = seen.where(mine)
    ways = []
    if visible(actor, activity, "about_id"):
        ways.append(seen.where(table.c.about_id.in_(records)))
    if kind == "contacts" and visible(actor, activity, "contact_id"):
        ways.append(seen.where(table.c.contact_id == sa.bindparam("record", type_=Id)))
    if allowed(actor, "read", link.name) and visible(actor, link, "record_id"):
        further = sa.and_(beside.c.first.is_(sa.false()), beside.c.deleted_at.is_(None))
        linked = seen.join(beside, beside.c.activity_id == table.c.id)
        ways.append(linked.where(beside.c.record_id.in_(records), further))
    if not ways:
        return None
    found = sa.union(*ways).subquery()
    newest = sa.select(found.c.id).where(found.c.id < sa.bindparam("before", type_=Id))
    newest = newest.order_by(found.c.id.desc()).limit(sa.bindparam("most", type_=sa.Integer))
    return sa.select(table).where(table.c.id.in_(newest)).order_by(table.c.id.desc())


def like_the_series(tx: Tx, now: Record) -> None:
    """A further occurrence has the links of the others, and is seen by the same colleagues."""
    link, mate = _links(tx), tx.schema.entity("activities").table
    newest = (
        sa.select(mate.c.id)
        .where(mate.c.series_id == now["series_id"], mate.c.id != now["id"], mate.c.deleted_at.is_(None))
        .where(mate.c.detached.is_(sa.false()), mate.c.occurs_at < now["occurs_at"])
        .order_by(mate.c.occurs_at.desc())
        .limit(1)
    )
    statement = sa.select(link.c.entity, link.c.record_id).where(
        link.c.activity_id == newest.scalar_subquery(), link.c.first.is_(sa.false())
    )
    rows = tx.rows(statement.where(link.c.deleted_at.is_(None)))
    add_links(tx, now["id"], [(row["entity"], row["record_id"]) for row in rows])
    for guest in guests_of(tx, now):
        if guest["user_id"] is not None:
            show_to(tx, [now["id"]], guest["user_id"])


def prepare(tx: Tx, before: Record | None, values: dict[str, Any]) -> None:
    """A link leads from an activity that the actor may change to a record that they see."""
    if before is not None:
        if values.keys() & {"activity_id", "entity", "record_id"}:
            raise InvalidInput("A link stays what it is; delete it and make another", field="record_id")
        return
    if tx.actor.kind != "user":
        return
    if find(tx, tx.schema.entity("activities"), values["activity_id"], writing=True) is None:
        raise InvalidInput("There is no such activity that you may change", field="activity_id")
    target_of(tx, values["entity"], values["record_id"], "entity")
    # One that was taken away stands in the way of another.
    table, keys = _links(tx), ("activity_id", "entity", "record_id")
    same = [table.c[name] == values[name] for name in keys]
    tx.execute(table.delete().where(*same, table.c.deleted_at.is_not(None)))


def guard(_tx: Tx, link: Record) -> None:
    """What an activity is about is changed in the activity."""
    if link["first"]:
        raise Conflict("This is what the activity is about; change about_id of the activity", reason="first")


def after(tx: Tx, before: Record | None, now: Record | None) -> None:
    """A link of an occurrence like the others is one of all that come later too."""
    if before is not None or now is None:
        return
    table = tx.schema.entity("activities").table
    row = tx.row(sa.select(table).where(table.c.id == now["activity_id"]))
    if row is None or row["series_id"] is None or row["detached"]:
        return
    later = sa.select(table.c.id).where(
        table.c.series_id == row["series_id"],
        table.c.occurs_at > row["occurs_at"],
        table.c.detached.is_(sa.false()),
        table.c.deleted_at.is_(None),
    )
    for activity_id in tx.execute(later).scalars().all():
        add_links(tx, activity_id, [(now["entity"], now["record_id"])])
