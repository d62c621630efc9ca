"""Activities: tasks, calls, meetings, notes about a record."""

from datetime import datetime

import sqlalchemy as sa

from bot.records.entity import entity
from bot.records.tx import Tx, create
from bot.storage import Id, Instant

ACTIVITY_KINDS = ("task", "event", "call", "email", "note")

ACTIVITY = entity(
    "activities",
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("subject", sa.String(200), nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("about", sa.String(20), nullable=False),
    sa.Column("about_id", Id, nullable=False),
    sa.Column("contact_id", Id, sa.ForeignKey("contacts.id"), index=True),
    sa.Column("due_at", Instant),
    sa.Column("done_at", Instant),
    sa.Column("owner_id", Id, sa.ForeignKey("users.id"), index=True),
    sa.Column("team_id", Id, sa.ForeignKey("teams.id"), index=True),
    sa.Index("ix_activities_about", "about_id", "id"),
    enums={"kind": ACTIVITY_KINDS},
    personal=("subject", "body"),
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
        },
    )
    tx.notify("activity", task_id)
    return task_id
