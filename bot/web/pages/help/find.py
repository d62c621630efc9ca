"""Searching what everybody may read."""

from dataclasses import dataclass

from bot.knowledge.index import KnowledgeIndex
from bot.knowledge.passages import Passage
from bot.knowledge.retrieve import Asked, listed
from bot.web.pages.help.shelf import Card, Shelf
from bot.web.pages.help.text import excerpt

MOST_ASKED = 200
"""Characters of a question that are looked at."""
_DEEP = 60
"""Passages asked of the index: some are of articles that not everybody may read, some of the same article."""


@dataclass(frozen=True, slots=True)
class Found:
    """An article that fits, and how its passage reads."""

    card: Card
    text: str


def find(
    shelf: Shelf, index: KnowledgeIndex, asked: Asked, langs: tuple[str, ...], limit: int
) -> list[Found]:
    """The articles that fit a question best, best first, each once, in the first of these languages that it
    is there in."""
    first: dict[str, Passage] = {}
    keys: dict[str, None] = {}
    for hit in listed(index, asked, _DEEP):
        article = hit.passage.article
        if article.id in shelf.ids:
            first.setdefault(article.id, hit.passage)
            keys.setdefault(article.key)
    found: list[Found] = []
    for key in keys:
        card = shelf.card(key, langs)
        if card is not None and len(found) < limit:
            passage = first.get(card.id)
            found.append(Found(card, excerpt(passage.text) if passage else ""))
    return found
