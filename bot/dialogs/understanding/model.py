"""The trained classifier as served: exported weights and numpy, in two stages.

    guess = model.fast(text) or model.full(text)

`fast` takes a fraction of a millisecond and answers only when it is sure; `full` looks at the sentence's
embedding as well and is called outside the event loop. A model that has learned words alone has `meaning`
None: it serves until the whole one is trained, and `full` is then as quick as `fast`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from bot.dialogs.understanding.features import KINDS, Vector, Vocabulary
from bot.knowledge.embeddings import Vectors, embed_one

FORMAT = 5
_ANSWERS = "answers/"

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
    """What a text means by its embedding: the examples through the lens, what nearness to each says for each
    label, and the words' part in the answer of both."""

    stage: Stage
    lens: Lens
    points: Numbers
    dual: Numbers

    def nearness(self, text: str) -> Numbers:
        """To each example, up to 1."""
        return np.asarray(self.points @ self.lens(embed_one(text)))

    def scores(self, vector: Vector, text: str) -> Numbers:
        """Of words and meaning together."""
        return np.asarray(self.stage.scores(vector) + kernel(self.nearness(text)) @ self.dual, np.float32)


@dataclass(frozen=True, slots=True)
class Examples:
    """What the model learned from, and what it makes of each unseen: its label's probability, the rival."""

    texts: tuple[str, ...]
    labels: NDArray[np.int32]
    likely: Numbers
    rivals: NDArray[np.int32]


RANKED = 4
"""Labels of a guess."""
DIRECTION = 0.15
"""The power by which a direction's spread counts."""
_STORED = np.float16
"""Numbers whose fourth digit changes no answer lie on the disk as these."""
SHARPNESS = 2.0
"""How quickly what an example says fades with distance from it."""


def kernel(nearness: Numbers) -> Numbers:
    """What nearness counts."""
    return np.asarray(np.exp(np.float32(SHARPNESS) * (nearness - np.float32(1))), np.float32)


