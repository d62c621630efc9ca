"""Passages found by their words (BM25) and by their meaning (embeddings), in memory.

Built once per change of the articles; never changed after. Arrays and not lists: a search over 100,000
passages costs little more than the embedding of its question.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.clock import now
from bot.knowledge.embeddings import SIZE, Vectors
from bot.knowledge.passages import ArticleText, Passage, cut, pieces
from bot.knowledge.tokens import fold, terms

K1, B = 1.2, 0.6
TITLE_BOOST, HEADING_BOOST = 3, 2
TITLE_SCORE = 1.0
"""What a question's word in the title adds to a passage's score, by its weight."""
CANDIDATES = 50
"""Passages that are looked at more closely, by words and by meaning each."""
UNRELATED = 0.8
"""The cosine of texts that have nothing to do with each other, in this model of embeddings."""
WORDS_SAY, COVERAGE_SAYS, TITLE_SAYS = 0.03, 0.04, 0.5
"""What words, their share and the nearness of the title count beside the nearness of a piece. Wide optima on
questions to help centres: half or double of one changes the first answer of one question in two hundred."""
TITLE_LACKS = 0.01
"""What a piece that is near loses where the title says nothing of the question."""
EVERYBODY = frozenset({"public"})

Numbers = NDArray[np.float32]
Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage found. `score` is of words and meaning together, `by_words` that of the words; `coverage`:
    the share of the question's weight that it or its title holds, `titled` the share that the title holds,
    both 0 to 1; `near`: how near the question is in meaning, as a cosine, None where that was not asked or
    what the passage means is not known yet."""

    passage: Passage
    score: float
    by_words: float
    coverage: float
    titled: float = 0.0
    near: float | None = None


@dataclass(frozen=True)
class _Meaning:
    """Vectors of the pieces, a row each, sorted by passage: `firsts` is where each of `passages` begins among
    them. Vectors of titles, a row an article; `article` is each passage's, or -1 where it is not known."""

    pieces: Vectors
    passages: Rows
    firsts: Rows
    titles: Vectors
    article: Rows
    known: Any
    """Of which passages the pieces are there."""

    @classmethod
    def of(cls, passages: Sequence[Passage], known: Mapping[str, Vectors]) -> "_Meaning":
        """What is known of what these passages mean."""
        rows: list[Vectors] = []
        owners: list[int] = []
        firsts: list[int] = []
        titles: dict[str, int] = {}
        for number, passage in enumerate(passages):
            found = [known[piece] for piece in pieces(passage) if piece in known]
            if found:
                owners.append(number)
                firsts.append(len(rows))
                rows.extend(found)
            if passage.article.title in known:
                titles.setdefault(passage.article.title, len(titles))
        return cls(
            np.array(rows, np.float32).reshape(len(rows), SIZE),
            np.array(owners, np.intp),
            np.array(firsts, np.intp),
            np.array([known[title] for title in titles], np.float32).reshape(len(titles), SIZE),
            np.array([titles.get(passage.article.title, -1) for passage in passages], np.intp),
            np.isin(np.arange(len(passages)), owners),
        )

    def near(self, question: Vectors) -> tuple[Numbers, Numbers]:
        """Of each passage the cosine of the nearest of its pieces, and that of its article's title."""
        found = np.full(len(self.article), UNRELATED, np.float32)
        if len(self.passages):
            found[self.passages] = np.maximum.reduceat(self.pieces @ question, self.firsts)
        titles = np.append(self.titles @ question, np.float32(UNRELATED))
        return found, titles[self.article]


@dataclass(frozen=True)
class _Readers:
    """Who reads each passage, and from when until when (seconds since 1970)."""

    audiences: Any
    begins: Any
    ends: Any
    names: Mapping[str, int]
    """What each audience is called in `audiences`."""

    @classmethod
    def of(cls, passages: Sequence[Passage]) -> "_Readers":
        articles = [passage.article for passage in passages]
        names: dict[str, int] = {}
        return cls(
            np.array([names.setdefault(article.audience, len(names)) for article in articles], np.intp),
            np.array([article.begins.timestamp() if article.begins else -np.inf for article in articles]),
            np.array([article.ends.timestamp() if article.ends else np.inf for article in articles]),
            names,
        )

    def see(self, audiences: frozenset[str], moment: float) -> Any:
        """Which passages these audiences read at this moment."""
        reads = np.array([name in audiences for name in self.names], bool)
        theirs = reads[self.audiences]
        return theirs & (self.begins <= moment) & (self.ends > moment)


