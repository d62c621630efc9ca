"""From a text to weighted features: the same code in training and in serving, so that scores agree."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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

    def __len__(self) -> int:
        """How many features."""
        return len(self.idf)

    @classmethod
    def learn(cls, texts: Sequence[str]) -> "Vocabulary":
        """Of the texts trained on."""
        counts: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
        for text in texts:
            found = terms(text)
            for kind in KINDS:
                counts[kind].update(set(_of_kind(kind, found)))
        names = {kind: sorted(counts[kind]) for kind in KINDS}
        seen = [counts[kind][name] for kind in KINDS for name in names[kind]]
        idf = np.log((1 + len(texts)) / (1 + np.array(seen, np.float64))) + 1
        return cls(names, idf.astype(np.float32))

    def vector(self, text: str) -> Vector:
        """(features, weights) of a text; of length one where every kind knows something of it."""
        found = terms(text)
        groups = (
            chain.from_iterable(map(self._rows_of, found.words)),
            _known(self._rows["phrases"], found.phrases),
            _known(self._rows["stems"], found.stems),
        )
        parts = [self._weighted(Counter(group)) for group in groups]
        return np.concatenate([rows for rows, _ in parts]), np.concatenate([values for _, values in parts])

    def _weighted(self, counts: Counter[int]) -> Vector:
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


def _of_kind(kind: str, found: Terms) -> Iterable[str]:
    if kind == "chars":
        return chain.from_iterable(map(of_word, found.words))
    return found.phrases if kind == "phrases" else found.stems
