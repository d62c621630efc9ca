"""A value found in a text, with its place; and the text as finders read it."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from bot.knowledge.tokens import spelled

_INDIC_DIGITS = str.maketrans(
    "०१२३४५६७८९০১২৩৪৫৬৭৮৯૦૧૨૩૪૫૬૭૮૯੦੧੨੩੪੫੬੭੮੯௦௧௨௩௪௫௬௭௮௯౦౧౨౩౪౫౬౭౮౯۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩٬٫෦෧෨෩෪෫෬෭෮෯",
    "0123456789" * 8 + ",." + "0123456789",
)  # fmt: skip


class Found(NamedTuple):
    """A value of a kind and the place in the text that says it."""

    kind: str
    value: Any
    start: int
    end: int


def digits(text: str) -> str:
    """The text with Indic digits as 0-9."""
    return text if text.isascii() else text.translate(_INDIC_DIGITS)


@dataclass(frozen=True, slots=True)
class Plain:
    """A text as finders read it: composed, in one spelling, with digits 0-9. `places` is the place of each of
    its characters in the original, and the original's length; None where they are the same."""

    text: str
    places: tuple[int, ...] | None = None

    def original(self, start: int, end: int) -> tuple[int, int]:
        """A place of this text in the original."""
        if self.places is None:
            return start, end
        return self.places[start], self.places[end]


def plain(text: str) -> Plain:
    """A text as finders read it."""
    if text.isascii():
        return Plain(text)
    composed = digits(spelled(text))
    if len(composed) == len(text):
        return Plain(composed)
    places: list[int] = []
    for start, cluster in _clusters(text):
        places += [start] * len(spelled(cluster))
    if len(places) != len(composed):  # composed over a cluster's end: in no script of ours
        places = [min(at, len(text) - 1) for at in range(len(composed))]
    return Plain(composed, (*places, len(text)))


def _clusters(text: str) -> Iterator[tuple[int, str]]:
    """A letter with its marks, and where it begins: what is composed and decomposed as one."""
    start = 0
    for at, char in enumerate(text):
        if at > start and unicodedata.category(char)[0] != "M":
            yield start, text[start:at]
            start = at
    yield start, text[start:]
