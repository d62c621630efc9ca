"""Who calls: `Authorization: Bearer KEY`."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable

from aiohttp import web

from bot.crm.user import actor_for_key
from bot.records.actor import SYSTEM, Actor
from bot.records.store import Store

REMEMBERED_S = 5.0
"""A known key is not looked up again for this long; a revoked one works at most this much longer."""
_MOST = 1_000


class KeyCache:
    """The actors of the keys used just now, by digest; forged keys are never kept."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` in seconds."""
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, Actor]] = OrderedDict()

    async def actor(self, store: Store, key: str) -> tuple[str, Actor]:
        """The key's digest, and who holds it. Raises NotSignedIn."""
        digest = hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()
        now = self._clock()
        if (found := self._known.get(digest)) is not None and found[0] > now:
            return digest, found[1]
        self._known.pop(digest, None)
        actor = await store.read(actor_for_key, SYSTEM, key)
        self._known[digest] = (now + REMEMBERED_S, actor)
        if len(self._known) > _MOST:
            self._known.popitem(last=False)
        return digest, actor


KEYS: web.AppKey[KeyCache] = web.AppKey("api_keys", KeyCache)


def key_of(request: web.Request) -> str:
    """The key that the request carries; nothing where there is none."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" and key.isascii() else ""
