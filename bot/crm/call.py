"""Calls that came in, and the wish to be called back."""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot.crm.activity import ACTIVITY, add_task
from bot.records.timer import set_timer
from bot.records.tx import Record, Tx
from bot.records.write import create, update
from bot.storage import Id

CALL_BACK_ONCE = timedelta(days=1)
"""Who asks again within this time while the first request is open has asked once."""
CALL_BACK = "call_back"
"""The timer that tells the team that a customer waits to be rung."""
TOLD_AHEAD = timedelta(minutes=10)
_table = ACTIVITY.table
_to_call = sa.select(_table).where(
    _table.c.contact_id == sa.bindparam("contact", type_=Id),
    _table.c.kind.in_(("task", "call")),
    _table.c.direction == "outbound",
    _table.c.conversation_id.is_not(None),  # the customer asked for it: what we plan ourselves stays
    _table.c.done_at.is_(None),
    _table.c.deleted_at.is_(None),
)


def ask_call_back(tx: Tx, contact_id: str, conversation_id: str, subject: str, due_at: datetime) -> bool:
    """A task to call a contact; False when one of the last day is still open."""
    since = tx.now - CALL_BACK_ONCE
    if any(task["created_at"] > since for task in tx.rows(_to_call, {"contact": contact_id})):
        return False
    add_task(
        tx,
        "contacts",
        contact_id,
        subject,
        due_at=due_at,
        contact_id=contact_id,
        direction="outbound",
        conversation_id=conversation_id,
    )
    return True


def book_call_back(
    tx: Tx, contact_id: str, conversation_id: str, call_at: datetime, subject: str, body: str
) -> str:
    """A call to make at the time that a customer named; returns its id. Who asks again while one is open has
    named another time for it."""
    values = {"subject": subject[:200], "body": body, "starts_at": call_at, "due_at": call_at}
    known = next((row for row in tx.rows(_to_call, {"contact": contact_id}) if row["kind"] == "call"), None)
    if known is not None:
        update(tx, ACTIVITY, known, values)
        call_id = str(known["id"])
    else:
        who = {"about": "contacts", "about_id": contact_id, "contact_id": contact_id}
        who["conversation_id"] = conversation_id
        call_id = create(tx, ACTIVITY, {"kind": "call", "direction": "outbound"} | who | values)
    set_timer(tx, CALL_BACK, call_id, max(tx.now, call_at - TOLD_AHEAD))
    return call_id


def finish_call_backs(tx: Tx, contact_id: str) -> None:
    """Somebody has seen to them: the open tasks to call this contact are done."""
    for task in tx.rows(_to_call, {"contact": contact_id}):
        update(tx, ACTIVITY, task, {"done_at": tx.now}, action="done")


def find_call(tx: Tx, external_id: str, contact_id: str) -> Record | None:
    """The call that the provider names so."""
    return tx.row(
        sa.select(_table).where(_table.c.external_id == external_id, _table.c.contact_id == contact_id)
    )


def log_call(
    tx: Tx,
    known: Record | None,
    external_id: str,
    contact_id: str,
    *,
    subject: str,
    body: str,
    outcome: str | None,
    seconds: int | None,
    ended: bool,
) -> None:
    """Log an inbound call, or what became known of it since."""
    values: dict[str, Any] = {"body": body, "outcome": outcome, "seconds": seconds}
    if ended and (known is None or known["done_at"] is None):
        values["done_at"] = tx.now
    if known is not None:
        update(tx, ACTIVITY, known, values)
        return
    who = {"about": "contacts", "about_id": contact_id, "contact_id": contact_id}
    what = {"kind": "call", "direction": "inbound", "external_id": external_id, "subject": subject[:200]}
    create(tx, ACTIVITY, what | who | values)
