"""The words of days and times in a text, with their places: what `moments.py` reads dates and times from.

The words are data: `calendar.yaml` and `numbers.yaml`, a section for each language.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from bot.knowledge.tokens import MARKS, spelled
from bot.yaml_text import read_yaml

_TOKEN = re.compile(rf"\d+|[^\W\d_](?:[^\W\d_]|[{MARKS}]|['’](?=[a-z]))*|[{MARKS}]+|[^\s\w]")
_ORDINAL = frozenset({"st", "nd", "rd", "th"})
_SURE = (
    *("days", "either_way", "parts", "clock", "weekdays", "half_past", "quarter_past", "quarter_to"),
    *("of_month", "of"),
)
"""What romanised Hindi lends to a text in English: words that English has not."""

_SLIPS_IN = frozenset({"weekday", "month", "part", "day"})
_SLIPS_FROM = 6
"""Letters from which on a word of the calendar is known with a slip in it."""
_VOWELS, _DOUBLED = re.compile(r"[aeiou]+"), re.compile(r"(.)\1+")
_HASTY = 4
"""Letters that must be left of a word without its vowels."""


@dataclass(frozen=True, slots=True)
class Item:
    """A word or phrase at its place, and what it may mean: tag -> value."""

    start: int
    end: int
    means: Mapping[str, Any] = field(default_factory=dict)
    word: str = ""

    def get(self, tag: str) -> Any:
        """Its value as this kind of word, or None."""
        return self.means.get(tag)


@lru_cache(maxsize=256)
def items_of(text: str, lang: str) -> tuple[Item, ...]:
    """The words of a text; numbers and words that the calendar does not know are among them."""
    tokens = [(match.group(), match.start(), match.end()) for match in _TOKEN.finditer(_lower(text))]
    lexicon = _lexicon(_tables(lang))
    items: list[Item] = []
    at = 0
    while at < len(tokens):
        size, means = _longest(tokens, at, lexicon)
        word, start, end = tokens[at]
        if word.isdecimal():
            means = {"digits": word, "number": int(word)} if len(word) <= 6 else {}
            following = tokens[at + 1] if at + 1 < len(tokens) else ("", 0, 0)
            if means and following[0] in _ORDINAL and following[1] == end:
                means, size, end = {"ordinal": int(word)}, 2, following[2]
        elif means:
            end = tokens[at + size - 1][2]
        items.append(Item(start, end, means, word))
        at += size
    return tuple(items)


def _longest(
    tokens: list[tuple[str, int, int]], at: int, lexicon: Mapping[str, Mapping[str, Any]]
) -> tuple[int, Mapping[str, Any]]:
    """The longest known phrase at a place: (its words, what it means). A phrase's first word tells how long
    the longest one is that begins with it."""
    longest = lexicon.get(tokens[at][0], {}).get("longest", 0)
    for size in range(min(longest, len(tokens) - at), 0, -1):
        means = lexicon.get(" ".join([token[0] for token in tokens[at : at + size]]))
        if means and means.keys() != {"longest"}:
            return size, means
    word = tokens[at][0]
    known = len(word) >= _HASTY and word.isascii() and word.isalpha() and word not in lexicon
    return 1, (lexicon.get(_hasty(word), {}) if known else {})


def _lower(text: str) -> str:
    """In lower case, each letter at its place."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(small if len(small := char.lower()) == 1 else char for char in text)


@lru_cache(maxsize=1)
def _rows() -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    here = Path(__file__).parent
    calendar, numbers = (
        read_yaml(spelled((here / name).read_text("utf-8"))) for name in ("calendar.yaml", "numbers.yaml")
    )
    return calendar, numbers


def number_words() -> Iterator[tuple[str, float]]:
    """Every language's words for numbers."""
    for table in _rows()[1].values():
        for number, words in table.items():
            yield from ((word, number) for word in words)


@lru_cache(maxsize=64)
def _tables(lang: str) -> tuple[str, ...]:
    """The tables a text in a language is read by, the first to know a word deciding: its own, its other
    spelling, English, those in other scripts (which cannot clash), and romanised Hindi."""
    calendar = _rows()[0]
    native = [name for name in calendar if not name.endswith("-Latn") and name != "en"]
    own = [name for name in (lang, f"{lang}-Latn") if name in calendar and name != "en"]
    if lang in ("hi", "ur"):
        own = [lang, "hi-Latn"]
    return tuple(dict.fromkeys((*own, "en", *native, *(() if "hi-Latn" in own else ("hi-Latn?",)))))


@lru_cache(maxsize=32)
def _lexicon(tables: tuple[str, ...]) -> Mapping[str, Mapping[str, Any]]:
    calendar, numbers = _rows()
    lexicon: dict[str, dict[str, Any]] = {}
    for name in tables:
        table = calendar[name.removesuffix("?")]
        counts = numbers.get(name, {})
        if name.endswith("?"):
            table = {kind: table[kind] for kind in _SURE if kind in table}
        for phrase, tag, value in (*_entries(table), *_numbers(counts)):
            words = _TOKEN.findall(_lower(phrase))
            lexicon.setdefault(" ".join(words), {}).setdefault(tag, value)
            first = lexicon.setdefault(words[0], {})
            first["longest"] = max(first.get("longest", 0), len(words))
    for word, means in tuple(lexicon.items()):
        if len(word) >= _SLIPS_FROM and word.isascii() and word.isalpha() and means.keys() & _SLIPS_IN:
            for slip in filter(None, (*_slips(word), _hasty(word))):
                lexicon.setdefault(slip, {**means})
    return lexicon


@lru_cache(maxsize=4096)
def _hasty(word: str) -> str:
    """A word without vowels and doubled letters, marked as such: "novmbr" and "november" are one. Empty where
    too little is left."""
    kept = _DOUBLED.sub(r"\1", word[:1] + _VOWELS.sub("", word[1:]))
    return f"~{kept}" if len(kept) >= _HASTY else ""


def _slips(word: str) -> Iterator[str]:
    """A word as it is mistyped: a letter left out, or two the wrong way round; the first is right."""
    for at in range(1, len(word)):
        yield word[:at] + word[at + 1 :]
        if at + 1 < len(word):
            yield word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _numbers(table: Mapping[float, list[str]]) -> Iterator[tuple[str, str, Any]]:
    for number, words in table.items():
        yield from ((word, "number", number) for word in words)


def _entries(table: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """(phrase, tag, value) of a language's table."""
    for kind, words in table.items():
        if kind == "days":
            yield from ((word, "day", offset) for offset, said in words.items() for word in said)
        elif kind == "either_way":
            yield from ((word, "either", offset) for offset, said in words.items() for word in said)
        elif kind in ("parts", "units"):
            yield from ((word, kind[:-1], name) for name, said in words.items() for word in said)
        elif kind in ("weekdays", "months"):
            first = int(kind == "months")
            yield from ((word, kind[:-1], n) for n, said in enumerate(words, first) for word in said)
        elif kind == "ordinals":
            yield from ((word, "ordinal", n) for n, word in enumerate(words, 1))
        else:
            yield from ((word, kind, True) for word in words)
