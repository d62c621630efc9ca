"""The web chat adapter: a page's JSON in, a word on the bus out."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import aiohttp

from bot.adapter import Check, Features, Listener, MediaLimit
from bot.errors import ChannelRejected, InvalidInput, NotFound, TooLarge
from bot.messages import (
    ChannelName,
    Identity,
    InboundMessage,
    Media,
    MediaKind,
    OutboundMessage,
    Parsed,
    Receipt,
    Status,
    StatusUpdate,
    WebhookRequest,
    clean,
)

Publish = Callable[[str, str], Awaitable[None]]
"""`publish(address, outbox_id)`: tell the visitor's page that a message waits for it."""

ACCOUNT = "web"
TEXT_LIMIT = 4096
_ID_LIMIT = 200
_PROBE = aiohttp.ClientTimeout(total=10)
FILES_LIMIT = 10
"""How many files one message may have."""
_MB = 1024 * 1024
_IMAGES = ("image/jpeg", "image/png", "image/gif", "image/webp", "image/heic")
_SOUNDS = ("audio/mpeg", "audio/mp4", "audio/ogg", "audio/wav", "audio/aac", "audio/webm")
_FILMS = ("video/mp4", "video/webm", "video/quicktime", "video/3gpp")
_FEATURES = Features(
    text_limit=TEXT_LIMIT,
    buttons=20,
    button_title_limit=80,
    media={
        MediaKind.IMAGE: MediaLimit(10 * _MB, _IMAGES),
        MediaKind.AUDIO: MediaLimit(16 * _MB, _SOUNDS),
        # What agents speak: in a form that every browser plays.
        MediaKind.VOICE: MediaLimit(16 * _MB, ("audio/mp4", "audio/mpeg")),
        MediaKind.VIDEO: MediaLimit(32 * _MB, _FILMS),
        MediaKind.DOCUMENT: MediaLimit(20 * _MB),
    },
    files=FILES_LIMIT,
    captioned=frozenset(MediaKind),
    caption_limit=TEXT_LIMIT,
    by_link=True,
    typing=True,
    receipts=True,
)


class WebChat:
    """Visitors of our own page. Sending is a publish; the page then reads the message by its id."""

    name = "webchat"

    def __init__(self, publish: Publish, url: str = "") -> None:
        """`url` is our public address, under which pages find the socket."""
        self._publish = publish
        self._url = url

    @property
    def accounts(self) -> Sequence[tuple[ChannelName, str]]:
        """The one account, `web`."""
        return (("webchat", ACCOUNT),)

    def features(self, channel: ChannelName) -> Features:
        """What our own page shows."""
        return _FEATURES

    def listeners(self) -> Sequence[Listener]:
        """None: pages come by WebSocket."""
        return ()

    def verify(self, request: WebhookRequest) -> str:
        """There is no hand-shake. Raises NotFound."""
        raise NotFound("web chat has no webhook")

    def parse(self, request: WebhookRequest) -> Parsed:
        """There is no webhook. Raises NotFound."""
        raise NotFound("web chat has no webhook")

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def send(self, message: OutboundMessage) -> Receipt:
        """Tell the visitor's page. The message itself stands in the database already."""
        await self._publish(message.address, message.id)
        return Receipt(message.id)

    async def check(self) -> tuple[Check, ...]:
        """Open the socket as a visitor's page does, through whatever proxy there is, and say nothing."""
        values = {"url": self._url}
        try:
            async with (
                aiohttp.ClientSession(timeout=_PROBE) as session,
                session.ws_connect(f"{self._url}/widget/ws"),
            ):
                return (Check("check.webchat.served", "ok", values),)
        except (aiohttp.ClientError, OSError) as error:  # a time-out is one too
            return (Check("check.webchat.away", "bad", values | {"said": type(error).__name__}),)

    async def fetch_media(self, media: Media) -> AsyncIterator[bytes]:
        """Pages upload files to us directly. Raises ChannelRejected."""
        raise ChannelRejected("Web chat holds no files.")
        yield b""


def inbound_from_page(
    data: object,
    visitor: str,
    *,
    media: Sequence[Media] = (),
    identities: Sequence[Identity] = (),
    name: str = "",
) -> InboundMessage:
    """A page's decoded JSON `{"type": "message", "id", "text", "button"?}` as a message of `visitor`.

    `media` are files that the page uploaded before; `identities` and `name` what else is known of who writes.
    Raises InvalidInput that names the field, TooLarge.
    """
    if not isinstance(data, dict):
        raise InvalidInput("a chat message is a JSON object")
    if data.get("type") != "message":
        raise InvalidInput("type must be message", field="type")
    client_id = _text(data, "id")
    if not client_id or len(client_id) > _ID_LIMIT:
        raise InvalidInput(f"id must be a text of 1 to {_ID_LIMIT} characters", field="id")
    text = _text(data, "text")
    button = _text(data, "button") or None
    if len(text) > TEXT_LIMIT:
        raise TooLarge(f"a message has at most {TEXT_LIMIT} characters", field="text", limit=TEXT_LIMIT)
    if button is not None and len(button) > _ID_LIMIT:
        raise InvalidInput(f"button has at most {_ID_LIMIT} characters", field="button")
    if not text.strip() and button is None and not media:
        raise InvalidInput("text is empty", field="text")
    key = f"{visitor}:{client_id}"
    return InboundMessage(
        event_key=key,
        channel="webchat",
        account=ACCOUNT,
        address=visitor,
        external_id=key,
        text=text,
        button=button,
        sender_name=name,
        identities=(_visitor(visitor), *identities),
        media=tuple(media),
    )


def identified(visitor: str, key: str, identities: Sequence[Identity], name: str = "") -> InboundMessage:
    """Word that these addresses are the visitor's; the same `key` again changes nothing."""
    return InboundMessage(
        event_key=f"{visitor}:{key}",
        channel="webchat",
        account=ACCOUNT,
        address=visitor,
        external_id="",
        sender_name=name,
        identities=tuple(identities),
        kind="identified",
    )


def seen_by_page(message_id: str) -> StatusUpdate:
    """Word that a visitor has had a message of ours before their eyes."""
    return StatusUpdate(
        event_key=f"{message_id}:read",
        channel="webchat",
        account=ACCOUNT,
        external_id=message_id,
        status=Status.READ,
        outbox_id=message_id,
    )


def _visitor(visitor: str) -> Identity:
    return Identity("webchat", visitor, verified=True)


def _text(data: dict[str, object], name: str) -> str:
    value = data.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidInput(f"{name} must be text", field=name)
    return clean(value)
