"""How fast each of our accounts may send, and whether its provider answers at all.

One breaker an account: after several failures in a row nothing is sent for a while, then one message tries;
so a provider that is down is not beaten with a thousand conversations' retries, and no message uses up its
tries. The rate is this process's: with several, each counts for itself, and a 429 has the last word.
"""

import asyncio
import time
from dataclasses import dataclass

from bot import metrics
from bot.logs import logger

_log = logger("pace")
FAILURES = 5
"""In a row, with no message taken in between."""
PAUSES_S = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0)
"""How long nothing is sent, at the first opening and at each one that follows a failed trial."""
LONGEST_WAIT_S = 15.0
"""Who would wait longer for their slot goes back to the queue, well before a lease of theirs runs out."""


@dataclass(slots=True)
class Pace:
    """One account's."""

    channel: str
    account: str
    per_second: float
    _next: float = 0.0
    _failures: int = 0
    _pauses: int = 0
    _until: float = 0.0

    def closed_for(self) -> float:
        """Seconds that a message must wait before it is tried; 0: now, and it takes the slot that is free.

        While paused, the first to come after the pause tries for all."""
        now = time.monotonic()
        if self._pauses:
            if now < self._until:
                return self._until - now
            self._until = now + self._pause()
            return 0.0
        slot = max(now, self._next)
        return slot - now if slot - now > LONGEST_WAIT_S else 0.0

    async def slot(self) -> None:
        """Wait for the next slot of the rate."""
        if not self.per_second:
            return
        now = time.monotonic()
        slot = max(now, self._next)
        self._next = slot + 1.0 / self.per_second
        if slot > now:
            await asyncio.sleep(slot - now)

    def taken(self) -> None:
        """The provider answered: it took the message, or refused it for good."""
        if self._pauses:
            _log.info("provider_back", channel=self.channel, account=self.account)
            metrics.PAUSED.labels(self.channel, self.account).set(0)
        self._failures = self._pauses = 0

    def failed(self) -> None:
        """The provider did not, or is too busy."""
        self._failures += 1
        if self._pauses:  # the one that tried for all
            self._pauses += 1
            self._until = time.monotonic() + self._pause()
        elif self._failures >= FAILURES:
            self._pauses = 1
            self._until = time.monotonic() + self._pause()
            _log.warning("provider_paused", channel=self.channel, account=self.account)
            metrics.PAUSED.labels(self.channel, self.account).set(1)

    def _pause(self) -> float:
        return PAUSES_S[min(self._pauses, len(PAUSES_S)) - 1]
