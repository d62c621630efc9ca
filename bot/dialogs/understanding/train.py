"""Train the classifier: `python -m bot.dialogs.understanding.train FOLDER --cache FILE`.

Only this room imports scipy, and only when it trains: `shelf.py` runs this file as a program of its own.
Everything that is chosen here — how much embeddings say, the steepness of the probabilities, both
thresholds — is chosen by what the examples score when they are left out.
"""

import argparse
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bot.dialogs.understanding.examples import ASIDE, NONE, OTHER, Example, from_json
from bot.dialogs.understanding.features import Vocabulary
from bot.dialogs.understanding.model import Examples, Lens, Meaning, Model, Numbers, Stage, kernel
from bot.dialogs.understanding.text import Terms, terms
from bot.errors import ConfigurationInvalid
from bot.knowledge.embeddings import Vectors, embed_kept

if TYPE_CHECKING:
    from bot.dialogs.understanding.ridge import Ridge

MOST = 16_000
"""Examples that are learned from; of more, every so many are left out. Time grows with their cube."""
SAMPLE = 3000
"""Of how many examples the share of the embeddings is chosen."""
SHARES = (0.4, 0.6, 0.8)
LOST = 0.015
"""The threshold rule: this part of the examples, rightly judged when left out, may be refused. What is not
meant for us scores lower than nearly all that is: a small loss, fixed beforehand, needs no example of it."""
WORSE = 0.001
"""How much of its rightness the whole may lose by answering quickly."""
SLOW = 0.45
"""The part of the examples that may need their embedding: most messages must be answered at once."""
LIKELY, LIKELY_ALONE = 0.5, 0.6
"""Words never answer what seems less likely than this; nor, where meaning was not learned, than that."""
GIVEN, MADE = "examples.json", "model.npz"
"""The files of FOLDER: what to learn from, and the model."""
_EVERY = slice(None)
_NO_ANSWER = frozenset({NONE, "ask_knowledge", "talk_to_person", "cancel", "greeting"})
"""What customers say where a question waits, and what answers none."""
_BESIDE = 250
"""How many examples of those the answers to a question are told from."""
_ASIDES = frozenset({"talk_to_person", "cancel", "has_none"})
"""What leaves a flow or passes over its question, in words that often name the flow's own matter: learned
apart from what begins flows."""
_OTHERS = 1500
"""How many examples of all the rest asides are told from."""


