"""The WhatsApp adapter: signature, parse, send, files."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote

import aiohttp

from bot.channels.meta import GRAPH_URL, GRAPH_VERSION, Graph, Webhook, is_link
from bot.channels.whatsapp.compose import CAPTION_LIMIT, LIST_ROWS, TEXT_LIMIT, TITLE_LIMIT, compose
from bot.channels.whatsapp.errors import to_channel_error
from bot.channels.whatsapp.parse import parse_payload
from bot.channels.whatsapp.templates import FIELDS, read_template
from bot.errors import ChannelRejected, ChannelRetryable
from bot.messages import (
    ChannelName,
    Features,
    InboundMessage,
    Listener,
    Media,
    MediaKind,
    MediaLimit,
    OutboundMessage,
    Parsed,
    Receipt,
    Template,
    WebhookRequest,
)
from bot.settings import Settings

_MB = 1024 * 1024
_TYPING_SECONDS = 24.0  # WhatsApp shows it for 25, or until the answer comes
_AUDIO = ("audio/aac", "audio/mp4", "audio/mpeg", "audio/amr", "audio/ogg")
_FEATURES = Features(
    text_limit=TEXT_LIMIT,
    buttons=LIST_ROWS,
    button_title_limit=TITLE_LIMIT,
    media={
        MediaKind.IMAGE: MediaLimit(5 * _MB, ("image/jpeg", "image/png")),
        MediaKind.AUDIO: MediaLimit(16 * _MB, _AUDIO),
        # Only Opus in Ogg is shown as a voice note.
        MediaKind.VOICE: MediaLimit(16 * _MB, ("audio/ogg",)),
        MediaKind.VIDEO: MediaLimit(16 * _MB, ("video/mp4", "video/3gpp")),
        MediaKind.DOCUMENT: MediaLimit(100 * _MB),
        MediaKind.STICKER: MediaLimit(500 * 1024, ("image/webp",)),
    },
    captioned=frozenset({MediaKind.IMAGE, MediaKind.VIDEO, MediaKind.DOCUMENT}),
    caption_limit=CAPTION_LIMIT,
    window=timedelta(hours=24),
    templates=True,
    typing=True,
    receipts=True,
)
_WITHOUT_TEMPLATES = replace(_FEATURES, templates=False)
_MOST_PAGES = 60


class WhatsApp:
    """One phone number at Meta's Cloud API."""

    name = "whatsapp"

    def __init__(self, settings: Settings) -> None:
        self._account = settings.whatsapp_phone_number_id
        self._business = settings.whatsapp_business_account_id
        self._root = f"{settings.whatsapp_api_url or GRAPH_URL}/{GRAPH_VERSION}"
        self._webhook = Webhook(settings.whatsapp_app_secret, settings.whatsapp_verify_token)
        self._graph = Graph("WhatsApp", settings.whatsapp_access_token, to_channel_error)

    @property
    def accounts(self) -> Sequence[tuple[ChannelName, str]]:
        """The phone number id."""
        return (("whatsapp", self._account),)

    def features(self, channel: ChannelName) -> Features:
        """What the Cloud API takes; templates once we know the business account that has them."""
        return _FEATURES if self._business else _WITHOUT_TEMPLATES

    def listeners(self) -> Sequence[Listener]:
        """None: Meta calls us."""
        return ()

    def verify(self, request: WebhookRequest) -> str:
        """Echo the challenge when Meta knows our verify token. Raises SignatureInvalid."""
        return self._webhook.verify(request)

    def parse(self, request: WebhookRequest) -> Parsed:
        """Check Meta's signature over the raw bytes, then read. Raises SignatureInvalid, Unreadable."""
        return parse_payload(self._webhook.payload(request), self._account)

    async def open(self) -> None:
        """Open the connection pool."""
        await self._graph.open()

    async def close(self) -> None:
        """Close it."""
        await self._graph.close()

    async def send(self, message: OutboundMessage) -> Receipt:
        """Hand a message to Meta. Raises ChannelRetryable, ChannelRejected."""
        account = message.account or self._account
        media_id = await self._upload(account, message.media[0]) if message.media else None
        answer = await self._graph.call(
            "POST", self._url(account, "messages"), json=compose(message, media_id)
        )
        try:
            return Receipt(str(answer["messages"][0]["id"]))
        except (KeyError, IndexError, TypeError) as error:
            # A 200 without an id: most likely taken, but we cannot tell which message it became.
            raise ChannelRetryable("WhatsApp's answer has no message id", maybe_sent=True) from error

    async def templates(self) -> Sequence[Template]:
        """All templates of the business account. Raises ChannelRetryable, ChannelRejected."""
        found: list[Template] = []
        query = {"fields": FIELDS, "limit": "100"}
        for _ in range(_MOST_PAGES):
            answer = await self._graph.call(
                "GET", self._url(self._business, "message_templates"), params=query
            )
            items = answer.get("data")
            for item in items if isinstance(items, list) else ():
                if isinstance(item, dict) and (one := read_template(item)) is not None:
                    found.append(one)
            paging = answer.get("paging")
            if not (isinstance(paging, dict) and paging.get("next")):
                return found
            query["after"] = str((paging.get("cursors") or {}).get("after", ""))
        return found

    async def typing(self, said: InboundMessage) -> float:
        """Show that we are writing, which also marks the message as read.

        Raises ChannelRetryable, ChannelRejected."""
        shown = {
            "messaging_product": "whatsapp",
            "status": "read",
            "message_id": said.external_id,
            "typing_indicator": {"type": "text"},
        }
        await self._graph.call("POST", self._url(said.account or self._account, "messages"), json=shown)
        return _TYPING_SECONDS

    async def fetch_media(self, media: Media) -> AsyncIterator[bytes]:
        """Stream a customer's file. Raises ChannelRetryable, ChannelRejected."""
        limit = _FEATURES.media[media.kind].max_bytes
        found = await self._graph.call("GET", self._url(media.ref))
        url = found.get("url")
        if not isinstance(url, str):
            raise ChannelRejected("WhatsApp no longer has this file.")
        async for chunk in self._graph.stream(url, limit, login=True):
            yield chunk

    async def _upload(self, account: str, media: Media) -> str | None:
        """Give Meta a file's bytes; None when it is a public link that Meta fetches by itself."""
        if is_link(media):
            return None
        form = aiohttp.FormData({"messaging_product": "whatsapp", "type": media.mime})
        form.add_field(
            "file", media.content, filename=media.filename or media.kind.value, content_type=media.mime
        )
        return await self._graph.upload(self._url(account, "media"), form)

    def _url(self, *parts: str) -> str:
        return "/".join([self._root, *(quote(part, safe="") for part in parts)])
