"""What a channel's adapter is to the core: the protocol it keeps, what it says its channel can do, what it
runs and checks. The values that pass between them are in `bot.messages`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Literal, Protocol, runtime_checkable

from bot.messages import (
    ChannelName,
    InboundMessage,
    Media,
    MediaKind,
    OutboundMessage,
    Parsed,
    Receipt,
    Template,
    WebhookRequest,
)


@dataclass(frozen=True, slots=True)
class MediaLimit:
    """What a channel takes of one media kind: at most `max_bytes`; `mimes` empty means any."""

    max_bytes: int
    mimes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Features:
    """What a channel can do. The core falls back by these: buttons become numbered text, long text
    becomes parts, a closed window holds the message back. A `text_limit` of 0: nothing can be written."""

    text_limit: int
    buttons: int = 0
    button_title_limit: int = 20
    media: Mapping[MediaKind, MediaLimit] = field(default_factory=dict)
    files: int = 1
    """How many files one message may have; those of several messages go one after another."""
    captioned: frozenset[MediaKind] = frozenset()
    """The kinds of file that may have the text in the same message, up to `caption_limit` characters."""
    caption_limit: int = 0
    by_link: bool = False
    """The provider, or the page, fetches our files by a link; else `send` is given their bytes."""
    window: timedelta | None = None
    """How long after the customer's last message free text may be sent; None: always."""
    staff_window: timedelta | None = None
    """The same for what a person writes, where the provider gives a person longer."""
    templates: bool = False
    typing: bool = False
    receipts: bool = False
    """Statuses come back after `send`."""
    gather_ms: int = 700
    """Messages that come within this time of each other are answered by one turn."""
    per_second: float = 0.0
    """Messages a second that the provider takes of one account; 0: no limit of its own."""
    stop_is_silent: bool = False
    """After STOP the provider lets nothing out at all, no answers either (SMS)."""

    def by_template(self) -> "Features":
        """The same for an approved template, which no window holds back."""
        return replace(self, window=None, staff_window=None)


@dataclass(frozen=True, slots=True)
class Accepted:
    """How many events of a `Parsed` were new and how many we had already."""

    new: int
    known: int


Receive = Callable[["Parsed"], Awaitable[Accepted]]


@dataclass(frozen=True, slots=True)
class Check:
    """One finding of a live test: a key in `locales/` with its values, and how grave it is."""

    key: str
    level: Literal["ok", "warn", "bad"] = "ok"
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Listener:
    """Something a channel runs for as long as the process serves (a mail listener, a poll).

    `run(receive)` returns only when cancelled; `receive` returns after the events are committed.
    `exclusive`: one in the whole deployment, by a lease.
    """

    name: str
    run: Callable[[Receive], Awaitable[None]]
    exclusive: bool = False


class Channel(Protocol):
    """An adapter: one provider. It keeps no books and knows no other channel."""

    name: str
    """The adapter's key in `bot.channels.CHANNELS`: webchat, whatsapp, twilio, telegram, messenger, email."""

    @property
    def accounts(self) -> Sequence[tuple[ChannelName, str]]:
        """(channel, our address) pairs this adapter serves, from its credentials."""

    def features(self, channel: ChannelName) -> Features:
        """What the channel can do; an adapter with two channels (Twilio) answers for each."""

    def verify(self, request: WebhookRequest) -> str:
        """Answer a provider's GET hand-shake. Raises SignatureInvalid, NotFound where there is none."""

    def parse(self, request: WebhookRequest) -> Parsed:
        """Check the signature first, then read. No I/O. Raises SignatureInvalid, Unreadable."""

    def listeners(self) -> Sequence[Listener]:
        """What to run beside webhooks; usually empty."""

    async def open(self) -> None:
        """Open connections. Called once, before anything else that is asynchronous."""

    async def close(self) -> None:
        """Close them. Safe to call twice, and when `open` failed."""

    async def send(self, message: OutboundMessage) -> Receipt:
        """Hand a message to the provider. Raises ChannelRetryable, ChannelRejected."""

    def fetch_media(self, media: Media) -> AsyncIterator[bytes]:
        """Stream an inbound file. Raises ChannelRetryable, ChannelRejected."""

    async def check(self) -> tuple[Check, ...]:
        """Ask the provider whether credentials and webhook are right, opened or not. Nothing reaches a
        customer, and nothing changes at the provider. Raises ChannelRetryable, ChannelRejected."""


@runtime_checkable
class Templated(Channel, Protocol):
    """A channel whose provider approves message templates."""

    async def templates(self) -> Sequence[Template]:
        """All that the provider has for us now. Raises ChannelRetryable, ChannelRejected."""


@runtime_checkable
class ShowsTyping(Protocol):
    """A channel that can show that we are writing."""

    async def typing(self, said: InboundMessage) -> float:
        """Show it to the sender of this message; how many seconds it lasts.

        Raises ChannelRetryable, ChannelRejected."""
