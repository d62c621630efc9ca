"""The Messenger adapter: signature, parse, send, files. It serves two channels, messenger and instagram."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import aiohttp

from bot.channels.messenger import compose
from bot.channels.messenger.errors import OUTSIDE_WINDOW, to_channel_error
from bot.channels.messenger.parse import parse_payload
from bot.errors import ChannelRejected, ChannelRetryable, SignatureInvalid, Unavailable, Unreadable
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

GRAPH_URL = "https://graph.facebook.com"
GRAPH_VERSION = "v26.0"
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
        MediaKind.VOICE: MediaLimit(_FILE_LIMIT),
        MediaKind.VIDEO: MediaLimit(_FILE_LIMIT),
        MediaKind.DOCUMENT: MediaLimit(_FILE_LIMIT),
        MediaKind.STICKER: _IMAGE,
    },
    window=timedelta(hours=24),
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
    receipts=True,
)
_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=5)
_META_HOSTS = (".fbsbx.com", ".fbcdn.net", ".cdninstagram.com", ".facebook.com", ".instagram.com")


class Messenger:
    """One Facebook Page, and the Instagram account that is linked to it."""

    name = "messenger"

    def __init__(self, settings: Settings) -> None:
        self._page = settings.messenger_page_id
        self._instagram = settings.messenger_instagram_id
        self._token = settings.messenger_access_token.get_secret_value()
        self._app_secret = settings.messenger_app_secret.get_secret_value().encode()
        self._verify_token = settings.messenger_verify_token.get_secret_value().encode()
        self._root = settings.messenger_api_url or GRAPH_URL
        self._session: aiohttp.ClientSession | None = None

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
        query = parse_qs(urlsplit(request.url).query)
        token = query.get("hub.verify_token", [""])[0].encode()
        mode = query.get("hub.mode", [""])[0]
        if mode != "subscribe" or not hmac.compare_digest(token, self._verify_token):
            raise SignatureInvalid("the verify token is not ours")
        return query.get("hub.challenge", [""])[0]

    def parse(self, request: WebhookRequest) -> Parsed:
        """Check Meta's signature over the raw bytes, then read. Raises SignatureInvalid, Unreadable."""
        given = request.headers.get("x-hub-signature-256", "").encode()
        expected = "sha256=" + hmac.new(self._app_secret, request.body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(given, expected.encode()):
            raise SignatureInvalid("Meta did not sign this")
        try:
            payload = json.loads(request.body)
        except (ValueError, RecursionError) as error:
            raise Unreadable("not JSON") from error
        return parse_payload(payload, self._page)

    async def open(self) -> None:
        """Open the connection pool."""
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT)

    async def close(self) -> None:
        """Close it."""
        if self._session is not None:
            await self._session.close()
            self._session = None

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
            return await self._call(url, json=compose.envelope(message, content))
        except ChannelRejected as error:
            if message.automatic or error.data.get("provider_subcode") not in OUTSIDE_WINDOW:
                raise
        return await self._call(url, json=compose.envelope(message, content, by_person=True))

    async def fetch_media(self, media: Media) -> AsyncIterator[bytes]:
        """Stream a customer's file. Raises ChannelRetryable, ChannelRejected."""
        url = urlsplit(media.ref)
        ours = self._root != GRAPH_URL and media.ref.startswith(f"{self._root}/")
        if not ours and (url.scheme != "https" or not f".{url.hostname}".endswith(_META_HOSTS)):
            raise ChannelRejected("The file does not lie at Meta.")
        taken = 0
        # The link itself is the key to the file; our token does not go along.
        async with self._request("GET", media.ref) as response:
            if response.status >= 400:
                raise _file_error(response)
            async for chunk in response.content.iter_chunked(65_536):
                taken += len(chunk)
                if taken > _FILE_LIMIT:
                    raise ChannelRejected(f"The file is larger than {_FILE_LIMIT // _MB} MB.")
                yield chunk

    async def _upload(self, channel: ChannelName, media: Media) -> str | None:
        """Give Meta a file's bytes; None when it is a public link that Meta fetches by itself."""
        if media.content is None:
            if media.ref.startswith("https://"):
                return None
            raise ChannelRejected("The file's bytes are not at hand.")
        kind = compose.attachment_type(media)
        attachment = {"attachment": {"type": kind, "payload": {"is_reusable": True}}}
        form = aiohttp.FormData({"message": json.dumps(attachment)})
        if channel == "instagram":
            form.add_field("platform", "instagram")
        name = media.filename or media.kind.value
        form.add_field("filedata", media.content, filename=name, content_type=media.mime)
        try:
            answer = await self._call(self._url("message_attachments"), data=form)
        except ChannelRetryable as error:
            error.maybe_sent = False  # A file alone reaches nobody.
            raise
        found = str(answer.get("attachment_id") or "")
        if not found:
            raise ChannelRetryable("Meta's answer has no attachment id")
        return found

    def _url(self, edge: str) -> str:
        # Instagram's messages too are sent through the Page.
        return f"{self._root}/{GRAPH_VERSION}/{quote(self._page, safe='')}/{edge}"

    async def _call(self, url: str, **given: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._token}"}
        async with self._request("POST", url, headers=headers, **given) as response:
            raw = await response.read()
            retry_after = response.headers.get("Retry-After")
        try:
            answer = json.loads(raw)
        except (ValueError, RecursionError):
            answer = None
        if response.status >= 400:
            raise to_channel_error(response.status, answer, retry_after)
        return answer if isinstance(answer, dict) else {}

    @asynccontextmanager
    async def _request(self, method: str, url: str, **given: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        """A request whose network failures are ours. Only a connection never made is surely unsent."""
        if self._session is None:
            raise Unavailable("the Messenger channel is not open")
        try:
            async with self._session.request(method, url, **given) as response:
                yield response
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise ChannelRetryable(f"Meta cannot be reached: {error}") from error
        except aiohttp.InvalidURL as error:
            raise ChannelRejected("Meta named a file address that we cannot read.") from error
        except (TimeoutError, aiohttp.ClientError, ConnectionError) as error:
            raise ChannelRetryable(
                f"Meta did not answer: {type(error).__name__}", maybe_sent=method == "POST"
            ) from error


def _file_error(response: aiohttp.ClientResponse) -> ChannelRejected | ChannelRetryable:
    if response.status == 429 or response.status >= 500:
        return ChannelRetryable("Meta did not give the file")
    return ChannelRejected("Meta no longer has this file.")