@dataclass(frozen=True)
class KnowledgeIndex:
    """All articles of all languages. `build` makes one; `search` asks it."""

    passages: tuple[Passage, ...] = ()
    postings: Mapping[str, tuple[Rows, Numbers]] = field(default_factory=dict)
    idf: Mapping[str, float] = field(default_factory=dict)
    strange: float = 1.0
    """The weight of a word that no article has."""
    titles: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Article id -> the terms of its title."""
    by_key: Mapping[tuple[str, str], tuple[int, ...]] = field(default_factory=dict)
    by_title: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """A title as it is compared -> the first passages of the articles that have it."""
    readers: "_Readers" = field(default_factory=lambda: _Readers.of(()))
    meaning: _Meaning | None = None

    @classmethod
    def build(
        cls, articles: Iterable[ArticleText], known: Mapping[str, Vectors] | None = None
    ) -> "KnowledgeIndex":
        """Cut the articles into passages, weigh their words, and take what their pieces mean from `known`, a
        vector by text. Pieces that are not there yet are found by their words alone."""
        passages = tuple(passage for article in articles for passage in cut(article))
        if not passages:
            return cls()
        counts = [_weighed(passage) for passage in passages]
        sizes = [sum(count.values()) for count in counts]
        mean = sum(sizes) / len(sizes) or 1.0
        documents = Counter(term for count in counts for term in count)
        idf = {term: math.log(1 + (len(counts) - n + 0.5) / (n + 0.5)) for term, n in documents.items()}
        postings: dict[str, tuple[list[int], list[float]]] = defaultdict(lambda: ([], []))
        for number, (count, size) in enumerate(zip(counts, sizes, strict=True)):
            for term, n in count.items():
                rows, weights = postings[term]
                rows.append(number)
                weights.append(idf[term] * n * (K1 + 1) / (n + K1 * (1 - B + B * size / mean)))
        by_key: dict[tuple[str, str], list[int]] = defaultdict(list)
        for number, passage in enumerate(passages):
            by_key[passage.article.key, passage.article.lang].append(number)
        ordered = sorted(idf.values())
        return cls(
            passages,
            {
                term: (np.array(rows, np.intp), np.array(weights, np.float32))
                for term, (rows, weights) in postings.items()
            },
            idf,
            ordered[len(ordered) // 2],
            {passage.article.id: frozenset(terms(passage.article.title)) for passage in passages},
            {key: tuple(numbers) for key, numbers in by_key.items()},
            _titled(passages),
            _Readers.of(passages),
            _Meaning.of(passages, known) if known else None,
        )

    def search(
        self,
        question: str,
        limit: int = 8,
        meant: Vectors | None = None,
        audiences: frozenset[str] = EVERYBODY,
    ) -> list[Hit]:
        """The passages that fit a question best, best first; by its embedding too where `meant` is that."""
        asked = set(terms(question))
        if not self.passages or not (asked or meant is not None):
            return []
        # Coverage counts rarity less than the score does: one strange word, the name of a town say, must not
        # outweigh all that was found.
        total = sum(1 + self.idf.get(term, self.strange) for term in asked) or 1.0
        words, covered = np.zeros((2, len(self.passages)), np.float32)
        for term in asked & self.postings.keys():
            rows, weights = self.postings[term]
            words[rows] += weights
            covered[rows] += 1 + self.idf[term]
        shown = self.readers.see(audiences, now().timestamp())
        found = {number for number in _best(words, shown) if words[number] > 0}
        near: tuple[Numbers, Numbers] | None = None
        if self.meaning is not None and meant is not None:
            near = self.meaning.near(meant)
            found.update(_best(near[0] + np.float32(TITLE_SAYS) * near[1], shown))
        said = {number: float(words[number]) + self._by_title(number, asked) for number in found}
        most = max(said.values(), default=0.0) or 1.0
        hits = []
        for number in found:
            passage, score, closest = self.passages[number], said[number], None
            coverage = float(covered[number]) / total
            if near is not None:
                piece, title = float(near[0][number]), float(near[1][number])
                score = piece + TITLE_SAYS * title + WORDS_SAY * score / most + COVERAGE_SAYS * coverage
                if self.meaning is not None and self.meaning.known[number]:
                    closest = max((piece + title) / 2, piece - TITLE_LACKS)
            titled = [self.idf[term] for term in self._in_title(number, asked)]
            share = (sum(titled) + len(titled)) / total
            hits.append(Hit(passage, score, said[number], coverage, share, closest))
        return sorted(hits, key=lambda hit: (-hit.score, hit.passage.place))[:limit]

    def titled(self, title: str, audiences: frozenset[str] = EVERYBODY) -> Passage | None:
        """The beginning of the article of this title, as it is chosen from a question back."""
        shown = self.readers.see(audiences, now().timestamp())
        numbers = (number for number in self.by_title.get(bare(title), ()) if shown[number])
        return next((self.passages[number] for number in numbers), None)

    def _in_title(self, number: int, asked: set[str]) -> set[str]:
        return asked & self.titles[self.passages[number].article.id] & self.idf.keys()

    def _by_title(self, number: int, asked: set[str]) -> float:
        return TITLE_SCORE * sum(self.idf[term] for term in self._in_title(number, asked))

    def in_language(
        self, passage: Passage, langs: Sequence[str], audiences: frozenset[str] = EVERYBODY
    ) -> Passage:
        """The same passage in the first of these languages that these audiences read its article in: the one
        at its place when the translation has as many, else its first."""
        if passage.article.lang == langs[0]:
            return passage
        shown = self.readers.see(audiences, now().timestamp())
        own = self.by_key.get((passage.article.key, passage.article.lang), ())
        for lang in langs:
            theirs = self.by_key.get((passage.article.key, lang), ())
            if theirs and shown[theirs[0]]:
                return self.passages[theirs[passage.place] if len(theirs) == len(own) else theirs[0]]
        return passage


def _best(scores: Numbers, shown: Any) -> list[int]:
    """The passages of the highest scores among those that are shown."""
    numbers = np.flatnonzero(shown)
    if len(numbers) > CANDIDATES:
        numbers = numbers[np.argpartition(-scores[numbers], CANDIDATES)[:CANDIDATES]]
    return [int(number) for number in numbers]


def _titled(passages: Sequence[Passage]) -> dict[str, tuple[int, ...]]:
    found: dict[str, list[int]] = defaultdict(list)
    for number, passage in enumerate(passages):
        if passage.place == 0:
            found[bare(passage.article.title)].append(number)
    return {title: tuple(numbers) for title, numbers in found.items()}


def bare(title: str) -> str:
    """A title as it is compared."""
    return fold(title).strip(" ?.!؟۔")


def _weighed(passage: Passage) -> Counter[str]:
    count = Counter(terms(passage.text))
    for term in set(terms(passage.heading)):
        count[term] += HEADING_BOOST
    for term in set(terms(passage.article.title)):
        count[term] += TITLE_BOOST
    return count
