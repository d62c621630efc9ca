"""One-time codes: that a customer reads what was sent to an address proves that it is theirs.

Codes and addresses are kept as digests alone (`bot.records.tokens`), and codes are good for minutes.
"""

from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa

from bot.errors import VersionConflict
from bot.records.lock import lock
from bot.records.tx import Record, Tx
from bot.storage import Id, Instant, metadata

LIFE = timedelta(minutes=10)
TRIES = 5
AN_HOUR = timedelta(hours=1)
AN_HOURS_CODES = 3
"""Codes that go to one address within an hour."""
AN_HOURS_REQUESTS = 5
"""Codes that one customer has sent within an hour, to whatever addresses."""
PROVED = timedelta(minutes=30)
"""How long a right code opens its matter to the conversation it was typed in."""
KEEP = timedelta(days=2)

codes = sa.Table(
    "codes",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("conversation_id", Id, nullable=False),
    # What it opens, where it went and what it says: digests, none of which can be read back.
    sa.Column("matter", sa.String(64), nullable=False),
    sa.Column("address", sa.String(64), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("used_at", Instant),
    sa.Column("created_at", Instant, nullable=False),
    sa.Index("ix_codes_conversation", "conversation_id", "matter", "created_at"),
    sa.Index("ix_codes_address", "address", "created_at"),
)


def sent_lately(tx: Tx, address: str) -> int:
    """Codes that went to an address within the last hour."""
    mine = sa.and_(codes.c.address == address, codes.c.created_at > tx.now - AN_HOUR)
    return int(tx.execute(sa.select(sa.func.count()).where(mine)).scalar_one())


def asked_lately(tx: Tx, conversation_ids: Sequence[str]) -> int:
    """Codes that were sent for these conversations within the last hour."""
    mine = sa.and_(codes.c.conversation_id.in_(conversation_ids), codes.c.created_at > tx.now - AN_HOUR)
    return int(tx.execute(sa.select(sa.func.count()).where(mine)).scalar_one())


def keep_code(tx: Tx, conversation_id: str, matter: str, address: str, code_id: str, digest: str) -> None:
    """Keep a code that is about to leave; older ones for the same matter are dead. Raises VersionConflict
    when the hour's codes of its address or conversation have gone meanwhile."""
    tx.require("create", "codes")
    lock(tx, f"code {address}")
    if sent_lately(tx, address) >= AN_HOURS_CODES:
        raise VersionConflict("This address has had its codes of this hour")
    if asked_lately(tx, [conversation_id]) >= AN_HOURS_REQUESTS:
        raise VersionConflict("This conversation has had its codes of this hour")
    row = {"id": code_id, "conversation_id": conversation_id, "matter": matter, "address": address}
    tx.execute(codes.insert(), {**row, "digest": digest, "tries": 0, "used_at": None, "created_at": tx.now})


def newest_code(tx: Tx, conversation_id: str, matter: str) -> Record | None:
    """The code that a conversation was last sent for a matter, whatever became of it."""
    mine = sa.and_(codes.c.conversation_id == conversation_id, codes.c.matter == matter)
    return tx.row(
        sa.select(codes).where(mine).order_by(codes.c.created_at.desc(), codes.c.id.desc()).limit(1)
    )


def is_over(tx: Tx, code: Record) -> bool:
    """Whether a code opens nothing any more: too old, tried too often, or used."""
    old = tx.now - code["created_at"] >= LIFE
    return old or code["tries"] >= TRIES or code["used_at"] is not None


def note_try(tx: Tx, code: Record, *, right: bool) -> None:
    """A code was typed. Raises VersionConflict when it was tried meanwhile."""
    tx.require("update", "codes")
    mine = sa.and_(codes.c.id == code["id"], codes.c.tries == code["tries"], codes.c.used_at.is_(None))
    values = {"tries": codes.c.tries + 1, "used_at": tx.now if right else None}
    if tx.execute(codes.update().where(mine).values(values)).rowcount != 1:
        raise VersionConflict("This code was tried meanwhile")


def is_proved(tx: Tx, conversation_id: str, matter: str) -> bool:
    """Whether a right code for the matter was typed in this conversation a short while ago."""
    found = newest_code(tx, conversation_id, matter)
    return found is not None and found["used_at"] is not None and tx.now - found["used_at"] < PROVED


def forget_codes(tx: Tx) -> int:
    """Housekeeping: old codes open nothing and count for nothing."""
    return tx.execute(codes.delete().where(codes.c.created_at < tx.now - KEEP)).rowcount
