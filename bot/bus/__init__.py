"""Live news: ids alone, published after the commit; whoever listens re-reads with its own rights.

In one process it needs nothing. Between processes it goes over Redis or Valkey; while that is away,
listeners are woken every two seconds to look for themselves.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable

import redis.asyncio as redis
from redis.exceptions import RedisError

from bot import metrics
from bot.ids import new_id
from bot.logs import logger
from bot.notices import Notice

_CHANNEL = "samvad:notices"
POLL_S = 2.0
_log = logger("bus")


class Bus:
    """Publish from any thread, listen in the loop."""

    def __init__(self, url: str = "", keep: frozenset[str] = frozenset()) -> None:
        """`url` of Redis or Valkey; empty: this process alone. Topics in `keep` never leave this process."""
        self._keep = keep
        self._url = url
        self._me = new_id()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listeners: set[asyncio.Queue[Notice | None]] = set()
        self._outgoing: asyncio.Queue[Notice] = asyncio.Queue(10_000)
        self._tasks: list[asyncio.Task[None]] = []
        self.connected = not url

    async def open(self) -> None:
        """Start. Not reaching Redis is no error: the bus keeps trying."""
        self._loop = asyncio.get_running_loop()
        if self._url:
            self._tasks = [asyncio.create_task(self._send()), asyncio.create_task(self._hear())]

    async def close(self) -> None:
        """Stop, and end every listener."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        self._loop = None

    def post(self, notices: Iterable[Notice]) -> None:
        """Tell everyone, from any thread."""
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        try:
            if asyncio.get_running_loop() is loop:
                self._post(list(notices))
                return
        except RuntimeError:
            pass  # not in a loop: a worker thread
        loop.call_soon_threadsafe(self._post, list(notices))

    def _post(self, notices: list[Notice]) -> None:
        for notice in notices:
            self._tell(notice)
            if self._url and notice.topic not in self._keep and not self._outgoing.full():
                self._outgoing.put_nowait(notice)

    def _tell(self, notice: Notice) -> None:
        for queue in self._listeners:
            if queue.full():
                queue.get_nowait()  # a slow reader loses the oldest; it reads the log, not the notices
            queue.put_nowait(notice)

    async def listen(self, *, at_once: bool = False) -> AsyncIterator[Notice | None]:
        """Notices as they come; None every two seconds while other processes cannot be heard, and `at_once`
        when it begins to listen: who reads then what it follows misses nothing."""
        queue: asyncio.Queue[Notice | None] = asyncio.Queue(1000)
        self._listeners.add(queue)
        try:
            if at_once:
                yield None
            while True:
                try:
                    yield await asyncio.wait_for(queue.get(), None if self.connected else POLL_S)
                except TimeoutError:
                    yield None
        finally:
            self._listeners.discard(queue)

    def _wake_all(self) -> None:
        for queue in self._listeners:
            if not queue.full():
                queue.put_nowait(None)

    async def _send(self) -> None:
        client = redis.Redis.from_url(self._url)
        while True:
            notice = await self._outgoing.get()
            try:
                await client.publish(_CHANNEL, json.dumps([self._me, notice.topic, notice.id]))
            except (RedisError, OSError):
                await asyncio.sleep(0.2)

    async def _hear(self) -> None:
        while True:
            client = redis.Redis.from_url(self._url)
            try:
                async with client.pubsub(ignore_subscribe_messages=True) as pubsub:
                    await pubsub.subscribe(_CHANNEL)
                    self._set_connected(True)
                    async for message in pubsub.listen():
                        origin, topic, record_id = json.loads(message["data"])
                        if origin != self._me:
                            self._tell(Notice(topic, record_id))
            except (RedisError, OSError, ValueError) as error:
                if self.connected:
                    _log.warning("bus_lost", error=str(error))
                self._set_connected(False)
                await asyncio.sleep(0.5)
            finally:
                await client.aclose()

    def _set_connected(self, up: bool) -> None:
        self.connected = up
        metrics.BUS_UP.set(int(up))
        self._wake_all()  # whatever was missed meanwhile is in the log
