"""The dispatcher: hands timers that fell due to RQ. One in the whole deployment, by a lease.

The rows are the truth: what Redis forgets is handed out again when the row's lease ends undone.
"""

import threading
import time
from collections.abc import Callable
from datetime import timedelta

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue

from bot.logs import logger
from bot.pipeline.runtime import process_name
from bot.records import lease
from bot.records.actor import SYSTEM
from bot.records.store import Store, explain
from bot.records.timer import hand_out
from workers.jobs import (
    find_gaps,
    fire_timer,
    housekeeping,
    index_articles,
    learn,
    mail_notifications,
)

QUEUE = "samvad"
EVERY_S = 1.0
MAIL_EVERY_S = 30.0
TIDY_EVERY_S = 3600.0
LEARN_EVERY_S = 30.0
INDEX_EVERY_S = 15.0
GAPS_EVERY_S = 10.0
_LEASE = timedelta(seconds=10)
_log = logger("dispatcher")


class Dispatcher:
    """A thread of the worker process: enqueueing takes milliseconds and must not stand in an event loop."""

    def __init__(
        self, store: Store, redis: Redis, unlearned: Callable[[], bool], unindexed: Callable[[], bool]
    ) -> None:
        """Starts nothing yet. `unlearned`: whether the flows in use wait for their whole model; `unindexed`:
        whether articles wait to be found by their meaning."""
        self._store = store
        self._unlearned = unlearned
        self._unindexed = unindexed
        self._queue = Queue(QUEUE, connection=redis)
        self._stopping = threading.Event()
        self._holder = process_name()
        self._last: dict[str, float] = {}
        self._thread = threading.Thread(target=self._work, name="dispatcher", daemon=True)

    def open(self) -> None:
        """Start."""
        self._thread.start()

    def close(self) -> None:
        """Stop and give the lease back."""
        self._stopping.set()
        self._thread.join(10)
        self._store.write_now(lease.let_go, SYSTEM, "dispatcher", self._holder)

    def _work(self) -> None:
        while not self._stopping.wait(EVERY_S):
            try:
                if self._store.write_now(lease.hold, SYSTEM, "dispatcher", self._holder, _LEASE):
                    self.once()
            except RedisError as error:
                _log.warning("queue_away", error=explain(error))
            except Exception as error:
                _log.error("dispatch_failed", error=explain(error))

    def once(self) -> int:
        """Hand out what is due now; returns how many timers."""
        self._queue.connection.ping()  # before anything is leased: an absent queue must not hold timers up
        due = self._store.write_now(hand_out, SYSTEM)
        for row in due:
            # No retry in the queue: a row whose lease ends undone is handed out again.
            self._queue.enqueue(fire_timer, row["id"], result_ttl=60, failure_ttl=3600)
        regular = [
            ("mail", mail_notifications, MAIL_EVERY_S),
            ("tidy", housekeeping, TIDY_EVERY_S),
            ("gaps", find_gaps, GAPS_EVERY_S),
        ]
        if self._unlearned():
            regular.append(("learn", learn, LEARN_EVERY_S))
        else:
            self._last.pop("learn", None)  # what is published next is learned at once
        if self._unindexed():
            regular.append(("index", index_articles, INDEX_EVERY_S))
        for name, job, every in regular:
            if name not in self._last or time.monotonic() - self._last[name] >= every:
                self._queue.enqueue(job, result_ttl=60)
                self._last[name] = time.monotonic()
        return len(due)
