"""When staff are reminded of activities and told that one is overdue: timers, which `bot.pipeline.reminders`
carries out.
"""

from datetime import datetime, timedelta

from bot.records.timer import cancel_timer, set_timer
from bot.records.tx import Record, Tx

REMINDER, OVERDUE = "activity_reminder", "activity_overdue"
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
