"""The Messenger adapter: signature, parse, send, files. It serves two channels, messenger and instagram."""

import json
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp

from bot.channels.messenger import compose
from bot.channels.messenger.errors import OUTSIDE_WINDOW, to_channel_error
from bot.channels.messenger.parse import parse_payload
from bot.channels.meta import GRAPH_URL, GRAPH_VERSION, Graph, Webhook, is_link
from bot.errors import ChannelRejected, ChannelRetryable
from bot.messages import (
    ChannelName,
    Features,
    Listener,
    Media,
    MediaKind,
    MediaLimit,
    OutboundMessage,
    Parsed,
    Receipt,
    WebhookRequest,
)
from bot.settings import Settings

_MB = 1024 * 1024
_FILE_LIMIT = 25 * _MB
_IMAGE = MediaLimit(8 * _MB, ("image/jpeg", "image/png", "image/gif"))
_AUDIO = MediaLimit(_FILE_LIMIT, ("audio/aac", "audio/mp4", "audio/x-m4a", "audio/wav", "audio/x-wav"))
_VIDEO = MediaLimit(
    _FILE_LIMIT, ("video/mp4", "video/ogg", "video/x-msvideo", "video/quicktime", "video/webm")
)
_MESSENGER = Features(
    text_limit=compose.TEXT_LIMIT,
    buttons=compose.QUICK_REPLIES,
    button_title_limit=compose.TITLE_LIMIT,
    media={
        MediaKind.IMAGE: _IMAGE,
        MediaKind.AUDIO: MediaLimit(_FILE_LIMIT),
        MediaKind.VOICE: MediaLimit(_FILE_LIMIT, ("audio/mp4", "audio/mpeg")),
        MediaKind.VIDEO: MediaLimit(_FILE_LIMIT),
        MediaKind.DOCUMENT: MediaLimit(_FILE_LIMIT),
        MediaKind.STICKER: _IMAGE,
    },
    window=timedelta(hours=24),
    staff_window=timedelta(days=7),
    receipts=True,
)
_INSTAGRAM = Features(
    # Instagram counts bytes and the core counts characters: those of Indian scripts have three.
    text_limit=compose.INSTAGRAM_BYTES // 3,
    buttons=compose.QUICK_REPLIES,
    button_title_limit=compose.TITLE_LIMIT,
    media={
        MediaKind.IMAGE: _IMAGE,
        MediaKind.AUDIO: _AUDIO,
        MediaKind.VOICE: _AUDIO,
        MediaKind.VIDEO: _VIDEO,
        MediaKind.DOCUMENT: MediaLimit(_FILE_LIMIT, ("application/pdf",)),
    },
    window=timedelta(hours=24),
    staff_window=timedelta(days=7),
    receipts=True,
)
_META_HOSTS = (".fbsbx.com", ".fbcdn.net", ".cdninstagram.com", ".facebook.com", ".instagram.com")


class Messenger:
    """One Facebook Page, and the Instagram account that is linked to it."""

    name = "messenger"

    def __init__(self, settings: Settings) -> None:
        self._page = settings.messenger_page_id
        self._instagram = settings.messenger_instagram_id
        self._root = settings.messenger_api_url or GRAPH_URL
        self._webhook = Webhook(settings.messenger_app_secret, settings.messenger_verify_token)
        self._graph = Graph("Meta", settings.messenger_access_token, to_channel_error)

    @property
    def accounts(self) -> Sequence[tuple[ChannelName, str]]:
        """The Page's id, and the Instagram account's where it is set."""
        page: tuple[ChannelName, str] = ("messenger", self._page)
        return (page, ("instagram", self._instagram)) if self._instagram else (page,)

    def features(self, channel: ChannelName) -> Features:
        """What the Send API takes for Messenger and for Instagram."""
        return _INSTAGRAM if channel == "instagram" else _MESSENGER

    def listeners(self) -> Sequence[Listener]:
        """None: Meta calls us."""
        return ()

    def verify(self, request: WebhookRequest) -> str:
        """Echo the challenge when Meta knows our verify token. Raises SignatureInvalid."""
        return self._webhook.verify(request)

    def parse(self, request: WebhookRequest) -> Parsed:
        """Check Meta's signature over the raw bytes, then read. Raises SignatureInvalid, Unreadable."""
        return parse_payload(self._webhook.payload(request), self._page)

    async def open(self) -> None:
        """Open the connection pool."""
        await self._graph.open()

    async def close(self) -> None:
        """Close it."""
        await self._graph.close()

    async def send(self, message: OutboundMessage) -> Receipt:
        """Hand a message to Meta. Raises ChannelRetryable, ChannelRejected."""
        uploaded = [await self._upload(message.channel, media) for media in message.media]
        sent = ""
        for content in compose.contents(message, uploaded):
            try:
                answer = await self._deliver(message, content)
            except ChannelRetryable as error:
                # A file that went before its text has reached the customer.
                error.maybe_sent = error.maybe_sent or bool(sent)
                raise
            sent = str(answer.get("message_id") or "")
            if not sent:
                # A 200 without an id: most likely taken, but we cannot tell which message it became.
                raise ChannelRetryable("Meta's answer has no message id", maybe_sent=True)
        return Receipt(sent)

    async def _deliver(self, message: OutboundMessage, content: dict[str, Any]) -> dict[str, Any]:
        """One call. Outside the 24 hours a person may still answer, for seven days: Meta wants that said."""
        url = self._url("messages")
        try:
            return await self._graph.call("POST", url, json=compose.envelope(message, content))
        except ChannelRejected as error:
            if message.automatic or error.data.get("provider_subcode") not in OUTSIDE_WINDOW:
                raise
        return await self._graph.call("POST", url, json=compose.envelope(message, content, by_person=True))

    async def fetch_media(self, media: Media) -> AsyncIterator[bytes]:
        """Stream a customer's file. Raises ChannelRetryable, ChannelRejected."""
        url = urlsplit(media.ref)
        ours = self._root != GRAPH_URL and media.ref.startswith(f"{self._root}/")
        if not ours and (url.scheme != "https" or not f".{url.hostname}".endswith(_META_HOSTS)):
            raise ChannelRejected("The file does not lie at Meta.")
        # The link itself is the key to the file; our token does not go along.
        async for chunk in self._graph.stream(media.ref, _FILE_LIMIT, login=False):
            yield chunk

    async def _upload(self, channel: ChannelName, media: Media) -> str | None:
        """Give Meta a file's bytes; None when it is a public link that Meta fetches by itself."""
        if is_link(media):
            return None
        kind = compose.attachment_type(media)
        attachment = {"attachment": {"type": kind, "payload": {"is_reusable": True}}}
        form = aiohttp.FormData({"message": json.dumps(attachment)})
        if channel == "instagram":
            form.add_field("platform", "instagram")
        name = media.filename or media.kind.value
        form.add_field("filedata", media.content, filename=name, content_type=media.mime)
        return await self._graph.upload(self._url("message_attachments"), form)

    def _url(self, edge: str) -> str:
        # Instagram's messages too are sent through the Page.
        return f"{self._root}/{GRAPH_VERSION}/{quote(self._page, safe='')}/{edge}"
