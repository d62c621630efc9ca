"""The index that answers come from, kept in memory and built anew when an article changes.

Small businesses have hundreds of articles, not millions: searching them in process costs less than a
millisecond and no statement (docs/decisions/0005).
"""

import asyncio
from contextlib import suppress
from typing import Any

from bot.crm.article import published, version_of_all
from bot.knowledge.index import ArticleText, KnowledgeIndex
from bot.logs import logger
from bot.records.actor import SYSTEM
from bot.records.store import Store, explain
from bot.records.tx import Tx

LOOKS_EVERY_S = 15.0
"""Another process's edit is seen at the latest after this long, without a bus sooner or later too."""
_log = logger("library")


class Library:
    """The current index. Readers take `index` once a turn: it never changes under them."""

    def __init__(self, store: Store) -> None:
        """Empty until `open`."""
        self._store = store
        self._version = ""
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.index = KnowledgeIndex.build(())

    async def open(self) -> None:
        """Build the index and watch the articles."""
        await self.refresh()
        self._task = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def changed(self) -> None:
        """An article was saved: look soon."""
        self._wanted.set()

    async def refresh(self) -> None:
        """Build anew if any article changed since the last time."""
        version = await self._store.read(version_of_all, SYSTEM)
        if version == self._version:
            return
        articles = await self._store.read(_texts, SYSTEM)
        self.index = await self._store.aside(lambda: KnowledgeIndex.build(articles))
        self._version = version

    async def _watch(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), LOOKS_EVERY_S)
            self._wanted.clear()
            try:
                await self.refresh()
            except Exception as error:
                _log.error("index_failed", error=explain(error))


def _texts(tx: Tx) -> tuple[Any, ...]:
    return tuple(
        ArticleText(row["id"], row["key"], row["lang"], row["title"], row["body"]) for row in published(tx)
    )
