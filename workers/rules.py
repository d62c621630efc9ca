"""The thread that carries rules out: it reads the log a few times a second and works off what is new.

One in the whole deployment at a time by a lease; were there two, the cursor's row would let one wait.
"""

import threading
import time
from datetime import timedelta

from bot.automation.consumer import BATCH, advance, behind
from bot.logs import logger
from bot.pipeline.runtime import Runtime
from bot.records import lease
from bot.records.actor import SYSTEM
from bot.records.store import explain

EVERY_S = 0.25
SMALLEST = 20
FAILED_S = 1.0
_LEASE, _RENEW_S = timedelta(seconds=6), 2.0
_BREATH_S = 0.02
"""Between two batches, so that on SQLite others come to write."""
_log = logger("rules")


class Rules:
    """A thread of the worker process."""

    def __init__(self, runtime: Runtime) -> None:
        """Starts nothing yet."""
        self._runtime = runtime
        self._store = runtime.store
        self._holder = runtime.holder
        self._stopping = threading.Event()
        self._held_until = 0.0
        self._limit = SMALLEST
        self._thread = threading.Thread(target=self._work, name="rules", daemon=True)

    def open(self) -> None:
        """Start."""
        self._thread.start()

    def close(self) -> None:
        """Finish the batch, stop, and give the lease back."""
        self._stopping.set()
        self._thread.join(10)
        self._store.write_now(lease.let_go, SYSTEM, "rules", self._holder)

    def _work(self) -> None:
        pause = 0.0
        while not self._stopping.wait(pause):
            try:
                pause = _BREATH_S if self._mine() and self.once() else EVERY_S
            except Exception as error:
                _log.error("rules_failed", error=explain(error))
                pause = FAILED_S

    def _mine(self) -> bool:
        """Whether this process holds the lease; renewed every other second."""
        if time.monotonic() < self._held_until:
            return True
        if not self._store.write_now(lease.hold, SYSTEM, "rules", self._holder, _LEASE):
            return False
        self._held_until = time.monotonic() + _RENEW_S
        return True

    def once(self) -> int:
        """One batch; returns how many events it had."""
        if not self._store.read_now(behind, SYSTEM):
            return 0
        done = self._store.write_now(advance, SYSTEM, self._runtime, self._limit)
        # What a batch asks for its later events is lost where its time is over before them.
        self._limit = min(BATCH, self._limit * 2) if done == self._limit else max(SMALLEST, done)
        return done
