"""What a message changes of the answers given before: "no, my number is …", "make it six", "the date is
wrong"."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from bot.dialogs.commands import Correct
from bot.dialogs.flows.model import Collect
from bot.dialogs.turn import Turn
from bot.dialogs.understanding.examples import courtesy, words_of
from bot.dialogs.understanding.extract import Extracted, choice_word, extract, said_unasked
from bot.dialogs.understanding.manners import SHORT
from bot.knowledge.tokens import WORD, fold

_NOT = re.compile(r"(?P<new>.+?)[ ,]+not[ ,]+\S", re.IGNORECASE | re.DOTALL)
"""English last: "the ninth, not the sixth"."""
_CLAUSE, _SENTENCE = re.compile(r"[,.!?;।۔،؛]\s|\n"), re.compile(r"[.!?।۔]\s+|\n")


@lru_cache(maxsize=1)
def _denied_first() -> re.Pattern[str]:
    """Hindi and its kin deny first: "6 nahi 7 baje"."""
    words = "|".join(sorted(words_of("denies_first"), key=len, reverse=True))
    return re.compile(rf".*\S[ ,]+(?:{words})[ ,]+(?P<new>.+)", re.IGNORECASE | re.DOTALL)


def marks_correction(text: str) -> bool:
    """Whether a text begins as a correction does, or says that something is wrong."""
    words = WORD.findall(fold(text))
    return any(word in _words("correction") for word in words[:4]) or any(
        word in _words("wrong") for word in words
    )


def corrections_in(
    text: str, lang: str, turn: Turn, steps: Sequence[Collect], slots: Mapping[str, Any], marked: bool
) -> tuple[Correct, ...]:
    """New values for answered questions, from the part of a text that says them."""
    for part in _parts(text):
        if found := corrected(steps, slots, extract(part, turn, lang), part, marked):
            return found
    return ()


def _parts(text: str) -> Iterator[str]:
    """The parts that may say what is right, the likeliest first; the whole text at last."""
    for pattern in (_denied_first(), _NOT):
        if match := pattern.match(text):
            yield match["new"]
    yield from dict.fromkeys((_CLAUSE.split(text)[0], _SENTENCE.split(text)[-1], text))


def corrected(
    steps: Sequence[Collect], slots: Mapping[str, Any], found: Extracted, text: str, marked: bool
) -> tuple[Correct, ...]:
    """New values for answered questions, each kind of value once."""
    corrections: list[Correct] = []
    for step in steps:
        value = _moved(step, slots.get(step.slot), found)
        if value is None and marked and step.type == "choice":
            brief = len(text.split()) <= SHORT
            value = choice_word(step, text) if brief or not step.hints else said_unasked(step, text)
        taken = [known.value for known in corrections]
        if value is not None and value != slots.get(step.slot) and value not in taken:
            corrections.append(Correct(step.slot, value))
    return tuple(corrections)


def _moved(step: Collect, before: Any, found: Extracted) -> Any:
    """The value of a step's kind; of a moment, only its day or its hour may be another one."""
    value = found.fits(step)
    if value is not None or step.type != "datetime" or not isinstance(before, str) or "T" not in before:
        return value
    day, _, rest = before.partition("T")
    if date := found.values.get("date"):
        return f"{date}T{rest}"
    hour = found.values.get("time")
    return f"{day}T{hour}{rest[5:]}" if hour else None


def named_wrong(steps: Sequence[Collect | None], text: str) -> str | None:
    """The answered question whose name a text says: "the date is wrong"."""
    said = f" {' '.join(WORD.findall(fold(text)))} "
    for step in steps:
        if step is None:
            continue
        named = step.slot.replace("_", " ")
        if f" {fold(named)} " in said or any(
            f" {word} " in said for word in (*_kinds(step.type), *_kinds(step.slot))
        ):
            return step.slot
    return None


@lru_cache(maxsize=2)
def _words(section: str) -> frozenset[str]:
    return frozenset(word for phrase in words_of(section) for word in WORD.findall(fold(phrase)))


@lru_cache(maxsize=128)
def _kinds(type: str) -> tuple[str, ...]:
    rows = courtesy()["kinds"].get(type) or {}
    return tuple(" ".join(WORD.findall(fold(word))) for words in rows.values() for word in words)
