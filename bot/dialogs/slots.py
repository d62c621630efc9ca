"""What a slot takes: a text in, a value that JSON can hold out, or None when it does not fit.

Every reader accepts its own values again, so that a value may be checked twice.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import phonenumbers
from phonenumbers.timezone import UNKNOWN_TIMEZONE, time_zones_for_number

from bot.dialogs.amounts import quantities, sums
from bot.dialogs.flows.model import Collect
from bot.dialogs.found import Found, digits, plain
from bot.dialogs.moments import Moment, Reckoning, find_moments
from bot.dialogs.places import LEAST, ORDER_NUMBER, addresses, order_numbers
from bot.dialogs.spoken import in_figures
from bot.dialogs.turn import Turn
from bot.knowledge.tokens import fold, spelled
from bot.yaml_text import read_yaml

TEXT_LIMIT = 4000
NAME_LIMIT = 60

EMAIL = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+", re.UNICODE)
_PHONE_LIKE = re.compile(r"(?<![\w.])\+?\(?\d[\d\s().-]{5,18}\d(?!\w)")
_WORDS = read_yaml(spelled((Path(__file__).parent / "words.yaml").read_text(encoding="utf-8")))
# One letter, then letters, marks (Indic vowel signs are no letters to `re`), dots, apostrophes, hyphens.
_NAME = re.compile(r"[^\W\d_][^\d_@#/\\<>{}\[\]()+=?!,;:|\"؟،؛۔]*")
_NO_NAMES = frozenset(fold(_WORDS["not_names"]).split())
_NAME_WORDS = frozenset(fold(_WORDS["name_words"]).split())
_BEFORE_NAMES = frozenset(["", *fold(_WORDS["before_names"]).split()])
_AFTER_NAMES = frozenset(["", *fold(_WORDS["after_names"]).split()])
YES = frozenset(fold(_WORDS["says_yes"]).split())
NO = frozenset(fold(_WORDS["says_no"]).split())
_WORD = re.compile(r"[^\s.,!?।۔؟،]+")
_YEAR = re.compile(r"(?:19|20)\d\d")
_NUMBER_IN_ANSWER = re.compile(r"(?<![\w/-])(?:[A-Za-z]{1,6}[-/]?)?\d{3,14}(?![\w/-])")


@lru_cache(maxsize=4096)
def phones(text: str, country: str) -> tuple[Found, ...]:
    """The valid phone numbers in a text, as E.164; a local number is read as one of `country`."""
    found = []
    for match in _PHONE_LIKE.finditer(digits(text)):
        try:
            number = phonenumbers.parse(match.group(), country)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            value = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
            found.append(Found("phone", value, *match.span()))
    return tuple(found)


def emails(text: str) -> Iterator[Found]:
    """The e-mail addresses in a text, in lower case."""
    for match in EMAIL.finditer(text) if "@" in text else ():
        value = match.group().rstrip(".")
        yield Found("email", value.lower(), match.start(), match.start() + len(value))


def find_phone(text: str, country: str) -> str | None:
    """The first valid phone number in a text."""
    return next((found.value for found in phones(text, country)), None)


def find_email(text: str) -> str | None:
    """The first e-mail address in a text."""
    return next((found.value for found in emails(text)), None)


def find_money(text: str, currency: str, bare: bool = False) -> dict[str, Any] | None:
    """The first sum in a text: "5 lakh", "₹2.5k", "Rs 40,000". `bare` also takes a number alone."""
    return next((found.value for found in sums(plain(text).text, currency, bare)), None)


def read_name(text: str) -> str | None:
    """A person's name, without "my name is", "ji" or "naam hai" around it."""
    words = text.split()
    said = [_bare(word) for word in words]
    called = next((at for at, word in enumerate(said) if word in _NAME_WORDS), None)
    parts = [words] if called is None else [words[called + 1 :], words[:called]]
    name = next((found for part in parts if (found := _without_frills(part))), "")
    if not name or len(name.split()) > 5 or len(name) > NAME_LIMIT or not _NAME.fullmatch(name):
        return None
    return None if any(fold(word) in _NO_NAMES for word in name.split()) else name


def _bare(word: str) -> str:
    return fold(word).strip(".,:;=-!।۔،").removesuffix("'s")


def _without_frills(words: list[str]) -> str:
    """The words of a name, without those that lead to it or follow it."""
    first, last = 0, len(words)
    while first < last and _bare(words[first]) in _BEFORE_NAMES:
        first += 1
    while last > first and _bare(words[last - 1]) in _AFTER_NAMES:
        last -= 1
    return " ".join(words[first:last]).strip(" .,:-!।۔،")


def read_yes_no(text: str) -> bool | None:
    """Yes or no, by its first word that says so; long texts say neither."""
    words = [fold(word) for word in _WORD.findall(text)]
    if len(words) > 4:
        return None
    if any(word in NO for word in words):
        return False
    return True if any(word in YES for word in words) else None


Asked = Literal["", "day", "hour"]


def moments_of(
    text: str, lang: str, turn: Turn, back: bool = False, asked: Asked = "", ours: bool = False
) -> list[Moment]:
    """The days and times that a plain text says, in the zone of `zone_of`."""
    now = turn.now.astimezone(zone_of(turn, ours))
    return find_moments(text, lang, Reckoning(now, back, asked, turn.business.country == "US"))


def _read_moment(value: Any, turn: Turn, step: Collect, asked: Asked = "") -> Moment:
    said = plain(str(value)).text
    found = moments_of(said, turn.customer.lang or "", turn, step.looks_back, asked, step.our_zone)
    return found[-1 if step.last else 0] if found else Moment()


