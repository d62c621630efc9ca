"""Activities: tasks, calls, meetings, notes about a record."""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot.records.entity import Entity, entity
from bot.records.tx import Record, Tx
from bot.records.write import create, update
from bot.storage import Id, Instant

ACTIVITY_KINDS = ("task", "event", "call", "email", "note")
DIRECTIONS = ("inbound", "outbound")
OUTCOMES = ("missed", "call_back", "voicemail", "answered", "blocked")
CALL_BACK_ONCE = timedelta(days=1)
"""Who asks again within this time while the first request is open has asked once."""

ACTIVITY: Entity = entity(
    "activities",
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("subject", sa.String(200), nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("about", sa.String(20), nullable=False),
    sa.Column("about_id", Id, nullable=False),
    sa.Column("contact_id", Id, sa.ForeignKey("contacts.id"), index=True),
    sa.Column("due_at", Instant),
    sa.Column("done_at", Instant),
    # Of calls: whose, what came of it, how long. A task to call somebody has a direction too.
    sa.Column("direction", sa.String(10)),
    sa.Column("outcome", sa.String(20)),
    sa.Column("seconds", sa.Integer),
    sa.Column("external_id", sa.String(100), index=True),
    sa.Index("ix_activities_about", "about_id", "id"),
    sa.Index("ix_activities_due", "due_at", "id"),
    enums={"kind": ACTIVITY_KINDS, "direction": DIRECTIONS, "outcome": OUTCOMES},
    personal=("subject", "body"),
    internal=("external_id",),
    search={"subject": 2, "body": 1},
    long=("body",),
    defaults={"kind": "task", "body": ""},
    title="subject",
    about=("about", "about_id"),
    main=True,
)
_table = ACTIVITY.table
_to_call = sa.select(_table).where(
    _table.c.contact_id == sa.bindparam("contact", type_=Id),
    _table.c.kind == "task",
    _table.c.direction == "outbound",
    _table.c.done_at.is_(None),
    _table.c.deleted_at.is_(None),
)


def add_note(tx: Tx, about: str, about_id: str, body: str, *, contact_id: str | None = None) -> str:
    """A note on a record; returns its id."""
    subject = body.strip().split("\n", 1)[0][:200]
    return create(
        tx,
        ACTIVITY,
        {
            "kind": "note",
            "subject": subject,
            "body": body,
            "about": about,
            "about_id": about_id,
            "contact_id": contact_id,
            "owner_id": tx.actor.id,
            "team_id": tx.actor.team_id,
        },
    )


def add_task(
    tx: Tx,
    about: str,
    about_id: str,
    subject: str,
    *,
    due_at: datetime,
    contact_id: str | None = None,
    owner_id: str | None = None,
    team_id: str | None = None,
    direction: str | None = None,
) -> str:
    """A task for a record's owner; returns its id."""
    task_id = create(
        tx,
        ACTIVITY,
        {
            "kind": "task",
            "subject": subject[:200],
            "body": "",
            "about": about,
            "about_id": about_id,
            "contact_id": contact_id,
            "due_at": due_at,
            "owner_id": owner_id,
            "team_id": team_id,
            "direction": direction,
        },
    )
    tx.notify("activity", task_id)
    return task_id


def ask_call_back(tx: Tx, contact_id: str, subject: str, due_at: datetime) -> bool:
    """A task to call a contact; False when one of the last day is still open."""
    since = tx.now - CALL_BACK_ONCE
    if any(task["created_at"] > since for task in tx.rows(_to_call, {"contact": contact_id})):
        return False
    add_task(tx, "contacts", contact_id, subject, due_at=due_at, contact_id=contact_id, direction="outbound")
    return True


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
    tx.notify("activity", create(tx, ACTIVITY, what | who | values))
