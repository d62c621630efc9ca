"""How many requests a key may send: a bucket a key, kept by this process alone.

Several web processes let a key send that many each; a limit that holds to the request would cost a round trip
to a shared store on every one of them.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable

_MOST = 10_000
WINDOW_S = 60


class Limiter:
    """Full buckets hold `rate` requests and fill again within a minute; 0: no limit."""

    def __init__(self, rate: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`rate` in requests a minute, `clock` in seconds."""
        self.rate = rate
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> tuple[int, dict[str, str]]:
        """Count a request: how many seconds it comes too early (0: it may go on), and the headers that
        say what is left (draft-ietf-httpapi-ratelimit-headers-10)."""
        if not self.rate:
            return 0, {}
        now = self._clock()
        left, at = self._left.pop(key, (float(self.rate), now))
        left = min(float(self.rate), left + (now - at) * self.rate / WINDOW_S)
        wait = 0 if left >= 1 else max(1, math.ceil((1 - left) * WINDOW_S / self.rate))
        left -= 0 if wait else 1
        self._left[key] = (left, now)
        if len(self._left) > _MOST:
            self._left.popitem(last=False)
        # `t`: the seconds until all of the quota is there again.
        full = math.ceil((self.rate - left) * WINDOW_S / self.rate)
        return wait, {
            "RateLimit-Policy": f'"key";q={self.rate};w={WINDOW_S}',
            "RateLimit": f'"key";r={int(left)};t={full}',
        }
