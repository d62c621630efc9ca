"""The part all HTTP emulators share: a server on the loopback, faults to order, work in the background."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web


@dataclass(frozen=True, slots=True)
class Fault:
    """What the next call meets: an HTTP status, or `cut`: taken, and the connection closed unanswered.

    `refused` calls are not counted as sent; a cut one is, as it would be at the provider.
    """

    status: int = 500
    retry_after: int | None = None
    cut: bool = False


class Server:
    """An aiohttp server on 127.0.0.1, port 0."""

    def __init__(self, target: str = "") -> None:
        self.target = target
        self.delay = 0.0
        """Seconds before every answer."""
        self.faults: list[Fault] = []
        """Met one per call, in order."""
        self._app = web.Application(client_max_size=64 * 1024 * 1024)
        self._runner: web.AppRunner | None = None
        self._port = 0
        self._http: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The address, without a trailing slash."""
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        self._runner = web.AppRunner(self._app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._http is not None:
            await self._http.close()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def http(self) -> aiohttp.ClientSession:
        """The client that calls Samvad's webhooks."""
        if self._http is None:
            raise RuntimeError("the emulator is not running: use `async with`")
        return self._http

    def fail_next(self, count: int = 1, status: int = 500, retry_after: int | None = None) -> None:
        """Refuse the next calls with `status`."""
        self.faults.extend([Fault(status, retry_after)] * count)

    def cut_next(self, count: int = 1) -> None:
        """Take the next calls, then close the connection without an answer."""
        self.faults.extend([Fault(cut=True)] * count)

    async def next_fault(self) -> Fault | None:
        """What this call meets, after the delay."""
        if self.delay:
            await asyncio.sleep(self.delay)
        return self.faults.pop(0) if self.faults else None

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something after the answer. `settle` waits for it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self) -> None:
        """Wait until everything put off is done."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)


def cut(request: web.Request) -> web.StreamResponse:
    """Close the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


def retry_headers(fault: Fault) -> dict[str, str]:
    """`Retry-After` where the fault has one."""
    return {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
