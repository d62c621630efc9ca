"""What one of us wrote to a customer outside Samvad, in the provider's own app: it joins the thread, and the
bot falls silent, so that it does not talk over a person.
"""

from typing import Any

from bot.conversations import message, outbox
from bot.conversations.conversation import CONVERSATION, change_owner
from bot.crm.contact import add_contact, add_identity, find_by_identity
from bot.ids import new_id
from bot.messages import STATUS_RANK, InboundMessage, Status
from bot.pipeline import files
from bot.pipeline.load import new_conversation
from bot.pipeline.payloads import extra_of
from bot.pipeline.shape import preview
from bot.records.timer import cancel_timer
from bot.records.tx import Record, Tx
from bot.records.write import create, find


def commit_echo(tx: Tx, held: Record, said: InboundMessage) -> dict[str, Any]:
    """Keep it as sent by a person, who owns the conversation from here on."""
    held = held if held["conversation_id"] else {**held, **_begin(tx, held, said)}
    conversation = find(tx, CONVERSATION, held["conversation_id"])
    if conversation is None:
        return {}
    message_id = new_id()
    if files.has_remote(said):
        files.want(tx, message_id)
    row = {
        "id": message_id,
        "conversation_id": conversation["id"],
        "contact_id": conversation["contact_id"],
        "channel": said.channel,
        "direction": "outbound",
        "author": "agent",
        "author_id": None,
        "text": said.text,
        "extra": extra_of(said),
        "lang": None,
        "external_id": said.external_id,
        "provider_at": said.at,
        "created_at": tx.now,
        "status": Status.SENT.value,
        "status_rank": STATUS_RANK[Status.SENT],
    }
    message.append(tx, [row])
    if conversation["owner"] == "bot":
        change_owner(tx, conversation, "human", team_id=conversation["team_id"], reason="replied")
        outbox.cancel_queued(tx, conversation["id"], conversation["contact_id"], "taken_over", author="bot")
    cancel_timer(tx, "handoff_escalation", conversation["id"])
    table = CONVERSATION.table
    tx.execute(
        table.update()
        .where(table.c.id == conversation["id"])
        .values(last_text=preview(said), last_message_at=tx.now, waiting_since=None)
    )
    tx.notify("message", conversation["id"])
    tx.notify("conversation", conversation["id"])
    return {"contact_id": conversation["contact_id"], "conversation_id": conversation["id"]}


def _begin(tx: Tx, held: Record, said: InboundMessage) -> dict[str, Any]:
    """One of us writes to somebody whom we have not met here: the contact and the conversation begin now."""
    contact_id = held["contact_id"]
    for one in said.identities if contact_id is None else ():
        contact_id = contact_id or find_by_identity(tx, one.kind, one.value)
    if contact_id is None:
        contact_id = add_contact(tx, said.sender_name, source="channel")
    for one in said.identities:
        add_identity(tx, contact_id, one.kind, one.value, verified=one.verified)
    values = new_conversation(held, contact_id, said.channel, "")
    create(tx, CONVERSATION, values)
    tx.flush()
    return {"contact_id": contact_id, "conversation_id": values["id"]}
