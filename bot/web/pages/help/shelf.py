"""What everybody may read, as the pages list it: read once and kept for as long as nothing changes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar

import sqlalchemy as sa
from aiohttp import web

from bot.crm.article import ARTICLE, readable
from bot.crm.article_vote import usefulness
from bot.i18n import chain
from bot.knowledge.tokens import terms
from bot.records.actor import SYSTEM
from bot.records.tx import Tx
from bot.storage import Instant
from bot.web.keys import APP

T = TypeVar("T")
PUBLIC = ("public",)
VOTES_AGE = timedelta(minutes=5)
"""How old the count of votes may be."""
RELATED = 4


@dataclass(frozen=True, slots=True)
class Card:
    """An article in one language, without its text."""

    id: str
    key: str
    lang: str
    title: str
    category: str | None
    updated_at: datetime


@dataclass(frozen=True)
class Shelf:
    """The cards by title. `stamp` is another one whenever an article changes, begins or ends; `useful` says
    of a key how many more readers found it useful than not."""

    stamp: tuple[Any, ...] = ()
    cards: tuple[Card, ...] = ()
    useful: Mapping[str, int] = field(default_factory=dict)
    read_at: datetime | None = None

    @cached_property
    def ids(self) -> dict[str, Card]:
        """The cards by id."""
        return {card.id: card for card in self.cards}

    @cached_property
    def keys(self) -> dict[str, dict[str, Card]]:
        """Key -> language -> card."""
        found: dict[str, dict[str, Card]] = {}
        for card in self.cards:
            found.setdefault(card.key, {})[card.lang] = card
        return found

    @cached_property
    def newest(self) -> datetime | None:
        """When any of them last changed."""
        return max((card.updated_at for card in self.cards), default=None)

    @cached_property
    def _titles(self) -> dict[str, frozenset[str]]:
        return {card.id: frozenset(terms(card.title)) for card in self.cards}

    @cached_property
    def _written(self) -> list[str]:
        return sorted({card.lang for card in self.cards})

    @cached_property
    def _listed(self) -> dict[tuple[str, ...], list[Card]]:
        return {}

    @cached_property
    def _related(self) -> dict[tuple[str, tuple[str, ...]], list[Card]]:
        return {}

    def languages(self, offered: Sequence[str]) -> tuple[str, ...]:
        """Those of the business, then others that articles are written in."""
        return tuple(dict.fromkeys((*offered, *self._written)))

    def card(self, key: str, langs: Sequence[str]) -> Card | None:
        """An article in the first of these languages that it is there in, else in any."""
        there = self.keys.get(key)
        if there is None:
            return None
        return there[next((lang for lang in langs if lang in there), min(there))]

    @cached_property
    def _topics(self) -> dict[tuple[str, str, str], str]:
        """(language, its category, another language) -> the category's name there, where an article that is
        there in both tells it."""
        found: dict[tuple[str, str, str], str] = {}
        for there in self.keys.values():
            named = [(lang, card.category) for lang, card in there.items() if card.category]
            for lang, name in named:
                for other, meant in named:
                    found.setdefault((lang, name, other), meant)
        return found

    def topic(self, card: Card, lang: str) -> str:
        """An article's category as readers of a language name it; empty without one."""
        name = card.category or ""
        return self._topics.get((card.lang, name, lang), name) if name else ""

    def listed(self, langs: tuple[str, ...]) -> list[Card]:
        """Every article once, each in the first of these languages that it is there in: those in the reader's
        own language first, by title."""
        if langs not in self._listed:
            found = (self.card(key, langs) for key in self.keys)
            cards = (card for card in found if card is not None)
            self._listed[langs] = sorted(
                cards, key=lambda card: (card.lang != langs[0], card.title.casefold())
            )
        return self._listed[langs]

    def related(self, card: Card, langs: tuple[str, ...]) -> list[Card]:
        """The articles nearest to one: of its category, with words of its title, found useful."""
        if (card.id, langs) not in self._related:
            self._related[card.id, langs] = self._nearest(card, langs)
        return self._related[card.id, langs]

    def _nearest(self, card: Card, langs: tuple[str, ...]) -> list[Card]:
        own = self._titles[card.id]
        weighed = []
        for other in self.listed(langs):
            if other.key == card.key:
                continue
            shared = len(own & self._titles[other.id])
            near = shared + 1.5 * (other.category is not None and other.category == card.category)
            if near:
                weighed.append((-near, -self.useful.get(other.key, 0), other.title, other))
        return [one[-1] for one in sorted(weighed, key=lambda one: one[:-1])[:RELATED]]


def order(lang: str, offered: Sequence[str]) -> tuple[str, ...]:
    """Which languages a reader of one is shown articles in. Who reads Hindi in Latin letters reads English
    before Devanagari."""
    near = (lang, "en") if lang.endswith("-Latn") else (lang,)
    return tuple(dict.fromkeys((*near, *chain(lang), *offered)))


_table = ARTICLE.table
_readable = readable(sa.bindparam("now", type_=Instant), PUBLIC)
_stamp = sa.select(
    sa.func.count(),
    sa.func.sum(_table.c.version),
    sa.func.max(_table.c.updated_at),
    sa.func.max(_table.c.publish_at),
    sa.func.min(_table.c.expires_at),
).where(_readable)
_cards = (
    sa.select(*(_table.c[name] for name in Card.__slots__))
    .where(_readable)
    .order_by(_table.c.title, _table.c.id)
)


def look(tx: Tx, known: Shelf) -> Shelf:
    """The shelf as it is now: the known one where it still holds."""
    stamp = tuple(tx.execute(_stamp, {"now": tx.now}).one())
    if stamp == known.stamp and known.read_at and tx.now - known.read_at < VOTES_AGE:
        return known
    rows = tx.rows(_cards, {"now": tx.now})
    return Shelf(stamp, tuple(Card(**row) for row in rows), usefulness(tx), tx.now)


class Shelves:
    """The shelf that this process read last."""

    def __init__(self) -> None:
        """Empty until somebody asks."""
        self.shelf = Shelf()


SHELVES: web.AppKey[Shelves] = web.AppKey("help_shelves", Shelves)


async def reading(request: web.Request, work: Callable[[Tx, Shelf], T]) -> tuple[Shelf, T]:
    """The shelf, and what `work` finds with it, in one hop."""
    shelves = request.app[SHELVES]

    def read(tx: Tx) -> tuple[Shelf, T]:
        shelf = shelves.shelf = look(tx, shelves.shelf)
        return shelf, work(tx, shelf)

    return await request.app[APP].store.read(read, SYSTEM)
