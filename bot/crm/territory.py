"""Territories: where a record belongs, and who works there. Categories: what a record is about."""

import sqlalchemy as sa

from bot.errors import Conflict
from bot.records.entity import EVERYTHING, Entity, entity
from bot.records.tx import Record, Tx
from bot.storage import Id


def _guard(tx: Tx, row: Record) -> None:
    table = TERRITORY.table
    inside = sa.select(table.c.id).where(table.c.parent_id == row["id"], table.c.deleted_at.is_(None))
    if tx.execute(inside.limit(1)).scalar() is not None:
        raise Conflict("This territory still holds others; move them first", reason="has_children")


TERRITORY: Entity = entity(
    "territories",
    sa.Column("name", sa.String(100), nullable=False, unique=True),
    sa.Column("parent_id", Id, sa.ForeignKey("territories.id")),
    takes=EVERYTHING,
    scope="open",
    title="name",
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
    sa.UniqueConstraint("entity", "name"),
    takes=EVERYTHING,
    scope="open",
    title="name",
)


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
