"""Leads: interest that may become business, qualified by BANT (budget, authority, need, timeline)."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from bot.errors import InvalidInput
from bot.records.entity import Entity, entity
from bot.records.numbers import next_number
from bot.records.tx import Record, Tx
from bot.records.write import create, update
from bot.storage import Id

LEAD_STATUSES = ("new", "working", "qualified", "disqualified", "converted")
OPEN = ("new", "working", "qualified")
SOURCE_LIMIT = 20
SLOTS = ("need", "budget", "currency", "authority", "timeline")


def _prepare(_tx: Tx, before: Record | None, values: dict[str, Any]) -> None:
    """A lead that became business stays so: its opportunity goes on."""
    if (
        before is not None
        and before["status"] == "converted"
        and values.get("status", "converted") != "converted"
    ):
        raise InvalidInput("A converted lead stays converted; change its opportunity", field="status")


LEAD: Entity = entity(
    "leads",
    sa.Column("number", sa.BigInteger, nullable=False, unique=True),
    sa.Column("contact_id", Id, sa.ForeignKey("contacts.id"), nullable=False, index=True),
    sa.Column("conversation_id", Id),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("source", sa.String(SOURCE_LIMIT), nullable=False),
    sa.Column("need", sa.Text),
    sa.Column("budget", sa.BigInteger),
    sa.Column("currency", sa.String(3)),
    sa.Column("authority", sa.Text),
    sa.Column("timeline", sa.Text),
    sa.Index("ix_leads_status", "status", "id"),
    enums={"status": LEAD_STATUSES},
    money={"budget": "currency"},
    personal=("need", "authority", "timeline"),
    search={"number": 4, "need": 2},
    long=("need",),
    computed=("conversation_id",),
    to={"conversation_id": "conversations"},
    defaults={"status": "new", "source": "staff"},
    number_prefix="L-",
    title="number",
    prepare=_prepare,
    main=True,
)
_open_of = (
    sa.select(LEAD.table)
    .where(
        LEAD.table.c.contact_id == sa.bindparam("contact_id"),
        LEAD.table.c.status.in_(OPEN),
        LEAD.table.c.deleted_at.is_(None),
    )
    .order_by(LEAD.table.c.id.desc())
    .limit(1)
)


def open_lead_of(tx: Tx, contact_id: str) -> Record | None:
    """The contact's newest open lead."""
    return tx.row(_open_of, {"contact_id": contact_id})


def add_lead(
    tx: Tx, contact_id: str, slots: Mapping[str, Any], *, source: str, conversation_id: str | None = None
) -> tuple[str, int]:
    """A new lead; returns (id, number)."""
    number = next_number(tx, LEAD.name)
    values = {name: slots[name] for name in SLOTS if slots.get(name) is not None}
    lead_id = create(
        tx,
        LEAD,
        {
            "number": number,
            "contact_id": contact_id,
            "conversation_id": conversation_id,
            "status": "new",
            "source": source,
            **values,
        },
    )
    return lead_id, number


def add_to_lead(
    tx: Tx, before: Mapping[str, Any], slots: Mapping[str, Any], *, qualified: bool = False
) -> bool:
    """Fill in what was learnt; `before` is the row relied on. Raises VersionConflict."""
    values: dict[str, Any] = {name: slots[name] for name in SLOTS if slots.get(name) is not None}
    if qualified and before["status"] in ("new", "working"):
        values["status"] = "qualified"
    return update(tx, LEAD, before, values)


def drop_lead(tx: Tx, before: Record) -> None:
    """The customer has said that they want it no more. Raises VersionConflict."""
    update(tx, LEAD, before, {"status": "disqualified"}, action="dropped")
