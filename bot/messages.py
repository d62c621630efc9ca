"""The message vocabulary that channels and the core share. Values only: no I/O, no framework.

An adapter turns a provider's bytes into `InboundMessage` and `StatusUpdate`, and an
`OutboundMessage` into a provider call. The core keeps the books.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

ChannelName = Literal["webchat", "whatsapp", "sms", "telegram", "messenger", "instagram", "email", "voice"]
WITHHELD = "withheld:"
"""What the address of a caller begins with who hides their number; the call's id follows."""
_HOLE = re.compile(r"\{\{\s*(\w{1,60})\s*\}\}")
InboundKind = Literal[
    "message",
    "reaction",
    "edit",
    "deletion",
    "moved",
    "preference",
    "identified",
    "echo",
    "call",
    "answer",
]


def clean(text: str) -> str:
    """Text that every database takes: without NUL characters and half surrogate pairs."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


_TURNS = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e0fff]+")
NAME_LIMIT = 200


def clean_name(text: str) -> str:
    """A name of a sender or a file as it is shown: one line, without signs that turn its direction ("gpj.exe"
    must not look like "exe.jpg") or that nobody sees."""
    return " ".join(_TURNS.sub(" ", clean(text)).split())[:NAME_LIMIT]


class MediaKind(StrEnum):
    """What a customer or agent can attach."""

    IMAGE = "image"
    AUDIO = "audio"
    VOICE = "voice"
    VIDEO = "video"
    DOCUMENT = "document"
    STICKER = "sticker"


def kind_of(mime: str) -> MediaKind:
    """How a file of this type is shown."""
    first = mime.partition("/")[0]
    return MediaKind(first) if first in ("image", "audio", "video") else MediaKind.DOCUMENT


class Status(StrEnum):
    """Where an outbound message is. It only moves forward; see `STATUS_RANK`."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"


# A later status has a higher rank. FAILED ends a message unless it was delivered before.
STATUS_RANK: Mapping[str, int] = {
    Status.QUEUED: 0,
    Status.SENDING: 1,
    Status.SENT: 2,
    Status.FAILED: 3,
    Status.DELIVERED: 4,
    Status.READ: 5,
}


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """A provider's call. `url` is as the provider signed it: SAMVAD_BASE_URL + path + query string.

    `headers` keys are lower case.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Media:
    """A file in a message. `ref` is what `Channel.fetch_media` (inbound: provider id or URL) or
    `bot.media` (stored: `media:<id>`) finds it by; `size` in bytes where known. Small files that
    arrive inside the webhook itself (mail attachments) carry their bytes in `content`."""

    kind: MediaKind
    ref: str
    mime: str = "application/octet-stream"
    filename: str = ""
    size: int | None = None
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class Location:
    """A place the sender shared; degrees."""

    latitude: float
    longitude: float
    name: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """An address of the sender. `verified` only where the channel itself proves it."""

    kind: Literal["phone", "email", "whatsapp", "telegram", "messenger", "instagram", "webchat"]
    value: str
    verified: bool


@dataclass(frozen=True, slots=True)
class CallNews:
    """What became known of a phone call; it may come in any order.

    `language` (`value`: the one chosen), `call_back` (wished for), `dialed` (`value`: whether a person
    `answered`), `recorded` (a voice message of `seconds`), `recording` (`value`: what became of it:
    `completed`, `silent`, `failed`), `ended` (after `seconds`)."""

    what: Literal["started", "language", "call_back", "dialed", "recorded", "recording", "ended"]
    value: str = ""
    seconds: int | None = None


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """One message of a customer.

    `account` is our side (phone number id, our number, bot id, our mail address); `address` the
    sender's, in the form `Channel.send` takes. `event_key` is unique within the account.
    `button` is the id of a button or list row the sender chose. `thread` holds mail's
    Message-IDs from References and In-Reply-To, oldest first.

    `kind`: a `reaction` (`text` the sign, empty: taken back), `edit` (`text` the new words) or `deletion`
    speaks of the message `reply_to`; `moved` says that the sender goes on under `identities`; `preference`
    that they set in the provider's app whether a business may write first (`text`: `stop` or `resume`);
    `identified` that these `identities` are the sender's too; an `echo` is what one of us wrote to them in
    the provider's own app.
    `unsupported` names a kind of message that the provider does not hand on: a poll, an event, a call.
    `source` names the link or advertisement that brought the sender, where the provider tells.
    An `answer` to an invitation brings `calendar`, the document that holds it (RFC 5546).
    A `call` is no message: it brings `call`, news of the phone call whose id is `external_id`.
    """

    event_key: str
    channel: ChannelName
    account: str
    address: str
    external_id: str
    text: str = ""
    at: datetime | None = None
    sender_name: str = ""
    identities: tuple[Identity, ...] = ()
    button: str | None = None
    media: tuple[Media, ...] = ()
    location: Location | None = None
    shared_contacts: tuple[str, ...] = ()
    reply_to: str | None = None
    subject: str = ""
    thread: tuple[str, ...] = ()
    automatic: bool = False
    """A machine wrote it (out-of-office, bounce): stored, never answered."""
    kind: InboundKind = "message"
    unsupported: str = ""
    call: CallNews | None = None
    source: str = ""
    calendar: str = ""
    cut: int = 0
    """Characters of the text that were over the limit, and are not kept."""


@dataclass(frozen=True, slots=True)
class StatusUpdate:
    """What became of a message of ours. `outbox_id` is our own id where the provider echoes it.
    `reason` is a sentence for an agent when `status` is FAILED."""

    event_key: str
    channel: ChannelName
    account: str
    external_id: str
    status: Status
    at: datetime | None = None
    outbox_id: str | None = None
    address: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class AccountNotice:
    """What a provider tells about our account itself, for an admin: `text` in its own words."""

    event_key: str
    channel: ChannelName
    account: str
    text: str


@dataclass(frozen=True, slots=True)
class Caller:
    """Who hears what is said in a call. `lang` is empty where it is not known; `languages` are those that the
    business speaks, and `say(key, lang, channel, **values)` finds the words."""

    lang: str
    blocked: bool
    business: str
    languages: tuple[str, ...]
    say: Callable[..., str]


@dataclass(frozen=True, slots=True)
class WaitingCall:
    """A call in which something is to be said now: `answer(caller)` is what the provider is told."""

    account: str
    address: str
    answer: Callable[[Caller], str]


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a webhook held. `unhandled` names event types we do not handle: counted, answered 200.
    `call` is answered once who calls has been looked up; otherwise the answer is `response`."""

    messages: tuple[InboundMessage, ...] = ()
    statuses: tuple[StatusUpdate, ...] = ()
    notices: tuple[AccountNotice, ...] = ()
    unhandled: tuple[str, ...] = ()
    call: WaitingCall | None = None
    response: str = ""
    response_type: str = "text/plain"


