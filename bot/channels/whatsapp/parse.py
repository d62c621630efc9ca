"""Meta's webhook payloads into our vocabulary. Pure: a decoded JSON value in, `Parsed` out."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from bot.channels.reading import Json, json_list, json_object, place, string, text
from bot.channels.whatsapp.errors import explain
from bot.channels.whatsapp.notices import read_notice
from bot.errors import Unreadable
from bot.messages import (
    AccountNotice,
    Identity,
    InboundMessage,
    Location,
    Media,
    MediaKind,
    Parsed,
    Status,
    StatusUpdate,
    clean,
)

_STATUSES = {
    "sent": Status.SENT,
    "delivered": Status.DELIVERED,
    "read": Status.READ,
    "played": Status.READ,  # a voice note was listened to
    "failed": Status.FAILED,
}
_MEDIA = {kind.value for kind in MediaKind} - {"voice"}
_OF_A_NUMBER = ("messages", "user_preferences", "calls", "smb_message_echoes")
_AMENDMENTS = ("reaction", "edit", "revoke", "system")


def parse_payload(payload: object, our_account: str = "") -> Parsed:
    """Everything a webhook holds; what it tells of no number belongs to `our_account`.

    Raises Unreadable when it is not in the documented shape."""
    messages: list[InboundMessage] = []
    statuses: list[StatusUpdate] = []
    notices: list[AccountNotice] = []
    unhandled: list[str] = []
    root = json_object(payload, "payload")
    for entry in json_list(root, "entry"):
        entry = json_object(entry, "entry")
        for change in json_list(entry, "changes"):
            change = json_object(change, "change")
            field = string(change, "field")
            value = change.get("value")
            if field not in _OF_A_NUMBER:
                said = read_notice(field, value) if isinstance(value, dict) else None
                if said:
                    key = hashlib.sha256(json.dumps([field, value, entry.get("time")]).encode()).hexdigest()
                    notices.append(AccountNotice(f"notice:{key}", "whatsapp", our_account, said))
                else:
                    unhandled.append(f"field:{field}")
                continue
            value = json_object(value, "value")
            account = string(json_object(value.get("metadata"), "metadata"), "phone_number_id")
            contacts = [json_object(item, "contact") for item in json_list(value, "contacts", optional=True)]
            for item in json_list(value, "messages", optional=True):
                _message(json_object(item, "message"), account, contacts, messages, unhandled)
            for item in json_list(value, "user_preferences", optional=True):
                _preference(json_object(item, "preference"), account, contacts, messages, unhandled)
            for item in json_list(value, "calls", optional=True):
                _call(json_object(item, "call"), value, contacts, messages, unhandled)
            for item in json_list(value, "message_echoes", optional=True):
                _echo(json_object(item, "echo"), account, messages, unhandled)
            for item in json_list(value, "statuses", optional=True):
                if field == "calls":
                    unhandled.append("call:status")
                else:
                    _status(json_object(item, "status"), account, statuses, unhandled)
            unhandled.extend("errors" for _ in json_list(value, "errors", optional=True))
    return Parsed(tuple(messages), tuple(statuses), tuple(notices), tuple(unhandled))


def _message(
    item: Json, account: str, contacts: list[Json], messages: list[InboundMessage], unhandled: list[str]
) -> None:
    kind = string(item, "type")
    message_id = string(item, "id")
    # Meta hands some kinds on without their content, with an error or (forms that failed) without one.
    unread = kind == "unsupported" or (
        kind not in item and (bool(item.get("errors")) or kind == "interactive")
    )
    content = None if "group_id" in item else {"unsupported": kind} if unread else _content(kind, item)
    if content is None:
        unhandled.append("message:group" if "group_id" in item else f"message:{kind}")
        return
    sender = text(item, "from")
    user_id = text(item, "from_user_id")
    contact = _contact_of(contacts, sender, user_id)
    sender = sender or text(contact, "wa_id")
    user_id = user_id or text(contact, "user_id")
    address = sender or user_id
    if not address:
        raise Unreadable("a WhatsApp message without a sender", field="from")
    profile = contact.get("profile")
    context = item.get("context")
    messages.append(
        InboundMessage(
            event_key=message_id,
            channel="whatsapp",
            account=account,
            address=address,
            external_id=message_id,
            at=_time(item),
            sender_name=text(profile, "name") if isinstance(profile, dict) else "",
            **(
                {
                    "identities": _identities(sender, user_id),
                    "reply_to": (text(context, "id") or None) if isinstance(context, dict) else None,
                }
                | content
            ),
        )
    )


def _preference(
    item: Json, account: str, contacts: list[Json], messages: list[InboundMessage], unhandled: list[str]
) -> None:
    """Whether the business may write first, as the customer set it in WhatsApp."""
    value, sender, user_id = text(item, "value"), text(item, "wa_id"), text(item, "user_id")
    if value not in ("stop", "resume") or not (sender or user_id):
        unhandled.append(f"preference:{value}")
        return
    at = item.get("timestamp")
    key = f"preference:{sender or user_id}:{value}:{at}"
    messages.append(
        InboundMessage(
            event_key=key,
            channel="whatsapp",
            account=account,
            address=sender or user_id,
            external_id=key,
            text=value,
            at=_time(item),
            identities=_identities(sender, user_id),
            kind="preference",
        )
    )


def _call(
    item: Json, value: Json, contacts: list[Json], messages: list[InboundMessage], unhandled: list[str]
) -> None:
    """The customer called. Ringing and hanging up are one event: that they called is what counts."""
    metadata = json_object(value.get("metadata"), "metadata")
    if text(item, "direction") == "BUSINESS_INITIATED":
        unhandled.append("call:ours")
        return
    ends = [text(item, name).removeprefix("+") for name in ("from", "to")]
    # Meta's examples have the two ends either way round: the caller is the one that is not our number.
    ours = "".join(sign for sign in text(metadata, "display_phone_number") if sign.isdigit())
    caller = next((end for end in ends if end and end != ours), "")
    contact = _contact_of(contacts, caller, "")
    profile, user_id = contact.get("profile"), text(contact, "user_id")
    if not (caller or user_id):
        raise Unreadable("a WhatsApp call without a caller", field="from")
    call_id = string(item, "id")
    messages.append(
        InboundMessage(
            event_key=f"call:{call_id}",
            channel="whatsapp",
            account=string(metadata, "phone_number_id"),
            address=caller or user_id,
            external_id=call_id,
            at=_time(item),
            sender_name=text(profile, "name") if isinstance(profile, dict) else "",
            identities=_identities(caller, user_id),
            unsupported="call",
        )
    )


def _echo(item: Json, account: str, messages: list[InboundMessage], unhandled: list[str]) -> None:
    """What the business itself wrote in the WhatsApp Business app on its telephone."""
    kind, message_id = string(item, "type"), string(item, "id")
    content = _content(kind, item) if kind in item else {"unsupported": kind}
    if content is None or "kind" in content:
        unhandled.append(f"echo:{kind}")
        return
    address = string(item, "to").removeprefix("+")
    messages.append(
        InboundMessage(
            event_key=f"echo:{message_id}",
            channel="whatsapp",
            account=account,
            address=address,
            identities=_identities(address, "") if address.isdigit() else (),
            external_id=message_id,
            at=_time(item),
            kind="echo",
            **content,
        )
    )


def _content(kind: str, item: Json) -> dict[str, Any] | None:
    """The fields of InboundMessage that a message of this kind fills; None when we do not handle it."""
    if kind == "text":
        return {"text": string(json_object(item.get("text"), "text"), "body")}
    if kind == "button":
        button = json_object(item.get("button"), "button")
        return {"text": text(button, "text"), "button": text(button, "payload") or text(button, "text")}
    if kind == "interactive":
        return _interactive(item.get("interactive"))
    if kind in _MEDIA:
        return _media(kind, json_object(item.get(kind), kind))
    if kind == "location":
        return {"location": _location(json_object(item.get("location"), "location"))}
    if kind == "contacts":
        cards = (_card(json_object(card, "contact card")) for card in json_list(item, "contacts"))
        return {"shared_contacts": tuple(card for card in cards if card)}
    if kind == "order":
        return {"text": _order(json_object(item.get("order"), "order"))}
    if kind in _AMENDMENTS:
        return _amendment(kind, json_object(item.get(kind), kind))
    return None


def _amendment(kind: str, item: Json) -> dict[str, Any] | None:
    """A reaction, an edit or a deletion of an earlier message, or that the sender has a new number."""
    if kind == "reaction":
        return {"kind": kind, "text": text(item, "emoji"), "reply_to": string(item, "message_id")}
    if kind == "revoke":
        return {"kind": "deletion", "reply_to": string(item, "original_message_id")}
    if kind == "system":
        if text(item, "type") not in ("user_changed_number", "customer_changed_number"):
            return None
        new, user_id = text(item, "wa_id") or text(item, "new_wa_id"), text(item, "user_id")
        return {"kind": "moved", "identities": _identities(new, user_id)} if new or user_id else None
    edited = json_object(item.get("message"), "message")
    content = _content(string(edited, "type"), edited)
    if content is None or "kind" in content:
        return None
    return content | {"kind": "edit", "reply_to": string(item, "original_message_id")}


def _interactive(given: object) -> dict[str, Any] | None:
    if not isinstance(given, dict):
        return None
    kind = text(given, "type")
    if kind in ("button_reply", "list_reply"):
        reply = json_object(given.get(kind), kind)
        return {"text": text(reply, "title"), "button": string(reply, "id")}
    if kind == "nfm_reply":
        return {"text": _form(json_object(given.get(kind), kind))}
    return None


def _form(reply: Json) -> str:
    """What the customer filled into a WhatsApp form, a line per field."""
    try:
        answers = json.loads(text(reply, "response_json") or "{}")
    except (ValueError, RecursionError):
        answers = None
    if not isinstance(answers, dict):
        return text(reply, "body")
    lines = [f"{name}: {value}" for name, value in answers.items() if name != "flow_token"]
    return clean("\n".join(lines)) or text(reply, "body")


def _media(kind: str, item: Json) -> dict[str, Any]:
    voice = kind == "audio" and item.get("voice") is True
    media = Media(
        kind=MediaKind.VOICE if voice else MediaKind(kind),
        ref=string(item, "id"),
        mime=(text(item, "mime_type") or "application/octet-stream").split(";")[0].strip(),
        filename=text(item, "filename"),
    )
    return {"media": (media,), "text": text(item, "caption")}


def _location(item: Json) -> Location:
    return place(item.get("latitude"), item.get("longitude"), text(item, "name"), text(item, "address"))


def _card(card: Json) -> str:
    """`Name, +91 …` of a shared contact: what the agent and the flows read."""
    name = card.get("name")
    words = [text(name, "formatted_name")] if isinstance(name, dict) else []
    for phone in json_list(card, "phones", optional=True):
        if isinstance(phone, dict):
            words.append(text(phone, "phone") or text(phone, "wa_id"))
    return ", ".join(word for word in words if word)


def _order(order: Json) -> str:
    """A catalogue order as the customer would have typed it."""
    lines = [text(order, "text")]
    for given in json_list(order, "product_items", optional=True):
        item = json_object(given, "product item")
        lines.append(f"{item.get('quantity', 1)} × {text(item, 'product_retailer_id')}")
    return clean("\n".join(line for line in lines if line))


def _status(item: Json, account: str, statuses: list[StatusUpdate], unhandled: list[str]) -> None:
    name = string(item, "status")
    external_id = string(item, "id")
    # Receipts of groups come once per member, and we never write to groups.
    if name not in _STATUSES or item.get("recipient_type") == "group":
        unhandled.append(f"status:{name}")
        return
    reasons = []
    for error in json_list(item, "errors", optional=True):
        error = json_object(error, "error")
        code = error.get("code")
        reasons.append(clean(explain(code if isinstance(code, int) else 0, error)))
    statuses.append(
        StatusUpdate(
            event_key=f"{external_id}:{name}",
            channel="whatsapp",
            account=account,
            external_id=external_id,
            status=_STATUSES[name],
            at=_time(item),
            outbox_id=text(item, "biz_opaque_callback_data") or None,
            address=text(item, "recipient_id") or text(item, "recipient_user_id"),
            reason=" ".join(reasons),
        )
    )


def _contact_of(contacts: list[Json], sender: str, user_id: str) -> Json:
    for contact in contacts:
        if (sender and contact.get("wa_id") == sender) or (user_id and contact.get("user_id") == user_id):
            return contact
    # With one contact and no sender in the message itself, it can only be this one.
    return contacts[0] if len(contacts) == 1 and not sender and not user_id else {}


def _identities(wa_id: str, user_id: str) -> tuple[Identity, ...]:
    """The number, the phone it proves, and Meta's id that stays when the person hides the number."""
    found = []
    if wa_id:
        found.append(Identity("whatsapp", wa_id, verified=True))
    if wa_id.isascii() and wa_id.isdigit():
        found.append(Identity("phone", f"+{wa_id}", verified=True))
    if user_id and user_id != wa_id:
        found.append(Identity("whatsapp", user_id, verified=True))
    return tuple(found)


def _time(item: Json) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(item.get("timestamp") or ""), UTC)
    except (ValueError, TypeError, OverflowError, OSError):
        return None
