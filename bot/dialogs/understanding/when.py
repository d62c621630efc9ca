"""When somebody wants something: a day, a festival, a month or a span of time in a text."""

import re
from functools import lru_cache
from pathlib import Path

from bot.dialogs.found import digits
from bot.knowledge.tokens import spelled
from bot.yaml_text import read_yaml

WEEK, MONTH = 7, 31


@lru_cache(maxsize=1)
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str], dict[str, int]]:
    """(span of time, named day, word -> days), from when.yaml."""
    words = read_yaml(spelled((Path(__file__).parent / "when.yaml").read_text(encoding="utf-8")))
    units = {word: days for days, names in words["units"].items() for word in names}
    numbers = {word: number for number, names in words["numbers"].items() for word in names}
    named = "|".join(_ordered(words["named"].split() + words["named_phrases"]))
    before, after = ("|".join(_ordered(words[key])) for key in ("before", "after"))
    # A day of the month belongs to its month: "before 15 December", "5 tarikh tak".
    day = rf"(?:\d{{1,2}}(?:st|nd|rd|th)?\s+)?(?:{named})(?:\s+\d{{1,2}}(?:st|nd|rd|th)?(?!\w))?"
    dated = rf"(?<!\w)(?:(?:{before})\s+(?:the\s+)?{day}(?!\w)|{day}\s+(?:{after})(?!\w))"
    number = rf"(?:\d{{1,3}}|{'|'.join(_ordered(numbers))})"
    joins = "|".join(_ordered(words["between"]))
    span = (
        rf"(?<!\w)(?:{number}\s*(?:-|{joins})\s*)?(?P<n>{number})\s*(?P<unit>{'|'.join(_ordered(units))})"
        rf"\s*(?:{'|'.join(_ordered(words['span_after']))})(?!\w)|"
        rf"(?<!\w)(?:{'|'.join(_ordered(words['span_before']))})\s+(?:{number}\s*(?:-|{joins})\s*)?"
        rf"(?P<n2>{number})\s*(?P<unit2>{'|'.join(_ordered(units))})(?!\w)"
    )
    sizes = {**{word: int(days) for word, days in units.items()}, **{w: int(n) for w, n in numbers.items()}}
    return re.compile(span, re.IGNORECASE), re.compile(dated, re.IGNORECASE), sizes


def _ordered(words: object) -> list[str]:
    return [re.escape(str(word)) for word in sorted(words, key=lambda word: -len(str(word)))]  # type: ignore[call-overload]


def find_when(text: str) -> str | None:
    """`now`, `month` or `later` for a span; the customer's own words for a named day; else None."""
    text = digits(spelled(text))
    span, dated, sizes = _patterns()
    if match := span.search(text):
        number, unit = match["n"] or match["n2"], (match["unit"] or match["unit2"]).lower()
        days = (int(number) if number.isdecimal() else sizes[number.lower()]) * sizes[unit]
        return "now" if days <= WEEK else "month" if days <= MONTH else "later"
    match = dated.search(text)
    return " ".join(match.group().split()) if match else None
