"""Threads for transactions, with a fast lane: what a provider waits for goes before the turns that queue."""

import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

Done = Callable[[Any, BaseException | None], None]
"""Told, in the thread, what the work returned or raised."""


class Threads:
    """A fixed number of threads over two queues; `urgent` work is taken first, and by `reserved` more threads
    that take nothing else."""

    def __init__(self, count: int, name: str, reserved: int = 0) -> None:
        """Starts the threads."""
        self._lock = threading.Lock()
        self._closing = False
        self._urgent: deque[Any] = deque()
        self._plain: deque[Any] = deque()
        # A call for each piece of work; a thread that finds it taken already waits for the next call.
        self._calls: SimpleQueue[None] = SimpleQueue()
        self._urgent_calls: SimpleQueue[None] = SimpleQueue()
        usual = [(self._calls, (self._urgent, self._plain))] * count
        fast = [(self._urgent_calls, (self._urgent,))] * reserved
        self._threads = [
            threading.Thread(target=self._work, args=(*what,), name=f"{name}-{number}", daemon=True)
            for number, what in enumerate((*usual, *fast))
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Callable[[], Any], done: Done, *, urgent: bool = False) -> None:
        """Run `work` in one of the threads, then `done`."""
        with self._lock:
            if self._closing:
                raise RuntimeError("these threads were closed")
            (self._urgent if urgent else self._plain).append((work, done))
        self._calls.put(None)
        if urgent:
            self._urgent_calls.put(None)

    def close(self) -> None:
        """Finish what was submitted, then end."""
        with self._lock:
            self._closing = True
        for _ in self._threads:
            self._calls.put(None)
            self._urgent_calls.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self, calls: "SimpleQueue[None]", queues: tuple[deque[Any], ...]) -> None:
        while True:
            calls.get()
            taken = _first(queues)
            if taken is None:
                if self._closing:
                    return
                continue
            work, done = taken
            try:
                result = work()
            except BaseException as error:
                done(None, error)
            else:
                done(result, None)
                del result
            del work, done, taken


def _first(queues: tuple[deque[Any], ...]) -> Any:
    """What waits in the first queue that is not empty; None where all are."""
    for queue in queues:
        try:
            return queue.popleft()
        except IndexError:
            continue
    return None
