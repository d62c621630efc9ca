"""What is on record of a played customer: read from the CRM when they are done."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from bot.conversations.conversation import CONVERSATION
from bot.conversations.lane import lanes
from bot.conversations.message import messages
from bot.crm.activity import ACTIVITY
from bot.crm.case import CASE
from bot.crm.code import codes
from bot.crm.contact import CONTACT, identities_of
from bot.crm.lead import LEAD
from bot.crm.territory import CATEGORY
from bot.i18n import Words
from bot.records.tx import Record, Tx

RATINGS = range(1, 6)


@dataclass(frozen=True, slots=True)
class Records:
    """All of one customer's. `cases` carry the key of their category; `ratings` are (stars, comment);
    `told` what was said to them, oldest first; `proved` whether they typed the right code."""

    names: tuple[str, ...] = ()
    addresses: frozenset[str] = frozenset()
    leads: tuple[Record, ...] = ()
    cases: tuple[Record, ...] = ()
    visits: tuple[Record, ...] = ()
    calls: tuple[Record, ...] = ()
    ratings: tuple[tuple[int, str], ...] = ()
    human: bool = False
    proved: bool = False
    told: tuple[str, ...] = ()


def read_records(tx: Tx, words: Words, lane_ids: Sequence[str]) -> Records:
    """Of the customer behind these lanes."""
    rows = tx.rows(sa.select(lanes).where(lanes.c.id.in_(lane_ids)))
    contacts = [row["contact_id"] for row in rows if row["contact_id"] is not None]
    talks = [row["conversation_id"] for row in rows if row["conversation_id"] is not None]
    people = tx.rows(sa.select(CONTACT.table).where(CONTACT.table.c.id.in_(contacts)))
    done = tx.rows(sa.select(ACTIVITY.table).where(ACTIVITY.table.c.contact_id.in_(contacts)))
    owned = sa.select(CONVERSATION.table.c.owner).where(CONVERSATION.table.c.id.in_(talks))
    right = sa.select(codes.c.id).where(codes.c.used_at.is_not(None)).limit(1)
    notes = [row["body"] for row in done if row["kind"] == "note"]
    return Records(
        tuple(row["name"] or "" for row in people),
        frozenset(value for contact in contacts for _, value, _ in identities_of(tx, contact)),
        tuple(tx.rows(sa.select(LEAD.table).where(LEAD.table.c.contact_id.in_(contacts)))),
        tuple(tx.rows(_cases(contacts))),
        tuple(row for row in done if row["kind"] == "event"),
        tuple(row for row in done if row["kind"] == "call"),
        tuple(rating for body in notes if (rating := _rating(words, body)) is not None),
        "human" in set(tx.execute(owned).scalars()),
        tx.execute(right).scalar() is not None,
        tuple(said_to(tx, talks)),
    )


def _cases(contacts: Sequence[str]) -> sa.Select[tuple[object, ...]]:
    case, category = CASE.table, CATEGORY.table
    joined = case.outerjoin(category, category.c.id == case.c.category_id)
    columns = sa.select(case, category.c.key.label("category")).select_from(joined)
    return columns.where(case.c.contact_id.in_(contacts))


def _rating(words: Words, body: str) -> tuple[int, str] | None:
    """The stars and the comment of a note that holds them."""
    first, _, comment = body.partition("\n")
    stars = (stars for stars in RATINGS if first == words.say("feedback.note", "en", rating=stars))
    found = next(stars, None)
    return None if found is None else (found, comment)


def said_to(tx: Tx, conversation_ids: Sequence[str]) -> list[str]:
    """What was said to the customer in these conversations, oldest first."""
    mine = sa.and_(messages.c.conversation_id.in_(conversation_ids), messages.c.direction == "outbound")
    return list(tx.execute(sa.select(messages.c.text).where(mine).order_by(messages.c.id)).scalars())