@dataclass(frozen=True, slots=True)
class Button:
    """A choice offered. `id` comes back in `InboundMessage.button`."""

    id: str
    title: str


def numbered(text: str, buttons: Sequence[Button]) -> str:
    """A text with its choices numbered below it, for where they cannot be buttons."""
    lines = (f"{number}. {one.title}" for number, one in enumerate(buttons, 1))
    return "\n".join(filter(None, (text, *lines)))


@dataclass(frozen=True, slots=True)
class TemplatePart:
    """Something to fill in: `name` ("1", "order") in `part`: header, body, button.0, code.0, or any."""

    part: str
    name: str
    example: str = ""

    @property
    def key(self) -> str:
        """What a filled-in value is found by."""
        return f"{self.part}.{self.name}"


@dataclass(frozen=True, slots=True)
class Template:
    """A text that the provider approved beforehand. `{{name}}` stands for what is filled in.

    `status` approved, pending, rejected, paused or disabled; `category` utility, marketing or
    authentication; `header_file` is image, video or document where a file heads it."""

    external_id: str
    name: str
    lang: str
    category: str
    status: str
    body: str
    reason: str = ""
    header: str = ""
    header_file: str = ""
    footer: str = ""
    buttons: tuple[Button, ...] = ()
    params: tuple[TemplatePart, ...] = ()

    def filled(self, values: Mapping[str, str]) -> str:
        """What the customer will read; what is not filled in yet stays as `{{name}}`."""
        return "\n\n".join(
            text
            for text in (
                self._fill("header", self.header, values),
                self._fill("body", self.body, values),
                self.footer,
            )
            if text
        )

    def _fill(self, part: str, text: str, values: Mapping[str, str]) -> str:
        return _HOLE.sub(
            lambda hole: values.get(f"{part}.{hole[1]}") or values.get(f"any.{hole[1]}") or hole[0], text
        )


@dataclass(frozen=True, slots=True)
class TemplateUse:
    """A template in a message, with its values by `TemplatePart.key`."""

    template: Template
    values: Mapping[str, str]


def holes(part: str, text: str, examples: Mapping[str, str] = MappingProxyType({})) -> list[TemplatePart]:
    """What is to be filled in in a text of a template, each once, in order."""
    names = dict.fromkeys(match[1] for match in _HOLE.finditer(text))
    return [TemplatePart(part, name, examples.get(name, "")) for name in names]


@dataclass(frozen=True, slots=True)
class OutboundMessage:
    """One message to a customer, already cut to the channel's features by the core.

    `id` is the outbox id that the adapter must send along where the provider echoes something.
    `thread` and `subject` serve mail only. `automatic` marks what the bot wrote (mail: Auto-Submitted).
    """

    id: str
    channel: ChannelName
    account: str
    address: str
    text: str
    buttons: tuple[Button, ...] = ()
    media: tuple[Media, ...] = ()
    reply_to: str | None = None
    subject: str = ""
    thread: tuple[str, ...] = ()
    reference: str = ""
    """A token that finds the conversation again when a mail client drops the headers."""
    automatic: bool = True
    template: TemplateUse | None = None
    """Sent instead of `text`, which says what the customer will read."""
    calendar: tuple[str, bytes] | None = None
    """Method and document (RFC 5546) of an invitation; mail only."""
    unsubscribe: str = ""
    """The link that stops what the business starts; set on such messages only (mail: List-Unsubscribe)."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The provider took the message under this id."""

    external_id: str
