"""Territories: where a record belongs, and who works there. Categories: what a record is about."""

from typing import Any

import sqlalchemy as sa

from bot.errors import Conflict, InvalidInput
from bot.records.actor import SYSTEM
from bot.records.entity import EVERYTHING, Entity, entity
from bot.records.lock import lock
from bot.records.tx import Record, Tx
from bot.records.write import create, update
from bot.storage import Id

MAX_DEPTH = 20


def _guard(tx: Tx, row: Record) -> None:
    table = TERRITORY.table
    inside = sa.select(table.c.id).where(table.c.parent_id == row["id"], table.c.deleted_at.is_(None))
    if tx.execute(inside.limit(1)).scalar() is not None:
        raise Conflict("This territory still holds others; move them first", reason="has_children")


def _prepare(tx: Tx, before: Record | None, values: dict[str, Any]) -> None:
    """A territory is never inside itself."""
    _no_circle(tx, TERRITORY.table, before, values)


def _prepare_category(tx: Tx, before: Record | None, values: dict[str, Any]) -> None:
    """A category is of one kind of record, and below none but one of the same kind."""
    if before is not None and "entity" in values:
        raise InvalidInput("A category stays with its kind of record; make another", field="entity")
    kind = tx.schema.entities.get((before or values)["entity"])
    if kind is None or not kind.main:
        kinds = [name for name, entity in tx.schema.entities.items() if entity.main]
        raise InvalidInput(f"A category is for one of {', '.join(kinds)}", field="entity", expected=kinds)
    table = CATEGORY.table
    above = values.get("parent_id")
    if above and tx.execute(sa.select(table.c.entity).where(table.c.id == above)).scalar() != kind.name:
        raise InvalidInput(f"The category above is not for {kind.name}", field="parent_id")
    _no_circle(tx, table, before, values)


def _no_circle(tx: Tx, table: sa.Table, before: Record | None, values: dict[str, Any]) -> None:
    own = before["id"] if before is not None else values.get("id")
    above = values.get("parent_id")
    for _ in range(MAX_DEPTH):
        if above is None:
            return
        if above == own:
            break
        above = tx.execute(sa.select(table.c.parent_id).where(table.c.id == above)).scalar()
    raise InvalidInput(f"It would stand above itself, or over {MAX_DEPTH} deep", field="parent_id")


TERRITORY: Entity = entity(
    "territories",
    sa.Column("name", sa.String(100), nullable=False, unique=True),
    sa.Column("parent_id", Id, sa.ForeignKey("territories.id")),
    takes=EVERYTHING,
    scope="open",
    title="name",
    prepare=_prepare,
    guard=_guard,
)
TERRITORY_MEMBER: Entity = entity(
    "territory_members",
    sa.Column("territory_id", Id, sa.ForeignKey("territories.id"), nullable=False),
    sa.Column("user_id", Id, sa.ForeignKey("users.id"), nullable=False),
    sa.UniqueConstraint("territory_id", "user_id"),
    sa.Index("ix_territory_members_user", "user_id"),
    takes=EVERYTHING,
    scope="open",
)
CATEGORY: Entity = entity(
    "categories",
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("entity", sa.String(40), nullable=False),
    sa.Column("parent_id", Id, sa.ForeignKey("categories.id")),
    # Of those that flows file records under: they are found again whatever an admin calls them.
    sa.Column("key", sa.String(20)),
    sa.UniqueConstraint("entity", "name"),
    sa.Index("uq_categories_key", "entity", "key", unique=True),
    computed=("key",),
    prepare=_prepare_category,
    takes=EVERYTHING,
    scope="open",
    title="name",
)


def category_of(tx: Tx, kind: str, key: str, name: str) -> str:
    """The id of the category that flows file such records under; made, with this name, when first needed.
    One of that name that an admin made before is taken for it."""
    table = CATEGORY.table
    of_kind = sa.select(table).where(table.c.entity == kind)
    if (found := tx.row(of_kind.where(table.c.key == key))) is not None:
        return str(found["id"])
    lock(tx, f"category {kind} {key}")
    mine = of_kind.where(sa.or_(table.c.key == key, table.c.name == name))
    if (found := tx.row(mine.order_by(table.c.key.desc().nulls_last()))) is not None:
        if found["key"] is None:
            with tx.acting(SYSTEM):
                update(tx, CATEGORY, found, {"key": key})
        return str(found["id"])
    with tx.acting(SYSTEM):  # a customer's words make no categories: the flow does
        return create(tx, CATEGORY, {"entity": kind, "key": key, "name": name})


def _all_of() -> sa.Select[tuple[str]]:
    members, inside = TERRITORY_MEMBER.table, TERRITORY.table
    mine = sa.select(members.c.territory_id.label("id")).where(
        members.c.user_id == sa.bindparam("user", type_=Id), members.c.deleted_at.is_(None)
    )
    within = mine.cte("within", recursive=True)
    deeper = sa.select(inside.c.id).where(inside.c.parent_id == within.c.id, inside.c.deleted_at.is_(None))
    return sa.select(within.union(deeper).c.id)


_territories = _all_of()


def territories_of(tx: Tx, user_id: str) -> tuple[str, ...]:
    """The territories a user works in, with all that lie inside them, in order."""
    return tuple(sorted(tx.execute(_territories, {"user": user_id}).scalars()))
