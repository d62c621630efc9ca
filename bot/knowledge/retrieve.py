"""From hits to articles: one row an article whatever its languages, and how sure we may be."""

from dataclasses import dataclass, replace
from typing import Literal

from bot.i18n import chain
from bot.knowledge.embeddings import Vectors
from bot.knowledge.index import CANDIDATES, EVERYBODY, Hit, KnowledgeIndex
from bot.knowledge.tokens import FOLLOW_WORDS, terms, words

# By words, chosen on the starter articles for the balance of right answers and honest refusals.
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
GOES_ON = 7
"""Words of the longest question that is read together with the one before it."""
LOOKED_AT = 16
"""Passages, the best by their words, that are compared."""
TOLD = 3
"""Content words that such a question must have to be answered at once."""

# By meaning, chosen on questions to help centres and as many that are foreign to them (docs/knowledge.md).
NEAR = 0.8587
"""Nearness from which an article answers: the one threshold."""
NEARLY = 0.845
"""Nearness from which it answers where the words alone are sure of the same article."""
RELATED = 0.84
"""Nearness from which an article is worth naming where words share something with it, or asking about."""
SHARED = 0.3
"""Coverage from which an article belongs in a list to choose from."""
APART = 0.001
"""Articles whose scores are no farther apart than this are taken for one another as often as not."""


def certainty(hit: Hit) -> float:
    """How likely a passage is about the question by its words, 0 to 1."""
    return min(1.0, hit.coverage + TITLE * hit.titled)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question. `meant` is its embedding, without which words alone count; `audiences` those that the
    asker belongs to; `whole` this question together with the one that it goes on from."""

    text: str
    meant: Vectors | None = None
    audiences: frozenset[str] = EVERYBODY
    whole: "Asked | None" = None


@dataclass(frozen=True, slots=True)
class Found:
    """What a question finds. `hits` hold the best passage of each article, best first."""

    certainty: Literal["sure", "unsure", "none"]
    hits: tuple[Hit, ...] = ()


def goes_on(text: str) -> bool:
    """Whether a question leans on the one before it: "and the bigger one?", "what about Sunday"."""
    said = words(text)
    return len(said) <= GOES_ON and not FOLLOW_WORDS.isdisjoint(said[:2])


def retrieve(index: KnowledgeIndex, asked: Asked) -> tuple[Asked, Found]:
    """The question as it was understood, the articles that may answer, and whether the first one does."""
    chosen = index.titled(asked.text, asked.audiences)
    if chosen is not None:
        return asked, Found("sure", (Hit(chosen, 1.0, 1.0, 1.0, 1.0),))
    if asked.whole is not None and (together := _retrieve(index, asked.whole)).certainty == "sure":
        return asked.whole, together
    return asked, _retrieve(index, asked)


def _retrieve(index: KnowledgeIndex, asked: Asked) -> Found:
    hits = index.search(asked.text, 2 * CANDIDATES, asked.meant, asked.audiences)
    by_words = _by_words(asked, _articles(sorted(hits, key=lambda hit: -hit.by_words)[:LOOKED_AT]))
    if asked.meant is None or index.meaning is None:
        return by_words
    best: dict[str, Hit] = {}
    for hit in hits:
        best.setdefault(hit.passage.article.key, hit)
    return _by_meaning(by_words, tuple(best.values()))


def _articles(hits: list[Hit]) -> tuple[Hit, ...]:
    """Articles in the order of their best passages by words."""
    best: dict[str, Hit] = {}
    for hit in hits:
        known = best.setdefault(hit.passage.article.key, hit)
        # Of one article's passages the one that holds most of the question; of equals the first.
        if (hit.coverage, -hit.passage.place) > (known.coverage, -known.passage.place):
            best[hit.passage.article.key] = replace(hit, by_words=known.by_words)
    return tuple(best.values())


def _by_words(asked: Asked, articles: tuple[Hit, ...]) -> Found:
    hits = tuple(hit for hit in articles if _possible(hit))
    if not hits:
        return Found("none")
    first = hits[0]
    rivals = [hit for hit in hits[1:] if certainty(hit) >= SURE - 0.1]
    ahead = all(first.by_words >= hit.by_words * AHEAD for hit in rivals)
    # Of a short question any article may hold all the words by chance.
    told = first.coverage >= UNNAMED_SURE and len(set(terms(asked.text))) >= TOLD
    named = first.titled > 0 or told
    return Found("sure" if named and certainty(first) >= SURE and ahead else "unsure", hits)


def _by_meaning(by_words: Found, hits: tuple[Hit, ...]) -> Found:
    """What nearness says, with the words as a witness. An article whose pieces are not embedded yet stands
    on its words."""
    if not hits or (by_words.hits and by_words.hits[0].near is None):
        return by_words
    first, near = hits[0], hits[0].near or 0.0
    alike = [hit for hit in hits[1:] if first.score - hit.score < APART and (hit.near or 0.0) >= NEAR]
    witness = (
        by_words.certainty == "sure" and by_words.hits[0].passage.article.key == first.passage.article.key
    )
    if (near >= NEAR and not alike) or (near >= NEARLY and witness):
        return Found("sure", hits)
    if near >= NEAR:
        return Found("unsure", (first, *alike))
    named = {hit.passage.article.key for hit in by_words.hits}
    related = tuple(hit for hit in hits if (hit.near or 0.0) >= RELATED and hit.passage.article.key in named)
    return Found("unsure", related) if related else Found("none")


def _possible(hit: Hit) -> bool:
    return certainty(hit) >= (POSSIBLE if hit.titled else UNNAMED_POSSIBLE)


def listed(index: KnowledgeIndex, asked: Asked, limit: int) -> list[Hit]:
    """Passages for a list that people choose from: what shares a good part of the question's words with it,
    or means nearly the same."""
    hits = index.search(asked.text, limit, asked.meant, asked.audiences)
    return [hit for hit in hits if hit.coverage >= SHARED or (hit.near or 0.0) >= NEARLY]


def reading_order(lang: str) -> tuple[str, ...]:
    """Which languages to read an article in: for romanised Hindi Latin letters come before Devanagari."""
    return ("hi-Latn", "en", "hi") if lang == "hi-Latn" else chain(lang)
