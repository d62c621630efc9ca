"""Sums and quantities in a text: "5 lakh", "Rs 1,50,000/-", "do hazaar", "dhai kilo", "table for four"."""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from bot.dialogs.calendar_words import number_words
from bot.dialogs.found import Found
from bot.knowledge.tokens import MARKS, spelled
from bot.yaml_text import read_yaml

_WORDS = read_yaml(spelled((Path(__file__).parent / "words.yaml").read_text(encoding="utf-8")))
_UNITS: Mapping[str, int] = {word: size for size, words in _WORDS["units"].items() for word in words}
_CURRENCIES: Mapping[str, str] = {
    word: currency for currency, words in _WORDS["currencies"].items() for word in words
}
_MEASURES: Mapping[str, str] = {word: unit for unit, words in _WORDS["measures"].items() for word in words}
_NUMBERS: Mapping[str, Decimal] = {spelled(word): Decimal(str(number)) for word, number in number_words()}
_TENS = frozenset({"twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"})
_RUPEES = ("INR", "PKR", "NPR", "LKR")
_MOST = 10**15
"""Minor units that are no sum any more."""
_LETTER = rf"[\w{MARKS}]"


def _alternatives(words: Mapping[str, object]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_NUMBER = (
    rf"(?<![\w.{MARKS}])(?P<number>\d{{1,15}}(?:,\d{{2,3}}){{0,6}}(?:\.\d{{1,6}})?(?!\d)|"
    rf"(?:(?:{'|'.join(_TENS)})[\s-](?:one|two|three|four|five|six|seven|eight|nine)|{_alternatives(_NUMBERS)})"
    rf"(?!{_LETTER}))"
)
_UNIT = rf"(?:\s*-?\s*(?P<unit>{_alternatives(_UNITS)})(?!{_LETTER}))?"
_SIGN = _alternatives(_CURRENCIES)
_TERM = re.compile(_NUMBER + _UNIT, re.IGNORECASE)
_BEFORE = re.compile(rf"(?<!{_LETTER})(?P<sign>{_SIGN})\s*$", re.IGNORECASE)
_AFTER = re.compile(rf"\s*(?:/-\s*)?(?P<sign>{_SIGN})(?!{_LETTER})", re.IGNORECASE)
_AND = re.compile(rf"\s*(?:,\s*)?(?:{'|'.join(_WORDS['joins'])}|)\s*", re.IGNORECASE)
_MEASURED = re.compile(
    _NUMBER
    + rf"\s*-?\s*(?P<small>{_LETTER}{{1,12}}\s+)??(?P<measure>{_alternatives(_MEASURES)})(?!{_LETTER})",
    re.IGNORECASE,
)
_DOZEN = re.compile(
    rf"(?<!\w)(?:an?|the)\s+(?P<measure>{_alternatives(_MEASURES)})(?!{_LETTER})", re.IGNORECASE
)
_PARTY = re.compile(
    rf"\b(?:for|party of|group of|family of|total of)\s+{_NUMBER}"
    r"(?=\s*(?:$|[.,!?;]|(?:and|on|at|in|to|from|who|which|that|please|pls|today|tomorrow|tonight|this|next|leaving)\b))",
    re.IGNORECASE,
)
_ALONE = re.compile(
    r"\b(?:(?:just|only) (?:me|myself)|for (?:myself|me only)|by myself|(?:sirf|bas) (?:main?|mere liye))\b",
    re.IGNORECASE,
)


def sums(text: str, currency: str, bare: bool = False) -> Iterator[Found]:
    """The sums of a plain text; `bare` also takes a number alone."""
    at = 0
    while match := _TERM.search(text, at):
        amount, start, end, unit = _terms(text, match)
        at = max(end, match.end())
        before = _BEFORE.search(text[max(0, start - 12) : start])
        after = _AFTER.match(text, end)
        sign = (before or after or {"sign": ""})["sign"]
        in_words = not match["number"][:1].isdecimal()
        if not (unit or sign or (bare and not in_words)) or (
            _UNITS.get(unit.lower()) in (100, 100_000, 1_000_000) and len(unit) < 2 and not (sign or bare)
        ):
            continue
        minor = int(amount * 100)
        if 0 < minor < _MOST:
            first = start - len(before.group()) if before else start
            last = after.end() if after and not before else end
            yield Found("money", {"minor": minor, "currency": _currency(sign, currency)}, first, last)


def _terms(text: str, match: re.Match[str]) -> tuple[Decimal, int, int, str]:
    """ "two thousand four hundred and forty", "2 lakh 50 hazaar": (sum, start, end, the first unit)."""
    start, first, total, least = match.start(), match["unit"] or "", Decimal(0), _MOST
    while True:
        size = _UNITS.get((match["unit"] or "").lower(), 1)
        value = _value(match["number"])
        total += value * size
        least, end = size, match.end()
        following = _TERM.match(text, between.end()) if (between := _AND.match(text, end)) else None
        if following is None or least == 1 or between is None or between.end() == end:
            return total, start, end, first
        next_size = _UNITS.get((following["unit"] or "").lower(), 1)
        if next_size >= least or _value(following["number"]) * next_size >= least:
            return total, start, end, first
        match = following


def _value(number: str) -> Decimal:
    number = number.lower()
    if known := _NUMBERS.get(number):
        return known
    tens, _, ones = number.replace("-", " ").partition(" ")
    if tens in _NUMBERS and ones in _NUMBERS:
        return _NUMBERS[tens] + _NUMBERS[ones]
    try:
        return Decimal(number.replace(",", ""))
    except InvalidOperation:
        return Decimal(0)


def _currency(sign: str, ours: str) -> str:
    """What a sum is in: rupees are the business's own, where it reckons in rupees."""
    named = _CURRENCIES.get(sign.lower(), ours)
    if named != "RUPEES":
        return named
    return ours if ours in _RUPEES else "INR"


def quantities(text: str, bare: bool = False) -> Iterator[Found]:
    """The quantities of a plain text: `{"amount": 0.5, "unit": "kg"}`; a dozen are twelve pieces. `bare` also
    takes a number alone."""
    found = [_quantity(_value(match["number"]), match) for match in _MEASURED.finditer(text)]
    found += [_quantity(Decimal(1), match) for match in _DOZEN.finditer(text) if _dozen(match)]
    found += [_quantity(_value(match["number"]), match, "person") for match in _PARTY.finditer(text)]
    found += [_quantity(Decimal(1), match, "person") for match in _ALONE.finditer(text)]
    taken: list[Found] = []
    for one in sorted(found, key=lambda one: (one.start, -one.end)):
        if not taken or one.start >= taken[-1].end:
            taken.append(one)
    if not taken and bare and (match := _TERM.search(text)):
        taken.append(_quantity(_value(match["number"]), match, ""))
    yield from taken


def _dozen(match: re.Match[str]) -> bool:
    return _MEASURES[match["measure"].lower()] == "dozen"


def _quantity(value: Decimal, match: re.Match[str], unit: str | None = None) -> Found:
    unit = _MEASURES[match["measure"].lower()] if unit is None else unit
    if unit == "dozen":
        value, unit = value * 12, "piece"
    amount: Any = int(value) if value == int(value) else float(value)
    return Found("quantity", {"amount": amount, "unit": unit}, match.start(), match.end())
