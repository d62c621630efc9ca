"""What staff are told: shown in the console at once, sent by mail by a worker."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from bot.records.entity import entity
from bot.records.tx import Record, Tx
from bot.records.write import create
from bot.storage import Id, Instant, Json

NOTIFICATION = entity(
    "notifications",
    sa.Column("user_id", Id, sa.ForeignKey("users.id"), nullable=False, index=True),
    sa.Column("key", sa.String(80), nullable=False),
    sa.Column("data", Json, nullable=False),
    sa.Column("link", sa.String(300), nullable=False),
    sa.Column("read_at", Instant),
    sa.Column("mailed_at", Instant),
    scope="own",
    owner_column="user_id",
    personal=("data",),
)


def notify_user(tx: Tx, user_id: str, key: str, data: Mapping[str, Any], link: str) -> str:
    """Leave a notification: a key in `locales/` with its values, and the console page it speaks of."""
    notification_id = create(
        tx, NOTIFICATION, {"user_id": user_id, "key": key, "data": dict(data), "link": link}
    )
    tx.notify("notification", notification_id)
    return notification_id


def unmailed(tx: Tx, limit: int = 100) -> list[Record]:
    """Notifications nobody has read nor been mailed, oldest first."""
    table = NOTIFICATION.table
    waiting = sa.and_(table.c.mailed_at.is_(None), table.c.read_at.is_(None))
    return tx.rows(sa.select(table).where(waiting).order_by(table.c.id).limit(limit))
