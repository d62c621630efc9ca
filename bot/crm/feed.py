"""The secret address of a user's calendar: who has it reads it, until the user makes another."""

import re
import secrets

import sqlalchemy as sa

from bot.errors import Forbidden
from bot.records.tx import Tx
from bot.storage import Id, Instant, metadata
from bot.storage.upsert import insert

feeds = sa.Table(
    "calendar_feeds",
    metadata,
    sa.Column("user_id", Id, sa.ForeignKey("users.id"), primary_key=True),
    sa.Column("secret", sa.String(40), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
)
_VALUE = re.compile(r"calendar:([0-9a-f-]{36}):([A-Za-z0-9_-]{16,40})")


def feed_value(tx: Tx, *, anew: bool) -> str:
    """What the signed token of the actor's calendar holds; `anew`: the address there was is dead then."""
    user_id = tx.actor.id
    if tx.actor.kind != "user" or user_id is None:
        raise Forbidden("Only a user has a calendar")
    secret = (
        None if anew else tx.execute(sa.select(feeds.c.secret).where(feeds.c.user_id == user_id)).scalar()
    )
    if secret is None:
        secret = secrets.token_urlsafe(16)
        row = {"user_id": user_id, "secret": secret, "created_at": tx.now}
        put = insert(feeds, tx.dialect).values(row)
        tx.execute(put.on_conflict_do_update(index_elements=["user_id"], set_={"secret": secret}))
    return f"calendar:{user_id}:{secret}"


def user_of_feed(tx: Tx, value: str | None) -> str | None:
    """Whose calendar an unsigned token names; None when its address was given up."""
    match = _VALUE.fullmatch(value or "")
    if match is None:
        return None
    secret = tx.execute(sa.select(feeds.c.secret).where(feeds.c.user_id == match[1])).scalar()
    return match[1] if secret is not None and secrets.compare_digest(secret, match[2]) else None
