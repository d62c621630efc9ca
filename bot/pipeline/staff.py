"""What staff do in conversations: take over, reply, note, hand back, start one, send again.

Taking over and handing back commit at once; what is to leave goes through the lane like everything else.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bot.adapter import Features
from bot.conversations import gate, inbox, lane, outbox
from bot.conversations.channel_account import CHANNEL_ACCOUNT, QUARANTINE
from bot.conversations.conversation import CONVERSATION, change_owner, get_conversation
from bot.conversations.lane import NewLane, ensure_lanes, lanes
from bot.conversations.message import MESSAGE, messages
from bot.conversations.template import as_template, get_template
from bot.crm.activity import add_note
from bot.crm.address import normal_phone
from bot.crm.call import finish_call_backs
from bot.crm.contact import CONTACT, add_contact, add_identity, find_by_identity
from bot.errors import Conflict, GateRefused, InvalidInput, NotFound
from bot.ids import new_id
from bot.messages import Media, TemplateUse
from bot.pipeline.load import new_conversation
from bot.pipeline.payloads import media_to_json, template_to_json
from bot.records.timer import cancel_timer
from bot.records.tx import Record, Tx
from bot.records.write import create, get

MAX_TEXT = 100_000
FeaturesOf = Callable[[str], Features]
"""What the channel of an account can do: `Runtime.features`."""
_IDENTITY_OF = {"sms": "phone", "whatsapp": "whatsapp", "email": "email", "telegram": "telegram"}


@dataclass(frozen=True, slots=True)
class Reply:
    """A text on its way. `held`: it waits, because the channel's window is closed."""

    message_id: str
    conversation_id: str
    held: str | None = None


def take_over(tx: Tx, conversation_id: str, reason: str = "") -> None:
    """Become the owner: the bot falls silent at once, and what it has queued does not leave."""
    conversation = get_conversation(tx, conversation_id)
    if conversation["owner"] == "human" and conversation["assignee_id"] == tx.actor.id:
        return
    change_owner(
        tx,
        conversation,
        "human",
        assignee_id=tx.actor.id,
        team_id=tx.actor.team_id or conversation["team_id"],
        waiting_since=conversation["waiting_since"],
        reason=reason or conversation["handoff_reason"],
        summary=conversation["handoff_summary"],
    )
    outbox.cancel_queued(tx, conversation_id, conversation["contact_id"], "taken_over", author="bot")
    _mark(tx, conversation, "taken_over")


def hand_back(tx: Tx, conversation_id: str) -> None:
    """Give the conversation back to the bot."""
    conversation = get_conversation(tx, conversation_id)
    if conversation["owner"] == "bot":
        return
    change_owner(tx, conversation, "bot", team_id=conversation["team_id"])
    cancel_timer(tx, "handoff_escalation", conversation_id)
    if conversation["channel"] == "voice":
        finish_call_backs(tx, conversation["contact_id"])
    _mark(tx, conversation, "handed_back")


def _mark(tx: Tx, conversation: Record, kind: str) -> None:
    """The lane's own record that its owner changed."""
    event = inbox.NewEvent(
        conversation["channel_account_id"],
        f"{kind}:{new_id()}",
        "marker",
        {"what": kind},
        conversation["lane_id"],
    )
    inbox.append(tx, [event])
    tx.notify("lane", conversation["lane_id"])


def reply(
    tx: Tx, conversation_id: str, text: str, features_of: FeaturesOf, media: Sequence[Media] = ()
) -> Reply:
    """Answer the customer; a conversation the bot owns is taken over first. `features_of(account id)`;
    `media`: stored files that fit the channel (`bot.media.fitting`).

    Raises GateRefused (blocked, stopped) before anything is stored. With a closed window the text waits."""
    tx.require("create", "messages")
    words = text.strip() if media and not text.strip() else _checked(text)
    conversation = get_conversation(tx, conversation_id)
    held = _ask_gate(tx, conversation, features_of(conversation["channel_account_id"]))
    if conversation["owner"] == "bot" or conversation["assignee_id"] is None:
        take_over(tx, conversation_id, "replied")
    return _append(tx, conversation, words, held, media)


