"""Invitations that are to leave by mail (RFC 5546): what each guest of a calendar entry must know next.

The row is the truth: a worker sends what it says (`bot.pipeline.invitations`) and writes down what left. A
later change before that only changes the row, so a guest hears the newest once.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal

import sqlalchemy as sa

from bot.ids import new_id
from bot.records.tx import Record, Tx
from bot.storage import Id, Instant, metadata
from bot.storage.upsert import insert

Method = Literal["REQUEST", "CANCEL"]
invitations = sa.Table(
    "invitations",
    metadata,
    sa.Column("id", Id, primary_key=True),
    # The calendar entry: an activity or a series by its uid, or one occurrence of the series by its moment.
    sa.Column("uid", Id, nullable=False),
    sa.Column("occurrence", sa.String(20), nullable=False),
    sa.Column("email", sa.String(320), nullable=False),
    sa.Column("activity_id", Id, nullable=False),
    sa.Column("attendee_id", Id, nullable=False),
    sa.Column("method", sa.String(10), nullable=False),
    sa.Column("sequence", sa.Integer, nullable=False),
    sa.Column("due", sa.Boolean, nullable=False),
    sa.Column("mailed_sequence", sa.Integer),
    sa.Column("mailed_at", Instant),
    sa.Column("error", sa.String(300)),
    sa.Column("created_at", Instant, nullable=False),
    sa.UniqueConstraint("uid", "occurrence", "email"),
    sa.Index("ix_invitations_due", "due", "id"),
)
KINDS = ("event", "call")
"""What somebody can be invited to."""


def occurrence_key(moment: datetime | None) -> str:
    """How a row names one occurrence of a series; empty for all of it."""
    return "" if moment is None else f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


@lru_cache
def _put(dialect: str) -> Any:
    statement = insert(invitations, dialect)
    fresh = {name: statement.excluded[name] for name in ("activity_id", "attendee_id", "method", "sequence")}
    return statement.on_conflict_do_update(
        index_elements=["uid", "occurrence", "email"], set_={**fresh, "due": True, "error": None}
    )


def tell(
    tx: Tx,
    uid: str,
    occurrence: datetime | None,
    activity_id: str,
    sequence: int,
    guests: Iterable[Record],
    method: Method,
) -> None:
    """Let these guests know of a calendar entry as it is now, or that it is off."""
    there = [guest for guest in guests if guest["email"]]
    if method == "CANCEL" and there:
        known = _mailed(tx, uid, occurrence)
        there = [guest for guest in there if guest["email"] in known]
    rows = [
        {
            "id": new_id(),
            "uid": uid,
            "occurrence": occurrence_key(occurrence),
            "email": guest["email"],
            "activity_id": activity_id,
            "attendee_id": guest["id"],
            "method": method,
            "sequence": sequence,
            "due": True,
            "created_at": tx.now,
        }
        for guest in there
    ]
    if rows:
        tx.execute(_put(tx.dialect), rows)


def _mailed(tx: Tx, uid: str, occurrence: datetime | None) -> set[str]:
    """Who was mailed of this entry, or of the series it is of; what has not left yet never leaves."""
    table = invitations.c
    mine = sa.and_(table.uid == uid, table.occurrence == occurrence_key(occurrence))
    tx.execute(
        invitations.update().where(mine, table.mailed_sequence.is_(None)).values(due=False, method="CANCEL")
    )
    entries = ("", occurrence_key(occurrence))
    statement = sa.select(table.email).where(
        table.uid == uid, table.occurrence.in_(entries), table.mailed_sequence.is_not(None)
    )
    return set(tx.execute(statement).scalars())


def due(tx: Tx, limit: int = 100) -> list[Record]:
    """What is to leave, oldest first."""
    statement = sa.select(invitations).where(invitations.c.due).order_by(invitations.c.id).limit(limit)
    return tx.rows(statement)


def mailed(tx: Tx, row: Record) -> None:
    """This left; what changed meanwhile leaves next."""
    same = sa.and_(invitations.c.sequence == row["sequence"], invitations.c.method == row["method"])
    tx.execute(
        invitations.update()
        .where(invitations.c.id == row["id"])
        .values(mailed_sequence=row["sequence"], mailed_at=tx.now, due=sa.not_(same))
    )


def refused(tx: Tx, row: Record, why: str) -> None:
    """This cannot leave, and is not tried again until something changes."""
    tx.execute(invitations.update().where(invitations.c.id == row["id"]).values(due=False, error=why[:300]))
