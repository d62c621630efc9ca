"""What an admin should look at in the examples: intents taken for one another, and examples that mislead."""

from collections import Counter
from dataclasses import dataclass

from bot.dialogs.understanding.model import Model

WEAK = 0.2
"""An example whose own intent seems this unlikely in a model without it is worth a look."""
FEW = 5
"""Examples below which an intent cannot be told well."""


@dataclass(frozen=True, slots=True)
class Weak:
    """An example that, were it not learned, would be taken for another intent."""

    text: str
    label: str
    taken_for: str
    likely: float


@dataclass(frozen=True, slots=True)
class Review:
    """`confused`: (intent, taken for, how many of its examples); `few`: (intent, how many examples)."""

    confused: tuple[tuple[str, str, int], ...] = ()
    weak: tuple[Weak, ...] = ()
    few: tuple[tuple[str, int], ...] = ()


def review(model: Model) -> Review:
    """Worst first. Costs nothing: training left every example out once."""
    known = model.examples
    weak = [
        Weak(text, model.labels[label], model.labels[rival], round(float(likely), 3))
        for text, label, likely, rival in zip(
            known.texts, known.labels, known.likely, known.rivals, strict=True
        )
        if label >= 0 and likely < WEAK
    ]
    confused = Counter((one.label, one.taken_for) for one in weak)
    counts = Counter(model.labels[label] for label in known.labels if label >= 0)
    return Review(
        tuple((label, taken_for, count) for (label, taken_for), count in confused.most_common()),
        tuple(sorted(weak, key=lambda one: one.likely)),
        tuple(
            sorted(((label, count) for label, count in counts.items() if count < FEW), key=lambda row: row[1])
        ),
    )
