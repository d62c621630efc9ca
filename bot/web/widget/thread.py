"""A visitor's conversation as their page may see it."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bot.clock import to_iso
from bot.conversations.channel_account import CHANNEL_ACCOUNT
from bot.conversations.conversation import CONVERSATION
from bot.conversations.message import messages
from bot.crm.user import USER
from bot.ids import lane_id
from bot.records.tx import Record, Tx
from bot.web.pages.extra import File, buttons_of, files_of, place_of
from bot.web.widget.visitor import Signer

SHOWN = 60
"""How many messages a page is given: the newest."""
_account = CHANNEL_ACCOUNT.table
_conversation = CONVERSATION.table
_accounts = sa.select(_account.c.id).where(_account.c.adapter == "webchat").limit(1)
_newest = (
    sa.select(_conversation.c.id, _conversation.c.owner)
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
    """The visitor's newest conversation, who answers in it, and its newest messages, oldest first."""

    conversation_id: str | None
    owner: str
    messages: list[Record]


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
    return Thread(conversation["id"], conversation["owner"], rows)


def to_page(row: Mapping[str, Any], visitor: str, signer: Signer) -> dict[str, Any]:
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
    if buttons := buttons_of(row):
        shown["buttons"] = buttons
    if files := [file for file in files_of(row) if file.kept]:
        shown["media"] = [_file(file, signer) for file in files]
    if (place := place_of(row)) is not None:
        shown["place"] = {"url": place.map_url, "name": place.name or place.address}
    return shown


def _file(file: File, signer: Signer) -> dict[str, Any]:
    # Whoever holds the address may read the file: the signature says that we gave it to this page.
    packed = json.dumps([file.ref, file.kind, file.mime, file.name]).encode()
    token = signer.sign("media:" + base64.urlsafe_b64encode(packed).decode())
    return {
        "kind": file.kind,
        "url": f"/widget/media/{token}",
        "name": file.name,
        "size": file.size,
        "inline": file.inline,
    }


def file_of_token(signer: Signer, token: str) -> File | None:
    """The file that a page's address names; None when we did not sign it."""
    value = signer.unsign(token)
    if value is None or not value.startswith("media:"):
        return None
    ref, kind, mime, name = json.loads(base64.urlsafe_b64decode(value.removeprefix("media:")))
    return File(0, kind, mime, name, None, ref)
