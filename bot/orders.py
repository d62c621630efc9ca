"""The business's order system: one question over HTTP, `GET {url}/orders/{number}` (docs/orders.md).

A customer waits for the answer: it is tried again once, all within one time-out; and a system that fails
again and again is left alone for a while, so that nobody waits for nothing.
"""

import asyncio
import json
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import quote

import aiohttp

from bot import metrics
from bot.breaker import Breaker
from bot.errors import Unavailable
from bot.logs import logger
from bot.settings import Settings

_log = logger("orders")
TRIES = 2
MOST_BYTES = 200_000
_ITEMS = 50


@dataclass(frozen=True, slots=True)
class Order:
    """An order as its system tells it, with the addresses of whoever placed it."""

    number: str
    status: str
    items: tuple[str, ...] = ()
    expected_on: date | None = None
    tracking_url: str = ""
    phone: str = ""
    email: str = ""


class Orders:
    """Asks one order system."""

    def __init__(self, url: str, key: str = "", timeout_s: float = 3.0) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None
        self._breaker = Breaker()

    @classmethod
    def from_settings(cls, settings: Settings) -> "Orders | None":
        """The configured system; None without one."""
        if not settings.orders_url:
            return None
        return cls(settings.orders_url, settings.orders_key.get_secret_value(), settings.orders_timeout_s)

    async def close(self) -> None:
        """Close its connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def find(self, number: str) -> Order | None:
        """The order of this number, None when there is none. Raises Unavailable."""
        if not self._breaker.closed():
            metrics.ORDER_CALLS.labels("rested").inc()
            raise Unavailable("The order system failed again and again; it is left alone for a while")
        try:
            async with asyncio.timeout(self._timeout_s):
                found = await self._ask(number)
        except (Unavailable, TimeoutError) as error:
            if getattr(error, "data", {}).get("again", True):
                self._breaker.failed()
            else:
                self._breaker.answered()  # it is there: what is wrong a customer's next question may not meet
            metrics.ORDER_CALLS.labels("failed").inc()
            _log.warning("order_system_failed", error=str(error) or "it took too long")
            raise Unavailable("The order system does not answer") from error
        self._breaker.answered()
        metrics.ORDER_CALLS.labels("missing" if found is None else "found").inc()
        return found

    async def _ask(self, number: str) -> Order | None:
        for left in range(TRIES - 1, -1, -1):
            try:
                return await self._get(number)
            except (Unavailable, aiohttp.ClientError) as error:
                again = getattr(error, "data", {}).get("again", True)
                if not left or not again:
                    raise Unavailable(f"{type(error).__name__}: {error}"[:200], again=again) from error
        raise AssertionError

    async def _get(self, number: str) -> Order | None:
        if self._session is None:
            self._session = aiohttp.ClientSession(headers=self._headers)
        async with self._session.get(
            f"{self._url}/orders/{quote(number, safe='')}", allow_redirects=False
        ) as answer:
            if answer.status == 404:
                return None
            if answer.status != 200:
                # Asking again does not help against a wrong key.
                raise Unavailable(f"it answered {answer.status}", again=answer.status >= 500)
            body = b""
            async for chunk in answer.content.iter_any():
                body += chunk
                if len(body) > MOST_BYTES:
                    raise Unavailable(f"its answer is longer than {MOST_BYTES} bytes", again=False)
        try:
            return read_order(json.loads(body))
        except (ValueError, TypeError) as error:
            raise Unavailable(f"its answer cannot be read: {error}"[:200], again=False) from error


def read_order(told: Any) -> Order:
    """An order from the system's JSON. Raises ValueError, TypeError for anything else."""
    if not isinstance(told, dict) or not told.get("number") or not told.get("status"):
        raise ValueError("an order needs number and status")
    expected, link = told.get("expected_on"), str(told.get("tracking_url") or "")
    return Order(
        number=str(told["number"])[:60],
        status=str(told["status"])[:60],
        items=tuple(_item(one) for one in (told.get("items") or [])[:_ITEMS]),
        expected_on=date.fromisoformat(str(expected)[:10]) if expected else None,
        tracking_url=link if link.startswith(("https://", "http://")) else "",
        phone=str(told.get("phone") or ""),
        email=str(told.get("email") or "").strip().lower(),
    )


def _item(told: Any) -> str:
    """`Mixer grinder`, or `2 × Mixer grinder`."""
    if not isinstance(told, dict):
        return str(told)[:100]
    name, quantity = str(told.get("name") or "")[:100], told.get("quantity", 1)
    return name if quantity in (1, "1", None) else f"{quantity} × {name}"
