"""What a customer changes after they have written: a reaction, other words, a message taken back; or that
they go on under another address, or who they are. It is kept and shown; the bot answers what is said, not
what is amended.
"""

from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa

from bot.conversations import inbox, lane, outbox
from bot.conversations.conversation import CONVERSATION
from bot.conversations.message import MESSAGE, messages
from bot.crm.consent import last_consent, record_consent
from bot.crm.contact import add_identity, find_by_identity, learn_about
from bot.messages import InboundMessage
from bot.pipeline.commit import Committed
from bot.pipeline.echo import commit_echo
from bot.pipeline.load import LaneState
from bot.pipeline.shape import preview
from bot.records.tx import Record, Tx
from bot.storage import Id

Lane = Mapping[str, Any]

_of_sender = (
    sa.select(messages)
    .where(
        messages.c.external_id == sa.bindparam("external"),
        messages.c.contact_id == sa.bindparam("contact", type_=Id),
    )
    .order_by(messages.c.id.desc())
    .limit(1)
)


def find_target(tx: Tx, contact_id: str | None, said: InboundMessage) -> Record | None:
    """The message of this customer's conversations that an amendment speaks of."""
    if contact_id is None or not said.reply_to:
        return None
    return tx.row(_of_sender, {"external": said.reply_to, "contact": contact_id})


def commit_amendment(
    tx: Tx, state: LaneState, event: Record, said: InboundMessage, *, more: bool
) -> Committed:
    """Carry an amendment out and let the lane go, or keep it when `more` waits. Raises LaneLost."""
    held = state.lane
    if held["contact_id"] is not None or event["kind"] == "echo":
        held = {**held, **AMENDMENTS[event["kind"]](tx, held, said)}
    inbox.mark_done(tx, [event["seq"]])
    lane.commit_claim(
        tx,
        held["id"],
        held["epoch"],
        contact_id=held["contact_id"],
        conversation_id=held["conversation_id"],
        stopped_at=held["stopped_at"],
        more=more,
    )
    owner = state.conversation["owner"] if state.conversation is not None else "bot"
    return Committed((), held, owner == "human", held["conversation_id"] or "")


def _react(tx: Tx, held: Record, said: InboundMessage) -> Lane:
    target = find_target(tx, held["contact_id"], said)
    if target is not None:
        _change(tx, target, {"reaction": said.text or None})
        tx.event(MESSAGE, target["id"], "reacted", None, target["contact_id"])
    return {}


def _edit(tx: Tx, held: Record, said: InboundMessage) -> Lane:
    target = find_target(tx, held["contact_id"], said)
    if target is not None and target["direction"] == "inbound":
        changes = _change(tx, target, {"edited": True}, said.text)
        tx.event(MESSAGE, target["id"], "edited", changes, target["contact_id"])
        _preview(tx, target, preview(said))
    return {}


def _take_back(tx: Tx, held: Record, said: InboundMessage) -> Lane:
    """The words go from the thread; the log keeps them sealed, until the contact is erased."""
    target = find_target(tx, held["contact_id"], said)
    if target is not None and target["direction"] == "inbound":
        gone = dict.fromkeys(("media", "location", "shared_contacts", "subject"))
        changes = _change(tx, target, {**gone, "deleted": True}, "")
        tx.event(MESSAGE, target["id"], "deleted", changes, target["contact_id"])
        _preview(tx, target, "")
    return {}


def _move(tx: Tx, held: Record, said: InboundMessage) -> Lane:
    """The provider vouches that the sender goes on under these addresses."""
    for one in said.identities:
        add_identity(tx, held["contact_id"], one.kind, one.value, verified=one.verified)
    if held["conversation_id"] is not None:
        tx.event(CONVERSATION, held["conversation_id"], "moved", None, held["contact_id"])
        tx.notify("conversation", held["conversation_id"])
    return {}


def _identify(tx: Tx, held: Record, said: InboundMessage) -> Lane:
    """Further addresses of the sender; one that is proved to be another contact's stays a claim here."""
    contact_id = held["contact_id"]
    for one in said.identities:
        theirs = find_by_identity(tx, one.kind, one.value) if one.verified else None
        add_identity(
            tx, contact_id, one.kind, one.value, verified=one.verified and theirs in (None, contact_id)
        )
    if said.sender_name:
        learn_about(tx, contact_id, name=said.sender_name, source="channel")
    if held["conversation_id"] is not None:
        tx.event(CONVERSATION, held["conversation_id"], "identified", None, contact_id)
        tx.notify("conversation", held["conversation_id"])
    return {}


def _prefer(tx: Tx, held: Record, said: InboundMessage) -> Lane:
    """STOP and START, said by a button of the provider's app or of a mail: nobody is answered."""
    stops = said.text == "stop"
    if stops == (held["stopped_at"] is not None):
        return {}
    state = "withdrawn" if stops else "given"
    how = said.button or "provider"
    if said.button and not stops:
        # Taking a block away takes back that block, not a STOP said in words before it.
        before = last_consent(tx, held["contact_id"], said.channel)
        if before is None or before["how"] != how:
            return {}
    record_consent(tx, held["contact_id"], said.channel, state, how=how, words=said.text)
    if stops and held["conversation_id"] is not None:
        outbox.cancel_queued(tx, held["conversation_id"], held["contact_id"], "stopped")
    return {"stopped_at": tx.now if stops else None}


AMENDMENTS: Mapping[str, Callable[[Tx, Record, InboundMessage], Lane]] = {
    "reaction": _react,
    "edit": _edit,
    "deletion": _take_back,
    "moved": _move,
    "identified": _identify,
    "preference": _prefer,
    "echo": commit_echo,
}
"""`InboundMessage.kind` -> what it does; it returns what of the lane it changes."""


def _change(
    tx: Tx, target: Record, extra: Mapping[str, Any], text: str | None = None
) -> dict[str, tuple[str, str]]:
    """Save what is different; returns the words before and after. `None` in `extra` takes a value away."""
    kept = {**(target["extra"] or {}), **extra}
    kept = {name: value for name, value in kept.items() if value is not None}
    kept["version"] = kept.get("version", 0) + 1
    new = target["text"] if text is None else text
    tx.execute(messages.update().where(messages.c.id == target["id"]).values(extra=kept, text=new))
    tx.notify("message", target["conversation_id"])
    return {"text": (target["text"], new)}


def _preview(tx: Tx, target: Record, line: str) -> None:
    """The list shows the last message's words: these too when it was this one."""
    table = CONVERSATION.table
    old = " ".join(target["text"].split())[:200]
    statement = table.update().where(table.c.id == target["conversation_id"], table.c.last_text == old)
    tx.execute(statement.values(last_text=line))
    tx.notify("conversation", target["conversation_id"])
