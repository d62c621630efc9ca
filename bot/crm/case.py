"""Cases: what a customer wants solved, under a number they can ask for."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from bot.crm.activity import PRIORITIES, add_note
from bot.crm.question import needs_person
from bot.errors import InvalidInput
from bot.records.entity import Entity, entity
from bot.records.numbers import next_number
from bot.records.tx import Record, Tx
from bot.records.write import create, update
from bot.storage import Id, Instant

CASE_STATUSES = ("new", "open", "pending", "resolved", "closed")

_ONWARD = {"resolved": ("open", "closed"), "closed": ("open",)}
"""Where a case may go from a status that ended it; from the others it goes anywhere but back to new."""
_ENDED = frozenset(_ONWARD)


def _prepare(tx: Tx, before: Record | None, values: dict[str, Any]) -> None:
    """A case that was worked on is not new again; one that ended is opened again first."""
    to = values.get("status")
    if to is None:
        return
    was = before["status"] if before is not None else "new"
    may = _ONWARD.get(was, [status for status in CASE_STATUSES if status != "new"])
    if before is not None and to != was and to not in may:
        raise InvalidInput(
            f"A case that is {was} can become {', '.join(may)}", field="status", expected=[*may]
        )
    if to in _ENDED and was not in _ENDED:
        values["closed_at"] = tx.now
    elif to not in _ENDED and was in _ENDED:
        values["closed_at"] = None


def _opened(tx: Tx, before: Record | None, now: Record | None) -> None:
    """A new case: what the customer asked last was not resolved without a person."""
    if before is None and now is not None and now["created_at"] == tx.now:
        needs_person(tx, now["contact_id"])


CASE: Entity = entity(
    "cases",
    sa.Column("number", sa.BigInteger, nullable=False, unique=True),
    sa.Column("contact_id", Id, sa.ForeignKey("contacts.id"), nullable=False, index=True),
    sa.Column("conversation_id", Id, index=True),
    sa.Column("subject", sa.String(200), nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("priority", sa.String(10), nullable=False),
    sa.Column("origin", sa.String(20), nullable=False),
    sa.Column("account_id", Id, sa.ForeignKey("accounts.id"), index=True),
    sa.Column("escalation_level", sa.Integer, nullable=False),
    sa.Column("closed_at", Instant),
    sa.Index("ix_cases_status", "status", "id"),
    enums={"status": CASE_STATUSES, "priority": PRIORITIES},
    personal=("subject", "description"),
    search={"number": 4, "subject": 3, "description": 1},
    long=("description",),
    computed=("conversation_id", "escalation_level", "closed_at"),
    to={"conversation_id": "conversations"},
    defaults={
        "status": "new",
        "priority": "normal",
        "origin": "staff",
        "description": "",
        "escalation_level": 0,
    },
    number_prefix="C-",
    title="subject",
    prepare=_prepare,
    after=_opened,
    main=True,
)
_of_contact = (
    sa.select(CASE.table)
    .where(CASE.table.c.contact_id == sa.bindparam("contact_id"), CASE.table.c.deleted_at.is_(None))
    .order_by(CASE.table.c.id.desc())
    .limit(5)
)
_by_number = sa.select(CASE.table).where(
    CASE.table.c.contact_id == sa.bindparam("contact_id"),
    CASE.table.c.number == sa.bindparam("number"),
    CASE.table.c.deleted_at.is_(None),
)


def display_number(number: int) -> str:
    """C-1042."""
    return f"C-{number}"


def cases_of(tx: Tx, contact_id: str, number: int | None = None) -> list[Record]:
    """The contact's cases, newest first, at most five; with a number only that one, if it is theirs."""
    if number is None:
        return list(tx.rows(_of_contact, {"contact_id": contact_id}))
    return list(tx.rows(_by_number, {"contact_id": contact_id, "number": number}))


def open_case(
    tx: Tx,
    contact_id: str,
    subject: str,
    description: str,
    *,
    origin: str,
    priority: str = "normal",
    conversation_id: str | None = None,
    category_id: str | None = None,
) -> tuple[str, int]:
    """A new case; returns (id, number)."""
    number = next_number(tx, CASE.name)
    case_id = create(
        tx,
        CASE,
        {
            "number": number,
            "contact_id": contact_id,
            "conversation_id": conversation_id,
            "subject": subject[:200],
            "description": description,
            "status": "new",
            "priority": priority,
            "origin": origin,
            "escalation_level": 0,
            "category_id": category_id,
        },
    )
    return case_id, number


def add_to_case(tx: Tx, case: Mapping[str, Any], text: str) -> None:
    """Add the customer's words as a note; a resolved or closed case opens again."""
    add_note(tx, "cases", case["id"], text, contact_id=case["contact_id"])
    needs_person(tx, case["contact_id"])
    if case["status"] in ("resolved", "closed"):
        update(tx, CASE, case, {"status": "open"}, action="reopened")


def set_status(tx: Tx, case: Mapping[str, Any], status: str, *, reason: str = "") -> bool:
    """Move a case to another status."""
    return update(tx, CASE, case, {"status": status}, reason=reason)


def withdraw_case(tx: Tx, before: Record) -> None:
    """Its customer has taken it back. Raises VersionConflict."""
    update(tx, CASE, before, {"status": "closed"}, action="withdrawn")
