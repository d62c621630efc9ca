"""From hits to articles: one row an article whatever its languages, and how sure we may be."""

from dataclasses import dataclass
from typing import Literal

from bot.i18n import chain
from bot.knowledge.index import Hit, KnowledgeIndex

# Chosen on the starter articles for the balance of right answers and honest refusals.
SURE = 0.55
"""Certainty from which one article stands alone."""
POSSIBLE = 0.42
"""Certainty from which an article is worth naming."""
AHEAD = 1.12
"""How far, by score, a sure article is ahead of the next."""
TITLE = 0.35
"""What the title's share adds to the coverage: an article is about what its title says."""


def certainty(hit: Hit) -> float:
    """How likely a passage is about the question, 0 to 1."""
    return min(1.0, hit.coverage + TITLE * hit.titled)


@dataclass(frozen=True, slots=True)
class Found:
    """What a question finds. `hits` hold the best passage of each article, best first."""

    certainty: Literal["sure", "unsure", "none"]
    hits: tuple[Hit, ...] = ()


def retrieve(index: KnowledgeIndex, question: str) -> Found:
    """The articles that may answer, and whether the first one does."""
    best: dict[str, Hit] = {}
    for hit in index.search(question, limit=12):
        best.setdefault(hit.passage.article.key, hit)
    hits = tuple(hit for hit in best.values() if certainty(hit) >= POSSIBLE)
    if not hits:
        return Found("none")
    first = hits[0]
    rivals = [hit for hit in hits[1:] if certainty(hit) >= SURE - 0.1]
    ahead = all(first.score >= hit.score * AHEAD for hit in rivals)
    return Found("sure" if certainty(first) >= SURE and ahead else "unsure", hits)


def reading_order(lang: str) -> tuple[str, ...]:
    """Which languages to read an article in: for romanised Hindi Latin letters come before Devanagari."""
    return ("hi-Latn", "en", "hi") if lang == "hi-Latn" else chain(lang)
