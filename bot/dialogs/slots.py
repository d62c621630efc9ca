"""What a slot takes: a text in, a value that JSON can hold out, or None when it does not fit.

Every reader accepts its own values again, so that a value may be checked twice.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import phonenumbers

from bot.dialogs.flows.model import Collect
from bot.dialogs.turn import Turn
from bot.knowledge.tokens import fold, spelled
from bot.yaml_text import read_yaml

TEXT_LIMIT = 4000
NAME_LIMIT = 60

EMAIL = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+", re.UNICODE)
_PHONE_LIKE = re.compile(r"(?<![\w.])\+?\(?\d[\d\s().-]{5,18}\d(?!\w)")
_INDIC_DIGITS = str.maketrans(
    "०१२३४५६७८९০১২৩৪৫৬৭৮৯૦૧૨૩૪૫૬૭૮૯੦੧੨੩੪੫੬੭੮੯௦௧௨௩௪௫௬௭௮௯౦౧౨౩౪౫౬౭౮౯۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩٬٫",
    "0123456789" * 8 + ",.",
)  # fmt: skip
_WORDS = read_yaml(spelled((Path(__file__).parent / "words.yaml").read_text(encoding="utf-8")))
_UNITS: Mapping[str, int] = {word: size for size, words in _WORDS["units"].items() for word in words}
_CURRENCIES: Mapping[str, str] = {
    word: currency for currency, words in _WORDS["currencies"].items() for word in words
}

_RUPEES = ("INR", "PKR", "NPR", "LKR")


def _alternatives(words: Mapping[str, object]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


MONEY = re.compile(
    rf"(?:(?P<before>{_alternatives(_CURRENCIES)})\s*)?"
    r"(?<![\w.])(?P<number>\d+(?:,\d+)*(?:\.\d+)?)\s*"
    rf"(?:(?P<unit>{_alternatives(_UNITS)})(?!\w))?\s*"
    rf"(?:(?P<after>{_alternatives(_CURRENCIES)})(?!\w))?",
    re.IGNORECASE,
)
_NUMBERS: Mapping[str, str] = {
    word: str(number) for number, words in _WORDS["numbers"].items() for word in words
}
_SPOKEN = re.compile(
    rf"(?<!\w)(?P<number>{_alternatives(_NUMBERS)})\s+(?=(?:{_alternatives(_UNITS)})(?!\w))", re.IGNORECASE
)
_NAME_BEFORE = re.compile(
    r"^(?:(?:hi|hello|hey|namaste|no|sorry|actually)[,\s]+)*"
    r"(?:my (?:good )?name is|name is|name\s*[:-]|i am|i'm|im|this is|it is|it's|call me|"
    r"mera (?:naam|nam)|main|mai|naam|मेरा नाम|मैं|नाम|میرا نام|میں|نام)\s+",
    re.IGNORECASE,
)
_NAME_AFTER = re.compile(
    r"\s+(?:here|hai|hain|hoon|hu|hun|hoo|bol raha|bol rahi|है|हूँ|हूं|हैं|"
    r"(?:(?:بات کر|بول) (?:رہا|رہی) )?ہوں|ہے|ہیں)[.!।۔\s]*$",
    re.IGNORECASE,
)
# One letter, then letters, marks (Indic vowel signs are no letters to `re`), dots, apostrophes, hyphens.
_NAME = re.compile(r"[^\W\d_][^\d_@#/\\<>{}\[\]()+=?!,;:|\"؟،؛۔]*")
_NO_NAMES = frozenset(fold(_WORDS["not_names"]).split())
YES = frozenset(fold(_WORDS["says_yes"]).split())
NO = frozenset(fold(_WORDS["says_no"]).split())
_WORD = re.compile(r"[^\s.,!?।۔؟،]+")


def digits(text: str) -> str:
    """The text with Indic digits as 0-9."""
    return text if text.isascii() else text.translate(_INDIC_DIGITS)


@lru_cache(maxsize=4096)
def find_phone(text: str, country: str) -> str | None:
    """The first valid phone number in a text, as E.164; a local number is read as one of `country`."""
    for match in _PHONE_LIKE.finditer(digits(text)):
        try:
            number = phonenumbers.parse(match.group(), country)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return None


def find_email(text: str) -> str | None:
    """The first e-mail address in a text, in lower case."""
    if "@" not in text:
        return None
    match = EMAIL.search(text)
    return match.group().rstrip(".").lower() if match else None


def find_money(text: str, currency: str, bare: bool = False) -> dict[str, Any] | None:
    """The first sum in a text: "5 lakh", "₹2.5k", "Rs 40,000". `bare` also takes a number alone."""
    for match in MONEY.finditer(_figures(text)):
        unit, sign = match["unit"], match["before"] or match["after"]
        if not (bare or unit or sign) or (unit in ("m", "l", "L") and not (sign or bare)):
            continue
        try:
            amount = Decimal(match["number"].replace(",", ""))
        except InvalidOperation:
            continue
        minor = int(amount * _UNITS.get((unit or "").lower(), 1) * 100)
        if 0 < minor < 10**15:
            return {"minor": minor, "currency": _currency(sign, currency)}
    return None


def _currency(sign: str | None, ours: str) -> str:
    """What a sum is in: rupees are the business's own, where it reckons in rupees."""
    named = _CURRENCIES.get((sign or "").lower(), ours)
    if named != "RUPEES":
        return named
    return ours if ours in _RUPEES else "INR"


