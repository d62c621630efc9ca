"""Files go when their time is over: those that were last received longer ago than the business keeps them.

A file is put into the store anew by every message that brings it, which renews its age; so its age alone says
that no younger message names it. The thread is told first: a crash in between only repeats the work.
"""

from collections.abc import Sequence
from datetime import datetime, time, timedelta

import sqlalchemy as sa

from bot.conversations.message import MESSAGE, messages
from bot.crm.file import kept_refs
from bot.media import MediaStore
from bot.records.tx import Tx

KEEP_DELETED = timedelta(days=30)
"""How long the content of a deleted file of a record stays: it may be restored."""
MARGIN = timedelta(days=2)
"""Between a file's arrival and its message, and for files just named again."""
_BATCH = 1000
MARKED_AT_ONCE = 100
"""Messages of one write: others write too."""
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

_of_ids = (
    sa.select(messages.c.id, messages.c.conversation_id, messages.c.contact_id, messages.c.extra)
    .where(messages.c.id.in_(sa.bindparam("ids", expanding=True)))
    .order_by(messages.c.id)
    .with_for_update()
)


def too_old(now: datetime, days: int) -> datetime | None:
    """Files last received before this go; None: none ever. By whole days: the log is searched once a day."""
    if not days:
        return None
    last = now - timedelta(days=days) - MARGIN
    return datetime.combine(last.date(), time.min, last.tzinfo)


def naming(tx: Tx, refs: frozenset[str]) -> tuple[list[str], int]:
    """The messages that name these files and do not say yet that they are gone; how many files nobody names.

    The whole log is read: in a transaction that holds nobody up."""
    ids: list[str] = []
    named: set[str] = set()
    after = "00000000-0000-0000-0000-000000000000"
    while rows := tx.rows(_with_files, {"after": after}):
        for row in rows:
            gone = [one for one in (row["extra"] or {}).get("media") or () if one.get("ref") in refs]
            named.update(one["ref"] for one in gone)
            if not all(one.get("expired") for one in gone):
                ids.append(row["id"])
        after = rows[-1]["id"]
    return ids, len(refs - named)


def mark_expired(tx: Tx, message_ids: Sequence[str], refs: frozenset[str]) -> None:
    """Say in the threads of these messages that the files are gone."""
    tx.require("update", "messages")
    # Read anew and held: a customer may take a message back meanwhile.
    for row in tx.rows(_of_ids, {"ids": list(message_ids)}):
        media = (row["extra"] or {}).get("media") or []
        kept = [{**one, "expired": True} if one.get("ref") in refs else one for one in media]
        if kept == media:
            continue
        version = row["extra"].get("version", 0) + 1
        extra = {**row["extra"], "media": kept, "version": version}
        tx.execute(messages.update().where(messages.c.id == row["id"]).values(extra=extra))
        tx.event(MESSAGE, row["id"], "file_expired", None, row["contact_id"])
        tx.notify("message", row["conversation_id"])


def of_records(tx: Tx, refs: frozenset[str]) -> frozenset[str]:
    """Those of these files that records hold: they stay as long as the record wants them."""
    return frozenset(kept_refs(tx, refs, tx.now - KEEP_DELETED))


def remove(media: MediaStore, refs: frozenset[str], before: datetime) -> int:
    """Delete these files, but for those that came again meanwhile; how many went."""
    return sum(media.remove(ref, before) for ref in sorted(refs))
