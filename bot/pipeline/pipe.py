"""The pipe of one serving process: receiver, lanes, deliverer, statuses, recovery, and who wakes whom."""

import asyncio
from contextlib import suppress
from datetime import timedelta

from bot.adapter import Accepted, Channel, Listener, Receive
from bot.logs import logger
from bot.messages import Parsed
from bot.pipeline.deliver import Deliverer
from bot.pipeline.files import Files
from bot.pipeline.lanes import Lanes
from bot.pipeline.receive import Receiver
from bot.pipeline.recover import Recovery
from bot.pipeline.runtime import Runtime
from bot.pipeline.statuses import Statuses
from bot.pipeline.templates import Templates
from bot.records import lease
from bot.records.actor import SYSTEM
from bot.records.store import explain

_log = logger("pipe")
LISTENER_LEASE = timedelta(seconds=20)
LOCAL_TOPICS = frozenset({"lane", "status", "outbox", "media", "template"})
"""Notices that a serving process keeps to itself: another would only fight it for the same lane."""


class Pipe:
    """Opened by `bot.app` in processes that serve."""

    def __init__(self, runtime: Runtime) -> None:
        """Starts nothing yet."""
        self.runtime = runtime
        self.deliverer = Deliverer(runtime)
        self.lanes = Lanes(runtime, self.deliverer.hand_over, lambda: self.receiver.in_flight)
        self.statuses = Statuses(runtime)
        self.files = Files(runtime)
        self.templates = Templates(runtime)
        self.receiver = Receiver(runtime, self.lanes.wake, self.statuses.wake)
        self.recovery = Recovery(runtime, self.lanes.wake, self.deliverer.wake)
        self._tasks: list[asyncio.Task[None]] = []
        self._listeners: dict[str, list[asyncio.Task[None]]] = {}

    async def open(self) -> None:
        """Start working, and take up what an earlier process left."""
        self.lanes.open()
        self.statuses.open()
        self._tasks = [asyncio.create_task(self._hear())]
        for name in self.runtime.channels:
            await self.listen_to(name)
        self.recovery.open()
        self.templates.open()

    async def close(self) -> None:
        """Stop taking in, finish the turns that run, let what is leaving leave."""
        await self.recovery.close()
        await self.templates.close()
        tasks = [*self._tasks, *(task for group in self._listeners.values() for task in group)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.lanes.close()
        await self.deliverer.close()
        await self.statuses.close()
        await self.files.close()

    async def listen_to(self, name: str) -> None:
        """Run the listeners of the adapter as it is now, and no longer those it had before.

        What an ended listener had stored but not confirmed comes again, and is known by its event key."""
        before = self._listeners.pop(name, [])
        for task in before:
            task.cancel()
        await asyncio.gather(*before, return_exceptions=True)
        channel = self.runtime.channels.get(name)
        if channel is not None:
            self._listeners[name] = [
                asyncio.create_task(self._listen(channel, listener)) for listener in channel.listeners()
            ]

    @property
    def idle(self) -> bool:
        """Whether this process has nothing to do at the moment."""
        return self.lanes.idle and self.deliverer.idle

    async def receive(self, parsed: Parsed, adapter: str) -> Accepted:
        """Store what a channel parsed; returns after the commit."""
        return await self.receiver.receive(parsed, adapter)

    async def _hear(self) -> None:
        """Turn notices of committed changes into work."""
        async for notice in self.runtime.bus.listen():
            if notice is None:
                continue
            if notice.topic == "lane":
                self.lanes.wake(notice.id)
            elif notice.topic == "status":
                self.statuses.wake()
            elif notice.topic == "outbox":
                self.deliverer.wake(notice.id)
            elif notice.topic == "media":
                self.files.wake(notice.id)
            elif notice.topic == "template":
                self.templates.wake()

    async def _listen(self, channel: Channel, listener: Listener) -> None:
        """Run a listener for ever, under a lease where there may be one only."""

        async def receive(parsed: Parsed) -> Accepted:
            return await self.receive(parsed, channel.name)

        while True:
            try:
                if not listener.exclusive:
                    await listener.run(receive)
                elif await self._hold(listener.name):
                    await self._run_leased(listener, receive)
            except asyncio.CancelledError:
                if listener.exclusive:
                    with suppress(Exception):
                        await self.runtime.store.run(lease.let_go, SYSTEM, listener.name, self.runtime.holder)
                raise
            except Exception as error:
                _log.error("listener_failed", listener=listener.name, error=explain(error))
            await asyncio.sleep(2)

    async def _hold(self, name: str) -> bool:
        return await self.runtime.store.run(lease.hold, SYSTEM, name, self.runtime.holder, LISTENER_LEASE)

    async def _run_leased(self, listener: Listener, receive: Receive) -> None:
        """Run until the lease cannot be renewed."""
        task = asyncio.ensure_future(listener.run(receive))
        try:
            while not task.done():
                await asyncio.wait([task], timeout=LISTENER_LEASE.total_seconds() / 3)
                if not task.done() and not await self._hold(listener.name):
                    return
            task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
