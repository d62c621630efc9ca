"""From hits to articles: one row an article whatever its languages, and how sure we may be."""

from dataclasses import dataclass, replace
from typing import Literal

from bot.i18n import chain
from bot.knowledge.index import Hit, KnowledgeIndex
from bot.knowledge.tokens import terms

# Chosen on the starter articles for the balance of right answers and honest refusals.
SURE = 0.55
"""Certainty from which one article stands alone."""
POSSIBLE = 0.42
"""Certainty from which an article is worth naming."""
AHEAD = 1.12
"""How far, by score, a sure article is ahead of the next."""
TITLE = 0.35
"""What the title's share adds to the coverage: an article is about what its title says."""


UNNAMED_POSSIBLE, UNNAMED_SURE = 0.6, 0.8
"""Coverage from which an article is named, or answers, whose title has no word of the question."""

TOLD = 3
"""Content words that such a question must have to be answered at once."""


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
    for hit in index.search(question, limit=16):
        known = best.setdefault(hit.passage.article.key, hit)
        # Of one article's passages the one that holds most of the question; of equals the first.
        if (hit.coverage, -hit.passage.place) > (known.coverage, -known.passage.place):
            best[hit.passage.article.key] = replace(hit, score=known.score)
    hits = tuple(hit for hit in best.values() if _possible(hit))
    if not hits:
        return Found("none")
    first = hits[0]
    rivals = [hit for hit in hits[1:] if certainty(hit) >= SURE - 0.1]
    ahead = all(first.score >= hit.score * AHEAD for hit in rivals)
    # Of a short question any article may hold all the words by chance.
    told = first.coverage >= UNNAMED_SURE and len(set(terms(question))) >= TOLD
    named = first.titled > 0 or told
    return Found("sure" if named and certainty(first) >= SURE and ahead else "unsure", hits)


def _possible(hit: Hit) -> bool:
    return certainty(hit) >= (POSSIBLE if hit.titled else UNNAMED_POSSIBLE)


def reading_order(lang: str) -> tuple[str, ...]:
    """Which languages to read an article in: for romanised Hindi Latin letters come before Devanagari."""
    return ("hi-Latn", "en", "hi") if lang == "hi-Latn" else chain(lang)
