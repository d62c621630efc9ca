"""The trained classifier as served: exported weights and numpy, in two stages.

    guess = model.fast(text) or model.full(text)

`fast` takes a fraction of a millisecond and answers only when it is sure; `full` looks at the sentence's
embedding as well and is called outside the event loop.
"""

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.dialogs.understanding.embed import Vectors, embed
from bot.dialogs.understanding.features import KINDS, Vector, Vocabulary

FORMAT = 2

Numbers = NDArray[np.float32]


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


@dataclass(frozen=True, slots=True)
class Stage:
    """One linear model over the features: weights a label, bias, and the steepness of its probabilities."""

    weights: Numbers
    bias: Numbers
    steepness: float

    def scores(self, vector: Vector) -> Numbers:
        """Of a text; 1 for what is surely meant, -1 for what is surely not."""
        rows, values = vector
        return np.asarray(values @ self.weights[rows] + self.bias, np.float32)


@dataclass(frozen=True, slots=True)
class Lens:
    """How embeddings are looked at. All of them point nearly the same way, so the mean is taken off; of the
    rest, the directions in which these examples differ most count a little more."""

    centre: Numbers
    turn: Numbers

    @classmethod
    def of(cls, points: Vectors) -> "Lens":
        """Of the examples' embeddings."""
        centre = points.mean(axis=0)
        spread, axes = np.linalg.eigh((points - centre).T @ (points - centre) / len(points))
        sizes = np.maximum(spread, 0) / max(float(spread.mean()), 1e-12) + 0.1
        return cls(centre, (axes * sizes**DIRECTION).astype(np.float32))

    def __call__(self, vectors: Vectors) -> Vectors:
        """Vectors of length one again."""
        turned = (vectors - self.centre) @ self.turn
        return np.asarray(turned / (np.linalg.norm(turned, axis=-1, keepdims=True) + 1e-9), np.float32)


@dataclass(frozen=True, slots=True)
class Meaning:
    """The examples through the lens, and what nearness to each says for each label."""

    points: Numbers
    dual: Numbers


@dataclass(frozen=True, slots=True)
class Examples:
    """What the model learned from, and what it makes of each unseen: its label's probability, the rival."""

    texts: tuple[str, ...]
    labels: NDArray[np.int32]
    likely: Numbers
    rivals: NDArray[np.int32]


DIRECTION = 0.15
"""The power by which a direction's spread counts."""
SHARPNESS = 2.0
"""How quickly what an example says fades with distance from it."""


def kernel(nearness: Numbers) -> Numbers:
    """What nearness counts."""
    return np.asarray(np.exp(np.float32(SHARPNESS) * (nearness - np.float32(1))), np.float32)


@dataclass(frozen=True)
class Model:
    """`at_least` is the one threshold: a guess whose best score is below it is none. A quick guess needs a
    probability of `fast_at` besides. Both are chosen in training, from the examples alone."""

    labels: tuple[str, ...]
    vocabulary: Vocabulary
    quick: Stage
    whole: Stage
    lens: Lens
    meaning: Meaning
    examples: Examples
    at_least: float
    fast_at: float

    def fast(self, text: str) -> Guess | None:
        """What the words alone say; None when that is not enough."""
        scores = self.quick.scores(self.vocabulary.vector(text))
        guess = self._guess(scores, self.quick.steepness)
        return guess if guess.sure and guess.confidence >= self.fast_at else None

    def full(self, text: str) -> Guess:
        """What words and meaning say together. Takes tens of milliseconds."""
        if not any(char.isalpha() for char in text):
            return Guess((), False)
        nearness = self._nearness(text)
        scores = self.whole.scores(self.vocabulary.vector(text)) + kernel(nearness) @ self.meaning.dual
        return self._guess(scores, self.whole.steepness)

    def nearest(self, text: str, most: int = 3) -> tuple[tuple[str, str, float], ...]:
        """(example, label, nearness) of those that mean most nearly the same: why it is understood so."""
        nearness = self._nearness(text)
        best = np.argsort(-nearness, kind="stable")[:most]
        names = (*self.labels, "")
        return tuple(
            (self.examples.texts[row], names[self.examples.labels[row]], round(float(nearness[row]), 3))
            for row in best
        )

    def _nearness(self, text: str) -> Numbers:
        """To each example, up to 1."""
        return np.asarray(self.meaning.points @ self.lens(embed([text])[0]))

    def _guess(self, scores: Numbers, steepness: float) -> Guess:
        best = np.argsort(-scores, kind="stable")[:3]
        powers = np.exp(steepness * (scores - scores[best[0]]))
        ranked = tuple((self.labels[row], float(powers[row] / powers.sum())) for row in best)
        return Guess(ranked, bool(scores[best[0]] >= self.at_least))

    def save(self, file: Path) -> None:
        """Write it as one `.npz`."""
        words = {
            "format": FORMAT,
            "labels": self.labels,
            "names": self.vocabulary.names,
            "texts": self.examples.texts,
            "numbers": [self.at_least, self.fast_at, self.quick.steepness, self.whole.steepness],
        }
        arrays: dict[str, Any] = {
            f"{part}.{field.name}": value
            for part in ("quick", "whole", "lens", "meaning", "examples")
            for field in fields(getattr(self, part))
            if isinstance(value := getattr(getattr(self, part), field.name), np.ndarray)
        }
        text = json.dumps(words, ensure_ascii=False).encode()
        with file.open("wb") as stream:
            np.savez(stream, words=np.frombuffer(text, np.uint8), idf=self.vocabulary.idf, **arrays)

    @classmethod
    def read(cls, file: Path) -> "Model":
        """Read what `save` wrote. Raises ValueError or OSError when it is none of ours."""
        with np.load(file, allow_pickle=False) as stored:
            words: dict[str, Any] = json.loads(stored["words"].tobytes())
            if words.get("format") != FORMAT:
                raise ValueError(f"{file} is of another version; delete it and it is made again")
            at_least, fast_at, *steep = words["numbers"]
            return cls(
                tuple(words["labels"]),
                Vocabulary({kind: words["names"][kind] for kind in KINDS}, stored["idf"]),
                Stage(stored["quick.weights"], stored["quick.bias"], steep[0]),
                Stage(stored["whole.weights"], stored["whole.bias"], steep[1]),
                Lens(stored["lens.centre"], stored["lens.turn"]),
                Meaning(stored["meaning.points"], stored["meaning.dual"]),
                Examples(
                    tuple(words["texts"]),
                    stored["examples.labels"],
                    stored["examples.likely"],
                    stored["examples.rivals"],
                ),
                at_least,
                fast_at,
            )
