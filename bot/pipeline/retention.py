"""Files go when their time is over: those that were last received longer ago than the business keeps them.

A file is put into the store anew by every message that brings it, which renews its age; so its age alone says
that no younger message names it. The thread is told first: a crash in between only repeats the work.
"""

from collections.abc import Iterator
from datetime import datetime, time, timedelta

import sqlalchemy as sa

from bot.conversations.message import MESSAGE, messages
from bot.media import MediaStore
from bot.records.tx import Record, Tx

MARGIN = timedelta(days=2)
"""Between a file's arrival and its message, and for files just named again."""
_BATCH = 1000
_with_files = (
    sa.select(messages.c.id, messages.c.conversation_id, messages.c.contact_id, messages.c.extra)
    .where(
        messages.c.id > sa.bindparam("after"),
        messages.c.extra.is_not(None),
        sa.cast(messages.c.extra, sa.Text).like("%media:%"),
    )
    .order_by(messages.c.id)
    .limit(_BATCH)
)


def too_old(now: datetime, days: int) -> datetime | None:
    """Files last received before this go; None: none ever. By whole days: the log is searched once a day."""
    if not days:
        return None
    last = now - timedelta(days=days) - MARGIN
    return datetime.combine(last.date(), time.min, last.tzinfo)


def mark_expired(tx: Tx, refs: frozenset[str]) -> int:
    """Say in every thread that names these files that they are gone; how many files nobody names."""
    tx.require("update", "messages")
    named: set[str] = set()
    for row in _rows(tx):
        media = (row["extra"] or {}).get("media") or []
        gone = [one for one in media if one.get("ref") in refs]
        named.update(one["ref"] for one in gone)
        if not any(not one.get("expired") for one in gone):
            continue
        kept = [{**one, "expired": True} if one.get("ref") in refs else one for one in media]
        version = row["extra"].get("version", 0) + 1
        extra = {**row["extra"], "media": kept, "version": version}
        tx.execute(messages.update().where(messages.c.id == row["id"]).values(extra=extra))
        tx.event(MESSAGE, row["id"], "file_expired", None, row["contact_id"])
        tx.notify("message", row["conversation_id"])
    return len(refs - named)


def _rows(tx: Tx) -> Iterator[Record]:
    after = "00000000-0000-0000-0000-000000000000"
    while rows := tx.rows(_with_files, {"after": after}):
        yield from rows
        after = rows[-1]["id"]


def remove(media: MediaStore, refs: frozenset[str], before: datetime) -> int:
    """Delete these files, but for those that came again meanwhile; how many went."""
    return sum(media.remove(ref, before) for ref in sorted(refs))
