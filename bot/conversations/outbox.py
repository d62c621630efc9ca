"""The outbox: what is to leave. A row has the id of its message.

States: queued → sending → sent; held (the channel's window is closed: goes when the customer writes again);
parked (the provider will not take it); unknown (may or may not have left); cancelled.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot.conversations.lane import lanes
from bot.conversations.message import MESSAGE
from bot.records.tx import Record, Tx
from bot.storage import Id, Instant, Json, metadata
from bot.storage.rows import RowUpdate

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("conversation_id", Id, nullable=False),
    sa.Column("lane_id", Id, nullable=False),
    sa.Column("author", sa.String(10), nullable=False),
    sa.Column("purpose", sa.String(12), nullable=False),
    sa.Column("owner_epoch", sa.Integer, nullable=False),
    sa.Column("payload", Json, nullable=False),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("resends", sa.Integer, nullable=False),
    sa.Column("not_before", Instant),
    sa.Column("lease_by", sa.String(80)),
    sa.Column("lease_until", Instant),
    sa.Column("error", sa.Text),
    sa.Column("correlation_id", sa.String(64), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Index(
        "ix_outbox_unsent",
        "conversation_id",
        "id",
        sqlite_where=sa.text("state IN ('queued', 'sending')"),
        postgresql_where=sa.text("state IN ('queued', 'sending')"),
    ),
    sa.Index("ix_outbox_state", "state", "created_at"),
)
SEND_LEASE = timedelta(seconds=60)
"""How long a row may be in `sending`: after that a status proves acceptance or it goes out once more."""
GAVE_UP = "Gave up after"
"""How the error of a row begins that was tried often enough."""
NOT_SET_UP = "is not set up here"
"""How the error of a row ends whose channel was off."""
KEEP_SENT = timedelta(days=7)
_UNSENT: tuple[sa.ColumnElement[str], ...] = (
    sa.literal_column("'queued'"),
    sa.literal_column("'sending'"),
)
_COLUMNS = tuple(column.name for column in outbox.columns)


def append(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Queue rows, at the end of the transaction.

    Those with state "sending" are leased to the caller, who delivers them at once."""
    tx.require("create", "outbox")
    defaults = {"attempts": 0, "resends": 0, "created_at": tx.now, "correlation_id": tx.correlation_id}
    tx.insert_later(outbox, _COLUMNS, [{**defaults, **row} for row in rows])


unsent_exists = (
    sa.exists()
    .where(
        outbox.c.conversation_id == sa.bindparam("conversation"),
        outbox.c.state.in_(_UNSENT),
    )
    .select()
)


_first_unsent = (
    sa.select(
        outbox,
        lanes.c.channel_account_id,
        lanes.c.address,
        lanes.c.stopped_at,
    )
    .join(lanes, lanes.c.id == outbox.c.lane_id)
    .where(outbox.c.conversation_id == sa.bindparam("conversation"), outbox.c.state.in_(_UNSENT))
    .order_by(outbox.c.id)
    .limit(1)
)


def first_unsent(tx: Tx, conversation_id: str) -> Record | None:
    """The row that must leave next in this conversation, with its lane's address and STOP state."""
    return tx.row(_first_unsent, {"conversation": conversation_id})


_claim = (
    outbox.update()
    .where(
        outbox.c.id == sa.bindparam("row"),
        sa.or_(
            outbox.c.state == "queued",
            sa.and_(outbox.c.state == "sending", outbox.c.lease_until < sa.bindparam("now", type_=Instant)),
        ),
    )
    .values(
        state="sending",
        lease_by=sa.bindparam("holder"),
        lease_until=sa.bindparam("until", type_=Instant),
        resends=outbox.c.resends + sa.bindparam("again", type_=sa.Integer),
    )
)


def claim(tx: Tx, row_id: str, holder: str, *, again: bool) -> bool:
    """Lease a row for sending; `again` counts that it may have left before."""
    values = {
        "row": row_id,
        "holder": holder,
        "now": tx.now,
        "until": tx.now + SEND_LEASE,
        "again": int(again),
    }
    return tx.execute(_claim, values).rowcount == 1


