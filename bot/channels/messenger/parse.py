"""Meta's webhook payloads for Messenger and Instagram into our vocabulary. Pure."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from bot.channels.messenger.attachments import Shared, shared
from bot.channels.reading import Json, json_list, json_object, string, text
from bot.errors import Unreadable
from bot.messages import AccountNotice, Identity, InboundMessage, Parsed, Status, StatusUpdate

_Channel = Literal["messenger", "instagram"]
_CHANNELS: Mapping[str, _Channel] = {"page": "messenger", "instagram": "instagram"}


@dataclass(frozen=True, slots=True)
class _Event:
    """One event of a webhook. `body` is what stands under its name."""

    channel: _Channel
    account: str
    sender: str
    receiver: str
    stamp: int
    body: Json


def parse_payload(payload: object, page: str = "") -> Parsed:
    """Everything a webhook holds; what names no account of ours came to `page`.

    Raises Unreadable when it is not in the documented shape."""
    root = json_object(payload, "payload")
    name = string(root, "object")
    channel = _CHANNELS.get(name)
    if channel is None:
        return Parsed(unhandled=(f"object:{name}",))
    found = []
    for given in json_list(root, "entry"):
        entry = json_object(given, "entry")
        account = text(entry, "id") or (page if channel == "messenger" else "")
        for item in json_list(entry, "messaging", optional=True):
            found.append(_event(json_object(item, "event"), channel, account))
        # Another app holds these conversations; comments and posts are no conversation.
        other = ["standby" for _ in json_list(entry, "standby", optional=True)]
        for change in json_list(entry, "changes", optional=True):
            other.append(f"field:{text(json_object(change, 'change'), 'field')}")
        found.append(Parsed(unhandled=tuple(other)))
    return Parsed(
        messages=tuple(one for parsed in found for one in parsed.messages),
        statuses=tuple(one for parsed in found for one in parsed.statuses),
        notices=tuple(one for parsed in found for one in parsed.notices),
        unhandled=tuple(one for parsed in found for one in parsed.unhandled),
    )


def _event(item: Json, channel: _Channel, account: str) -> Parsed:
    if "policy_enforcement" in item:
        return _notice(item, channel, account)
    name = next((name for name in _READERS if name in item), None)
    if name is None:
        rest = sorted(set(item) - {"sender", "recipient", "timestamp"})
        return Parsed(unhandled=(rest[0] if rest else "event",))
    receiver = text(json_object(item.get("recipient") or {}, "recipient"), "id")
    stamp = item.get("timestamp")
    return _READERS[name](
        _Event(
            channel,
            account or receiver,
            string(json_object(item.get("sender"), "sender"), "id"),
            receiver,
            stamp if type(stamp) is int else 0,
            json_object(item[name], name),
        )
    )


def _notice(item: Json, channel: _Channel, account: str) -> Parsed:
    """Meta warns the Page, blocks it or lets it go on: no person wrote that, an admin must read it."""
    told = json_object(item["policy_enforcement"], "policy_enforcement")
    action = string(told, "action")
    words = ": ".join(word for word in (action, text(told, "reason")) if word)
    key = f"policy:{action}:{item.get('timestamp')}"
    return Parsed(notices=(AccountNotice(key, channel, account, words[:500]),))


def _message(event: _Event) -> Parsed:
    body = event.body
    if body.get("is_echo") is True:
        return _echo(event)
    mid = text(body, "mid") or _made_up(event)
    if body.get("is_deleted") is True:
        return _said(event, f"{mid}:deleted", mid, kind="deletion", reply_to=mid)
    answered = body.get("reply_to")
    pressed = body.get("quick_reply")
    got = shared(json_list(body, "attachments", optional=True))
    words = text(body, "text")
    return _said(
        event,
        mid,
        mid,
        # A link is in the words already when there are any.
        text=words or "\n".join(got.links),
        button=(text(pressed, "payload") or None) if isinstance(pressed, dict) else None,
        reply_to=(text(answered, "mid") or None) if isinstance(answered, dict) else None,
        media=got.media,
        location=got.location,
        unsupported=_withheld(body, got, words),
    )


def _made_up(event: _Event) -> str:
    """An id of what came without one: the same when it is delivered again."""
    said = json.dumps([event.sender, event.stamp, event.body], sort_keys=True)
    return f"sha256:{hashlib.sha256(said.encode()).hexdigest()}"


def _withheld(body: Json, got: Shared, words: str) -> str:
    """The name of what Meta does not hand on; empty when something of the message is there."""
    if words or got.media or got.links or got.location is not None:
        return ""
    # A message without anything in it: a product of a shop, a shared post of a closed account.
    return got.other or ("unsupported" if body.get("is_unsupported") is True else "message")


def _echo(event: _Event) -> Parsed:
    """Our own message. With our id in it, it proves that Meta took it; others were written elsewhere."""
    mid, outbox_id = text(event.body, "mid"), text(event.body, "metadata")
    if not mid or not outbox_id:
        return Parsed(unhandled=("echo",))
    return Parsed(statuses=(_status(event, mid, Status.SENT, event.receiver, outbox_id),))


def _postback(event: _Event) -> Parsed:
    """A button of a template, a menu, an ice-breaker or "Get started"."""
    mid = text(event.body, "mid") or f"postback:{event.sender}:{event.stamp}"
    title, payload = text(event.body, "title"), text(event.body, "payload")
    if not title and not payload:
        raise Unreadable("a postback that says nothing", field="postback")
    return _said(event, mid, mid, text=title or payload, button=payload or None)


def _reaction(event: _Event) -> Parsed:
    mid, action = string(event.body, "mid"), text(event.body, "action")
    if action not in ("react", "unreact"):
        return Parsed(unhandled=(f"reaction:{action}",))
    sign = text(event.body, "emoji") or text(event.body, "reaction") if action == "react" else ""
    key = f"{mid}:{action}:{event.stamp}"
    return _said(event, key, mid, kind="reaction", text=sign, reply_to=mid)


def _edit(event: _Event) -> Parsed:
    mid = string(event.body, "mid")
    times = event.body.get("num_edit")
    key = f"{mid}:edit:{times if isinstance(times, int | str) else event.stamp}"
    return _said(event, key, mid, kind="edit", text=text(event.body, "text"), reply_to=mid)


def _delivery(event: _Event) -> Parsed:
    """Messenger names the messages, but need not: a watermark alone is a time, and we keep no books."""
    mids = [mid for mid in json_list(event.body, "mids", optional=True) if isinstance(mid, str) and mid]
    if not mids:
        return Parsed(unhandled=("delivery:watermark",))
    return Parsed(statuses=tuple(_status(event, mid, Status.DELIVERED, event.sender) for mid in mids))


def _read(event: _Event) -> Parsed:
    """Instagram names the message; Messenger gives only the time up to which all were read."""
    mid = text(event.body, "mid")
    if not mid:
        return Parsed(unhandled=("read:watermark",))
    return Parsed(statuses=(_status(event, mid, Status.READ, event.sender),))


_READERS: Mapping[str, Callable[[_Event], Parsed]] = {
    "message": _message,
    "postback": _postback,
    "reaction": _reaction,
    "message_edit": _edit,
    "delivery": _delivery,
    "read": _read,
}
"""What we handle, by the name it stands under. Referrals, opt-ins, hand-overs and the rest are counted."""


def _said(event: _Event, key: str, mid: str, **content: Any) -> Parsed:
    if event.sender == event.account:
        return Parsed(unhandled=("own",))
    message = InboundMessage(
        event_key=key,
        channel=event.channel,
        account=event.account,
        address=event.sender,
        external_id=mid,
        at=_time(event.stamp),
        identities=(Identity(event.channel, event.sender, verified=True),),
        **content,
    )
    return Parsed(messages=(message,))


def _status(event: _Event, mid: str, status: Status, address: str, outbox_id: str = "") -> StatusUpdate:
    return StatusUpdate(
        event_key=f"{mid}:{status.value}",
        channel=event.channel,
        account=event.account,
        external_id=mid,
        status=status,
        at=_time(event.stamp),
        outbox_id=outbox_id or None,
        address=address,
    )


def _time(stamp: int) -> datetime | None:
    """Meta counts milliseconds."""
    try:
        return datetime.fromtimestamp(stamp / 1000, UTC) if stamp > 0 else None
    except (ValueError, OverflowError, OSError):
        return None
