"""Claiming a lane and reading what its turn needs: three statements for a known sender."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bot.conversations import inbox, lane, outbox
from bot.conversations.conversation import CONVERSATION, conversation_of_reference
from bot.conversations.message import messages
from bot.crm.contact import CONTACT
from bot.ids import new_id
from bot.messages import ChannelName
from bot.records.tx import Record, Tx
from bot.storage import Id

_conversation, _contact = CONVERSATION.table, CONTACT.table


@dataclass(frozen=True, slots=True)
class LaneState:
    """A claimed lane, what waits in it, and where its conversation stands (None: none yet).

    `conversation` also carries contact_name, contact_lang, contact_blocked and unsent (whether an earlier
    message has not left yet)."""

    lane: Record
    events: tuple[Record, ...]
    conversation: Record | None


_current = (
    sa.select(
        _conversation,
        _contact.c.name.label("contact_name"),
        _contact.c.lang.label("contact_lang"),
        _contact.c.blocked.label("contact_blocked"),
        sa.exists()
        .where(
            outbox.outbox.c.conversation_id == _conversation.c.id,
            outbox.outbox.c.state.in_((sa.literal_column("'queued'"), sa.literal_column("'sending'"))),
        )
        .label("unsent"),
    )
    .join(_contact, _contact.c.id == _conversation.c.contact_id)
    .where(_conversation.c.id == sa.bindparam("conversation", type_=Id))
)


def claim_lane(tx: Tx, lane_id: str, holder: str) -> LaneState | None:
    """Claim the lane and read it; None while another process holds it."""
    claimed = lane.claim(tx, lane_id, holder)
    return None if claimed is None else read_lane(tx, claimed)


def read_lane(tx: Tx, claimed: Record) -> LaneState:
    """Read a lane that is held already."""
    events = tuple(inbox.pending(tx, claimed["id"]))
    conversation = read_conversation(tx, claimed["conversation_id"])
    return LaneState(claimed, events, conversation)


def read_conversation(tx: Tx, conversation_id: str | None) -> Record | None:
    """The conversation as a turn reads it."""
    if conversation_id is None:
        return None
    return tx.row(_current, {"conversation": conversation_id})


def new_conversation(lane_row: Record, contact_id: str, channel: ChannelName, subject: str) -> dict[str, Any]:
    """The values of a conversation that begins with the bot."""
    return {
        "id": new_id(),
        "lane_id": lane_row["id"],
        "contact_id": contact_id,
        "channel": channel,
        "channel_account_id": lane_row["channel_account_id"],
        "address": lane_row["address"],
        "subject": subject[:300],
        "status": "open",
        "owner": "bot",
        "owner_epoch": 0,
        "last_text": "",
        "escalation_level": 0,
        "held": False,
    }


def conversation_of_mail(tx: Tx, lane_id: str, thread: Sequence[str]) -> Record | None:
    """The conversation of this sender that a mail answers: by Message-IDs of ours or theirs, else by the
    reference token. Only conversations of the same lane: a forwarded token opens nobody else's."""
    tokens = [ref.removeprefix("token:") for ref in thread if ref.startswith("token:")]
    found = {known for token in tokens if (known := conversation_of_reference(token)) is not None}
    ids = [ref for ref in thread if not ref.startswith("token:")][-20:]
    if ids:
        statement = sa.select(messages.c.conversation_id).where(messages.c.external_id.in_(ids))
        found |= set(tx.execute(statement).scalars())
    for candidate in sorted(found, reverse=True):
        row = read_conversation(tx, candidate)
        if row is not None and row["lane_id"] == lane_id:
            return row
    return None


def first_batch(events: Sequence[Record], gather_ms: int) -> list[Record]:
    """The events of the next turn: the first, and the burst of plain messages that follows it."""
    batch = [events[0]]
    if not _gathers(events[0]):
        return batch
    for event in events[1:]:
        gap = (event["received_at"] - batch[-1]["received_at"]).total_seconds() * 1000
        if not _gathers(event) or gap > gather_ms or gather_ms == 0:
            break
        batch.append(event)
    return batch


def _gathers(event: Any) -> bool:
    return event["kind"] == "message" and not event["payload"].get("button")
