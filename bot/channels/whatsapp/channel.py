"""The WhatsApp adapter: signature, parse, send, files."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import aiohttp

from bot.channels.whatsapp.compose import LIST_ROWS, TEXT_LIMIT, TITLE_LIMIT, compose
from bot.channels.whatsapp.errors import to_channel_error
from bot.channels.whatsapp.parse import parse_payload
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
_AUDIO = ("audio/aac", "audio/mp4", "audio/mpeg", "audio/amr", "audio/ogg")
_FEATURES = Features(
    text_limit=TEXT_LIMIT,
    buttons=LIST_ROWS,
    button_title_limit=TITLE_LIMIT,
    media={
        MediaKind.IMAGE: MediaLimit(5 * _MB, ("image/jpeg", "image/png")),
        MediaKind.AUDIO: MediaLimit(16 * _MB, _AUDIO),
        MediaKind.VOICE: MediaLimit(16 * _MB, _AUDIO),
        MediaKind.VIDEO: MediaLimit(16 * _MB, ("video/mp4", "video/3gpp")),
        MediaKind.DOCUMENT: MediaLimit(100 * _MB),
        MediaKind.STICKER: MediaLimit(500 * 1024, ("image/webp",)),
    },
    window=timedelta(hours=24),
    templates=True,
    receipts=True,
    # Meta's default throughput of a number.
    per_second=80.0,
)
_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=5)


class WhatsApp:
    """One phone number at Meta's Cloud API."""

    name = "whatsapp"

    def __init__(self, settings: Settings) -> None:
        self._account = settings.whatsapp_phone_number_id
        self._token = settings.whatsapp_access_token.get_secret_value()
        self._app_secret = settings.whatsapp_app_secret.get_secret_value().encode()
        self._verify_token = settings.whatsapp_verify_token.get_secret_value().encode()
        self._root = f"{settings.whatsapp_api_url or GRAPH_URL}/{GRAPH_VERSION}"
        self._session: aiohttp.ClientSession | None = None

    @property
    def accounts(self) -> Sequence[tuple[ChannelName, str]]:
        """The phone number id."""
        return (("whatsapp", self._account),)

    def features(self, channel: ChannelName) -> Features:
        """What the Cloud API takes."""
        return _FEATURES

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
        return parse_payload(payload, self._account)

    async def open(self) -> None:
        """Open the connection pool."""
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {self._token}"}, timeout=_TIMEOUT
        )

    async def close(self) -> None:
        """Close it."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(self, message: OutboundMessage) -> Receipt:
        """Hand a message to Meta. Raises ChannelRetryable, ChannelRejected."""
        account = message.account or self._account
        media_id = await self._upload(account, message.media[0]) if message.media else None
        answer = await self._call("POST", self._url(account, "messages"), json=compose(message, media_id))
        try:
            return Receipt(str(answer["messages"][0]["id"]))
        except (KeyError, IndexError, TypeError) as error:
            # A 200 without an id: most likely taken, but we cannot tell which message it became.
            raise ChannelRetryable("WhatsApp's answer has no message id", maybe_sent=True) from error

    async def fetch_media(self, media: Media) -> AsyncIterator[bytes]:
        """Stream a customer's file. Raises ChannelRetryable, ChannelRejected."""
        limit = _FEATURES.media[media.kind].max_bytes
        found = await self._call("GET", self._url(media.ref))
        url = found.get("url")
        if not isinstance(url, str):
            raise ChannelRejected("WhatsApp no longer has this file.")
        taken = 0
        async with self._request("GET", url) as response:
            if response.status >= 400:
                raise to_channel_error(response.status, None, response.headers.get("Retry-After"))
            async for chunk in response.content.iter_chunked(65_536):
                taken += len(chunk)
                if taken > limit:
                    raise ChannelRejected(f"The file is larger than {limit // _MB} MB.")
                yield chunk

    async def _upload(self, account: str, media: Media) -> str | None:
        """Give Meta a file's bytes; None when it is a public link that Meta fetches by itself."""
        if media.content is None:
            if media.ref.startswith("https://"):
                return None
            raise ChannelRejected("The file's bytes are not at hand.")
        form = aiohttp.FormData({"messaging_product": "whatsapp", "type": media.mime})
        form.add_field(
            "file", media.content, filename=media.filename or media.kind.value, content_type=media.mime
        )
        try:
            answer = await self._call("POST", self._url(account, "media"), data=form)
        except ChannelRetryable as error:
            error.maybe_sent = False  # A file alone reaches nobody.
            raise
        return str(answer.get("id", ""))

    def _url(self, *parts: str) -> str:
        return "/".join([self._root, *(quote(part, safe="") for part in parts)])

    async def _call(self, method: str, url: str, **given: Any) -> dict[str, Any]:
        async with self._request(method, url, **given) as response:
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
            raise Unavailable("the WhatsApp channel is not open")
        try:
            async with self._session.request(method, url, **given) as response:
                yield response
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise ChannelRetryable(f"WhatsApp cannot be reached: {error}") from error
        except aiohttp.InvalidURL as error:
            raise ChannelRejected("WhatsApp named a file address that we cannot read.") from error
        except (TimeoutError, aiohttp.ClientError, ConnectionError) as error:
            raise ChannelRetryable(
                f"WhatsApp did not answer: {type(error).__name__}", maybe_sent=method == "POST"
            ) from error
