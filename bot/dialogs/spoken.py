"""Digits that are spelled out, in any language: "nine eight double zero 4 5"."""

from functools import lru_cache
from pathlib import Path

from bot.dialogs.calendar_words import number_words
from bot.dialogs.found import digits
from bot.knowledge.tokens import WORD, fold
from bot.yaml_text import read_yaml

_WORDS = read_yaml((Path(__file__).parent / "words.yaml").read_text(encoding="utf-8"))
LEAST = 4
"""Digits from which on a row of them is a number of its own."""


def in_figures(text: str) -> str:
    """The text with each row of spelled digits as one number in figures."""
    text = digits(text)
    said: list[tuple[int, int, str, bool]] = []
    times = 1
    begins = 0
    for match in WORD.finditer(text):
        word = fold(match.group())
        if word in _times():
            times, begins = _times()[word], match.start() if times == 1 else begins
            continue
        figure = _figures().get(word) or (word if word.isdecimal() else "")
        start = begins if times > 1 else match.start()
        said.append((start, match.end(), figure * times, not word.isdecimal()))
        times = 1
    rows = _rows(said)
    for start, end, figures in reversed(rows):
        text = f"{text[:start]}{figures}{text[end:]}"
    return text


def _rows(said: list[tuple[int, int, str, bool]]) -> list[tuple[int, int, str]]:
    """(begin, end, figures) of each row in which digits are spelled out."""
    rows: list[tuple[int, int, str]] = []
    row: list[tuple[int, int, str, bool]] = []
    for one in (*said, (0, 0, "", False)):
        if one[2]:
            row.append(one)
            continue
        figures = "".join(part[2] for part in row)
        if len(figures) >= LEAST and any(part[3] for part in row):
            rows.append((row[0][0], row[-1][1], figures))
        row = []
    return rows


@lru_cache(maxsize=1)
def _figures() -> dict[str, str]:
    words = {fold(word): str(int(value)) for word, value in number_words() if value in range(1, 10)}
    return words | {fold(word): "0" for word in _WORDS["zero"]}


@lru_cache(maxsize=1)
def _times() -> dict[str, int]:
    return {fold(word): times for times, words in _WORDS["times"].items() for word in words}
