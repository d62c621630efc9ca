"""Train the classifier: `python -m bot.dialogs.understanding.train --out FILE`.

The only module that imports scikit-learn, and only when it trains: importing it costs a second and 100 MB,
so the serving process runs this file as a program of its own (`ensure_model`).
"""

import argparse
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.dialogs.flows.model import Flows
from bot.dialogs.understanding.examples import Example, digest, examples, from_json, to_json
from bot.dialogs.understanding.model import Model
from bot.dialogs.understanding.text import features
from bot.errors import ConfigurationInvalid

log = logging.getLogger(__name__)

FOLDS = 4
STRENGTH = 30.0
"""Inverse regularisation of each label's regression."""
FOREIGN_WEIGHT = 0.3
"""What rejecting a foreign message is worth beside understanding one of ours: less, because a label held out
for the choice of the threshold is much nearer to the others than what people really write past us."""
TIMEOUT_S = 300

Scores = NDArray[np.float64]


def train(rows: Sequence[Example]) -> Model:
    """A model of these examples, with its threshold rule."""
    at_least, ahead = choose_threshold(rows)
    vectorizer, classifier = _fit(rows)
    order = sorted(vectorizer.vocabulary_, key=vectorizer.vocabulary_.__getitem__)
    return Model(
        tuple(str(label) for label in classifier.classes_),
        {word: number for number, word in enumerate(order)},
        vectorizer.idf_.astype(np.float32),
        np.ascontiguousarray(_stack(classifier, "coef_").T.astype(np.float32)),
        _stack(classifier, "intercept_").ravel().astype(np.float32),
        at_least,
        ahead,
    )


def _fit(rows: Sequence[Example]) -> tuple[Any, Any]:
    """The vectorizer and one logistic regression per label."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    vectorizer = TfidfVectorizer(analyzer=lambda text: list(features(text)), sublinear_tf=True)
    matrix = vectorizer.fit_transform([row.text for row in rows])
    # The dual form gives the same weights a hundred times sooner where features outnumber examples.
    regression = LogisticRegression(
        C=STRENGTH, solver="liblinear", dual=True, class_weight="balanced", max_iter=1000, random_state=0
    )
    classifier = OneVsRestClassifier(regression).fit(matrix, [row.label for row in rows])
    return vectorizer, classifier


def _stack(classifier: Any, name: str) -> Scores:
    return np.vstack([getattr(one, name) for one in classifier.estimators_])


def probabilities(fitted: tuple[Any, Any], texts: Sequence[str]) -> Scores:
    """What scikit-learn itself says, one row a text; unlike its predict_proba not made to sum to one."""
    vectorizer, classifier = fitted
    scores = (
        vectorizer.transform(texts) @ _stack(classifier, "coef_").T + _stack(classifier, "intercept_").ravel()
    )
    return np.asarray(1.0 / (1.0 + np.exp(-scores)))


def choose_threshold(rows: Sequence[Example]) -> tuple[float, float]:
    """(at_least, ahead) by cross-validation on the examples alone.

    Ours: each fold is judged by a model of the others. Foreign: a group of labels is judged by a model that
    has never seen them, as what people write that no flow is for.
    """
    ours = [part for fold in range(FOLDS) for part in _judge_fold(rows, fold)]
    foreign = [best for group in range(FOLDS) for best in _judge_foreign(rows, group)]
    best = max(
        ((_worth(ours, foreign, at_least, ahead), -at_least, at_least, ahead) for at_least, ahead in _grid()),
    )
    return best[2], best[3]


def _grid() -> list[tuple[float, float]]:
    return [
        (round(0.05 * at_least, 2), round(0.05 * ahead, 2)) for at_least in range(3, 19) for ahead in range(7)
    ]


def _worth(
    ours: Sequence[tuple[bool, float, float]],
    foreign: Sequence[tuple[float, float]],
    at_least: float,
    ahead: float,
) -> float:
    taken = sum(right and first >= at_least and first - second >= ahead for right, first, second in ours)
    mistaken = sum(
        not right and first >= at_least and first - second >= ahead for right, first, second in ours
    )
    refused = sum(first < at_least or first - second < ahead for first, second in foreign)
    return (taken - mistaken) / max(len(ours), 1) + FOREIGN_WEIGHT * refused / max(len(foreign), 1)


def _judge_fold(rows: Sequence[Example], fold: int) -> list[tuple[bool, float, float]]:
    """(right, best, second) of each example of a fold. Folds go through the labels one by one."""
    ordered = sorted(rows, key=lambda row: (row.label, row.lang))
    held = ordered[fold::FOLDS]
    fitted = _fit([row for number, row in enumerate(ordered) if number % FOLDS != fold])
    judged = probabilities(fitted, [row.text for row in held])
    labels = list(fitted[1].classes_)
    return [
        (labels[int(np.argmax(scores))] == row.label, *_best_two(scores))
        for row, scores in zip(held, judged, strict=True)
    ]


def _judge_foreign(rows: Sequence[Example], group: int) -> list[tuple[float, float]]:
    """(best, second) of the examples of the labels of a group, unseen."""
    labels = sorted({row.label for row in rows})
    unseen = set(labels[group::FOLDS])
    seen = [row for row in rows if row.label not in unseen]
    if len(labels) - len(unseen) < 2:
        return []
    judged = probabilities(_fit(seen), [row.text for row in rows if row.label in unseen])
    return [_best_two(scores) for scores in judged]


def _best_two(scores: Scores) -> tuple[float, float]:
    second, first = np.sort(scores)[-2:]
    return float(first), float(second)


def ensure_model(flows: Flows, folder: Path) -> Path:
    """The model file of these flows in `folder`; trained in a process of its own when it is missing.

    Raises ConfigurationInvalid when training fails. Takes seconds: call it before serving, in a thread.
    """
    rows = examples(flows)
    file = folder / f"understanding-{digest(rows)}.npz"
    if file.exists():
        return file
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as work:
        given, made = Path(work) / "examples.json", Path(work) / "model.npz"
        given.write_text(to_json(rows), encoding="utf-8")
        command = [sys.executable, "-m", __name__ if __name__ != "__main__" else __spec__.name]
        done = subprocess.run(  # noqa: S603 - our own program, our own arguments
            [*command, "--examples", str(given), "--out", str(made)],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        if done.returncode != 0:
            reason = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
            raise ConfigurationInvalid(f"The classifier could not be trained: {reason[0]}")
        made.replace(file)
    log.info("classifier trained", extra={"examples": len(rows), "file": file.name})
    return file


def main(arguments: Sequence[str] | None = None) -> None:
    """Train from the shipped flows, or from `--examples`, and write `--out` in one move."""
    parser = argparse.ArgumentParser(description="Train the classifier and write its weights.")
    parser.add_argument("--out", type=Path, required=True, help="file to write, .npz")
    parser.add_argument(
        "--examples", type=Path, help="JSON list of [text, label, lang]; default: shipped flows"
    )
    options = parser.parse_args(arguments)
    if options.examples:
        rows = from_json(options.examples.read_text(encoding="utf-8"))
    else:
        from bot.dialogs.flows import load_flows

        rows = examples(load_flows())
    made = options.out.with_suffix(".part")
    train(rows).save(made)
    made.replace(options.out)


if __name__ == "__main__":
    main()
