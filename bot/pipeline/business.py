"""Messages that the business starts: a nudge, what a rule says. The gate is asked first, and again when the
message is about to leave.
"""

from collections.abc import Mapping
from typing import Protocol

import sqlalchemy as sa

from bot.adapter import Features
from bot.conversations import gate, inbox
from bot.conversations.lane import lanes
from bot.crm.business import Profile
from bot.ids import new_id
from bot.records.tx import Record, Tx


class Standing(Protocol):
    """What the gate goes by: the business, and what the channel of an account can do."""

    @property
    def profile(self) -> Profile:
        """The business."""

    def features(self, account_id: str, /) -> Features:
        """What that account's channel can do."""


def ask_gate(
    tx: Tx, runtime: Standing, conversation: Record, purpose: gate.Purpose = "business"
) -> gate.Verdict:
    """Whether the business may write now; `conversation` as `read_conversation` reads it."""
    stopped = sa.select(lanes.c.stopped_at).where(lanes.c.id == conversation["lane_id"])
    recipient = gate.Recipient(
        blocked=conversation["contact_blocked"],
        stopped=tx.execute(stopped).scalar() is not None,
        last_inbound_at=conversation["last_inbound_at"],
        last_business_at=tx.now if _about_to_write(tx, conversation) else conversation["last_business_at"],
        time_zone=runtime.profile.time_zone,
    )
    features = runtime.features(conversation["channel_account_id"])
    return gate.check(purpose, recipient, features, tx.now)


def _about_to_write(tx: Tx, conversation: Record) -> bool:
    """Whether a message that the business starts waits in the lane already: its turn is to come."""
    return any(event["kind"] == "nudge" for event in inbox.pending(tx, conversation["lane_id"]))


def write_first(tx: Tx, conversation: Record, text: str, purpose: gate.Purpose = "business") -> str:
    """Put a text into the conversation's lane; returns the id its message will have."""
    return _write(tx, conversation, text, "nudge", {"purpose": purpose})


def answer_late(tx: Tx, conversation: Record, text: str) -> str:
    """The same, of what the customer's own message is answered with after its turn: at any hour."""
    return _write(tx, conversation, text, "late_answer", {})


def _write(tx: Tx, conversation: Record, text: str, kind: str, beside: Mapping[str, str]) -> str:
    message_id = new_id()
    payload = {"message_id": message_id, "conversation_id": conversation["id"], "text": text, **beside}
    account, lane_id = conversation["channel_account_id"], conversation["lane_id"]
    inbox.append(tx, [inbox.NewEvent(account, f"{kind}:{message_id}", kind, payload, lane_id)])
    tx.notify("lane", lane_id)
    return message_id
