"""Twilio's SDK with a base URL that can be moved, and network failures that are ours."""

import logging
from typing import Any

import aiohttp
from twilio.base.exceptions import TwilioException  # type: ignore[import-untyped]
from twilio.http.async_http_client import AsyncTwilioHttpClient  # type: ignore[import-untyped]
from twilio.http.response import Response  # type: ignore[import-untyped]
from twilio.rest import Client  # type: ignore[import-untyped]

from bot.channels.twilio.errors import to_channel_error
from bot.errors import ChannelError, ChannelRejected, ChannelRetryable

API_URL = "https://api.twilio.com"
CONTENT_URL = "https://content.twilio.com"
MESSAGING_URL = "https://messaging.twilio.com"
_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=5)
# The SDK logs every request's URL at INFO, phone numbers in it.
_quiet = logging.getLogger("bot.channels.twilio.sdk")
_quiet.setLevel(logging.WARNING)


class HttpClient(AsyncTwilioHttpClient):  # type: ignore[misc]
    """Sends what the SDK wants sent, to `root` instead of api.twilio.com."""

    def __init__(self, root: str) -> None:
        super().__init__(pool_connections=False, logger=_quiet)
        self._root = root
        self.session = aiohttp.ClientSession(timeout=_TIMEOUT)

    async def request(self, method: str, url: str, *args: Any, **given: Any) -> Response:
        """One call. Raises ChannelRetryable for network failures, 429 and 5xx."""
        for usual in (API_URL, CONTENT_URL, MESSAGING_URL):
            if self._root != API_URL and url.startswith(usual):
                url = self._root + url[len(usual) :]
        try:
            response: Response = await super().request(method, url, *args, **given)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise ChannelRetryable(f"Twilio cannot be reached: {error}") from error
        except (TimeoutError, aiohttp.ClientError, ConnectionError) as error:
            raise ChannelRetryable(
                f"Twilio did not answer: {type(error).__name__}", maybe_sent=True
            ) from error
        # The SDK's exceptions drop the headers, and with them how long Twilio asks us to wait.
        if response.status_code == 429 or response.status_code >= 500:
            headers = response.headers or {}
            raise to_channel_error(response.status_code, None, "", headers.get("Retry-After"))
        return response


def make_client(account_sid: str, auth_token: str, root: str) -> tuple[Client, HttpClient]:
    """The SDK's client and its transport, which must be closed. Call on a running loop."""
    http = HttpClient(root or API_URL)
    return Client(account_sid, auth_token, http_client=http), http


def translated(error: TwilioException) -> ChannelError:
    """Any exception of the SDK as one of ours."""
    code = getattr(error, "code", None)
    status = getattr(error, "status", None)
    message = str(getattr(error, "msg", "") or getattr(error, "detail", "") or "")
    if isinstance(status, int):
        return to_channel_error(status, code if isinstance(code, int) else None, message)
    return ChannelRejected(f"Twilio's client refused the message: {type(error).__name__}")
