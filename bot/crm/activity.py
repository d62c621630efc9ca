"""Activities: tasks, events, calls, mails, notes; what they are about, who takes part."""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot.crm import guests, invitation, links, reminders, series
from bot.crm.guests import tell_guests
from bot.crm.links import like_the_series, link_about, target_of
from bot.crm.recurrence import zone_info
from bot.errors import InvalidInput
from bot.records.actor import Actor
from bot.records.entity import EVERYTHING, Entity, entity
from bot.records.permissions import through
from bot.records.tx import Record, Tx
from bot.records.write import create
from bot.storage import Id, Instant

ACTIVITY_KINDS = ("task", "event", "call", "email", "note")
DIRECTIONS = ("inbound", "outbound")
PRIORITIES = ("low", "normal", "high", "urgent")
OUTCOMES = (
    *("missed", "call_back", "voicemail", "answered", "blocked"),
    *("no_answer", "busy", "wrong_number", "left_message", "interested", "not_interested"),
    *("meeting_held", "no_show", "postponed", "cancelled"),
)
"""What came of it. The first five a provider tells of a call that came in; people say all of them."""
ANSWERS = ("needs_action", "accepted", "declined", "tentative")
LENGTH = timedelta(hours=1)
"""Of an event whose end nobody said."""
_TOLD = frozenset({"subject", "body", "starts_at", "ends_at", "all_day", "location", "zone"})
"""What guests are told of when it changes."""


# --- what an activity obeys ------------------------------------------------------------------------


def _prepare(tx: Tx, before: Record | None, values: dict[str, Any]) -> None:
    if "about" in values or "about_id" in values:
        _check_about(tx, {**(before or {}), **values}, values)
    if before is not None and values.get("starts_at") and "ends_at" not in values:
        values["ends_at"] = moved_end(before, values["starts_at"])
    _check_times({**(before or {}), **values}, values)
    _settle_series(tx, before, values)
    if before is not None and "sequence" not in values and values.keys() & _TOLD:
        values["sequence"] = before["sequence"] + 1


def _check_about(tx: Tx, both: dict[str, Any], values: dict[str, Any]) -> None:
    """What it is about exists and is seen by whoever says so; of a customer's record it is their activity."""
    kind, record_id = both.get("about"), both.get("about_id")
    if (kind is None) != (record_id is None):
        missing = "about" if kind is None else "about_id"
        raise InvalidInput(
            "about and about_id go together: the record kind and the record's id", field=missing
        )
    if kind is None or tx.actor.kind != "user":
        return
    target = target_of(tx, kind, str(record_id), "about")
    if not both.get("contact_id"):
        values["contact_id"] = record_id if kind == "contacts" else target.get("contact_id")


def moved_end(row: Record, start: datetime) -> datetime | None:
    """Who moves the start moves the end with it."""
    end: datetime | None = row["ends_at"]
    if end is None or row["starts_at"] is None:
        return end
    moved: datetime = start + (end - row["starts_at"])
    return moved


def _check_times(both: dict[str, Any], values: dict[str, Any]) -> None:
    start, end = both.get("starts_at"), both.get("ends_at")
    if both["kind"] == "event" and start is None:
        raise InvalidInput("An event needs starts_at", field="starts_at")
    if both["kind"] == "event" and end is None and start is not None:
        end = values["ends_at"] = start + (timedelta(days=1) if both.get("all_day") else LENGTH)
    if start is not None and end is not None and end < start:
        raise InvalidInput("It ends before it starts; look at ends_at", field="ends_at")
    if values.get("zone"):
        zone_info(values["zone"])
    minutes = values.get("reminder_minutes")
    if minutes is not None and not 0 <= minutes <= reminders.MOST_MINUTES:
        raise InvalidInput(
            f"reminder_minutes is a number from 0 to {reminders.MOST_MINUTES}", field="reminder_minutes"
        )


def _settle_series(tx: Tx, before: Record | None, values: dict[str, Any]) -> None:
    if before is None or before["series_id"] is None:
        if values.get("rrule") and "series_id" not in values:
            values |= series.begin(tx, {**(before or {}), **values}, values["rrule"])
        elif "zone" not in values and (before or values).get("zone") is None and values.get("all_day"):
            values["zone"] = series.business_zone(tx)
    elif "series_id" not in values:
        if "rrule" in values:
            raise InvalidInput(
                "The rule is changed for this and all later ones: change-future does that", field="rrule"
            )
        if series.sets_apart(set(values)):
            values["detached"] = True


def _after(tx: Tx, before: Record | None, now: Record | None) -> None:
    if now is not None and now["deleted_at"] is not None:
        now = None
    if now is not None:
        link_about(tx, before, now)
    reminders.follow(tx, before, now)
    row = now or before
    if row is None:
        return
    was = before["series_id"] if before is not None else None
    moved = now is not None and was not in (None, now["series_id"])
    if now is not None and now["series_id"] is not None:
        if before is not None and was is None:
            guests.join_series(tx, now)
        if not moved:
            series.follow(tx, before, now)
        if before is None:
            like_the_series(tx, now)
    if row["kind"] in invitation.KINDS and not moved:
        tell_guests(tx, before, now)


# --- the kinds -------------------------------------------------------------------------------------

