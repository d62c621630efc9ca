"""Train the classifier: `python -m bot.dialogs.understanding.train --out FILE`.

Only this room imports scipy, and only when it trains: the serving process runs this file as a program of its
own (`ensure_model`). Everything that is chosen here — how much embeddings say, the steepness of the
probabilities, both thresholds — is chosen by what the examples score when they are left out.
"""

import argparse
import fcntl
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bot.dialogs.flows.model import Flows
from bot.dialogs.understanding.embed import embed_kept
from bot.dialogs.understanding.examples import NONE, Example, digest, examples, from_json, to_json
from bot.dialogs.understanding.features import Vocabulary
from bot.dialogs.understanding.model import Examples, Lens, Meaning, Model, Numbers, Stage, kernel
from bot.errors import ConfigurationInvalid

log = logging.getLogger(__name__)

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
CACHE = "embeddings.npz"
LOCK = "training.lock"
TIMEOUT_S = 1800


def train(rows: Sequence[Example], cache: Path) -> Model:
    """A model of these examples; `cache` keeps their embeddings. Rows labelled NONE are meant for nobody."""
    from bot.dialogs.understanding import ridge

    rows = rows[:: -(-len(rows) // MOST)]
    names = sorted({row.label for row in rows} - {NONE})
    if len(names) < 2:
        raise ConfigurationInvalid("The classifier needs examples of two intents or more.")
    places = {name: place for place, name in enumerate(names)}
    labels = np.array([places.get(row.label, -1) for row in rows], np.intp)
    texts = [row.text for row in rows]
    vocabulary = Vocabulary.learn(texts)
    matrix = _matrix(vocabulary, texts)
    points = embed_kept(texts, cache)
    lens = Lens.of(points)
    points = lens(points)

    def solved(share: float, chosen: Any) -> ridge.Ridge:
        mixed = _likeness(matrix[chosen]) * np.float32(1 - share)
        if share:
            mixed += np.float32(share) * kernel(points[chosen] @ points[chosen].T)
        return ridge.solve(mixed, labels[chosen], len(names), 0.3 - 0.25 * share)

    def loss(share: float) -> float:
        some = np.arange(0, len(rows), -(-len(rows) // SAMPLE))
        ours = labels[some] >= 0
        return ridge.calibrate(solved(share, some).left_out()[ours], labels[some][ours])[1]

    share = min(SHARES, key=loss)
    ours = labels >= 0
    every = slice(None)
    quick, whole = solved(0.0, every), solved(share, every)
    judged = [
        (one.left_out()[ours], ridge.calibrate(one.left_out()[ours], labels[ours])[0])
        for one in (quick, whole)
    ]
    at_least, fast_at = _thresholds(judged, labels[ours])
    stages = [
        Stage(np.asarray(matrix.T @ one.dual, np.float32) * np.float32(part), one.bias, steepness)
        for one, part, (_, steepness) in zip((quick, whole), (1.0, 1 - share), judged, strict=True)
    ]
    likely, rivals = _without_themselves(*judged[1], labels, ours)
    return Model(
        tuple(names),
        vocabulary,
        stages[0],
        stages[1],
        lens,
        Meaning(points, whole.dual * np.float32(share)),
        Examples(tuple(texts), labels.astype(np.int32), likely, rivals),
        at_least,
        fast_at,
    )


def _matrix(vocabulary: Vocabulary, texts: Sequence[str]) -> Any:
    """The texts' features, a sparse row each."""
    import scipy.sparse

    vectors = [vocabulary.vector(text) for text in texts]
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
    """Of each text to each other by their features; by parts, so that memory stays that of the answer."""
    parts = [(matrix[first : first + 1000] @ matrix.T).toarray() for first in range(0, matrix.shape[0], 1000)]
    return np.vstack(parts)


def _thresholds(judged: Sequence[tuple[Numbers, float]], labels: Any) -> tuple[float, float]:
    """(at_least, fast_at): see LOST and WORSE."""
    from bot.dialogs.understanding import ridge

    (quick, steepness), (whole, _) = judged
    right = whole.argmax(axis=1) == labels
    best = np.sort(whole.max(axis=1)[right])
    at_least = float(best[min(int(LOST * len(labels)), len(best) - 1)]) if len(best) else 0.0
    sureness = ridge.softmax(quick, steepness).max(axis=1)
    order = np.argsort(-sureness, kind="stable")
    lost = np.cumsum(right[order].astype(int) - (quick.argmax(axis=1) == labels)[order])
    allowed = np.flatnonzero(lost <= WORSE * len(labels))
    last = max(int(allowed[-1]) if len(allowed) else 0, int((1 - SLOW) * len(labels)) - 1)
    # With few examples nothing is lost down to the last of them: still a quick answer must be likely.
    return at_least, max(float(sureness[order[last]]), 0.5)


def _without_themselves(scores: Numbers, steepness: float, labels: Any, ours: Any) -> tuple[Numbers, Any]:
    """Of each example, the probability of its label in a model without it, and the best other label."""
    from bot.dialogs.understanding import ridge

    likely, rivals = np.ones(len(labels), np.float32), np.full(len(labels), -1, np.int32)
    rows = np.arange(len(scores))
    chances = ridge.softmax(scores, steepness)
    likely[ours] = chances[rows, labels[ours]]
    chances[rows, labels[ours]] = -1
    rivals[ours] = chances.argmax(axis=1)
    return likely, rivals


def ensure_model(flows: Flows, folder: Path) -> Path:
    """The model file of these flows in `folder`; trained in a process of its own when it is missing.

    Raises ConfigurationInvalid when training fails. Takes seconds: call it before serving, in a thread.
    """
    rows = examples(flows)
    file = folder / f"understanding-{digest(rows)}.npz"
    folder.mkdir(parents=True, exist_ok=True)
    # Several processes hear of new flows at once: one of them trains, the others wait for its file.
    with (folder / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            _train_apart(rows, folder, file)
    return file


def _train_apart(rows: Sequence[Example], folder: Path, file: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as work:
        given, made = Path(work) / "examples.json", Path(work) / "model.npz"
        given.write_text(to_json(rows), encoding="utf-8")
        command = [sys.executable, "-m", __name__ if __name__ != "__main__" else __spec__.name]
        done = subprocess.run(  # noqa: S603 - our own program, our own arguments
            [*command, "--examples", str(given), "--out", str(made), "--cache", str(folder / CACHE)],
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


def main(arguments: Sequence[str] | None = None) -> None:
    """Train from the shipped flows, or from `--examples`, and write `--out` in one move."""
    parser = argparse.ArgumentParser(description="Train the classifier and write its weights.")
    parser.add_argument("--out", type=Path, required=True, help="file to write, .npz")
    parser.add_argument(
        "--examples", type=Path, help="JSON list of [text, label, lang]; default: shipped flows"
    )
    parser.add_argument("--cache", type=Path, help="file that keeps embeddings; default: beside FILE")
    options = parser.parse_args(arguments)
    if options.examples:
        rows = from_json(options.examples.read_text(encoding="utf-8"))
    else:
        from bot.dialogs.flows import load_flows

        rows = examples(load_flows())
    made = options.out.with_suffix(".part")
    train(rows, options.cache or options.out.with_name(CACHE)).save(made)
    made.replace(options.out)


if __name__ == "__main__":
    main()