_settle = RowUpdate(
    "settled",
    {"row": Id, "new_state": sa.String, "later": Instant, "why": sa.Text, "until": Instant},
    lambda value: (
        outbox.update()
        .where(outbox.c.id == value("row"), outbox.c.state.in_((*_UNSENT, sa.literal_column("'unknown'"))))
        .values(
            state=value("new_state"),
            attempts=outbox.c.attempts + 1,
            not_before=value("later"),
            error=value("why"),
            lease_until=value("until"),
        )
    ),
)


def settle(tx: Tx, outcomes: Sequence[tuple[str, str, datetime | None, str | None]]) -> None:
    """Record (row id, new state, not before, error) after a try, at the end of the transaction."""
    tx.update_later(
        _settle,
        [
            {
                "row": row,
                "new_state": state,
                "later": later,
                "until": later if state == "sending" else None,
                "why": why,
            }
            for row, state, later, why in sorted(outcomes, key=lambda outcome: outcome[0])
        ],
    )


_prove = (
    outbox.update()
    .where(
        outbox.c.id == sa.bindparam("row"),
        sa.or_(
            outbox.c.state == sa.literal_column("'sending'"), outbox.c.state == sa.literal_column("'unknown'")
        ),
    )
    .values(state="sent", lease_until=None, error=None)
)


def prove_sent(tx: Tx, rows: Sequence[str]) -> None:
    """A provider's status shows that these were accepted, whether or not we heard it at the time."""
    tx.execute(_prove, [{"row": row} for row in rows])


def cancel_queued(
    tx: Tx, conversation_id: str, contact_id: str, reason: str, *, author: str | None = None
) -> None:
    """Cancel what has not begun to leave (of one author), each with its event."""
    statement = outbox.update().where(
        outbox.c.conversation_id == conversation_id, outbox.c.state.in_(("queued", "held"))
    )
    if author is not None:
        statement = statement.where(outbox.c.author == author)
    for id_ in tx.execute(statement.values(state="cancelled").returning(outbox.c.id)).scalars():
        tx.event(MESSAGE, id_, "cancelled", None, contact_id, reason)


def release_held(tx: Tx, conversation_id: str) -> None:
    """The customer wrote: the window is open again for what waited."""
    statement = outbox.update().where(outbox.c.conversation_id == conversation_id, outbox.c.state == "held")
    tx.execute(statement.values(state="queued", error=None))


def resend(tx: Tx, row_id: str) -> bool:
    """An agent sends a parked or unknown row once more."""
    tx.require("update", "outbox")
    statement = outbox.update().where(outbox.c.id == row_id, outbox.c.state.in_(("parked", "unknown")))
    return tx.execute(statement.values(state="queued", not_before=None, attempts=0)).rowcount == 1


def discard(tx: Tx, row_id: str) -> bool:
    """A person gives a parked or unknown row up."""
    tx.require("update", "outbox")
    statement = outbox.update().where(outbox.c.id == row_id, outbox.c.state.in_(("parked", "unknown")))
    return tx.execute(statement.values(state="cancelled")).rowcount == 1


def waiting_conversations(tx: Tx, limit: int = 500) -> list[str]:
    """Conversations with a row due: queued and its time come, or in `sending` past its lease."""
    due = sa.or_(
        sa.and_(
            outbox.c.state == "queued", sa.or_(outbox.c.not_before.is_(None), outbox.c.not_before <= tx.now)
        ),
        sa.and_(outbox.c.state == "sending", outbox.c.lease_until < tx.now),
    )
    statement = (
        sa.select(outbox.c.conversation_id)
        .where(outbox.c.state.in_(_UNSENT), due)
        .group_by(outbox.c.conversation_id)
        .order_by(sa.func.min(outbox.c.created_at))
        .limit(limit)
    )
    return list(tx.execute(statement).scalars())


def forget_sent(tx: Tx) -> int:
    """Housekeeping: the message log keeps what was said; rows that left a week ago go."""
    gone = outbox.delete().where(
        outbox.c.state.in_(("sent", "cancelled")), outbox.c.created_at < tx.now - KEEP_SENT
    )
    return tx.execute(gone).rowcount
