"""`samvad eval understanding`: the classifier trained on one file, judged on another.

Rows are `{text, intent, lang}`; intent `out_of_scope` should match nothing. Training sees its own file
only; the thresholds come out of it. Each message is timed by itself, as one that a customer writes.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np

from bot.dialogs.understanding.examples import NONE, Example
from bot.dialogs.understanding.model import Guess
from bot.dialogs.understanding.shelf import CACHE
from bot.dialogs.understanding.train import train as learn
from bot.errors import InvalidInput
from bot.evaluate.gold import read_rows, share
from bot.knowledge.embeddings import embed
from bot.settings import load_settings


def evaluate_understanding(train: Path, test: Path) -> dict[str, Any]:
    """Rightness with and without rejection, times, and the share of the embedding stage."""
    learned, asked = _rows(train), _rows(test)
    # Embeddings of texts seen before are read back, as when an admin publishes again.
    cache = load_settings().data_dir.resolve() / "models" / f"evaluated-{CACHE}"
    began = time.perf_counter()
    model = learn(learned, cache)
    train_seconds = time.perf_counter() - began
    embed(["warm"])
    guesses: list[Guess] = []
    took: list[float] = []
    slow = 0
    for row in asked:
        began = time.perf_counter()
        guess = model.fast(row.text)
        if guess is None:
            slow += 1
            guess = model.full(row.text)
        took.append((time.perf_counter() - began) * 1000)
        guesses.append(guess)
    return {
        **_figures([row.label for row in asked], guesses),
        "ms_median": round(float(np.median(took)), 2),
        "ms_p95": round(float(np.percentile(took, 95)), 2),
        "embedding_share": share(slow, len(asked)),
        "train_seconds": round(train_seconds, 2),
        "threshold": round(model.at_least, 3),
        "fast_at": round(model.fast_at, 3),
        "rows": len(asked),
    }


def _figures(gold: list[str], guesses: list[Guess]) -> dict[str, Any]:
    said = [guess.label if guess.sure else NONE for guess in guesses]
    ours = [place for place, label in enumerate(gold) if label != NONE]
    foreign = [place for place, label in enumerate(gold) if label == NONE]
    return {
        "accuracy_forced": share(sum(guesses[place].label == gold[place] for place in ours), len(ours)),
        "accuracy_in_scope": share(sum(said[place] == gold[place] for place in ours), len(ours)),
        "oos_recall": share(sum(said[place] == NONE for place in foreign), len(foreign)),
        "mcc": round(matthews(gold, said), 4),
    }


def matthews(gold: list[str], said: list[str]) -> float:
    """The Matthews correlation of many classes: 1 right, 0 as by chance."""
    names = sorted({*gold, *said})
    counts = np.array([[gold.count(name), said.count(name)] for name in names], float)
    right, total = sum(one == other for one, other in zip(gold, said, strict=True)), len(gold)
    if not total:
        return 0.0
    shared = right * total - counts[:, 0] @ counts[:, 1]
    spread = (total**2 - counts[:, 0] @ counts[:, 0]) * (total**2 - counts[:, 1] @ counts[:, 1])
    return float(shared / np.sqrt(spread)) if spread > 0 else 0.0


def _rows(file: Path) -> list[Example]:
    rows = read_rows(file)
    for number, row in enumerate(rows, 1):
        if not isinstance(row.get("text"), str) or not isinstance(row.get("intent"), str):
            raise InvalidInput(f"{file}: row {number} needs the texts `text` and `intent`", field="test")
    return [Example(row["text"], row["intent"], str(row.get("lang", ""))) for row in rows]
