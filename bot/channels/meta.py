"""What WhatsApp, Messenger and Instagram share: Meta's hand-shake and signature, and its Graph API."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
from pydantic import SecretStr

from bot.adapter import Check
from bot.channels.reading import delay_of
from bot.errors import (
    ChannelError,
    ChannelRejected,
    ChannelRetryable,
    SignatureInvalid,
    Unavailable,
    Unreadable,
)
from bot.messages import Button, Media, WebhookRequest

GRAPH_URL = "https://graph.facebook.com"
GRAPH_VERSION = "v26.0"
_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=5)
_MB = 1024 * 1024
ToError = Callable[[int, object, str | None], ChannelError]
"""(HTTP status, decoded answer, Retry-After) of a refused call as our error."""


class Webhook:
    """Meta's side of a webhook: an app's secret signs, our token proves the hand-shake."""

    def __init__(self, app_secret: SecretStr, verify_token: SecretStr) -> None:
        self._app_secret = app_secret.get_secret_value().encode()
        self._verify_token = verify_token.get_secret_value().encode()

    def verify(self, request: WebhookRequest) -> str:
        """Echo the challenge when Meta knows our verify token. Raises SignatureInvalid."""
        query = parse_qs(urlsplit(request.url).query)
        token = query.get("hub.verify_token", [""])[0].encode()
        mode = query.get("hub.mode", [""])[0]
        if mode != "subscribe" or not hmac.compare_digest(token, self._verify_token):
            raise SignatureInvalid("the verify token is not ours")
        return query.get("hub.challenge", [""])[0]

    def payload(self, request: WebhookRequest) -> object:
        """Check the signature over the raw bytes, then decode. Raises SignatureInvalid, Unreadable."""
        given = request.headers.get("x-hub-signature-256", "").encode()
        expected = "sha256=" + hmac.new(self._app_secret, request.body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(given, expected.encode()):
            raise SignatureInvalid("Meta did not sign this")
        try:
            payload: object = json.loads(request.body)
        except (ValueError, RecursionError) as error:
            raise Unreadable("not JSON") from error
        return payload


class Graph:
    """Calls of the Graph API with one access token. `name` is what its errors call Meta."""

    def __init__(self, name: str, token: SecretStr, to_error: ToError) -> None:
        self._name = name
        self._token = token
        self._login = {"Authorization": f"Bearer {token.get_secret_value()}"}
        self._to_error = to_error
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Open the connection pool."""
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT)

    async def close(self) -> None:
        """Close it. Safe to call twice."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    @asynccontextmanager
    async def apart(self, token: SecretStr | None = None) -> AsyncIterator["Graph"]:
        """Another client, of the same token or another, with a session of its own, for a live test."""
        graph = Graph(self._name, token or self._token, self._to_error)
        await graph.open()
        try:
            yield graph
        finally:
            await graph.close()

    async def call(self, method: str, url: str, **given: Any) -> dict[str, Any]:
        """The decoded answer. Raises ChannelRetryable, ChannelRejected."""
        async with self._request(method, url, headers=self._login, **given) as response:
            raw = await response.read()
            retry_after = response.headers.get("Retry-After")
        try:
            answer = json.loads(raw)
        except (ValueError, RecursionError):
            answer = None
        if response.status >= 400:
            raise self._to_error(response.status, answer, retry_after)
        return answer if isinstance(answer, dict) else {}

    async def upload(self, url: str, form: aiohttp.FormData) -> str:
        """Give Meta a file's bytes; its id. Raises ChannelRetryable, ChannelRejected."""
        try:
            answer = await self.call("POST", url, data=form)
        except ChannelRetryable as error:
            error.maybe_sent = False  # A file alone reaches nobody.
            raise
        found = str(answer.get("id") or answer.get("attachment_id") or "")
        if not found:
            raise ChannelRetryable(f"{self._name}'s answer has no id of the file")
        return found

    async def stream(self, url: str, limit: int, *, login: bool) -> AsyncIterator[bytes]:
        """A file's bytes, at most `limit`; our token goes along with `login` only.

        Raises ChannelRetryable, ChannelRejected."""
        taken = 0
        async with self._request("GET", url, headers=self._login if login else {}) as response:
            if response.status == 429 or response.status >= 500:
                delay = delay_of(response.headers.get("Retry-After"))
                raise ChannelRetryable(f"{self._name} did not give the file", delay=delay)
            if response.status >= 400:
                raise ChannelRejected(f"{self._name} no longer has this file.")
            async for chunk in response.content.iter_chunked(65_536):
                taken += len(chunk)
                if taken > limit:
                    raise ChannelRejected(f"The file is larger than {limit // _MB} MB.", limit=limit)
                yield chunk

    @asynccontextmanager
    async def _request(self, method: str, url: str, **given: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        """A request whose network failures are ours. Only a connection never made is surely unsent."""
        if self._session is None:
            raise Unavailable(f"the {self._name} channel is not open")
        try:
            async with self._session.request(method, url, **given) as response:
                yield response
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise ChannelRetryable(f"{self._name} cannot be reached: {error}") from error
        except aiohttp.InvalidURL as error:
            raise ChannelRejected(f"{self._name} named a file address that we cannot read.") from error
        except (TimeoutError, aiohttp.ClientError, ConnectionError) as error:
            raise ChannelRetryable(
                f"{self._name} did not answer: {type(error).__name__}", maybe_sent=method == "POST"
            ) from error


async def secret_check(graph: Graph, url: str, token: SecretStr, secret: SecretStr) -> Check:
    """Whether the app secret belongs to the token's app: Meta compares the token's HMAC under it."""
    proof = hmac.new(secret.get_secret_value().encode(), token.get_secret_value().encode(), hashlib.sha256)
    try:
        await graph.call("GET", url, params={"fields": "id", "appsecret_proof": proof.hexdigest()})
    except ChannelRejected as error:
        return Check("check.meta.secret_wrong", "bad", {"said": error.reason})
    return Check("check.meta.secret")


async def token_facts(graph: Graph, root: str, token: SecretStr) -> Mapping[str, Any]:
    """What Meta knows of the token: its app, its end, what it reaches. Raises ChannelError."""
    answer = await graph.call("GET", f"{root}/debug_token", params={"input_token": token.get_secret_value()})
    data = answer.get("data")
    return data if isinstance(data, dict) else {}


def token_check(facts: Mapping[str, Any]) -> Check:
    """Whether the token lasts: one from the dashboard ends after a day."""
    until = facts.get("expires_at")
    if not isinstance(until, int) or until <= 0:
        return Check("check.meta.token_lasting")
    return Check("check.meta.token_until", "warn", {"date": datetime.fromtimestamp(until, UTC).date()})


def is_link(media: Media) -> bool:
    """Whether Meta fetches the file by itself; else its bytes are at hand. Raises ChannelRejected."""
    if media.content is not None:
        return False
    if media.ref.startswith("https://"):
        return True
    raise ChannelRejected("The file's bytes are not at hand.")


def error_of(status: int, body: object) -> tuple[Mapping[str, Any], int]:
    """Meta's error object of a refused call, empty when there is none, and its code, else the status."""
    given = body.get("error") if isinstance(body, dict) else None
    error: Mapping[str, Any] = given if isinstance(given, dict) else {}
    code = error.get("code")
    return error, code if isinstance(code, int) else status


def title_of(button: Button, limit: int) -> str:
    """A choice's title in at most `limit` characters."""
    title = button.title.strip()
    return title if len(title) <= limit else title[: limit - 1].rstrip() + "…"