def send_template(
    tx: Tx,
    conversation_id: str,
    template_id: str,
    values: Mapping[str, str],
    media: Sequence[Media] = (),
) -> Reply:
    """Answer with an approved template, which leaves however long ago the customer wrote. `values` by
    `TemplatePart.key`; `media`: the one file that heads it, where one does.

    Raises InvalidInput that names what is missing, Conflict for one that is not approved, GateRefused."""
    tx.require("create", "messages")
    row = get_template(tx, template_id)
    use = fill_in(row, values, media)
    conversation = get_conversation(tx, conversation_id)
    if row["channel_account_id"] != conversation["channel_account_id"]:
        raise InvalidInput("This template belongs to another channel", field="template")
    _ask_gate(tx, conversation, Features(text_limit=MAX_TEXT))
    if conversation["owner"] == "bot" or conversation["assignee_id"] is None:
        take_over(tx, conversation_id, "replied")
    return _append(tx, conversation, use.template.filled(use.values), None, media, use)


def fill_in(row: Record, values: Mapping[str, str], media: Sequence[Media] = ()) -> TemplateUse:
    """A template with its values. Raises InvalidInput, Conflict."""
    template = as_template(row)
    if template.status != "approved":
        raise Conflict("Only approved templates can be sent", reason="template_not_approved")
    # WhatsApp refuses line ends, tabs and runs of spaces in what is filled in.
    given = {part.key: " ".join(values.get(part.key, "").split()) for part in template.params}
    if missing := [part for part in template.params if not given[part.key]]:
        raise InvalidInput(f"Fill in {{{{{missing[0].name}}}}}", field="template_values")
    if bool(template.header_file) != bool(media) or len(media) > 1:
        raise InvalidInput(f"This template takes {template.header_file or 'no'} file", field="template_file")
    return TemplateUse(template, given)


def _checked(text: str) -> str:
    words = text.strip()
    if not words:
        raise InvalidInput("Write something first", field="text")
    if len(words) > MAX_TEXT:
        raise InvalidInput(f"A message may have at most {MAX_TEXT} characters", field="text")
    return words


def _ask_gate(tx: Tx, conversation: Record, features: Features) -> str | None:
    """Refuse what can never leave; say what makes it wait."""
    row = tx.row(
        sa.select(lanes.c.stopped_at, CONTACT.table.c.blocked)
        .select_from(lanes)
        .join(CONTACT.table, CONTACT.table.c.id == conversation["contact_id"])
        .where(lanes.c.id == conversation["lane_id"])
    )
    if row is None:
        raise NotFound("This conversation has no lane")
    recipient = gate.Recipient(
        row["blocked"], row["stopped_at"] is not None, conversation["last_inbound_at"], None, "UTC"
    )
    verdict = gate.check("staff", recipient, features, tx.now)
    if verdict.reason == "calls_only":
        raise GateRefused("A caller cannot be answered in writing here: call them", reason=verdict.reason)
    if verdict.reason in ("blocked", "stopped"):
        raise GateRefused("This customer may not be written to on this channel", reason=verdict.reason)
    return verdict.reason


def _append(
    tx: Tx,
    conversation: Record,
    text: str,
    held: str | None,
    media: Sequence[Media] = (),
    template: TemplateUse | None = None,
) -> Reply:
    message_id = new_id()
    payload: dict[str, Any] = {
        "message_id": message_id,
        "conversation_id": conversation["id"],
        "text": text,
        "user_id": tx.actor.id,
        "role": tx.actor.role,
        "team_id": tx.actor.team_id,
        "name": tx.actor.name,
    }
    if media:
        payload["media"] = [media_to_json(one) for one in media]
    if template is not None:
        payload["template"] = template_to_json(template)
    event = inbox.NewEvent(
        conversation["channel_account_id"], f"reply:{message_id}", "reply", payload, conversation["lane_id"]
    )
    inbox.append(tx, [event])
    tx.notify("lane", conversation["lane_id"])
    return Reply(message_id, conversation["id"], held)