def _date(value: Any, turn: Turn, step: Collect) -> str | None:
    """A day as ISO."""
    day = _read_moment(value, turn, step, "day").day
    return day.isoformat() if day else None


def _time(value: Any, turn: Turn, step: Collect) -> str | None:
    """A time of the day as HH:MM."""
    hour = _read_moment(value, turn, step, "hour").hour
    return hour.strftime("%H:%M") if hour else None


def _datetime(value: Any, turn: Turn, step: Collect) -> str | None:
    """A moment as ISO with its offset; a day without an hour is none."""
    try:
        given = datetime.fromisoformat(str(value))
        if given.tzinfo is not None:
            return given.astimezone(zone_of(turn, step.our_zone)).isoformat(timespec="minutes")
    except (ValueError, OverflowError):
        pass
    return moment_text(_read_moment(value, turn, step), turn, step.our_zone)


def _hour_of_day(value: Any, turn: Turn, step: Collect, day: Any) -> str | None:
    """An hour alone, on the day that was agreed on before, or when it comes next."""
    hour = _read_moment(value, turn, step, "hour").hour
    if hour is None:
        return None
    now = turn.now.astimezone(zone_of(turn, step.our_zone))
    try:
        on = date.fromisoformat(str(day))
    except ValueError:
        on = now.date() + timedelta(days=hour <= now.time())
    return moment_text(Moment(on, hour=hour), turn, step.our_zone)


def moment_text(moment: Moment, turn: Turn, ours: bool = False) -> str | None:
    """A day with its time as ISO with its offset; None when one of them is not known."""
    if moment.day is None or moment.hour is None:
        return None
    return datetime.combine(moment.day, moment.hour, zone_of(turn, ours)).isoformat(timespec="minutes")


def zone_of(turn: Turn, ours: bool = False) -> ZoneInfo:
    """The contact's zone where a phone number of another country tells it, else the business's; `ours`: the
    business's, whoever asks."""
    phones = () if ours else turn.customer.phones
    elsewhere = _zone_of_phone(phones[0], turn.business.country) if phones else ""
    return _zone(elsewhere or turn.business.time_zone)


@lru_cache(maxsize=4096)
def _zone_of_phone(phone: str, country: str) -> str:
    """The one zone of a foreign number; empty for a number of this country, and for one of many zones."""
    try:
        number = phonenumbers.parse(phone, country)
    except phonenumbers.NumberParseException:
        return ""
    if phonenumbers.region_code_for_number(number) == country:
        return ""
    zones = time_zones_for_number(number)
    return str(zones[0]) if len(zones) == 1 and zones[0] != UNKNOWN_TIMEZONE else ""


@lru_cache(maxsize=64)
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


def _money(value: Any, turn: Turn, step: Collect) -> Any:
    if isinstance(value, dict):
        return value if isinstance(value.get("minor"), int) else None
    return find_money(str(value), turn.business.currency, bare=True)


def _quantity(value: Any, turn: Turn, step: Collect) -> Any:
    if isinstance(value, dict):
        return value if isinstance(value.get("amount"), int | float) else None
    found = [one.value for one in quantities(plain(str(value)).text, bare=True)]
    return next((one for one in found if not step.unit or one["unit"] in ("", step.unit)), None)


def _text(value: Any) -> str | None:
    return str(value).strip()[:TEXT_LIMIT] or None


def _address(value: Any, turn: Turn, step: Collect) -> str | None:
    """An address as it was announced or spotted; as an answer any text that is long enough for one."""
    text = plain(str(value)).text
    found = next((one.value for one in addresses(text)), None)
    whole = " ".join(text.split())
    return found or (whole[:TEXT_LIMIT] if len(whole) >= LEAST else None)


def _order_number(value: Any, turn: Turn, step: Collect) -> str | None:
    text = plain(str(value)).text.strip(" #.")
    found = next((one.value for one in order_numbers(text)), None)
    if found or ORDER_NUMBER.fullmatch(text):
        return found or text.upper()
    # "48213 hai", "it says 48213 on the box", "four eight two one three": the one number there is.
    numbers = [one for one in _NUMBER_IN_ANSWER.findall(in_figures(text)) if not _YEAR.fullmatch(one)]
    return numbers[0].upper() if len(numbers) == 1 else None


_READERS: Mapping[str, Callable[[Any, Turn, Collect], Any]] = {
    "text": lambda value, turn, step: _text(value),
    "name": lambda value, turn, step: read_name(str(value)),
    "phone": lambda value, turn, step: find_phone(in_figures(str(value)), turn.business.country),
    "email": lambda value, turn, step: find_email(str(value)),
    "contact": lambda value, turn, step: (
        find_email(str(value)) or find_phone(in_figures(str(value)), turn.business.country)
    ),
    "money": _money,
    "quantity": _quantity,
    "date": _date,
    "time": _time,
    "datetime": _datetime,
    "address": _address,
    "order_number": _order_number,
    "yes_no": lambda value, turn, step: value if isinstance(value, bool) else read_yes_no(str(value)),
}


def accept(step: Collect, value: Any, slots: Mapping[str, Any], turn: Turn) -> Any:
    """The value as the slot keeps it, or None when it does not fit."""
    if value is None:
        return None
    value = value[:TEXT_LIMIT] if isinstance(value, str) else value
    if step.type == "datetime":
        return _datetime(value, turn, step) or _hour_of_day(value, turn, step, slots.get(step.day_from))
    if step.type != "choice":
        return _READERS[step.type](value, turn, step)
    for known, _, title in choices(step, slots, turn):
        if str(value) in (known, title):
            return known
    return _text(value) if step.other else None
