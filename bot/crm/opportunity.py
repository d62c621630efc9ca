"""Opportunities: business that may be won, moving through stages."""

from typing import Any

import sqlalchemy as sa

from bot.errors import Conflict, InvalidInput, NoSuchTarget
from bot.records.actor import Actor
from bot.records.bulk import change_all
from bot.records.entity import EVERYTHING, Entity, entity
from bot.records.permissions import through
from bot.records.tx import Record, Tx
from bot.storage import Id, Instant

OPPORTUNITY_STATUSES = ("open", "won", "lost")


def _prepare_stage(tx: Tx, before: Record | None, values: dict[str, Any]) -> None:
    """Opportunities hold the name of their stage: they follow a new one."""
    if not 0 <= int(values.get("probability") or 0) <= 100:
        raise InvalidInput("A probability is from 0 to 100 percent", field="probability")
    if before is not None and "name" in values:
        there = OPPORTUNITY.table.c.stage == before["name"]
        change_all(tx, OPPORTUNITY, there, {"stage": values["name"]}, reason="the stage was renamed")


def _guard_stage(tx: Tx, row: Record) -> None:
    """A stage with opportunities in it stays."""
    table = OPPORTUNITY.table
    held = sa.select(table.c.id).where(table.c.stage == row["name"], table.c.deleted_at.is_(None))
    if tx.execute(held.limit(1)).scalar() is not None:
        raise Conflict("Opportunities are in this stage; move them first", reason="has_children")


STAGE: Entity = entity(
    "stages",
    sa.Column("name", sa.String(60), nullable=False, unique=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("probability", sa.Integer, nullable=False),
    sa.Column("status", sa.String(10), nullable=False),
    enums={"status": OPPORTUNITY_STATUSES},
    defaults={"status": "open"},
    takes=EVERYTHING,
    scope="open",
    title="name",
    prepare=_prepare_stage,
    guard=_guard_stage,
)
"""`probability` in percent; `status` is what an opportunity becomes that enters the stage."""


def _prepare(tx: Tx, before: Record | None, values: dict[str, Any]) -> None:
    """The stage exists; status and probability follow it."""
    if before is None and not values.get("stage"):
        first = tx.row(_first)
        values["stage"] = first["name"] if first is not None else ""
    if "stage" in values:
        stage = tx.row(_by_name, {"name": values["stage"]})
        if stage is None:
            known = tx.execute(_names).scalars().all()
            raise NoSuchTarget(
                f"There is no stage {values['stage']!r}; one of {', '.join(known)}",
                field="stage",
                expected=list(known),
            )
        values["status"] = stage["status"]
        values.setdefault("probability", stage["probability"])
        if stage["status"] != "open":
            values["closed_at"] = tx.now
        elif before is not None and before["closed_at"] is not None:
            values["closed_at"] = None
    if not 0 <= int(values.get("probability") or 0) <= 100:
        raise InvalidInput("A probability is from 0 to 100 percent", field="probability")


_live = STAGE.table.c.deleted_at.is_(None)
_by_name = sa.select(STAGE.table).where(STAGE.table.c.name == sa.bindparam("name"), _live)
_first = sa.select(STAGE.table).where(_live).order_by(STAGE.table.c.position).limit(1)
_names = sa.select(STAGE.table.c.name).where(_live).order_by(STAGE.table.c.position)

OPPORTUNITY: Entity = entity(
    "opportunities",
    sa.Column("number", sa.BigInteger, nullable=False, unique=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("account_id", Id, sa.ForeignKey("accounts.id"), index=True),
    sa.Column("contact_id", Id, sa.ForeignKey("contacts.id"), index=True),
    sa.Column("lead_id", Id, sa.ForeignKey("leads.id")),
    sa.Column("stage", sa.String(60), nullable=False),
    sa.Column("status", sa.String(10), nullable=False),
    sa.Column("probability", sa.Integer),
    sa.Column("amount", sa.BigInteger),
    sa.Column("currency", sa.String(3)),
    sa.Column("close_date", sa.Date),
    sa.Column("closed_at", Instant),
    sa.Column("source", sa.String(40)),
    sa.Column("next_step", sa.String(200)),
    sa.Column("description", sa.Text),
    sa.Index("ix_opportunities_stage", "stage", "id"),
    sa.Index("ix_opportunities_status", "status", "id"),
    sa.Index("ix_opportunities_close_date", "close_date", "id"),
    sa.Index("ix_opportunities_name", "name", "id"),
    enums={"status": OPPORTUNITY_STATUSES},
    money={"amount": "currency"},
    personal=("name", "next_step", "description"),
    search={"name": 4, "number": 4, "next_step": 1, "description": 1},
    long=("description",),
    computed=("status", "closed_at"),
    defaults={"stage": ""},
    number_prefix="O-",
    title="name",
    prepare=_prepare,
    main=True,
)


def through_opportunity(
    actor: Actor, column: sa.Column[Any], writing: bool = False
) -> sa.ColumnElement[bool] | None:
    """The condition that rows belong to an opportunity this actor may see, or change."""
    return through(actor, OPPORTUNITY, column, writing=writing)
