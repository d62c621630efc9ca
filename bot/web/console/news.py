"""What is new for one viewer since a place in the log: ids alone, with their permission."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from bot.conversations.conversation import CONVERSATION
from bot.conversations.message import messages
from bot.records import events
from bot.records.permissions import allowed, row_filter
from bot.records.tx import Tx

LIMIT = 400
Position = tuple[int, int]
_OF_CONTACT = frozenset({"contacts", "identities", "leads", "cases", "consents", "activities"})


@dataclass(slots=True)
class News:
    """`everything`: too much happened; the page should load all it shows again."""

    position: Position
    listed: bool = False
    conversations: set[str] = field(default_factory=set)
    contacts: set[str] = field(default_factory=set)
    notifications: bool = False
    articles: bool = False
    typing: set[str] = field(default_factory=set)
    everything: bool = False

    def __bool__(self) -> bool:
        return bool(
            self.listed
            or self.conversations
            or self.contacts
            or self.notifications
            or self.articles
            or self.typing
            or self.everything
        )

    def to_json(self) -> dict[str, Any]:
        """As the page's script reads it."""
        return {
            "listed": self.listed,
            "conversations": sorted(self.conversations),
            "contacts": sorted(self.contacts),
            "notifications": self.notifications,
            "articles": self.articles,
            "typing": sorted(self.typing),
            "everything": self.everything,
        }


def newest(tx: Tx) -> Position:
    """Where a page that has just been loaded begins."""
    return events.newest_position(tx.connection)


def read_news(tx: Tx, since: Position, noticed: Sequence[str], typing: Sequence[str] = ()) -> News:
    """What happened after `since`; `noticed` are conversations the bus spoke of (a delivery state leaves no
    event), `typing` those whose customer is writing. That a list may have changed is told without ids: the
    list is read with the viewer's rights."""
    rows = events.read_after(tx.connection, since, LIMIT)
    news = News((rows[-1]["xid"], rows[-1]["seq"]) if rows else since)
    if len(rows) == LIMIT:
        return News(newest(tx), listed=True, notifications=True, everything=True)
    touched = set(noticed)
    said: list[str] = []
    for row in rows:
        kind = row["entity"]
        if kind == "conversations":
            touched.add(row["record_id"])
        elif kind == "messages":
            said.append(row["record_id"])
        elif kind == "notifications":
            news.notifications = True
        elif kind == "articles":
            news.articles = True
        if kind in _OF_CONTACT and row["contact_id"]:
            news.contacts.add(row["contact_id"])
    if said:
        found = sa.select(messages.c.conversation_id).where(messages.c.id.in_(said)).distinct()
        touched.update(tx.execute(found).scalars())
    news.listed = bool(touched)
    seen, news.contacts = _seen(tx, touched.union(typing), news.contacts)
    news.conversations, news.typing = seen & touched, seen.intersection(typing)
    return news


def _seen(tx: Tx, touched: set[str], contacts: set[str]) -> tuple[set[str], set[str]]:
    """Those of the conversations, and of the contacts with a conversation, that the viewer may see."""
    if not (touched or contacts) or not allowed(tx.actor, "read", "conversations"):
        return set(), set()
    table = CONVERSATION.table
    statement = sa.select(table.c.id, table.c.contact_id).where(
        sa.or_(table.c.id.in_(touched), table.c.contact_id.in_(contacts))
    )
    mine = row_filter(tx.actor, CONVERSATION)
    rows = tx.rows(statement if mine is None else statement.where(mine))
    return {row["id"] for row in rows} & touched, {row["contact_id"] for row in rows} & contacts
