"""`samvad flows review`: what the classifier makes of the examples, and of a message."""

import asyncio
from collections.abc import Iterator

from bot.app import open_store
from bot.dialogs.publishing import served
from bot.dialogs.understanding.examples import examples
from bot.dialogs.understanding.model import Model
from bot.dialogs.understanding.review import review
from bot.dialogs.understanding.shelf import Kind, make
from bot.records.actor import SYSTEM
from bot.settings import Settings

SHOWN = 20
"""Weak examples that are listed."""


def _model(settings: Settings) -> Model:
    """Of the flows that are served: those of the business among them."""
    store = open_store(settings)
    try:
        flows = store.read_now(served, SYSTEM)
    finally:
        store.close()
    kind: Kind = "meaning" if settings.embeddings else "words"
    return asyncio.run(make(examples(flows), settings.data_dir.resolve() / "models", kind))


def reviewed(settings: Settings) -> Iterator[str]:
    """Line by line, worst first."""
    model = _model(settings)
    found = review(model)
    for label, taken_for, count in found.confused:
        yield f"{label} is taken for {taken_for}: {count} of its examples"
    for label, count in found.few:
        yield f"{label} has {count} examples only"
    for weak in found.weak[:SHOWN]:
        yield f"weak: {weak.text!r} of {weak.label} reads like {weak.taken_for} ({weak.likely:.0%})"
    yield f"{len(model.examples.texts)} examples of {len(model.labels)} intents, {len(found.weak)} weak."


def explained(settings: Settings, text: str) -> Iterator[str]:
    """The best intents and the nearest examples."""
    model = _model(settings)
    quick = model.fast(text)
    guess = quick or model.full(text)
    stage = "by its words" if quick or model.meaning is None else "by its words and its meaning"
    yield f"{guess.label if guess.sure else 'nothing'}, {stage}"
    for label, probability in guess.ranked:
        yield f"  {probability:.0%} {label}"
    for example, label, nearness in model.nearest(text):
        yield f"  near ({nearness}): {example!r} of {label or 'none'}"
