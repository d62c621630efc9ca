"""One App for all jobs of a worker process, on one event loop in a thread of its own.

RQ's jobs are synchronous and end with their function; what they need stays open here (docs/decisions/0006).
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any, TypeVar

from bot.app import App, open_app
from bot.settings import Settings

T = TypeVar("T")
JOB_TIMEOUT_S = 300.0


class Host:
    """Opened at the worker's start; jobs reach it by `current()`."""

    def __init__(self, settings: Settings, redis_url: str) -> None:
        """Opens nothing yet."""
        self._settings = settings
        self._redis_url = redis_url
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="app", daemon=True)
        self._stack = AsyncExitStack()
        self.app: App

    def open(self) -> None:
        """Open the App. Raises what opening it raises."""
        self._thread.start()
        self.app = self.wait(
            self._stack.enter_async_context(open_app(self._settings, serve=False, redis_url=self._redis_url))
        )
        _hosts.append(self)

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the App's loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(JOB_TIMEOUT_S)

    def close(self) -> None:
        """Close the App and its loop."""
        _hosts.remove(self)
        self.wait(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


_hosts: list[Host] = []


def current() -> Host:
    """The host of this worker process."""
    return _hosts[-1]


def on_app(work: Callable[[App], Coroutine[Any, Any, T]]) -> T:
    """Run a job's work on the App."""
    host = current()
    return host.wait(work(host.app))
