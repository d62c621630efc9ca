"""One listener on the bus for all open pages of this process: it wakes the pages that a notice concerns."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from time import monotonic

from aiohttp import WSCloseCode, web

from bot.bus import Bus
from bot.messages import Identity
from bot.notices import Notice
from bot.web.keys import AGENT_TYPES, APP
from bot.web.widget.visitor import Visitor

RATE, PER_S = 20, 10.0
"""A visitor may send this many messages in this many seconds."""
FILES_RATE, FILES_PER_S = 20, 60.0
"""And this many files."""
HOST_BYTES, HOST_PER_S = 200 * 1024 * 1024, 3600.0
"""And from one address, whoever writes there, files of this many bytes: a visitor costs nothing."""
LEAST_BYTES = 64 * 1024
"""What a file counts for at least."""


class Rate:
    """At most `most` in `per_s` seconds of one name."""

    def __init__(self, most: int, per_s: float) -> None:
        self._most, self._per_s = most, per_s
        self._times: dict[str, deque[tuple[float, int]]] = {}

    def allow(self, name: str, amount: int = 1) -> bool:
        """Count so much more; False when it is too much."""
        now = monotonic()
        if len(self._times) > 10_000:
            self._times = {
                one: old for one, old in self._times.items() if old and old[-1][0] > now - self._per_s
            }
        times = self._times.setdefault(name, deque())
        while times and times[0][0] <= now - self._per_s:
            times.popleft()
        if sum(each for _, each in times) + amount > self._most:
            return False
        times.append((now, amount))
        return True


class Page:
    """One open page of a visitor. `user` marks the signed-in one; `identities` and `name` are what its site
    vouches for."""

    def __init__(self, socket: web.WebSocketResponse, visitor: Visitor, lang: str) -> None:
        self.socket = socket
        self.visitor, self.user = visitor.id, visitor.user
        self.lang = lang
        self.identities: tuple[Identity, ...] = ()
        self.name = ""
        self.host = ""
        self.conversation_id: str | None = None
        self.owner = "bot"
        self.away = False
        self.expecting = False
        self.seen: set[str] = set()
        self.unread: set[str] = set()
        self.news = False
        self.agent_types = False
        self.awake = asyncio.Event()

    def look(self) -> None:
        """There may be something new to show."""
        self.news = True
        self.awake.set()


class Hub:
    """The open pages. One that has written but has no conversation yet is woken by every message, for it may
    be its own."""

    def __init__(self) -> None:
        self.pages: set[Page] = set()
        self.messages = Rate(RATE, PER_S)
        self.uploads = Rate(FILES_RATE, FILES_PER_S)
        self.bytes = Rate(HOST_BYTES, HOST_PER_S)
        self.keys = Rate(1, 2.0)

    async def listen(self, bus: Bus) -> None:
        """Wake pages for as long as the process serves."""
        async for notice in bus.listen():
            for page in self.pages:
                if notice is None or _concerns(notice, page):
                    page.look()
                elif notice.topic == AGENT_TYPES and notice.id == page.conversation_id:
                    page.agent_types = True
                    page.awake.set()

    def expect(self, visitor: str) -> None:
        """A message of this visitor is being stored: its turn will make a conversation."""
        for page in self.pages:
            if page.visitor == visitor:
                page.expecting = True

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
