"""What is done to activities beside changing their values: completing one, and changing or deleting this and
all later occurrences of a series.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot.crm import invitation, links, series
from bot.crm.activity import ACTIVITY, ATTENDEE, OUTCOMES, add_note, add_task, moved_end
from bot.crm.guests import guests_of
from bot.crm.recurrence import remaining, until
from bot.errors import Conflict, Forbidden, InvalidInput
from bot.records.permissions import row_filter
from bot.records.tx import Record, Tx
from bot.records.write import create, get, update

_FIXED = ("kind", "done_at", "outcome", "series_id")


@dataclass(frozen=True, slots=True)
class FollowUp:
    """The next task, made when an activity is completed."""

    subject: str
    due_at: datetime


# --- completing ------------------------------------------------------------------------------------


def complete(
    tx: Tx, activity_id: str, outcome: str | None = None, note: str = "", follow_up: FollowUp | None = None
) -> str | None:
    """An activity is done, with what came of it and what comes next; returns the id of the follow-up.

    Raises Conflict when it was done before."""
    tx.require("update", ACTIVITY.name)
    if outcome is not None and outcome not in OUTCOMES:
        raise InvalidInput(f"outcome is one of {', '.join(OUTCOMES)}", field="outcome")
    row = get(tx, ACTIVITY, activity_id, writing=True)
    if row["done_at"] is not None:
        raise Conflict("This is done already", reason="done")
    values: dict[str, Any] = {"done_at": tx.now}
    update(tx, ACTIVITY, row, values | ({"outcome": outcome} if outcome else {}), action="done")
    if note.strip():
        # Beside the record it is about, where the next reader looks.
        about, about_id = row["about"] or ACTIVITY.name, row["about_id"] or row["id"]
        add_note(tx, about, about_id, note.strip(), contact_id=row["contact_id"])
    return None if follow_up is None else _follow_up(tx, row, follow_up)


def _follow_up(tx: Tx, row: Record, wanted: FollowUp) -> str:
    if not wanted.subject.strip():
        raise InvalidInput("A follow-up needs a subject", field="follow_up_subject")
    task_id = add_task(
        tx,
        row["about"],
        row["about_id"],
        wanted.subject.strip(),
        due_at=wanted.due_at,
        contact_id=row["contact_id"],
        owner_id=row["owner_id"] or tx.actor.id,
        team_id=row["team_id"] if row["owner_id"] else tx.actor.team_id,
    )
    links.add_links(tx, task_id, links.further_links(tx, row["id"]))
    return task_id


# --- this and all later ones -----------------------------------------------------------------------


def change_future(tx: Tx, activity_id: str, values: Mapping[str, Any]) -> str:
    """Change this occurrence and all that follow: the series ends before it, and another goes on.

    `values` are of the columns' types. The rows that are not done go over to the new series in their order:
    what hangs on them stays. Returns the id of the series that goes on."""
    row, old = _of_series(tx, activity_id)
    if wrong := [name for name in values if name in _FIXED]:
        raise InvalidInput(f"{wrong[0]} is changed for one occurrence at a time", field=wrong[0])
    rule = values.get("rrule") or remaining(old["rrule"], old["starts_at"], old["zone"], row["occurs_at"])
    ends = until(old["rrule"], old["starts_at"], old["zone"], row["occurs_at"])
    both = {**row, **values}
    if values.get("starts_at") and "ends_at" not in values:
        both["ends_at"] = moved_end(row, values["starts_at"])
    new = series.succeed(tx, old, both, rule, whole=ends is None)
    template = series.shared(both)
    guests = [one for one in guests_of(tx, row) if one["series_id"] is not None]
    later = _later(tx, row)
    moments = series.wanted(new, tx.now, all_since_start=True)
    for mate, moment in zip(later, moments, strict=False):
        fresh = {**template, **series.values_at(new, row["kind"], moment)}
        update(tx, ACTIVITY, get(tx, ACTIVITY, mate["id"], writing=True), fresh)
    series.end_before(tx, old, ends)
    _move_guests(tx, row, old, new, whole=ends is None)
    series.adopt(tx, new, template)
    if gone := later[len(moments) :]:
        tx.require("delete", ACTIVITY.name)
    for mate in gone:
        update(tx, ACTIVITY, mate, {"deleted_at": tx.now}, action="deleted")
    if both["invite"] and row["kind"] in invitation.KINDS:
        _announce(tx, row, old, new, guests, whole=ends is None)
    return str(new["id"])


def delete_future(tx: Tx, activity_id: str) -> int:
    """Delete this occurrence and all that follow, those that are done excepted; how many went."""
    tx.require("delete", ACTIVITY.name)
    row, old = _of_series(tx, activity_id)
    ends = until(old["rrule"], old["starts_at"], old["zone"], row["occurs_at"])
    guests = [one for one in guests_of(tx, row) if one["series_id"] is not None]
    # Told once for the whole series, not of each occurrence.
    series.end_before(tx, old, ends)
    later = _later(tx, row)
    for mate in later:
        update(tx, ACTIVITY, mate, {"deleted_at": tx.now}, action="deleted")
    if row["invite"] and row["kind"] in invitation.KINDS:
        anchor = row["id"] if ends is None else _first(tx, old)
        method: invitation.Method = "CANCEL" if ends is None else "REQUEST"
        invitation.tell(tx, old["uid"], None, anchor, old["sequence"] + 1, guests, method)
    return len(later)


def _of_series(tx: Tx, activity_id: str) -> tuple[Record, Record]:
    tx.require("update", ACTIVITY.name)
    row = get(tx, ACTIVITY, activity_id, writing=True)
    found = series.find_series(tx, row["series_id"]) if row["series_id"] is not None else None
    if found is None:
        raise Conflict("This does not recur: there are no later ones", reason="not_recurring")
    if row["done_at"] is not None:
        raise Conflict("This one is done; choose the next", reason="done")
    return row, found


def _later(tx: Tx, row: Record) -> list[Record]:
    """This one and those after it that are still to come, in order. Raises Forbidden where one of them is not
    the actor's to change."""
    table = ACTIVITY.table
    statement = sa.select(table).where(
        table.c.series_id == row["series_id"],
        table.c.occurs_at >= row["occurs_at"],
        table.c.done_at.is_(None),
        table.c.deleted_at.is_(None),
    )
    rows = tx.rows(statement.order_by(table.c.occurs_at))
    mine = row_filter(tx.actor, ACTIVITY, writing=True)
    if mine is not None and len(tx.rows(statement.with_only_columns(table.c.id).where(mine))) < len(rows):
        raise Forbidden("Some of the later ones are not yours to change; change this one alone")
    return rows


