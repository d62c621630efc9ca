"""Messages: what was said, by whom, and how far it got. Partitioned by month in PostgreSQL."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from bot.conversations.conversation import through_conversation
from bot.messages import STATUS_RANK, Status
from bot.records.entity import describe
from bot.records.tx import Tx
from bot.storage import Id, Instant, Json, metadata
from bot.storage.rows import RowUpdate

DIRECTIONS = ("inbound", "outbound")
AUTHORS = ("contact", "bot", "agent", "system")

messages = sa.Table(
    "messages",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("conversation_id", Id, nullable=False),
    sa.Column("contact_id", Id, nullable=False),
    sa.Column("channel", sa.String(20), nullable=False),
    sa.Column("direction", sa.String(10), nullable=False),
    sa.Column("author", sa.String(10), nullable=False),
    sa.Column("author_id", Id),
    sa.Column("text", sa.Text, nullable=False),
    # Buttons, media, location, subject: what a text alone does not hold.
    sa.Column("extra", Json),
    sa.Column("lang", sa.String(12)),
    sa.Column("status", sa.String(12), nullable=False),
    sa.Column("status_rank", sa.SmallInteger, nullable=False),
    sa.Column("error", sa.Text),
    sa.Column("external_id", sa.String(400)),
    sa.Column("provider_at", Instant),
    sa.Column("created_at", Instant, nullable=False),
    sa.Index("ix_messages_conversation", "conversation_id", "id"),
    sa.Index("ix_messages_contact", "contact_id", "id"),
    sa.Index("ix_messages_external", "external_id"),
)
MESSAGE = describe(
    "messages",
    messages,
    enums={"direction": DIRECTIONS, "author": AUTHORS, "status": [*[s.value for s in Status], "received"]},
    personal=("text",),
    internal=("status_rank",),
    scope="parent",
    parent=lambda actor, writing: through_conversation(actor, messages.c.conversation_id, writing),
)
_COLUMNS = tuple(column.name for column in messages.columns)


def append(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store messages at the end of the transaction, each with one event without the body."""
    tx.require("create", "messages")
    tx.insert_later(messages, _COLUMNS, rows)
    for row in rows:
        action = "received" if row["direction"] == "inbound" else "written"
        tx.event(MESSAGE, row["id"], action, None, row["contact_id"])


def inbound_status() -> dict[str, Any]:
    """The status columns of a message that came in."""
    return {"status": "received", "status_rank": 9}


_forward = RowUpdate(
    "forward",
    {
        "message": Id,
        "new_status": sa.String,
        "rank": sa.SmallInteger,
        "new_error": sa.Text,
        "external": sa.String,
    },
    lambda value: (
        messages.update()
        .where(messages.c.id == value("message"), messages.c.status_rank < value("rank"))
        .values(
            status=value("new_status"),
            status_rank=value("rank"),
            error=value("new_error"),
            external_id=sa.func.coalesce(value("external"), messages.c.external_id),
        )
    ),
)


def move_forward(tx: Tx, updates: Sequence[tuple[str, Status, str | None, str | None]]) -> None:
    """Apply (message id, status, external id, error) at the end; a status never moves back, and of several of
    one message the furthest counts."""
    furthest: dict[str, dict[str, Any]] = {}
    for id_, status, external, error in updates:
        known = furthest.get(id_)
        if known is None or STATUS_RANK[status] > known["rank"]:
            furthest[id_] = {
                "message": id_,
                "new_status": status.value,
                "rank": STATUS_RANK[status],
                "external": external or (known["external"] if known else None),
                "new_error": error,
            }
    tx.update_later(_forward, [furthest[id_] for id_ in sorted(furthest)])


def by_external_ids(tx: Tx, external_ids: Sequence[str]) -> dict[str, str]:
    """{external id: message id} of those we know."""
    statement = sa.select(messages.c.external_id, messages.c.id).where(
        messages.c.external_id.in_(external_ids)
    )
    return {row.external_id: row.id for row in tx.execute(statement)}


_thread = (
    sa.select(messages)
    .where(messages.c.conversation_id == sa.bindparam("conversation"))
    .order_by(messages.c.id.desc())
    .limit(sa.bindparam("limit", type_=sa.Integer))
)


def thread(tx: Tx, conversation_id: str, limit: int = 200) -> list[Mapping[str, Any]]:
    """The newest messages of a conversation, oldest of them first."""
    return list(reversed(tx.rows(_thread, {"conversation": conversation_id, "limit": limit})))


def external_ids(tx: Tx, conversation_id: str) -> list[str]:
    """The providers' ids of the newest messages, oldest first: what a mail answers."""
    statement = (
        sa.select(messages.c.external_id)
        .where(messages.c.conversation_id == conversation_id, messages.c.external_id.is_not(None))
        .order_by(messages.c.id.desc())
        .limit(10)
    )
    return list(reversed(list(tx.execute(statement).scalars())))


def conversations_of(tx: Tx, message_ids: Sequence[str]) -> list[str]:
    """The conversations these messages belong to."""
    statement = sa.select(messages.c.conversation_id).where(messages.c.id.in_(message_ids)).distinct()
    return list(tx.execute(statement).scalars())
