"""A visitor's conversation as their page may see it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bot.clock import to_iso
from bot.conversations.channel_account import CHANNEL_ACCOUNT
from bot.conversations.conversation import CONVERSATION
from bot.conversations.message import messages
from bot.crm.contact import IDENTITY
from bot.crm.user import USER, agents_online
from bot.ids import lane_id
from bot.media.links import FileLinks
from bot.records.tx import Record, Tx
from bot.web.pages.extra import buttons_of, files_of, place_of
from bot.web.widget.files import as_page_sees

SHOWN = 60
"""How many messages a page is given: the newest."""
_account = CHANNEL_ACCOUNT.table
_conversation = CONVERSATION.table
_accounts = sa.select(_account.c.id).where(_account.c.adapter == "webchat").limit(1)
_reachable = sa.exists().where(
    IDENTITY.table.c.contact_id == _conversation.c.contact_id, IDENTITY.table.c.kind.in_(("email", "phone"))
)
_newest = (
    sa.select(
        _conversation.c.id,
        _conversation.c.owner,
        _conversation.c.assignee_id,
        _reachable.label("reachable"),
    )
    .where(_conversation.c.lane_id == sa.bindparam("lane"))
    .order_by(_conversation.c.id.desc())
    .limit(1)
)
# What is queued may still be withdrawn when a person takes over: a page shows what has left.
_left = sa.or_(messages.c.direction == "inbound", messages.c.status.in_(("sent", "delivered", "read")))
_messages = (
    sa.select(messages, USER.table.c.name.label("author_name"))
    .join(USER.table, USER.table.c.id == messages.c.author_id, isouter=True)
    .where(
        messages.c.conversation_id.in_(
            sa.select(_conversation.c.id).where(_conversation.c.lane_id == sa.bindparam("lane"))
        ),
        _left,
    )
    .order_by(messages.c.id.desc())
    .limit(SHOWN)
)


@dataclass(frozen=True, slots=True)
class Thread:
    """The visitor's newest conversation, who answers in it, and its newest messages, oldest first.

    `away`: they wait for a person, nobody is there, and we could not reach them later."""

    conversation_id: str | None
    owner: str
    messages: list[Record]
    away: bool = False


def read_thread(tx: Tx, visitor: str) -> Thread:
    """All that the page of a visitor shows."""
    account = tx.execute(_accounts).scalar()
    if account is None:
        return Thread(None, "bot", [])
    lane = {"lane": lane_id(account, visitor)}
    conversation = tx.row(_newest, lane)
    if conversation is None:
        return Thread(None, "bot", [])
    rows = list(reversed(tx.rows(_messages, lane)))
    waits = conversation["owner"] == "human" and conversation["assignee_id"] is None
    away = waits and not conversation["reachable"] and not agents_online(tx)
    return Thread(conversation["id"], conversation["owner"], rows, away)


def unread_of(thread: Thread) -> set[str]:
    """Messages of ours that the visitor has not had before their eyes."""
    return {row["id"] for row in thread.messages if row["status"] in ("sent", "delivered")}


def to_page(row: Mapping[str, Any], visitor: str, links: FileLinks) -> dict[str, Any]:
    """A message as JSON for the page. `client` is the id the page itself gave it."""
    shown: dict[str, Any] = {
        "id": row["id"],
        "author": row["author"],
        "text": row["text"],
        "at": to_iso(row["created_at"]),
    }
    if row["direction"] == "inbound":
        shown["client"] = (row["external_id"] or "").removeprefix(f"{visitor}:")
    elif row["author"] == "agent" and row["author_name"]:
        shown["name"] = row["author_name"]
    if row["status"] == "read":
        shown["read"] = True
    if buttons := buttons_of(row):
        shown["buttons"] = buttons
    if files := [file for file in files_of(row) if file.kept]:
        shown["media"] = [as_page_sees(file, links) for file in files]
    if (place := place_of(row)) is not None:
        shown["place"] = {"url": place.map_url, "name": place.name or place.address}
    return shown
