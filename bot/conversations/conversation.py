"""Conversations: who is talking with a customer, the bot or a person, and where the dialog stands."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot.crm.question import needs_person
from bot.errors import Conflict
from bot.records.actor import Actor
from bot.records.entity import entity
from bot.records.permissions import allowed, row_filter
from bot.records.tx import Tx
from bot.records.write import get
from bot.storage import Id, Instant, Json

OWNERS = ("bot", "human")
STATUSES = ("open", "closed")

CONVERSATION = entity(
    "conversations",
    sa.Column("lane_id", Id, sa.ForeignKey("lanes.id"), nullable=False, index=True),
    sa.Column("contact_id", Id, sa.ForeignKey("contacts.id"), nullable=False, index=True),
    sa.Column("channel", sa.String(20), nullable=False),
    sa.Column("channel_account_id", Id, sa.ForeignKey("channel_accounts.id"), nullable=False),
    sa.Column("address", sa.String(320), nullable=False),
    sa.Column("subject", sa.String(300), nullable=False),
    sa.Column("status", sa.String(10), nullable=False),
    sa.Column("owner", sa.String(10), nullable=False),
    # Raised whenever the owner changes: a turn that began under another owner does not commit.
    sa.Column("owner_epoch", sa.Integer, nullable=False),
    sa.Column("assignee_id", Id, sa.ForeignKey("users.id"), index=True),
    sa.Column("team_id", Id, sa.ForeignKey("teams.id"), index=True),
    sa.Column("lang", sa.String(12)),
    sa.Column("state", Json),
    sa.Column("last_text", sa.String(200), nullable=False),
    sa.Column("last_message_at", Instant),
    sa.Column("last_inbound_at", Instant),
    sa.Column("last_business_at", Instant),
    # Set while the customer waits for a person; cleared by a person's answer.
    sa.Column("waiting_since", Instant),
    sa.Column("handoff_reason", sa.String(20)),
    sa.Column("handoff_summary", sa.Text),
    sa.Column("escalation_level", sa.Integer, nullable=False),
    sa.Column("held", sa.Boolean, nullable=False),
    sa.Index("ix_conversations_recent", "last_message_at"),
    sa.Index("ix_conversations_owner", "owner", "last_message_at"),
    enums={"owner": OWNERS, "status": STATUSES},
    personal=("address", "subject", "last_text", "handoff_summary"),
    internal=("state", "owner_epoch", "held"),
    owner_column="assignee_id",
)
_table = CONVERSATION.table


def through_conversation(
    actor: Actor, column: sa.Column[Any], writing: bool = False
) -> sa.ColumnElement[bool] | None:
    """The condition that rows belong to a conversation this actor may see, or change."""
    if not allowed(actor, "update" if writing else "read", CONVERSATION.name):
        return sa.false()
    mine = row_filter(actor, CONVERSATION, writing=writing)
    return None if mine is None else column.in_(sa.select(_table.c.id).where(mine))


def reference_of(conversation_id: str) -> str:
    """The token that finds a conversation again when a mail client drops the headers."""
    return conversation_id.replace("-", "")


def conversation_of_reference(token: str) -> str | None:
    """The inverse of `reference_of`; None when the token is none of ours."""
    raw = token.strip().lower()
    if len(raw) != 32 or any(char not in "0123456789abcdef" for char in raw):
        return None
    return f"{raw[:8]}-{raw[8:12]}-{raw[12:16]}-{raw[16:20]}-{raw[20:]}"


_change_owner = (
    _table.update()
    .where(_table.c.id == sa.bindparam("conversation"), _table.c.owner_epoch == sa.bindparam("known_epoch"))
    .values(
        owner=sa.bindparam("new_owner"),
        owner_epoch=_table.c.owner_epoch + 1,
        assignee_id=sa.bindparam("assignee"),
        team_id=sa.bindparam("team"),
        waiting_since=sa.bindparam("waiting", type_=Instant),
        handoff_reason=sa.bindparam("why"),
        handoff_summary=sa.bindparam("summary"),
        escalation_level=0,
        updated_at=sa.bindparam("moment", type_=Instant),
        version=_table.c.version + 1,
    )
)


def change_owner(
    tx: Tx,
    conversation: Mapping[str, Any],
    owner: str,
    *,
    assignee_id: str | None = None,
    team_id: str | None = None,
    waiting_since: datetime | None = None,
    reason: str | None = None,
    summary: str | None = None,
) -> None:
    """Give the conversation to the bot or to people; raises the owner epoch. Raises Conflict when somebody
    else changed the owner first."""
    tx.require("update", "conversations")
    done = tx.execute(
        _change_owner,
        {
            "conversation": conversation["id"],
            "known_epoch": conversation["owner_epoch"],
            "new_owner": owner,
            "assignee": assignee_id,
            "team": team_id,
            "waiting": waiting_since,
            "why": reason,
            "summary": summary,
            "moment": tx.now,
        },
    )
    if done.rowcount != 1:
        raise Conflict("Somebody else took this conversation a moment ago; look again")
    if owner == "human":
        needs_person(tx, conversation["contact_id"])
    changes = {
        "owner": (conversation["owner"], owner),
        "assignee_id": (conversation["assignee_id"], assignee_id),
    }
    action = "handed_back" if owner == "bot" else "taken_over" if assignee_id else "handed_off"
    tx.event(CONVERSATION, conversation["id"], action, changes, conversation["contact_id"], reason or "")
    tx.notify("conversation", conversation["id"])


def get_conversation(tx: Tx, conversation_id: str) -> Mapping[str, Any]:
    """A conversation this actor may see. Raises NotFound, Forbidden."""
    return get(tx, CONVERSATION, conversation_id)