@dataclass(frozen=True)
class Model:
    """`at_least` is the one threshold: a guess whose best score is below it is none. A quick guess needs a
    probability of `fast_at` besides. Both are chosen in training, from the examples alone. `answers`: a
    question -> the model of what is answered to it."""

    labels: tuple[str, ...]
    vocabulary: Vocabulary
    quick: Stage
    meaning: Meaning | None
    examples: Examples
    at_least: float
    fast_at: float
    answers: Mapping[str, "Model"] = field(default_factory=dict)

    def fast(self, text: str) -> Guess | None:
        """What the words alone say; None when that is not enough."""
        guess = self._by_words(self.vocabulary.vector(text))
        return guess if guess.sure else None

    def full(self, text: str) -> Guess:
        """What words and meaning say together. Takes tens of milliseconds where meaning was learned."""
        if not any(char.isalpha() for char in text):
            return Guess((), False)
        vector = self.vocabulary.vector(text)
        if self.meaning is None:
            return self._by_words(vector)
        return self._guess(self.meaning.scores(vector, text), self.meaning.stage.steepness)

    def nearest(self, text: str, most: int = 3) -> tuple[tuple[str, str, float], ...]:
        """(example, label, nearness) of those that mean most nearly the same, or read most alike where words
        alone were learned: why it is understood so."""
        nearness = self._likeness(text) if self.meaning is None else self.meaning.nearness(text)
        best = np.argsort(-nearness, kind="stable")[:most]
        names = (*self.labels, "")
        return tuple(
            (self.examples.texts[row], names[self.examples.labels[row]], round(float(nearness[row]), 3))
            for row in best
        )

    def _likeness(self, text: str) -> Numbers:
        """To each example by the words, up to 1."""
        rows, values = self.vocabulary.vector(text)
        dense = np.zeros(len(self.vocabulary))
        dense[rows] = values
        owners, known, weights = self._spelled
        likeness = np.bincount(owners, weights * dense[known], len(self.examples.texts))
        return likeness.astype(np.float32)

    @cached_property
    def _spelled(self) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
        """(example, feature, weight) of all features of all examples; found when first asked for."""
        vectors = [self.vocabulary.vector(text) for text in self.examples.texts]
        owners = np.repeat(np.arange(len(vectors)), [len(rows) for rows, _ in vectors])
        return owners, np.concatenate([rows for rows, _ in vectors]), np.concatenate([v for _, v in vectors])

    def _by_words(self, vector: Vector) -> Guess:
        return self._guess(self.quick.scores(vector), self.quick.steepness, self.fast_at)

    def _guess(self, scores: Numbers, steepness: float, likely: float = 0.0) -> Guess:
        best = np.argsort(-scores, kind="stable")[:RANKED]
        powers = np.exp(steepness * (scores - scores[best[0]]))
        ranked = tuple((self.labels[row], float(powers[row] / powers.sum())) for row in best)
        return Guess(ranked, bool(scores[best[0]] >= self.at_least) and ranked[0][1] >= likely)

    def save(self, file: Path | IO[bytes]) -> None:
        """Write it as one `.npz`: the vocabulary once, and what each question knows under its name."""
        arrays: dict[str, Any] = {
            "idf": self.vocabulary.idf,
            **{f"names.{kind}": _packed("\n".join(("", *self.vocabulary.names[kind], ""))) for kind in KINDS},
            **self._arrays(""),
        }
        for question, model in self.answers.items():
            arrays |= model._arrays(f"{_ANSWERS}{question}/")
        np.savez(file, **arrays)

    def _arrays(self, under: str) -> dict[str, Any]:
        words = {
            "format": FORMAT,
            "labels": self.labels,
            "texts": self.examples.texts,
            "numbers": [self.at_least, self.fast_at],
        }
        arrays: dict[str, Any] = {
            "words": _packed(json.dumps(words, ensure_ascii=False)),
            **_stage_arrays("quick", self.quick),
            "examples.labels": self.examples.labels,
            "examples.likely": self.examples.likely,
            "examples.rivals": self.examples.rivals,
        }
        if self.meaning is not None:
            arrays |= _stage_arrays("meaning", self.meaning.stage)
            arrays |= {
                "meaning.centre": self.meaning.lens.centre,
                "meaning.turn": self.meaning.lens.turn,
                "meaning.points": self.meaning.points.astype(_STORED),
                "meaning.dual": self.meaning.dual,
            }
        return {f"{under}{name}": array for name, array in arrays.items()}

    @classmethod
    def read(cls, file: Path | IO[bytes]) -> "Model":
        """Read what `save` wrote. Raises ValueError, BadZipFile or OSError when it is none of ours."""
        with np.load(file, allow_pickle=False) as stored:
            if json.loads(stored["words"].tobytes()).get("format") != FORMAT:
                raise ValueError(f"{file} is of another version")
            names = {kind: stored[f"names.{kind}"].tobytes().decode().split("\n")[1:-1] for kind in KINDS}
            vocabulary = Vocabulary(names, stored["idf"])
            answers = {
                name.removeprefix(_ANSWERS).removesuffix("/words"): cls._read(
                    stored, name.removesuffix("words"), vocabulary
                )
                for name in stored.files
                if name.startswith(_ANSWERS) and name.endswith("/words")
            }
            return replace(cls._read(stored, "", vocabulary), answers=answers)

    @classmethod
    def _read(cls, stored: Any, under: str, vocabulary: Vocabulary) -> "Model":
        words: dict[str, Any] = json.loads(stored[f"{under}words"].tobytes())
        return cls(
            tuple(words["labels"]),
            vocabulary,
            _stage(stored, f"{under}quick", len(vocabulary)),
            _meaning(stored, f"{under}meaning", len(vocabulary)),
            Examples(
                tuple(words["texts"]),
                stored[f"{under}examples.labels"],
                stored[f"{under}examples.likely"],
                stored[f"{under}examples.rivals"],
            ),
            *words["numbers"],
        )


def _stage_arrays(name: str, stage: Stage) -> dict[str, Any]:
    """A stage's arrays: most features say nothing to most questions, and are left out."""
    used = np.flatnonzero(stage.weights.any(axis=1)).astype(np.int32)
    return {
        f"{name}.used": used,
        f"{name}.weights": stage.weights[used].astype(_STORED),
        f"{name}.bias": stage.bias,
        f"{name}.steepness": np.array(stage.steepness),
    }


def _stage(stored: Any, name: str, features: int) -> Stage:
    bias: Numbers = stored[f"{name}.bias"]
    weights = np.zeros((features, len(bias)), np.float32)
    weights[stored[f"{name}.used"]] = stored[f"{name}.weights"]
    return Stage(weights, bias, float(stored[f"{name}.steepness"]))


def _meaning(stored: Any, name: str, features: int) -> Meaning | None:
    if f"{name}.points" not in stored:
        return None
    return Meaning(
        _stage(stored, name, features),
        Lens(stored[f"{name}.centre"], stored[f"{name}.turn"]),
        stored[f"{name}.points"].astype(np.float32),
        stored[f"{name}.dual"],
    )


def _packed(text: str) -> NDArray[np.uint8]:
    return np.frombuffer(text.encode(), np.uint8)
