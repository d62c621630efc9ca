"""When staff are reminded of activities and told that one is overdue: timers, which `bot.pipeline.reminders`
carries out.
"""

from datetime import datetime, timedelta

from bot.records.timer import cancel_timer, set_timer
from bot.records.tx import Record, Tx

REMINDER, OVERDUE = "activity_reminder", "activity_overdue"
VISIT_DAY, VISIT_HOUR = "visit_day", "visit_hour"
"""A customer is told of the visit they booked, a day and an hour before."""
AHEAD = {VISIT_DAY: timedelta(days=1), VISIT_HOUR: timedelta(hours=1)}
MOST_MINUTES = 60 * 24 * 28
"""A reminder comes at most four weeks ahead."""


def moment_of(row: Record) -> datetime | None:
    """When a task is due, or when what stands in a calendar begins."""
    return row.get("due_at" if row["kind"] == "task" else "starts_at")


def follow(tx: Tx, before: Record | None, now: Record | None) -> None:
    """Set, move or drop the timers of an activity that changed."""
    for kind, wanted in ((REMINDER, _reminder), (OVERDUE, _overdue)):
        was, will = wanted(before), wanted(now)
        if will is not None and (will != was or before is None):
            _set(tx, kind, now, will)
        elif will is None and was is not None:
            assert before is not None
            cancel_timer(tx, kind, before["id"])
    if (begins := _visit(now)) != _visit(before):
        _follow_visit(tx, (now or before or {})["id"], begins)


def _visit(row: Record | None) -> datetime | None:
    """When a visit begins that a customer booked and still comes to."""
    if row is None or row["kind"] != "event" or row["conversation_id"] is None or row["done_at"] is not None:
        return None
    begins: datetime | None = row["starts_at"]
    return begins


def _follow_visit(tx: Tx, visit_id: str, begins: datetime | None) -> None:
    for kind, ahead in AHEAD.items():
        if begins is not None and begins - ahead > tx.now:
            set_timer(tx, kind, visit_id, begins - ahead)
        else:
            cancel_timer(tx, kind, visit_id)


def _set(tx: Tx, kind: str, row: Record | None, moment: datetime) -> None:
    assert row is not None
    base = moment_of(row)
    if kind == REMINDER and base is not None and base < tx.now:
        cancel_timer(tx, kind, row["id"])  # it has begun: nothing is left to be reminded of
    else:
        set_timer(tx, kind, row["id"], max(moment, tx.now))


def _is_open(row: Record | None) -> bool:
    """Whether somebody still has it to do; what nobody owns reminds nobody."""
    return row is not None and row["done_at"] is None and row["owner_id"] is not None


def _reminder(row: Record | None) -> datetime | None:
    if row is None or not _is_open(row) or row["reminder_minutes"] is None:
        return None
    base = moment_of(row)
    return None if base is None else base - timedelta(minutes=row["reminder_minutes"])


def _overdue(row: Record | None) -> datetime | None:
    if row is None or not _is_open(row) or row["kind"] != "task":
        return None
    due: datetime | None = row["due_at"]
    return due
