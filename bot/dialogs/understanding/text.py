"""From a message to features: the same code in training and in serving, so that their scores are one."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from bot.dialogs.found import digits
from bot.dialogs.slots import EMAIL
from bot.knowledge.tokens import WORD, fold

CHARS = range(2, 6)
STEM = 4
"""Letters that a word is known by beside its whole."""
LONGEST = 600
"""Characters of a message that are looked at: mail can be long, and the beginning says what it is about."""

_LINK = re.compile(r"https?://\S+")
_LONG_NUMBER = re.compile(r"\+?\d[\d\s-]{6,}\d")
_REPEATED = re.compile(r"(\w)\1{2,}")
_CASE = re.compile(r"\bc-?\s?\d{1,7}\b")


def normal(text: str) -> str:
    """Folded, with what differs in each message — numbers, addresses — replaced by its kind."""
    text = fold(digits(text[:LONGEST]))
    if "@" in text:
        text = EMAIL.sub(" xmail ", text)
    if "://" in text:
        text = _LINK.sub(" xlink ", text)
    if any(char.isdigit() for char in text):
        text = _LONG_NUMBER.sub(" xphone ", _CASE.sub(" xcase ", text))
        text = re.sub(r"\d+", "0", text)
    return _REPEATED.sub(r"\1\1", text)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a text is made of: its words, and the features of words and of their beginnings in a row."""

    words: list[str]
    phrases: list[str]
    stems: list[str]


def terms(text: str) -> Terms:
    """The words of a text, with its pairs of words; a question mark counts as a word."""
    folded = normal(text)
    words: list[str] = WORD.findall(folded)
    # Endings and spellings differ ("karna", "karni"), beginnings hardly do.
    stems = [word[:STEM] for word in words]
    asked = ["?"] if "?" in folded else []
    return Terms(words, words + _pairs(words) + asked, stems + _pairs(stems))


def _pairs(words: list[str]) -> list[str]:
    return [f"{before} {word}" for before, word in pairwise(words)]


def of_word(word: str) -> Iterator[str]:
    """The character n-grams of one word, wherever it stands."""
    padded = f" {word} "
    size = len(padded)
    for n in CHARS:
        if n >= size:
            yield padded
            break
        for start in range(size - n + 1):
            yield padded[start : start + n]
