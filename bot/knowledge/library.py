"""The index that answers come from, kept in memory and built anew when an article changes.

Small businesses have hundreds of articles, not millions: searching them in process costs less than a
millisecond and no statement (docs/decisions/0005). An article is found by its words from the moment it is
saved, and by its meaning once a worker has embedded its pieces.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from bot.crm.article import published, version_of_all
from bot.knowledge import vectors
from bot.knowledge.embeddings import Vectors, embed_one, embed_pieces
from bot.knowledge.index import EVERYBODY, KnowledgeIndex
from bot.knowledge.passages import ArticleText, texts_of
from bot.knowledge.retrieve import Asked, goes_on
from bot.logs import logger
from bot.records.actor import SYSTEM
from bot.records.store import Store, explain
from bot.records.tx import Tx

AT_ONCE = 32
"""Pieces that are embedded between two commits: some seconds."""
LOOKS_EVERY_S = 15.0
"""Another process's edit is seen at the latest after this long, without a bus sooner or later too."""
_log = logger("library")


class Library:
    """The current index. Readers take `index` once a turn: it never changes under them."""

    def __init__(self, store: Store, *, meaning: bool) -> None:
        """Empty until `open`. Without `meaning` articles are found by their words alone."""
        self._store = store
        self._meaning = meaning
        self._version = ""
        self._known: dict[str, Vectors] = {}
        self._embedding: asyncio.Task[None] | None = None
        self._refreshing = asyncio.Lock()
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.index = KnowledgeIndex.build(())
        self.lacks: tuple[str, ...] = ()
        """Pieces whose meaning is not known yet."""

    async def open(self) -> None:
        """Build the index and watch the articles."""
        await self.refresh()
        self._task = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Stop watching and embedding."""
        tasks = [task for task in (self._task, self._embedding) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def changed(self) -> None:
        """An article was saved: look soon."""
        self._wanted.set()

    async def refresh(self) -> None:
        """Build anew if any article changed, or pieces were embedded, since the last time."""
        async with self._refreshing:  # who looked first must not put the older index over the newer
            await self._refresh()

    async def _refresh(self) -> None:
        version = await self._store.read(version_of_all, SYSTEM)
        if version == self._version and not self.lacks:
            return
        articles = await self._store.read(_texts, SYSTEM)
        names = await self._store.aside(lambda: _names(articles)) if self._meaning else {}
        new = await self._store.read(
            vectors.kept, SYSTEM, [name for name in names if name not in self._known]
        )
        if version == self._version and not new:
            return
        self._known = {name: vector for name, vector in (self._known | new).items() if name in names}
        known = {text: self._known[name] for name, text in names.items() if name in self._known}
        self.index = await self._store.aside(lambda: KnowledgeIndex.build(articles, known))
        self.lacks = tuple(text for name, text in names.items() if name not in self._known)
        self._version = version

    async def asked(self, question: str, audiences: frozenset[str] = EVERYBODY, before: str = "") -> Asked:
        """A question with what it means, where articles are found by that; `before` is the one that the same
        customer asked just now."""
        meant = None
        if self.index.meaning is not None:
            meant = await self._store.aside(lambda: embed_one(question))
        whole = await self.asked(f"{before} {question}", audiences) if before and goes_on(question) else None
        return Asked(question, meant, audiences, whole)

    def begin(self, told: Callable[[], None]) -> bool:
        """Start to embed the pieces that wait for it and call `told` whenever some are done. False when none
        wait or it goes on."""
        if not self.lacks or (self._embedding is not None and not self._embedding.done()):
            return False
        self._embedding = asyncio.create_task(self._embed(told))
        return True

    async def _embed(self, told: Callable[[], None]) -> None:
        try:
            while self.lacks:
                await self.embed_some()
                _log.info("embedded", pieces=AT_ONCE, left=len(self.lacks))
                told()
        except Exception as error:
            _log.error("not_embedded", error=explain(error))

    async def embed_some(self, most: int = AT_ONCE) -> None:
        """Embed some of the pieces that wait for it, and keep what they mean."""
        some = self.lacks[:most]
        found = await self._store.aside(lambda: embed_pieces(some))
        made = {vectors.digest(text): vector for text, vector in zip(some, found, strict=True)}
        await self._store.run(vectors.keep, SYSTEM, made)
        await self.refresh()
        if not self.lacks:
            await self._store.run(vectors.forget_others, SYSTEM, tuple(self._known))

    async def _watch(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), LOOKS_EVERY_S)
            self._wanted.clear()
            try:
                await self.refresh()
            except Exception as error:
                _log.error("index_failed", error=explain(error))


def _names(articles: Sequence[ArticleText]) -> dict[str, str]:
    """The articles' pieces by the names of their vectors."""
    return {vectors.digest(text): text for article in articles for text in texts_of(article)}


def _texts(tx: Tx) -> tuple[ArticleText, ...]:
    return tuple(
        ArticleText(
            row["id"],
            row["key"],
            row["lang"],
            row["title"],
            row["body"],
            row["audience"],
            row["publish_at"],
            row["expires_at"],
        )
        for row in published(tx)
    )
