"""Timers: what is to happen later, as rows of the transaction that wants it. Losing the queue loses nothing.

States: waiting → handed (given to a worker under a lease) → done; cancelled.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from bot.ids import new_id
from bot.records.tx import Record, Tx
from bot.storage import Id, Instant, Json, metadata
from bot.storage.upsert import insert

timers = sa.Table(
    "timers",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("kind", sa.String(30), nullable=False),
    # What the timer is about; one timer a kind and subject.
    sa.Column("subject_id", Id, nullable=False),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("data", Json, nullable=False),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("lease_until", Instant),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.UniqueConstraint("kind", "subject_id"),
    sa.Index(
        "ix_timers_due",
        "due_at",
        sqlite_where=sa.text("state IN ('waiting', 'handed')"),
        postgresql_where=sa.text("state IN ('waiting', 'handed')"),
    ),
)
HAND_LEASE = timedelta(seconds=60)


@lru_cache
def _set(dialect: str) -> Any:
    statement = insert(timers, dialect)
    fresh = {
        name: statement.excluded[name] for name in ("due_at", "data", "state", "lease_until", "attempts")
    }
    return statement.on_conflict_do_update(index_elements=["kind", "subject_id"], set_=fresh)


def set_timer(
    tx: Tx, kind: str, subject_id: str, due_at: datetime, data: Mapping[str, Any] | None = None
) -> None:
    """Set the one timer of this kind and subject, or move it.

    No permission of its own: who wants it wrote what it follows from."""
    set_timers(tx, kind, {subject_id: (due_at, data or {})})


def set_timers(tx: Tx, kind: str, wanted: Mapping[str, tuple[datetime, Mapping[str, Any]]]) -> None:
    """Set or move the timers of many subjects: {subject: (due, data)}."""
    rows = [
        {
            "id": new_id(),
            "kind": kind,
            "subject_id": subject_id,
            "due_at": due_at,
            "data": dict(data),
            "state": "waiting",
            "lease_until": None,
            "attempts": 0,
            "created_at": tx.now,
        }
        for subject_id, (due_at, data) in wanted.items()
    ]
    if rows:
        tx.execute(_set(tx.dialect), rows)


_cancel = timers.delete().where(
    timers.c.kind == sa.bindparam("timer_kind"), timers.c.subject_id == sa.bindparam("subject")
)


def cancel_timer(tx: Tx, kind: str, subject_id: str) -> None:
    """Drop a timer, if it is set."""
    tx.execute(_cancel, {"timer_kind": kind, "subject": subject_id})


def cancel_timers(tx: Tx, kind: str, subjects: Iterable[str]) -> None:
    """Drop the timers of many subjects."""
    if rows := [{"timer_kind": kind, "subject": subject} for subject in subjects]:
        tx.execute(_cancel, rows)


def hand_out(tx: Tx, limit: int = 100) -> list[Record]:
    """Lease due timers: those never handed out, and those handed out whose lease ran out undone."""
    due = sa.or_(
        timers.c.state == "waiting", sa.and_(timers.c.state == "handed", timers.c.lease_until < tx.now)
    )
    chosen = (
        sa.select(timers.c.id).where(timers.c.due_at <= tx.now, due).order_by(timers.c.due_at).limit(limit)
    )
    statement = (
        timers.update()
        .where(timers.c.id.in_(chosen))
        .values(state="handed", lease_until=tx.now + HAND_LEASE, attempts=timers.c.attempts + 1)
        .returning(timers.c.id, timers.c.kind)
    )
    return tx.rows(statement)


def take(tx: Tx, timer_id: str) -> Record | None:
    """The timer that a job names, if it is still to do; locked until the transaction ends."""
    statement = sa.select(timers).where(timers.c.id == timer_id, timers.c.state == "handed")
    return tx.row(statement.with_for_update() if tx.dialect == "postgresql" else statement)


def finish(tx: Tx, timer_id: str) -> None:
    """Done: the row goes."""
    tx.execute(timers.delete().where(timers.c.id == timer_id))
