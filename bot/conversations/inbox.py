"""The inbox: everything that changes a conversation, stored before it is acknowledged, and only once.

States: pending, done; parked (failed five times: the customer was handed to a person); quarantined (rightly
signed, but unreadable).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from bot.records.tx import Record, Tx
from bot.storage import Id, Instant, Json, metadata
from bot.storage.rows import RowUpdate
from bot.storage.upsert import insert

inbox = sa.Table(
    "inbox",
    metadata,
    # Receive sequence. BigInteger in PostgreSQL; SQLite wants INTEGER to count by itself.
    sa.Column(
        "seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True
    ),
    sa.Column("channel_account_id", Id, nullable=False),
    sa.Column("event_key", sa.String(400), nullable=False),
    sa.Column("lane_id", Id),
    sa.Column("kind", sa.String(12), nullable=False),
    sa.Column("payload", Json),
    sa.Column("provider_at", Instant, nullable=False),
    sa.Column("received_at", Instant, nullable=False),
    sa.Column("state", sa.String(12), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("error", sa.Text),
    sa.Column("correlation_id", sa.String(64), nullable=False),
    sa.UniqueConstraint("channel_account_id", "event_key"),
    sa.Index(
        "ix_inbox_pending",
        "lane_id",
        "provider_at",
        "seq",
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    ),
    sa.Index("ix_inbox_state", "state", "received_at"),
    sqlite_autoincrement=True,
)
KEEP_KEYS = timedelta(days=30)
"""How long event keys stay, to recognise what a provider delivers again."""
MAX_FAILURES = 5


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event as the receiver hands it in. `lane_id` is None for statuses."""

    channel_account_id: str
    event_key: str
    kind: str
    payload: dict[str, Any]
    lane_id: str | None
    at: datetime | None = None
    state: str = "pending"
    correlation_id: str = ""
    error: str | None = None


@lru_cache
def _append(dialect: str) -> Any:
    columns = (inbox.c.channel_account_id, inbox.c.event_key, inbox.c.seq)
    return insert(inbox, dialect).on_conflict_do_nothing().returning(*columns)


def append(tx: Tx, events: Sequence[NewEvent]) -> dict[tuple[str, str], int]:
    """Store the events that are new; returns {(channel account, event key): seq} of those.

    The same event twice in one call counts once."""
    unique = {(event.channel_account_id, event.event_key): event for event in events}
    rows = [
        {
            "channel_account_id": event.channel_account_id,
            "event_key": event.event_key,
            "lane_id": event.lane_id,
            "kind": event.kind,
            "payload": event.payload,
            "provider_at": event.at or tx.now,
            "received_at": tx.now,
            "state": event.state,
            "attempts": 0,
            "error": event.error,
            "correlation_id": event.correlation_id or tx.correlation_id,
        }
        for event in unique.values()
    ]
    new = tx.execute(_append(tx.dialect), rows).mappings()
    return {(row["channel_account_id"], row["event_key"]): row["seq"] for row in new}


_pending = (
    sa.select(
        inbox.c.seq,
        inbox.c.kind,
        inbox.c.payload,
        inbox.c.provider_at,
        inbox.c.received_at,
        inbox.c.attempts,
        inbox.c.correlation_id,
    )
    .where(inbox.c.lane_id == sa.bindparam("lane"), inbox.c.state == sa.literal_column("'pending'"))
    .order_by(inbox.c.provider_at, inbox.c.seq)
    .limit(50)
)


def pending(tx: Tx, lane: str) -> list[Record]:
    """What waits in a lane, in order: provider time, then receive sequence; at most fifty."""
    return tx.rows(_pending, {"lane": lane})


_done = RowUpdate(
    "done",
    {"done_seq": sa.BigInteger},
    lambda value: (
        inbox.update()
        .where(inbox.c.seq == value("done_seq"))
        .values(state=sa.literal_column("'done'"), payload=sa.null())
    ),
)


def mark_done(tx: Tx, seqs: Sequence[int]) -> None:
    """These events have taken effect. Their bodies go: the message log holds what was said."""
    tx.update_later(_done, [{"done_seq": seq} for seq in sorted(seqs)])


def mark_failed(tx: Tx, seq: int, error: str) -> None:
    """Count a failure; the event stays pending."""
    statement = inbox.update().where(inbox.c.seq == seq)
    tx.execute(statement.values(attempts=inbox.c.attempts + 1, error=error[:2000]))


def park(tx: Tx, event: Record, error: str) -> None:
    """Set an event aside that failed too often, with what it carried: a person may have it tried again."""
    statement = inbox.update().where(inbox.c.seq == event["seq"])
    values = {"state": "parked", "payload": event["payload"], "error": error[:2000]}
    tx.execute(statement.values(attempts=inbox.c.attempts + 1, **values))


def retry(tx: Tx, seq: int) -> str | None:
    """A parked event is due again; its lane, or None when it waits no more."""
    statement = inbox.update().where(inbox.c.seq == seq, inbox.c.state == "parked")
    again = statement.values(state="pending", error=None).returning(inbox.c.lane_id)
    lane_id: str | None = tx.execute(again).scalar()
    return lane_id


def let_go(tx: Tx, seq: int) -> bool:
    """A parked or quarantined event is done with. Its key stays, so that it never comes back."""
    statement = inbox.update().where(inbox.c.seq == seq, inbox.c.state.in_(("parked", "quarantined")))
    return tx.execute(statement.values(state="done", payload=sa.null())).rowcount == 1


def waiting_lanes(tx: Tx, limit: int = 500) -> list[str]:
    """Lanes with something pending, the longest-waiting first."""
    statement = (
        sa.select(inbox.c.lane_id)
        .where(inbox.c.state == sa.literal_column("'pending'"), inbox.c.lane_id.is_not(None))
        .group_by(inbox.c.lane_id)
        .order_by(sa.func.min(inbox.c.seq))
        .limit(limit)
    )
    return list(tx.execute(statement).scalars())


def waiting_statuses(tx: Tx, limit: int = 500) -> list[Record]:
    """Status updates that have not found their message yet, oldest first."""
    statement = (
        sa.select(inbox.c.seq, inbox.c.payload, inbox.c.received_at)
        .where(inbox.c.state == sa.literal_column("'pending'"), inbox.c.kind == "status")
        .order_by(inbox.c.seq)
        .limit(limit)
    )
    return tx.rows(statement)


def forget_keys(tx: Tx) -> int:
    """Housekeeping: drop what is done and older than the keys are kept; returns how many."""
    old = tx.now - KEEP_KEYS
    return tx.execute(inbox.delete().where(inbox.c.state == "done", inbox.c.received_at < old)).rowcount