ACTIVITY: Entity = entity(
    "activities",
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("subject", sa.String(200), nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    # What it is about; further records are links. A task may be about nothing.
    sa.Column("about", sa.String(20)),
    sa.Column("about_id", Id),
    sa.Column("contact_id", Id, sa.ForeignKey("contacts.id"), index=True),
    sa.Column("priority", sa.String(10)),
    sa.Column("due_at", Instant),
    sa.Column("starts_at", Instant),
    sa.Column("ends_at", Instant),
    sa.Column("all_day", sa.Boolean, nullable=False),
    sa.Column("location", sa.String(300)),
    sa.Column("reminder_minutes", sa.Integer),
    sa.Column("done_at", Instant),
    # Of calls: whose, what came of it, how long. A task to call somebody has a direction too.
    sa.Column("direction", sa.String(10)),
    sa.Column("outcome", sa.String(20)),
    sa.Column("seconds", sa.Integer),
    sa.Column("external_id", sa.String(100), index=True),
    # Of visits, and calls that a customer wants: where they asked for it. What our own people plan has none.
    sa.Column("conversation_id", Id),
    # Of a series (`bot.crm.series`): the moment at which the rule places it, wherever it was moved since.
    sa.Column("rrule", sa.String(300)),
    sa.Column("zone", sa.String(60)),
    sa.Column("series_id", Id),
    sa.Column("occurs_at", Instant),
    sa.Column("detached", sa.Boolean, nullable=False),
    # Guests are invited by mail; they know by the sequence which version of it they answer.
    sa.Column("invite", sa.Boolean, nullable=False),
    sa.Column("sequence", sa.Integer, nullable=False),
    sa.Index("ix_activities_about", "about_id", "id"),
    sa.Index("ix_activities_due", "due_at", "id"),
    sa.Index("ix_activities_starts", "starts_at", "id"),
    sa.Index("uq_activities_occurrence", "series_id", "occurs_at", unique=True),
    enums={"kind": ACTIVITY_KINDS, "direction": DIRECTIONS, "outcome": OUTCOMES, "priority": PRIORITIES},
    personal=("subject", "body", "location"),
    internal=("external_id",),
    computed=("conversation_id", "series_id", "occurs_at", "detached", "sequence"),
    to={"conversation_id": "conversations"},
    search={"subject": 2, "body": 1, "location": 1},
    long=("body",),
    defaults={
        "kind": "task",
        "body": "",
        "all_day": False,
        "invite": False,
        "detached": False,
        "sequence": 0,
    },
    title="subject",
    prepare=_prepare,
    after=_after,
    about=("about", "about_id"),
    main=True,
)


def through_activity(
    actor: Actor, column: sa.ColumnElement[Any], writing: bool
) -> sa.ColumnElement[bool] | None:
    """The condition that rows belong to an activity this actor may see, or change."""
    return through(actor, ACTIVITY, column, writing=writing)


ACTIVITY_LINK: Entity = entity(
    "activity_links",
    sa.Column("activity_id", Id, sa.ForeignKey("activities.id"), nullable=False),
    sa.Column("entity", sa.String(20), nullable=False),
    sa.Column("record_id", Id, nullable=False),
    sa.Column("first", sa.Boolean, nullable=False),
    sa.UniqueConstraint("activity_id", "entity", "record_id"),
    sa.Index("ix_activity_links_record", "record_id", "id"),
    computed=("first",),
    defaults={"first": False},
    prepare=links.prepare,
    guard=links.guard,
    after=links.after,
    about=("entity", "record_id"),
    takes=frozenset({"create", "delete"}),
    scope="parent",
    parent=lambda actor, writing: through_activity(actor, ACTIVITY_LINK.table.c.activity_id, writing),
)
"""The records that an activity is linked to; `first` is what it is about."""

ATTENDEE: Entity = entity(
    "attendees",
    sa.Column("activity_id", Id, sa.ForeignKey("activities.id"), nullable=False, index=True),
    sa.Column("series_id", Id, index=True),
    sa.Column("contact_id", Id, sa.ForeignKey("contacts.id"), index=True),
    sa.Column("user_id", Id, sa.ForeignKey("users.id"), index=True),
    sa.Column("email", sa.String(320), index=True),
    sa.Column("name", sa.String(200)),
    sa.Column("required", sa.Boolean, nullable=False),
    sa.Column("answer", sa.String(12), nullable=False),
    sa.Column("answered_at", Instant),
    sa.Column("comment", sa.String(500)),
    enums={"answer": ANSWERS},
    personal=("email", "name", "comment"),
    computed=("series_id", "answered_at"),
    search={"name": 1, "email": 1},
    defaults={"required": True, "answer": "needs_action"},
    title="name",
    prepare=guests.prepare,
    after=guests.after,
    takes=EVERYTHING,
    scope="parent",
    parent=lambda actor, writing: through_activity(actor, ATTENDEE.table.c.activity_id, writing),
)
"""Who takes part in an activity: a contact, a colleague or an address. One who was added to an occurrence
that is like the others takes part in its whole series (`series_id`)."""


# --- making them -----------------------------------------------------------------------------------


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
    about: str | None,
    about_id: str | None,
    subject: str,
    *,
    due_at: datetime,
    contact_id: str | None = None,
    owner_id: str | None = None,
    team_id: str | None = None,
    direction: str | None = None,
    conversation_id: str | None = None,
) -> str:
    """A task, about a record or about nothing; returns its id."""
    return create(
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
            "conversation_id": conversation_id,
        },
    )
