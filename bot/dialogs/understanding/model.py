"""The trained classifier as served: exported weights and numpy, no scikit-learn."""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.dialogs.understanding.text import of_word, pieces

FORMAT = 1
_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Guess:
    """The best labels with their probabilities, best first; `sure` by the model's threshold rule."""

    ranked: tuple[tuple[str, float], ...]
    sure: bool

    @property
    def label(self) -> str:
        """The best label; empty when there is none."""
        return self.ranked[0][0] if self.ranked else ""

    @property
    def confidence(self) -> float:
        """Its probability."""
        return self.ranked[0][1] if self.ranked else 0.0


@dataclass(frozen=True)
class Model:
    """One linear model: a logistic regression per label over weighted features.

    `at_least` and `ahead` are the rejection rule: a guess is sure when its probability reaches
    `at_least` and leads the second by `ahead`. Both are chosen in training.
    """

    labels: tuple[str, ...]
    vocabulary: Mapping[str, int]
    idf: NDArray[np.float32]
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    at_least: float
    ahead: float
    _kept: dict[str, tuple[int, ...]] = field(default_factory=dict, repr=False, compare=False)

    def probabilities(self, text: str) -> NDArray[np.float64]:
        """One independent probability per label; all zero for a text of which no feature is known."""
        words, between = pieces(text)
        counts = Counter(chain.from_iterable(map(self._rows_of, words)))
        counts.update(row for feature in between if (row := self.vocabulary.get(feature)) is not None)
        if not counts:
            return np.zeros(len(self.labels))
        rows = np.fromiter(counts, np.intp, len(counts))
        tf = 1.0 + np.log(np.fromiter(counts.values(), np.float64, len(counts)))
        values = tf * self.idf[rows]
        values /= math.sqrt(float(values @ values))
        scores = values @ self.weights[rows] + self.bias
        return np.asarray(1.0 / (1.0 + np.exp(-scores)))

    def _rows_of(self, word: str) -> tuple[int, ...]:
        """The known features of a word, kept: customers use the same few thousand."""
        rows = self._kept.get(word)
        if rows is None:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            rows = self._kept[word] = tuple(
                row for feature in of_word(word) if (row := self.vocabulary.get(feature)) is not None
            )
        return rows

    def guess(self, text: str) -> Guess:
        """The three best labels, and whether the best one is sure."""
        probabilities = self.probabilities(text)
        best = np.argsort(-probabilities, kind="stable")[:3]
        ranked = tuple((self.labels[i], float(probabilities[i])) for i in best)
        return Guess(ranked, self.is_sure([probability for _, probability in ranked]))

    def is_sure(self, best: Sequence[float]) -> bool:
        """The threshold rule, on the probabilities of the best two labels."""
        if not best or best[0] < self.at_least:
            return False
        return len(best) < 2 or best[0] - best[1] >= self.ahead

    def save(self, file: Path) -> None:
        """Write it as one `.npz`."""
        words = json.dumps(
            {
                "format": FORMAT,
                "labels": self.labels,
                "vocabulary": list(self.vocabulary),
                "at_least": self.at_least,
                "ahead": self.ahead,
            },
            ensure_ascii=False,
        ).encode()
        with file.open("wb") as stream:
            np.savez(
                stream,
                words=np.frombuffer(words, np.uint8),
                idf=self.idf,
                weights=self.weights,
                bias=self.bias,
            )

    @classmethod
    def read(cls, file: Path) -> "Model":
        """Read what `save` wrote. Raises ValueError or OSError when it is none of ours."""
        with np.load(file, allow_pickle=False) as stored:
            words: dict[str, Any] = json.loads(stored["words"].tobytes())
            if words.get("format") != FORMAT:
                raise ValueError(f"{file} is of another version; delete it and it is made again")
            return cls(
                tuple(words["labels"]),
                {word: number for number, word in enumerate(words["vocabulary"])},
                stored["idf"],
                stored["weights"],
                stored["bias"],
                float(words["at_least"]),
                float(words["ahead"]),
            )
