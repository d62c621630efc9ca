"""Threads for transactions, with a fast lane: what a provider waits for goes before the turns that queue."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

Done = Callable[[Any, BaseException | None], None]
"""Told, in the thread, what the work returned or raised."""


class Threads:
    """A fixed number of threads over two queues; `urgent` work is taken first, and by `reserved` more threads
    that take nothing else."""

    def __init__(self, count: int, name: str, reserved: int = 0) -> None:
        """Starts the threads."""
        lock = threading.Lock()
        self._wanted, self._urgent = threading.Condition(lock), threading.Condition(lock)
        self._queues: tuple[deque[Any], deque[Any]] = (deque(), deque())
        self._closing = False
        self._threads = [
            threading.Thread(target=self._work, args=(number >= count,), name=f"{name}-{number}", daemon=True)
            for number in range(count + reserved)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Callable[[], Any], done: Done, *, urgent: bool = False) -> None:
        """Run `work` in one of the threads, then `done`."""
        with self._wanted:
            if self._closing:
                raise RuntimeError("these threads were closed")
            self._queues[0 if urgent else 1].append((work, done))
            self._wanted.notify()
            if urgent:
                self._urgent.notify()

    def close(self) -> None:
        """Finish what was submitted, then end."""
        with self._wanted:
            self._closing = True
            self._wanted.notify_all()
            self._urgent.notify_all()
        for thread in self._threads:
            thread.join()

    def _next(self, reserved: bool) -> Any:
        queues, wanted = (self._queues[:1], self._urgent) if reserved else (self._queues, self._wanted)
        with wanted:
            while True:
                for queue in queues:
                    if queue:
                        return queue.popleft()
                if self._closing:
                    return None
                wanted.wait()

    def _work(self, reserved: bool) -> None:
        while (taken := self._next(reserved)) is not None:
            work, done = taken
            try:
                result = work()
            except BaseException as error:
                done(None, error)
            else:
                done(result, None)
                del result
            del work, done, taken
