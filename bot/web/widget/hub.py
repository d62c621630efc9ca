"""One listener on the bus for all open pages of this process: it wakes the pages that a notice concerns."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from time import monotonic

from aiohttp import WSCloseCode, web

from bot.bus import Bus
from bot.notices import Notice
from bot.web.keys import APP

RATE, PER_S = 20, 10.0
"""A visitor may send this many messages in this many seconds."""


class Page:
    """One open page of a visitor."""

    def __init__(self, socket: web.WebSocketResponse, visitor: str, lang: str) -> None:
        self.socket = socket
        self.visitor = visitor
        self.lang = lang
        self.conversation_id: str | None = None
        self.owner = "bot"
        self.expecting = False
        self.seen: set[str] = set()
        self.awake = asyncio.Event()


class Hub:
    """The open pages. One that has written but has no conversation yet is woken by every message, for it may
    be its own."""

    def __init__(self) -> None:
        self.pages: set[Page] = set()
        self._sent: dict[str, deque[float]] = {}

    async def listen(self, bus: Bus) -> None:
        """Wake pages for as long as the process serves."""
        async for notice in bus.listen():
            for page in self.pages:
                if notice is None or _concerns(notice, page):
                    page.awake.set()

    def expect(self, visitor: str) -> None:
        """A message of this visitor is being stored: its turn will make a conversation."""
        for page in self.pages:
            if page.visitor == visitor:
                page.expecting = True

    def may_send(self, visitor: str) -> bool:
        """Count a message of this visitor; False when they send too fast."""
        now = monotonic()
        if len(self._sent) > 10_000:
            self._sent = {name: old for name, old in self._sent.items() if old and old[-1] > now - PER_S}
        times = self._sent.setdefault(visitor, deque())
        while times and times[0] <= now - PER_S:
            times.popleft()
        if len(times) >= RATE:
            return False
        times.append(now)
        return True

    def leave(self, page: Page) -> None:
        """The page was closed."""
        self.pages.discard(page)

    async def close(self) -> None:
        """Tell every page that we go; it will connect again."""
        for page in list(self.pages):
            await page.socket.close(code=WSCloseCode.GOING_AWAY, message=b"restarting")


def _concerns(notice: Notice, page: Page) -> bool:
    if notice.topic not in ("message", "conversation"):
        return False
    return notice.id == page.conversation_id or (page.conversation_id is None and page.expecting)


HUB: web.AppKey[Hub] = web.AppKey("widget_hub", Hub)


async def run_hub(web_app: web.Application) -> AsyncIterator[None]:
    """Listen while the web application runs."""
    task = asyncio.create_task(web_app[HUB].listen(web_app[APP].bus))
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
