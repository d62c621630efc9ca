"""The secret address of a user's calendar: who has it reads it, until the user makes another."""

import re
import secrets
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from bot.crm import series
from bot.crm.activity import ACTIVITY, ATTENDEE
from bot.crm.calendar_file import Entry, feed
from bot.crm.user import actor_by_id
from bot.errors import Forbidden, NotFound
from bot.records.actor import Actor
from bot.records.permissions import allowed, row_filter, visible
from bot.records.tx import Record, Tx
from bot.storage import Id, Instant, metadata
from bot.storage.upsert import insert

PAST, AHEAD = timedelta(days=30), timedelta(days=365)
MOST = 5000
"""Entries of one calendar: more than anybody reads."""
_NEVER = datetime(2000, 1, 1, tzinfo=UTC)
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
    tx.require("read", ACTIVITY.name)
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


# --- what it holds ---------------------------------------------------------------------------------


def read_feed(tx: Tx, user_id: str, name: str) -> bytes | None:
    """The calendar of a user, as far as they may see what is theirs; None for who is no user any more."""
    try:
        actor = actor_by_id(tx, user_id)
    except (NotFound, Forbidden):
        return None
    if not allowed(actor, "read", ACTIVITY.name):
        return None
    rows = _rows(tx, actor)
    every = {row["series_id"] for row in rows if row["series_id"] is not None}
    known = sa.select(series.series).where(series.series.c.id.in_(sorted(every)))
    found = {row["id"]: row for row in tx.rows(known)}
    theirs = {row["id"] for row in rows}
    hidden = frozenset(one for one in ("subject", "body", "location") if not visible(actor, ACTIVITY, one))
    entries: list[Entry] = []
    for row in rows:
        if row["series_id"] is None:
            entries.append(entry_of(row, None, hidden=hidden))
    for series_id in sorted(every):
        mine = [row for row in rows if row["series_id"] == series_id]
        entries += _of_series(tx, found.get(series_id), mine, theirs, hidden)
    newest = max((row["updated_at"] for row in rows), default=_NEVER)
    # As of the last change: the same calendar is the same document, however often it is fetched.
    return feed(name, entries, newest)


def _rows(tx: Tx, actor: Actor) -> list[Record]:
    """The tasks, events and calls of a user, and what they take part in."""
    table, guests = ACTIVITY.table, ATTENDEE.table
    since, until = tx.now - PAST, tx.now + AHEAD
    taking_part = sa.and_(
        guests.c.user_id == actor.id, guests.c.deleted_at.is_(None), guests.c.answer != "declined"
    )
    in_series = sa.select(guests.c.series_id).where(taking_part, guests.c.series_id.is_not(None))
    mine = sa.or_(
        table.c.owner_id == actor.id,
        table.c.id.in_(sa.select(guests.c.activity_id).where(taking_part)),
        table.c.series_id.in_(in_series),
    )
    when = sa.or_(
        sa.and_(table.c.kind == "task", table.c.due_at.between(since, until)),
        sa.and_(table.c.kind.in_(("event", "call")), table.c.starts_at.between(since, until)),
    )
    statement = sa.select(table).where(mine, when, table.c.deleted_at.is_(None))
    seen = row_filter(actor, ACTIVITY)
    if seen is not None:
        statement = statement.where(seen)
    return tx.rows(statement.order_by(table.c.id).limit(MOST))


def _of_series(
    tx: Tx, found: Record | None, mine: list[Record], theirs: set[str], hidden: frozenset[str]
) -> list[Entry]:
    """A series as its rule, with what is off, moved, done or somebody else's."""
    plain = next((row for row in mine if not row["detached"]), None)
    if found is None or plain is None or found["template"] is None:
        return [entry_of(row, None, hidden=hidden) for row in mine]
    table = ACTIVITY.table
    every = sa.select(table.c.id, table.c.occurs_at, table.c.deleted_at).where(
        table.c.series_id == found["id"], table.c.occurs_at > tx.now - PAST
    )
    off = [row["occurs_at"] for row in tx.rows(every) if row["deleted_at"] or row["id"] not in theirs]
    own = [row for row in mine if row["detached"] or row["done_at"] is not None]
    return [
        entry_of(plain, found, whole=True, hidden=hidden, excluded=tuple(sorted(off))),
        *(entry_of(row, found, hidden=hidden) for row in own),
    ]


def entry_of(
    row: Record,
    found: Record | None,
    *,
    whole: bool = False,
    uid: str = "",
    sequence: int | None = None,
    hidden: frozenset[str] = frozenset(),
    excluded: tuple[datetime, ...] = (),
) -> Entry:
    """An activity as a calendar shows it: by itself, as one occurrence of its series (`found`), or `whole` as
    all of it. `hidden` fields are left out."""
    times = dict(row)
    if whole and found is not None:
        times |= {**(found["template"] or {}), **series.values_at(found, row["kind"], found["starts_at"])}
    said = {name: "" if name in hidden else times[name] or "" for name in ("subject", "body", "location")}
    return Entry(
        uid=uid or (found["uid"] if found is not None else row["id"]),
        kind=row["kind"],
        summary=said["subject"],
        start=times["starts_at"],
        end=times["ends_at"],
        due=times["due_at"],
        done_at=None if whole else row["done_at"],
        all_day=times["all_day"],
        zone=(found["zone"] if found is not None else row["zone"]) or "UTC",
        rrule=found["rrule"] if whole and found is not None else "",
        excluded=excluded,
        recurrence_id=row["occurs_at"] if found is not None and not whole else None,
        sequence=row["sequence"] if sequence is None else sequence,
        status="cancelled" if row["outcome"] == "cancelled" else "confirmed",
        description=said["body"],
        location=said["location"],
    )
