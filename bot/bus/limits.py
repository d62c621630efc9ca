"""How much of something may still happen: token buckets and sums that all processes share through Valkey.

While Valkey is away, or not set up, each process counts for itself. A bucket that is nearly full is counted
here alone, so that an ordinary customer's message costs no round trip.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import redis.asyncio as redis
from redis.exceptions import RedisError

from bot.logs import logger

_MOST = 20_000
"""Names that a process remembers."""
_SHARED_BELOW = 0.75
"""From this part of a full bucket on the others are asked too."""
_ANSWER_S = 0.2
_AWAY_S = 5.0
"""How long Valkey is not asked after it failed."""
_PREFIX = "samvad:limit:"
_log = logger("limits")

_TAKE = """
local now = redis.call('TIME'); now = now[1] + now[2] / 1000000
local kept = redis.call('HMGET', KEYS[1], 'left', 'at')
local most, each = tonumber(ARGV[1]), tonumber(ARGV[2])
local since = math.max(0, now - (tonumber(kept[2]) or now))
local left = math.min(most, (tonumber(kept[1]) or most) + since * each)
local given = 0
if left >= tonumber(ARGV[3]) then left = left - tonumber(ARGV[3]); given = 1 end
redis.call('HSET', KEYS[1], 'left', tostring(left), 'at', string.format('%.3f', now))
redis.call('EXPIRE', KEYS[1], math.ceil(most / each) + 1)
return given
"""
_ADD = """
local sum = redis.call('INCRBYFLOAT', KEYS[1], ARGV[1])
if redis.call('TTL', KEYS[1]) < 0 then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
return sum
"""


class Limits:
    """Ask in the event loop."""

    def __init__(self, url: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        """`url` of Redis or Valkey; empty: this process alone."""
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._sums: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._client = (
            redis.Redis.from_url(url, socket_timeout=_ANSWER_S, socket_connect_timeout=_ANSWER_S)
            if url
            else None
        )
        self._away_until = 0.0

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()

    async def take(self, name: str, most: int, per_s: float, amount: int = 1) -> bool:
        """Take from a bucket that holds `most` and is full again after `per_s` seconds; False when it is too
        much, and nothing is taken. A `most` of 0 means no limit."""
        if not most:
            return True
        now, each = self._clock(), most / per_s
        left, at = self._buckets.pop(name, (float(most), now))
        left = min(float(most), left + (now - at) * each)
        allowed = left >= amount
        _keep(self._buckets, name, (left - amount if allowed else left, now))
        if left - amount >= most * _SHARED_BELOW:
            return True
        shared = await self._ask(_TAKE, name, most, each, amount)
        return allowed if shared is None else bool(shared)

    async def add(self, name: str, amount: float, per_s: float) -> float:
        """Add to a sum that is forgotten `per_s` seconds after it began; what it is now."""
        now = self._clock()
        total, ends = self._sums.pop(name, (0.0, now + per_s))
        if now >= ends:
            total, ends = 0.0, now + per_s
        _keep(self._sums, name, (total + amount, ends))
        shared = await self._ask(_ADD, name, amount, math.ceil(per_s))
        return total + amount if shared is None else float(shared)

    async def _ask(self, script: str, name: str, *given: float) -> Any:
        """What the shared counter says; None when it does not."""
        if self._client is None or self._clock() < self._away_until:
            return None
        try:
            # The type stubs give the answer of both clients, the waiting one's and the other's.
            return await self._client.eval(script, 1, _PREFIX + name, *map(str, given))
        except (RedisError, OSError) as error:
            self._away_until = self._clock() + _AWAY_S
            _log.warning("limits_alone", error=str(error))
            return None


def _keep(kept: OrderedDict[str, tuple[float, float]], name: str, value: tuple[float, float]) -> None:
    kept[name] = value
    if len(kept) > _MOST:
        kept.popitem(last=False)
