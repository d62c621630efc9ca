"""An endpoint that fails is left alone for a while, then tried by one call."""

import time

FAILURES = 5
"""In a row."""
PAUSES_S = (15.0, 30.0, 60.0, 300.0)
"""How long it is left alone, at the first opening and at each one that follows a failed trial."""


class Breaker:
    """One endpoint's."""

    def __init__(self) -> None:
        self._failures = self._pauses = 0
        self._until = 0.0

    def closed(self) -> bool:
        """Whether it may be asked. After a pause the first to come tries for all."""
        now = time.monotonic()
        if now < self._until:
            return False
        if self._pauses:
            self._until = now + self._pause()
        return True

    def answered(self) -> None:
        """It did."""
        self._failures = self._pauses = 0
        self._until = 0.0

    def failed(self, wish_s: float = 0.0) -> None:
        """It did not; `wish_s` is how long it asked to be left alone."""
        self._failures += 1
        if self._pauses or self._failures >= FAILURES:
            self._pauses += 1
            self._until = time.monotonic() + self._pause()
        self._until = max(self._until, time.monotonic() + wish_s) if wish_s else self._until

    def _pause(self) -> float:
        return PAUSES_S[min(self._pauses, len(PAUSES_S)) - 1]
