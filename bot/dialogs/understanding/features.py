"""From a text to weighted features: the same code in training and in serving, so that scores agree."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from bot.dialogs.understanding.text import Terms, of_word, terms

KINDS = ("chars", "phrases", "stems")
"""Three views of a text, of equal say: spelling, words and their order, beginnings of words."""
_KEPT = 10_000

Vector = tuple[NDArray[np.intp], NDArray[np.float64]]


class Vocabulary:
    """The known features with their rarity (tf-idf, sublinear)."""

    def __init__(self, names: Mapping[str, Sequence[str]], idf: NDArray[np.float32]) -> None:
        """`names` by kind; `idf` for all of them in a row."""
        self.names = {kind: tuple(names[kind]) for kind in KINDS}
        self.idf = idf
        self._rows: dict[str, dict[str, int]] = {}
        first = 0
        for kind in KINDS:
            self._rows[kind] = {name: first + place for place, name in enumerate(self.names[kind])}
            first += len(self.names[kind])
        self._kept: dict[str, tuple[int, ...]] = {}
        self._last: tuple[str, Vector] | None = None

    def __len__(self) -> int:
        """How many features."""
        return len(self.idf)

    @classmethod
    def learn(cls, texts: Sequence[Terms]) -> "Vocabulary":
        """Of the texts trained on."""
        grams = cache(lambda word: frozenset(of_word(word)))  # few words make up many texts
        kinds: Mapping[str, Callable[[Terms], Iterable[str]]] = {
            "chars": lambda found: frozenset().union(*map(grams, found.words)),
            "phrases": lambda found: frozenset(found.phrases),
            "stems": lambda found: frozenset(found.stems),
        }
        counts = {kind: Counter(chain.from_iterable(map(of_kind, texts))) for kind, of_kind in kinds.items()}
        names = {kind: sorted(counts[kind]) for kind in KINDS}
        seen = [counts[kind][name] for kind in KINDS for name in names[kind]]
        idf = np.log((1 + len(texts)) / (1 + np.array(seen, np.float64))) + 1
        return cls(names, idf.astype(np.float32))

    def vector(self, text: str) -> Vector:
        """(features, weights) of a text; of length one where every kind knows something of it."""
        last = self._last  # several models of one vocabulary look at a message
        if last is None or last[0] != text:
            last = self._last = text, self.weighted(terms(text))
        return last[1]

    def weighted(self, found: Terms) -> Vector:
        """As `vector`, of a text's terms."""
        groups = (
            chain.from_iterable(map(self._rows_of, found.words)),
            _known(self._rows["phrases"], found.phrases),
            _known(self._rows["stems"], found.stems),
        )
        parts = [self._of_kind(Counter(group)) for group in groups]
        return np.concatenate([rows for rows, _ in parts]), np.concatenate([values for _, values in parts])

    def _of_kind(self, counts: Counter[int]) -> Vector:
        rows = np.fromiter(counts, np.intp, len(counts))
        values = (1.0 + np.log(np.fromiter(counts.values(), np.float64, len(counts)))) * self.idf[rows]
        length = math.sqrt(float(values @ values) * len(KINDS))
        return rows, values / length if length else values

    def _rows_of(self, word: str) -> tuple[int, ...]:
        """The known n-grams of a word, kept: customers use the same few thousand."""
        rows = self._kept.get(word)
        if rows is None:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            rows = self._kept[word] = tuple(_known(self._rows["chars"], of_word(word)))
        return rows


def _known(rows: Mapping[str, int], names: Iterable[str]) -> Iterable[int]:
    return (row for name in names if (row := rows.get(name)) is not None)
