"""Threads for transactions, with a fast lane: what a provider waits for goes before the turns that queue."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class Threads:
    """A fixed number of threads over two queues; `urgent` work is taken first."""

    def __init__(self, count: int, name: str) -> None:
        """Starts the threads."""
        self._wanted = threading.Condition()
        self._queues: tuple[deque[Any], deque[Any]] = (deque(), deque())
        self._closing = False
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True)
            for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Callable[[], T], *, urgent: bool = False) -> "Future[T]":
        """Run `work` in one of the threads."""
        future: Future[T] = Future()
        with self._wanted:
            if self._closing:
                raise RuntimeError("these threads were closed")
            self._queues[0 if urgent else 1].append((future, work))
            self._wanted.notify()
        return future

    def close(self) -> None:
        """Finish what was submitted, then end."""
        with self._wanted:
            self._closing = True
            self._wanted.notify_all()
        for thread in self._threads:
            thread.join()

    def _next(self) -> Any:
        with self._wanted:
            while True:
                for queue in self._queues:
                    if queue:
                        return queue.popleft()
                if self._closing:
                    return None
                self._wanted.wait()

    def _work(self) -> None:
        while (taken := self._next()) is not None:
            future, work = taken
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)
            del future, work, taken
