"""The message vocabulary as JSON, for the inbox and the outbox. Small and by hand: it is on the hot path."""

import base64
from dataclasses import asdict
from datetime import datetime
from typing import Any

from bot.clock import to_iso
from bot.messages import (
    Button,
    CallNews,
    Identity,
    InboundMessage,
    Location,
    Media,
    MediaKind,
    Status,
    StatusUpdate,
    Template,
    TemplatePart,
    TemplateUse,
    WebhookRequest,
)


def media_to_json(media: Media) -> dict[str, Any]:
    """Without the bytes: those are in the media store before the event is."""
    found = {
        "kind": media.kind.value,
        "ref": media.ref,
        "mime": media.mime,
        "filename": media.filename,
        "size": media.size,
    }
    return {name: value for name, value in found.items() if value not in ("", None)}


def media_from_json(data: dict[str, Any]) -> Media:
    """The inverse of `media_to_json`; what the thread notes of a file besides is left out."""
    known = {name: data[name] for name in ("ref", "mime", "filename", "size") if name in data}
    return Media(MediaKind(data["kind"]), **known)


def message_to_json(message: InboundMessage) -> dict[str, Any]:
    """Only what is set, so that an ordinary text stays a short row."""
    data: dict[str, Any] = {"external_id": message.external_id, "text": message.text}
    if message.sender_name:
        data["sender_name"] = message.sender_name
    if message.identities:
        data["identities"] = [[one.kind, one.value, one.verified] for one in message.identities]
    for name in ("button", "reply_to", "subject", "automatic", "unsupported", "source", "calendar", "cut"):
        if value := getattr(message, name):
            data[name] = value
    if message.media:
        data["media"] = [media_to_json(one) for one in message.media]
    if message.location is not None:
        place = message.location
        data["location"] = [place.latitude, place.longitude, place.name, place.address]
    if message.shared_contacts:
        data["shared_contacts"] = list(message.shared_contacts)
    if message.thread:
        data["thread"] = list(message.thread)
    if message.call is not None:
        data["call"] = [message.call.what, message.call.value, message.call.seconds]
    return data


def message_from_json(
    data: dict[str, Any],
    channel: Any,
    account: str,
    address: str,
    at: datetime | None,
    kind: Any = "message",
) -> InboundMessage:
    """The inverse of `message_to_json`; the lane knows channel, account and address."""
    return InboundMessage(
        event_key="",
        channel=channel,
        account=account,
        address=address,
        external_id=data["external_id"],
        text=data["text"],
        at=at,
        sender_name=data.get("sender_name", ""),
        identities=tuple(Identity(*one) for one in data.get("identities", ())),
        button=data.get("button"),
        media=tuple(media_from_json(one) for one in data.get("media", ())),
        location=Location(*data["location"]) if "location" in data else None,
        shared_contacts=tuple(data.get("shared_contacts", ())),
        reply_to=data.get("reply_to"),
        subject=data.get("subject", ""),
        thread=tuple(data.get("thread", ())),
        automatic=data.get("automatic", False),
        kind=kind,
        unsupported=data.get("unsupported", ""),
        call=CallNews(*data["call"]) if "call" in data else None,
        source=data.get("source", ""),
        calendar=data.get("calendar", ""),
        cut=data.get("cut", 0),
    )


def status_to_json(update: StatusUpdate) -> dict[str, Any]:
    """A status update without its key."""
    return {
        "external_id": update.external_id,
        "outbox_id": update.outbox_id,
        "status": update.status.value,
        "reason": update.reason,
        "at": to_iso(update.at) if update.at else None,
    }


def status_from_json(data: dict[str, Any]) -> tuple[str | None, str, Status, str]:
    """(outbox id, external id, status, reason)."""
    return data["outbox_id"], data["external_id"], Status(data["status"]), data["reason"]


def template_to_json(use: TemplateUse) -> dict[str, Any]:
    """A template with what was filled in."""
    return {**asdict(use.template), "values": dict(use.values)}


def template_from_json(data: dict[str, Any]) -> TemplateUse:
    """The inverse of `template_to_json`."""
    known = {name: value for name, value in data.items() if name not in ("values", "buttons", "params")}
    buttons = tuple(Button(**one) for one in data["buttons"])
    params = tuple(TemplatePart(**one) for one in data["params"])
    return TemplateUse(Template(**known, buttons=buttons, params=params), data["values"])


def extra_of(message: InboundMessage) -> dict[str, Any] | None:
    """What the message log keeps beside the text."""
    keep = (
        "media",
        "location",
        "shared_contacts",
        "subject",
        "button",
        "reply_to",
        "automatic",
        "unsupported",
        "source",
        "cut",
    )
    data = message_to_json(message)
    extra = {name: data[name] for name in keep if name in data}
    return extra or None


def buttons_to_json(buttons: tuple[Button, ...]) -> list[list[str]]:
    """[[id, title], …]."""
    return [[button.id, button.title] for button in buttons]


def request_to_json(request: WebhookRequest) -> dict[str, Any]:
    """A webhook whole, as it can be checked and read once more."""
    body = base64.b64encode(request.body).decode()
    return {"method": request.method, "url": request.url, "headers": dict(request.headers), "body": body}


def request_from_json(data: dict[str, Any]) -> WebhookRequest:
    """The inverse of `request_to_json`."""
    return WebhookRequest(data["method"], data["url"], data["headers"], base64.b64decode(data["body"]))
