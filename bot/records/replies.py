"""Answers kept for requests that are sent again: with the same `Idempotency-Key`, once is enough.

An answer is written in the transaction of what it tells of, so one is never there without the other, and
it is sealed, because it may hold what only its reader should see.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from bot.errors import KeyReused
from bot.records.keys import BUSINESS
from bot.records.tx import Tx
from bot.storage import Id, Instant, metadata
from bot.storage.upsert import insert

KEPT_FOR = timedelta(hours=24)

replies = sa.Table(
    "replies",
    metadata,
    sa.Column("user_id", Id, primary_key=True),
    sa.Column("key", sa.String(255), primary_key=True),
    # What was asked: the same key with another request is a mistake of the caller's.
    sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Column("sealed", sa.Text),
    sa.Column("created_at", Instant, nullable=False),
    sa.Index("ix_replies_created", "created_at"),
)
_mine = sa.and_(replies.c.user_id == sa.bindparam("user", type_=Id), replies.c.key == sa.bindparam("name"))


def claim(tx: Tx, key: str, fingerprint: str) -> dict[str, Any] | None:
    """The answer given to this request before; None: it is new, and the key now its own.

    Who claims while another transaction holds the key waits for its end. Raises KeyReused.
    """
    who = {"user": tx.actor.id, "name": key}
    tx.execute(replies.delete().where(_mine, replies.c.created_at < tx.now - KEPT_FOR), who)
    row = {"user_id": tx.actor.id, "key": key, "fingerprint": fingerprint, "created_at": tx.now}
    if tx.execute(insert(replies, tx.dialect).on_conflict_do_nothing(), row).rowcount == 1:
        return None
    known = tx.row(sa.select(replies).where(_mine), who)
    if known is None or known["fingerprint"] != fingerprint or not known["sealed"]:
        raise KeyReused(
            "This Idempotency-Key was used for another request; a new request needs a key of its own"
        )
    return tx.keys.unseal_values(BUSINESS, known["sealed"])


def keep(tx: Tx, key: str, answer: Mapping[str, Any]) -> None:
    """Keep the answer to the request that claimed the key."""
    sealed = tx.keys.seal_values(BUSINESS, answer)
    tx.execute(replies.update().where(_mine).values(sealed=sealed), {"user": tx.actor.id, "name": key})


def forget_replies(tx: Tx) -> int:
    """Drop what is older than a day; returns how many."""
    return tx.execute(replies.delete().where(replies.c.created_at < tx.now - KEPT_FOR)).rowcount