def train(rows: Sequence[Example], cache: Path | None = None) -> Model:
    """A model of these examples by their words, and by their meaning where `cache` keeps their embeddings;
    with one for each question whose answers are among them. Rows labelled NONE are meant for nobody."""
    rows = rows[:: -(-len(rows) // MOST) or 1]
    texts = [row.text for row in rows]
    sources = _Sources.of(texts, embed_kept(texts, cache) if cache else None)
    questions: dict[str, list[Example]] = {}
    for row in rows:
        questions.setdefault(row.of, []).append(row)
    messages, asides = questions.pop("", []), questions.pop(ASIDE, [])
    beside = [replace(row, label=NONE) for row in messages if row.label in _NO_ANSWER]
    beside = beside[:: -(-len(beside) // _BESIDE) or 1]
    beside += [replace(row, label=NONE) for row in asides if row.label != OTHER]
    answers = {name: _trained([*said, *beside], sources) for name, said in questions.items()}
    if asides:
        answers[ASIDE] = _trained([*asides, *_beside_asides(rows)], sources)
    return replace(_trained(messages, sources), answers=answers)


def _beside_asides(rows: Sequence[Example]) -> list[Example]:
    """The messages that say as much as an aside, and others for it to be told from."""
    rest = [row for row in rows if row.of != ASIDE]
    same = [row for row in rest if row.label in _ASIDES]
    others = [replace(row, label=OTHER) for row in rest if row.label not in _ASIDES]
    return [*same, *others[:: -(-len(others) // _OTHERS) or 1]]


@dataclass(frozen=True, slots=True)
class _Sources:
    """All texts as numbers, a row each: what every model is made from."""

    vocabulary: Vocabulary
    matrix: Any
    points: Vectors | None
    places: Mapping[str, int]

    @classmethod
    def of(cls, texts: Sequence[str], points: Vectors | None) -> "_Sources":
        found = [terms(text) for text in texts]
        vocabulary = Vocabulary.learn(found)
        places = {text: place for place, text in enumerate(texts)}
        return cls(vocabulary, _matrix(vocabulary, found), points, places)

    def rows(self, texts: Sequence[str]) -> Any:
        """Where these texts stand."""
        return np.array([self.places[text] for text in texts], np.intp)


def _trained(rows: Sequence[Example], sources: _Sources) -> Model:
    """A model of examples of one kind."""
    lesson = _Lesson.of(rows, sources)
    quick = lesson.judged()
    if sources.points is None:
        at_least, _ = _thresholds((quick, quick), lesson)
        return lesson.model(quick, None, quick, at_least, LIKELY_ALONE)
    points = sources.points[sources.rows(lesson.texts)]
    lens = Lens.of(points)
    points = lens(points)
    share = min(SHARES, key=lambda share: lesson.loss(points, share))
    whole = lesson.judged(points, share)
    meaning = Meaning(lesson.stage(whole, 1 - share), lens, points, whole.ridge.dual * np.float32(share))
    return lesson.model(quick, meaning, whole, *_thresholds((quick, whole), lesson))


@dataclass(frozen=True, slots=True)
class _Judged:
    """A solution, what it scores of our examples when each is left out, and the steepness that fits."""

    ridge: "Ridge"
    scores: Numbers
    steepness: float


@dataclass(frozen=True, slots=True)
class _Lesson:
    """The examples as numbers. `labels` is -1, and `ours` false, where an example is meant for nobody."""

    texts: list[str]
    names: list[str]
    labels: Any
    ours: Any
    vocabulary: Vocabulary
    matrix: Any

    @classmethod
    def of(cls, rows: Sequence[Example], sources: _Sources) -> "_Lesson":
        """Raises ConfigurationInvalid where there is nothing to tell apart."""
        names = sorted({row.label for row in rows} - {NONE})
        if len(names) < 2:
            raise ConfigurationInvalid("The classifier needs examples of two intents or more.")
        places = {name: place for place, name in enumerate(names)}
        labels = np.array([places.get(row.label, -1) for row in rows], np.intp)
        texts = [row.text for row in rows]
        matrix = sources.matrix[sources.rows(texts)]
        return cls(texts, names, labels, labels >= 0, sources.vocabulary, matrix)

    def _solved(self, points: Vectors | None, share: float, chosen: Any = _EVERY) -> "Ridge":
        from bot.dialogs.understanding import ridge

        mixed = _likeness(self.matrix[chosen]) * np.float32(1 - share)
        if points is not None:
            mixed += np.float32(share) * kernel(points[chosen] @ points[chosen].T)
        return ridge.solve(mixed, self.labels[chosen], len(self.names), 0.3 - 0.25 * share)

    def loss(self, points: Vectors, share: float) -> float:
        """How surprising the labels of some examples are, left out, when the embeddings say so much."""
        from bot.dialogs.understanding import ridge

        some = np.arange(0, len(self.texts), -(-len(self.texts) // SAMPLE))
        ours = self.ours[some]
        left_out = self._solved(points, share, some).left_out()
        return ridge.calibrate(left_out[ours], self.labels[some][ours])[1]

    def judged(self, points: Vectors | None = None, share: float = 0.0) -> _Judged:
        """Solved over all examples."""
        from bot.dialogs.understanding import ridge

        one = self._solved(points, share)
        scores = one.left_out()[self.ours]
        return _Judged(one, scores, ridge.calibrate(scores, self.labels[self.ours])[0])

    def stage(self, one: _Judged, part: float) -> Stage:
        """A solution's weights over the features, of which it says `part`."""
        weights = np.asarray(self.matrix.T @ one.ridge.dual, np.float32) * np.float32(part)
        return Stage(weights, one.ridge.bias, one.steepness)

    def model(
        self, quick: _Judged, meaning: Meaning | None, best: _Judged, at_least: float, fast_at: float
    ) -> Model:
        """Put together; of `best`, what it makes of the examples it has not seen."""
        likely, rivals = _without_themselves(best, self)
        known = Examples(tuple(self.texts), self.labels.astype(np.int32), likely, rivals)
        return Model(
            tuple(self.names), self.vocabulary, self.stage(quick, 1.0), meaning, known, at_least, fast_at
        )


def _matrix(vocabulary: Vocabulary, texts: Sequence[Terms]) -> Any:
    """The texts' features, a sparse row each."""
    import scipy.sparse

    vectors = [vocabulary.weighted(found) for found in texts]
    ends = np.cumsum([0, *(len(rows) for rows, _ in vectors)])
    return scipy.sparse.csr_matrix(
        (
            np.concatenate([values for _, values in vectors]).astype(np.float32),
            np.concatenate([rows for rows, _ in vectors]),
            ends,
        ),
        shape=(len(texts), len(vocabulary)),
    )


def _likeness(matrix: Any) -> Numbers:
    """Of each text to itself and to those after it by their features: the rest is the same once more, which
    `ridge.solve` does not look at. By parts, so that memory stays that of the answer."""
    count = matrix.shape[0]
    likeness = np.zeros((count, count), np.float32)
    for first in range(0, count, 1000):
        likeness[first : first + 1000, first:] = (matrix[first : first + 1000] @ matrix[first:].T).toarray()
    return likeness


def _thresholds(judged: tuple[_Judged, _Judged], lesson: _Lesson) -> tuple[float, float]:
    """(at_least, fast_at): see LOST and WORSE."""
    from bot.dialogs.understanding import ridge

    quick, whole = judged
    labels = lesson.labels[lesson.ours]
    right = whole.scores.argmax(axis=1) == labels
    best = np.sort(whole.scores.max(axis=1)[right])
    at_least = float(best[min(int(LOST * len(labels)), len(best) - 1)]) if len(best) else 0.0
    sureness = ridge.softmax(quick.scores, quick.steepness).max(axis=1)
    order = np.argsort(-sureness, kind="stable")
    lost = np.cumsum(right[order].astype(int) - (quick.scores.argmax(axis=1) == labels)[order])
    allowed = np.flatnonzero(lost <= WORSE * len(labels))
    last = max(int(allowed[-1]) if len(allowed) else 0, int((1 - SLOW) * len(labels)) - 1)
    # With few examples nothing is lost down to the last of them: still a quick answer must be likely.
    return at_least, max(float(sureness[order[last]]), LIKELY)


def _without_themselves(judged: _Judged, lesson: _Lesson) -> tuple[Numbers, Any]:
    """Of each example, the probability of its label in a model without it, and the best other label."""
    from bot.dialogs.understanding import ridge

    labels, ours = lesson.labels, lesson.ours
    likely, rivals = np.ones(len(labels), np.float32), np.full(len(labels), -1, np.int32)
    rows = np.arange(len(judged.scores))
    chances = ridge.softmax(judged.scores, judged.steepness)
    likely[ours] = chances[rows, labels[ours]]
    chances[rows, labels[ours]] = -1
    rivals[ours] = chances.argmax(axis=1)
    return likely, rivals


def main(arguments: Sequence[str] | None = None) -> None:
    """Learn FOLDER's examples and write its model. For `shelf.py`, which holds our standard input open."""
    parser = argparse.ArgumentParser(description="Train the classifier and write its weights.")
    parser.add_argument("folder", type=Path, help=f"holds {GIVEN}; gets {MADE}")
    parser.add_argument("--cache", type=Path, help="file that keeps embeddings; without it words alone count")
    options = parser.parse_args(arguments)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if options.cache:
        os.nice(10)  # nobody waits for it, and customers are being answered meanwhile
    rows = from_json((options.folder / GIVEN).read_text(encoding="utf-8"))
    train(rows, options.cache).save(options.folder / MADE)


def _end_with_parent() -> None:
    """Who started us closes our standard input when it ends, however it ends."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