def start(
    tx: Tx,
    channel: str,
    address: str,
    text: str,
    features_of: FeaturesOf,
    *,
    name: str = "",
    country: str = "IN",
) -> Reply:
    """Begin a conversation, or go on with the one there is; it belongs to the actor.

    Raises InvalidInput for an address the channel cannot have, NotFound when it is off, GateRefused."""
    tx.require("create", "conversations")
    words = _checked(text)
    if channel not in _IDENTITY_OF:
        raise InvalidInput(f"A conversation cannot be started on {channel!r}", field="channel")
    account = _account_for(tx, channel)
    target = _clean_address(channel, address, country)
    if account["adapter"] == "whatsapp":
        target = target.removeprefix("+")  # Meta's ids are the number without it
    ours = NewLane(account["id"], target)
    ensure_lanes(tx, [ours])
    row = tx.row(sa.select(lanes).where(lanes.c.id == ours.id))
    assert row is not None
    if row["conversation_id"] is not None:
        return reply(tx, row["conversation_id"], words, features_of)
    kind = _IDENTITY_OF[channel]
    contact_id = row["contact_id"] or find_by_identity(tx, kind, target)
    if contact_id is None:
        contact_id = add_contact(tx, name, source="staff", owner_id=tx.actor.id)
        add_identity(tx, contact_id, kind, target, verified=False)
    conversation = _begin(tx, row, account, contact_id)
    held = _ask_gate(tx, conversation, features_of(account["id"]))
    return _append(tx, conversation, words, held)


def _clean_address(channel: str, address: str, country: str) -> str:
    given = address.strip()
    if channel == "email":
        if "@" not in given:
            raise InvalidInput("That is no e-mail address", field="address")
        return given.lower()
    if channel == "telegram":
        if not given.lstrip("-").isdigit():
            raise InvalidInput("Telegram needs the customer's numeric chat id", field="address")
        return given
    phone = normal_phone(given, country)
    if phone is None:
        raise InvalidInput("That is no telephone number", field="address")
    return phone


def _account_for(tx: Tx, channel: str) -> Record:
    table = CHANNEL_ACCOUNT.table
    statement = sa.select(table).where(
        table.c.channel == channel, table.c.active, table.c.adapter != "demo", table.c.address != QUARANTINE
    )
    found = tx.row(statement.order_by(table.c.id))
    if found is None:
        raise NotFound(f"The channel {channel} is not set up")
    return found


def _begin(tx: Tx, row: Record, account: Record, contact_id: str) -> Record:
    values = new_conversation(row, contact_id, account["channel"], "") | {
        "owner": "human",
        "owner_epoch": 1,
        "assignee_id": tx.actor.id,
        "team_id": tx.actor.team_id,
        "last_message_at": tx.now,
    }
    conversation_id = create(tx, CONVERSATION, values)
    lane.set_conversation(tx, row["id"], contact_id, conversation_id)
    return get(tx, CONVERSATION, conversation_id)


def note(tx: Tx, conversation_id: str, text: str) -> str:
    """A private note in the thread: colleagues see it, the customer never."""
    words = _checked(text)
    conversation = get_conversation(tx, conversation_id)
    note_id = add_note(tx, "conversations", conversation_id, words, contact_id=conversation["contact_id"])
    tx.notify("message", conversation_id)
    return note_id


def resend(tx: Tx, message_id: str) -> None:
    """Send a message once more that was parked, or that nobody knows the fate of."""
    row = _sent_by_us(tx, message_id)
    if not outbox.resend(tx, message_id):
        raise Conflict("This message is not waiting to be sent again")
    again = messages.update().where(messages.c.id == message_id)
    tx.execute(again.values(status="queued", status_rank=0, error=None))
    tx.event(MESSAGE, message_id, "resent", None, row["contact_id"])
    tx.notify("outbox", row["conversation_id"])


def discard(tx: Tx, message_id: str) -> None:
    """Give a message up that was parked, or that nobody knows the fate of."""
    row = _sent_by_us(tx, message_id)
    if not outbox.discard(tx, message_id):
        raise Conflict("This message is not waiting any more")
    tx.event(MESSAGE, message_id, "discarded", None, row["contact_id"])
    tx.notify("message", row["conversation_id"])


def _sent_by_us(tx: Tx, message_id: str) -> Record:
    """A message that the actor may see and change. Raises NotFound, Forbidden."""
    row = tx.row(sa.select(messages).where(messages.c.id == message_id))
    if row is None:
        raise NotFound("There is no such message")
    get_conversation(tx, row["conversation_id"])
    tx.require("update", "messages")
    return row