def says_sum(text: str) -> bool:
    """Whether a text may hold a sum: digits, or a number in words before a unit."""
    return any(char.isdigit() for char in text) or _SPOKEN.search(spelled(text)) is not None


def _figures(text: str) -> str:
    """The text with digits for the numbers that are said in words before a unit."""
    text = digits(spelled(text))
    return _SPOKEN.sub(lambda match: f"{_NUMBERS[match['number'].lower()]} ", text)


def read_name(text: str) -> str | None:
    """A person's name, without "my name is"."""
    name = _NAME_AFTER.sub("", _NAME_BEFORE.sub("", text.strip())).strip(" .!।۔")
    words = name.split()
    if not words or len(words) > 5 or len(name) > NAME_LIMIT or not _NAME.fullmatch(name):
        return None
    if any(fold(word) in _NO_NAMES for word in words):
        return None
    return " ".join(words)


def read_yes_no(text: str) -> bool | None:
    """Yes or no, by its first word that says so; long texts say neither."""
    words = [fold(word) for word in _WORD.findall(text)]
    if len(words) > 4:
        return None
    if any(word in NO for word in words):
        return False
    return True if any(word in YES for word in words) else None


def read_date(text: str, turn: Turn) -> str | None:
    """A day as ISO: 2026-11-21, 21/11/2026, 21-11, today, tomorrow."""
    today = turn.now.astimezone(_zone(turn.business.time_zone)).date()
    plain = digits(fold(text)).strip()
    days = {
        "today": 0,
        "aaj": 0,
        "आज": 0,
        "آج": 0,
        "tomorrow": 1,
        "kal": 1,
        "कल": 1,
        "کل": 1,
        "parso": 2,
        "parson": 2,
        "परसों": 2,
        "پرسوں": 2,
    }
    if plain in days:
        return (today + timedelta(days=days[plain])).isoformat()
    found = re.search(r"(\d{4})-(\d{1,2})-(\d{1,2})", plain)
    parts = [int(part) for part in found.groups()] if found else []
    if not parts and (found := re.search(r"(\d{1,2})[/.-](\d{1,2})(?:[/.-](\d{4}))?", plain)):
        day, month, year = found.groups()
        parts = [int(year or today.year), int(month), int(day)]
    try:
        return date(*parts).isoformat() if parts else None
    except ValueError:
        return None


@lru_cache(maxsize=16)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


def choices(step: Collect, slots: Mapping[str, Any], turn: Turn) -> list[tuple[str, str, str]]:
    """(value, key, text) of each choice a step offers; the key or the text is its title."""
    if not step.choices_from:
        ours = turn.business.languages if step.our_languages else tuple(step.choices)
        return [(value, key, "") for value, key in step.choices.items() if value in ours]
    given = slots.get(step.choices_from)
    rows = given if isinstance(given, list) else []
    return [(str(row[0]), "", str(row[1])) for row in rows if isinstance(row, list | tuple) and len(row) == 2]


def _money(value: Any, turn: Turn) -> Any:
    if isinstance(value, dict):
        return value if isinstance(value.get("minor"), int) else None
    return find_money(str(value), turn.business.currency, bare=True)


def _text(value: Any) -> str | None:
    return str(value).strip()[:TEXT_LIMIT] or None


_READERS: Mapping[str, Callable[[Any, Turn], Any]] = {
    "text": lambda value, turn: _text(value),
    "name": lambda value, turn: read_name(str(value)),
    "phone": lambda value, turn: find_phone(str(value), turn.business.country),
    "email": lambda value, turn: find_email(str(value)),
    "contact": lambda value, turn: find_email(str(value)) or find_phone(str(value), turn.business.country),
    "money": _money,
    "date": lambda value, turn: read_date(str(value), turn),
    "yes_no": lambda value, turn: value if isinstance(value, bool) else read_yes_no(str(value)),
}


def accept(step: Collect, value: Any, slots: Mapping[str, Any], turn: Turn) -> Any:
    """The value as the slot keeps it, or None when it does not fit."""
    if value is None:
        return None
    if step.type != "choice":
        return _READERS[step.type](value, turn)
    for known, _, title in choices(step, slots, turn):
        if str(value) in (known, title):
            return known
    return _text(value) if step.other else None