def _first(tx: Tx, old: Record) -> str:
    """An occurrence that is left of a series, by which its invitation is written."""
    table = ACTIVITY.table
    statement = sa.select(table.c.id).where(table.c.series_id == old["id"]).order_by(table.c.occurs_at)
    return str(tx.execute(statement.limit(1)).scalar_one())


def _move_guests(tx: Tx, row: Record, old: Record, new: Record, *, whole: bool) -> None:
    """Guests of the series are guests of the one that goes on; of another time they are asked again."""
    table = ATTENDEE.table
    mine = table.c.series_id == old["id"]
    fresh = {"answer": "needs_action", "answered_at": None}
    if whole:
        tx.execute(table.update().where(mine).values(series_id=new["id"], activity_id=row["id"], **fresh))
        return
    for guest in tx.rows(sa.select(table).where(mine, table.c.deleted_at.is_(None)).order_by(table.c.id)):
        who = {name: guest[name] for name in ("contact_id", "user_id", "email", "name", "required")}
        create(tx, ATTENDEE, {**who, "activity_id": row["id"], "series_id": new["id"]}, reason="recurs")


def _announce(tx: Tx, row: Record, old: Record, new: Record, guests: list[Record], *, whole: bool) -> None:
    if not whole:
        invitation.tell(tx, old["uid"], None, _first(tx, old), old["sequence"] + 1, guests, "REQUEST")
    invitation.tell(tx, new["uid"], None, row["id"], new["sequence"], guests, "REQUEST")
