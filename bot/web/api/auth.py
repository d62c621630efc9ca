"""Who calls: `Authorization: Bearer KEY`."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable

from aiohttp import web

from bot.crm.api_key import USED_EVERY, actor_for_key, mark_key_used
from bot.records.actor import SYSTEM, Actor
from bot.records.store import Store

REMEMBERED_S = 5.0
"""A known key is not looked up again for this long: a revoked one, or one of somebody who left, works at most
this much longer, and a new role, team or territory holds at most this much later."""
_MOST = 1_000


class KeyCache:
    """The actors of the keys used just now, by digest; forged keys are never kept."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` in seconds."""
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, Actor]] = OrderedDict()
        self._marked: OrderedDict[str, float] = OrderedDict()

    async def actor(self, store: Store, key: str) -> tuple[str, Actor]:
        """The key's digest, and who holds it. Raises NotSignedIn."""
        digest = hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()
        now = self._clock()
        found = self._known.get(digest)
        # What a role may do holds from the moment it is said; what is the key's or its user's own may be as
        # old as these seconds.
        if found is not None and found[0] > now and found[1].access is store.schema.access:
            return digest, found[1]
        self._known.pop(digest, None)
        actor = await store.read(actor_for_key, SYSTEM, key)
        self._known[digest] = (now + REMEMBERED_S, actor)
        if len(self._known) > _MOST:
            self._known.popitem(last=False)
        await self._mark(store, key, digest, now)
        return digest, actor

    async def _mark(self, store: Store, key: str, digest: str, now: float) -> None:
        """Keep that the key is in use, once a while."""
        if self._marked.get(digest, 0.0) > now:
            return
        self._marked[digest] = now + USED_EVERY.total_seconds()
        if len(self._marked) > _MOST:
            self._marked.popitem(last=False)
        await store.step(mark_key_used, SYSTEM, key)


KEYS: web.AppKey[KeyCache] = web.AppKey("api_keys", KeyCache)


def key_of(request: web.Request) -> str:
    """The key that the request carries; nothing where there is none."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" and key.isascii() else ""
