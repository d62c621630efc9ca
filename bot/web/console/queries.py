"""What the inbox reads: one statement for a page of the list, one for a thread's messages."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa

from bot.conversations.conversation import CONVERSATION, get_conversation
from bot.conversations.message import messages
from bot.conversations.outbox import outbox
from bot.crm.activity import ACTIVITY
from bot.crm.contact import CONTACT
from bot.crm.user import USER
from bot.errors import InvalidInput
from bot.records.events import events
from bot.records.permissions import row_filter
from bot.records.tx import Record, Tx

Tab = Literal["waiting", "mine", "all"]
TABS: tuple[Tab, ...] = ("waiting", "mine", "all")
PAGE = 40
THREAD = 80
_c = CONVERSATION.table.c
_TOLD = ("taken_over", "handed_back", "handed_off", "escalated", "moved", "identified")


@dataclass(frozen=True, slots=True)
class ListPage:
    """Rows of the list; `after` is where the next page begins, None at the end; `waiting` counts who wait."""

    rows: list[Record]
    after: str | None
    waiting: int


def list_conversations(tx: Tx, tab: Tab, after: str = "") -> ListPage:
    """One page of a tab that the actor may see: those who wait longest first, else the newest first."""
    tx.require("read", "conversations")
    moment = _c.waiting_since if tab == "waiting" else _c.last_message_at
    forward = tab == "waiting"
    mine = row_filter(tx.actor, CONVERSATION)
    seen = _c.deleted_at.is_(None) if mine is None else sa.and_(_c.deleted_at.is_(None), mine)
    waits = sa.and_(_c.waiting_since.is_not(None), _c.owner == "human")
    count = sa.select(sa.func.count()).select_from(CONVERSATION.table).where(waits, seen).scalar_subquery()
    statement = (
        sa.select(
            *(_c[name] for name in _ROW),
            CONTACT.table.c.name.label("contact_name"),
            CONTACT.table.c.blocked,
            USER.table.c.name.label("assignee_name"),
            count.label("waiting_count"),
        )
        .join(CONTACT.table, CONTACT.table.c.id == _c.contact_id)
        .join(USER.table, USER.table.c.id == _c.assignee_id, isouter=True)
        .where(moment.is_not(None), seen)
        .order_by(*((moment, _c.id) if forward else (moment.desc(), _c.id.desc())))
        .limit(PAGE + 1)
    )
    if tab == "waiting":
        statement = statement.where(waits)
    elif tab == "mine":
        statement = statement.where(_c.assignee_id == tx.actor.id, _c.owner == "human")
    if after:
        place = sa.tuple_(moment, _c.id)
        since = sa.tuple_(*_cursor(after))
        statement = statement.where(place > since if forward else place < since)
    rows = tx.rows(statement)
    following = None
    if len(rows) > PAGE:
        rows = rows[:PAGE]
        following = f"{rows[-1][moment.name].isoformat()}~{rows[-1]['id']}"
    waiting = rows[0]["waiting_count"] if rows else tx.execute(sa.select(count)).scalar_one()
    return ListPage(rows, following, int(waiting))


_ROW = (
    *("id", "contact_id", "channel", "address", "owner", "assignee_id", "last_text", "last_message_at"),
    *("last_inbound_at", "waiting_since", "handoff_reason", "status", "subject"),
)


def _cursor(text: str) -> tuple[sa.ColumnElement[Any], sa.ColumnElement[Any]]:
    moment, _, last = text.partition("~")
    try:
        when = datetime.fromisoformat(moment)
        UUID(last)
    except ValueError as error:
        raise InvalidInput("That is no page of this list", field="after") from error
    return sa.literal(when, _c.last_message_at.type), sa.literal(last, _c.id.type)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing in a thread: a message, a private note, or something that happened."""

    kind: Literal["message", "note", "event"]
    at: datetime
    row: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Thread:
    """A conversation with its contact, and what was said and done in it, oldest first."""

    conversation: Record
    contact: Record
    assignee: str
    items: list[Item]
    before: str | None


_messages = (
    sa.select(
        messages,
        USER.table.c.name.label("author_name"),
        outbox.c.state.label("outbox_state"),
    )
    .join(USER.table, USER.table.c.id == messages.c.author_id, isouter=True)
    .join(outbox, outbox.c.id == messages.c.id, isouter=True)
    .where(messages.c.conversation_id == sa.bindparam("conversation"))
    .order_by(messages.c.id.desc())
    .limit(THREAD + 1)
)
_notes = (
    sa.select(
        ACTIVITY.table.c.id,
        ACTIVITY.table.c.body,
        ACTIVITY.table.c.created_at,
        USER.table.c.name.label("author_name"),
    )
    .join(USER.table, USER.table.c.id == ACTIVITY.table.c.owner_id, isouter=True)
    .where(ACTIVITY.table.c.about_id == sa.bindparam("conversation"), ACTIVITY.table.c.deleted_at.is_(None))
    .order_by(ACTIVITY.table.c.id.desc())
    .limit(THREAD)
)
_told = (
    sa.select(
        events.c.id,
        events.c.at,
        events.c.action,
        events.c.reason,
        USER.table.c.name.label("author_name"),
    )
    .join(USER.table, USER.table.c.id == events.c.actor_id, isouter=True)
    .where(
        events.c.record_id == sa.bindparam("conversation"),
        events.c.entity == "conversations",
        events.c.action.in_(_TOLD),
    )
    .order_by(events.c.id.desc())
    .limit(THREAD)
)


def read_thread(tx: Tx, conversation_id: str, before: str = "") -> Thread:
    """A page of a thread, the newest or the one before a message. Raises NotFound, Forbidden."""
    conversation = get_conversation(tx, conversation_id)
    tx.require("read", "messages")
    who = {"conversation": conversation_id}
    said = tx.rows(_messages.where(messages.c.id < before) if before else _messages, who)
    more = len(said) > THREAD
    said = said[:THREAD]
    items = [Item("message", row["created_at"], row) for row in said]
    items += [Item("note", row["created_at"], row) for row in tx.rows(_notes, who)]
    items += [Item("event", row["at"], row) for row in tx.rows(_told, who)]
    oldest = said[-1]["created_at"] if more else None
    newest = _moment_of(tx, before) if before else None
    items = [
        item
        for item in items
        if (oldest is None or item.at >= oldest) and (newest is None or item.at < newest)
    ]
    items.sort(key=lambda item: (item.at, item.row["id"]))
    contact = tx.row(sa.select(CONTACT.table).where(CONTACT.table.c.id == conversation["contact_id"]))
    assert contact is not None
    assignee = tx.execute(
        sa.select(USER.table.c.name).where(USER.table.c.id == conversation["assignee_id"])
    ).scalar()
    return Thread(conversation, contact, assignee or "", items, said[-1]["id"] if more else None)


def _moment_of(tx: Tx, message_id: str) -> datetime | None:
    moment: datetime | None = tx.execute(
        sa.select(messages.c.created_at).where(messages.c.id == message_id)
    ).scalar()
    return moment
