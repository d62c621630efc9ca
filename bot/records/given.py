"""A value given from outside, as JSON or a form holds it, as its field's column takes it.

Every refusal is an InvalidInput that names the field and says what it takes.
"""

import json
import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any

import sqlalchemy as sa

from bot.clock import to_iso
from bot.errors import InvalidInput
from bot.records.entity import Field
from bot.records.money import MOST, digits, known_currencies, to_minor
from bot.storage.database import dump_json

NO_TEXT = re.compile(r"[\0\ud800-\udfff]")
"""What neither database holds as text."""
LONGEST, LONGEST_TAG, MOST_TAGS, MOST_TEXTS = 100_000, 60, 50, 200
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# People write 1,250 and 12,50,000; a comma anywhere else is no grouping.
_AMOUNT = re.compile(
    r"[+-]?([0-9]{1,3}(,[0-9]{2,3})*,[0-9]{3}|[0-9]{1,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,2})?"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?"
    r"(?P<zone>[Zz]|[+-][0-9]{2}:[0-9]{2})?"
)
_YEARS = range(1000, 9999)  # what both databases and every time zone can hold
_EXACT = 2**53
"""Whole numbers up to here are the same in every JSON reader."""


def refuse(field: str, takes: str, given: Any = None, **data: Any) -> InvalidInput:
    """The error for a value: what the field takes, and what came instead."""
    came = "" if given is None else f", not {str(given)[:80]!r}"
    return InvalidInput(NO_TEXT.sub("?", f"{field} takes {takes}{came}"), field=field, **data)


def is_empty(value: Any) -> bool:
    """What clears a field: null, or the empty text of a form."""
    return value is None or (isinstance(value, str) and not value.strip()) or value == []


def read_value(spec: Field, value: Any, zone: tzinfo | None = None) -> Any:
    """The column's value; money comes as a Decimal in major units. `zone` is that of moments without an
    offset; without it they are refused. Raises InvalidInput."""
    if spec.structure:
        return _structure(spec, value)
    if spec.type == "json" and not spec.texts:
        raise InvalidInput(f"{spec.name} is not changed by hand", field=spec.name)
    if spec.type == "instant":
        moment = _moment(spec, value, zone)
        return moment.isoformat(timespec="microseconds") if spec.custom else moment
    return _READ[spec.type](spec, value)


def texts(name: str, value: Any, longest: int, most: int, *, split: str = ",") -> list[str]:
    """A list of short texts, trimmed, each once; a form gives them as one text with separators."""
    many = re.split(rf"[{split}\n]", value) if isinstance(value, str) else value
    if not isinstance(many, (list, tuple)) or not all(isinstance(one, str) for one in many):
        raise refuse(name, "a list of texts", value)
    found = list(dict.fromkeys(text for one in many if (text := " ".join(one.split()))))
    if len(found) > most:
        raise refuse(name, f"at most {most} texts", limit=most)
    for text in found:
        if NO_TEXT.search(text):
            raise refuse(name, "texts without control characters")
        if len(text) > longest:
            raise refuse(name, f"texts of at most {longest} characters", text, limit=longest)
    return found


def _text(spec: Field, value: Any) -> str:
    if not isinstance(value, str):
        raise refuse(spec.name, "a text", value)
    if NO_TEXT.search(value):
        raise InvalidInput(f"{spec.name} holds a character that is no text", field=spec.name)
    # Of several lines: a line ends one way, wherever it was typed.
    text = value.replace("\r\n", "\n").replace("\r", "\n").strip() if spec.long else value.strip()
    longest = spec.length or LONGEST
    if len(text) > longest:
        raise refuse(spec.name, f"at most {longest} characters; these are {len(text)}", limit=longest)
    if spec.name == "currency" and text.upper() not in known_currencies():
        raise refuse(spec.name, "the code of a currency, as INR", value)
    if spec.name == "country" and not re.fullmatch("[A-Za-z]{2}", text):
        raise refuse(spec.name, "the two letters of a country, as IN", value)
    return text.upper() if spec.name in ("currency", "country") else text


def _amount(spec: Field, value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        raise refuse(spec.name, "a number", value)
    if isinstance(value, str):
        if not _AMOUNT.fullmatch(value.strip()):
            raise refuse(spec.name, "a number", value)
        value = value.strip().replace(",", "")
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise refuse(spec.name, "a number", value) from None
    if not number.is_finite():
        raise refuse(spec.name, "a number", value)
    return number


def _integer(spec: Field, value: Any) -> int:
    number = _amount(spec, value)
    limit = 2**31 if type(spec.column.type) is sa.Integer else _EXACT
    if not -limit < number < limit:
        raise refuse(spec.name, f"a whole number below {limit}", value)
    if number != number.to_integral_value():
        raise refuse(spec.name, "a whole number", value)
    return int(number)


def _number(spec: Field, value: Any) -> float:
    number = float(_amount(spec, value))
    if not math.isfinite(number):
        raise refuse(spec.name, "a number", value)
    return number


def _boolean(spec: Field, value: Any) -> bool:
    low = value.strip().lower() if isinstance(value, str) else value
    if low is True or low == "true":
        return True
    if low is False or low == "false":
        return False
    raise refuse(spec.name, "true or false", value)


def _enum(spec: Field, value: Any) -> str:
    if not isinstance(value, str) or value.strip() not in spec.values:
        raise refuse(spec.name, f"one of {', '.join(spec.values)}", value, expected=[*spec.values])
    return value.strip()


def _id(spec: Field, value: Any) -> str:
    low = value.strip().lower() if isinstance(value, str) else ""
    if not _UUID.fullmatch(low):
        raise refuse(spec.name, f"the id of one of the {spec.to}" if spec.to else "an id", value)
    return low


def _date(spec: Field, value: Any) -> date | str:
    takes = "a date (2026-01-31)"
    if not isinstance(value, str) or not _DATE.fullmatch(value.strip()):
        raise refuse(spec.name, takes, value)
    try:
        found = date.fromisoformat(value.strip())
    except ValueError:
        raise refuse(spec.name, f"{takes} that exists", value) from None
    if found.year not in _YEARS:
        raise refuse(spec.name, f"a year from {_YEARS.start} to {_YEARS.stop - 1}", value)
    return found.isoformat() if spec.custom else found


def _moment(spec: Field, value: Any, zone: tzinfo | None) -> datetime:
    takes = "a moment with its zone (2026-01-31T09:30:00Z)"
    text = value.strip() if isinstance(value, str) else ""
    match = _INSTANT.fullmatch(text)
    if match is None or (match["zone"] is None and zone is None):
        raise refuse(spec.name, takes, value)
    try:
        found = datetime.fromisoformat(text.upper())
        found = (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise refuse(spec.name, f"{takes} that exists", value) from None
    if found.year not in _YEARS:
        raise refuse(spec.name, f"a year from {_YEARS.start} to {_YEARS.stop - 1}", value)
    # Shown to the millisecond, so kept to the millisecond: what is read can be written back.
    return datetime.fromisoformat(to_iso(found))


def _tags(spec: Field, value: Any) -> list[str]:
    return sorted(texts(spec.name, value, LONGEST_TAG, MOST_TAGS))


def _texts(spec: Field, value: Any) -> list[str]:
    return texts(spec.name, value, 100, MOST_TEXTS)


def _structure(spec: Field, value: Any) -> Any:
    """A list or an object; a form gives it as JSON."""
    try:
        found = json.loads(value) if isinstance(value, str) else value
        written = dump_json(found)
    except (ValueError, TypeError, RecursionError):
        raise refuse(spec.name, "a list or an object in JSON") from None
    if not isinstance(found, (list, dict)) or len(written) > LONGEST:
        raise refuse(spec.name, f"a list or an object of at most {LONGEST} characters", limit=LONGEST)
    if NO_TEXT.search(written) or "\\u0000" in written:
        raise refuse(spec.name, "texts without control characters")
    return found


_READ: dict[str, Callable[[Field, Any], Any]] = {
    "text": _text,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "enum": _enum,
    "id": _id,
    "date": _date,
    "money": _amount,
    "tags": _tags,
    "json": _texts,
}


def minor_units(spec: Field, amount: Decimal, currency: str) -> int:
    """An amount as its column holds it. Raises InvalidInput."""
    try:
        return to_minor(amount, currency)
    except ValueError:
        places = digits(currency)
        least = f"at most {places} decimal places in {currency}" if places else f"whole {currency}"
        raise refuse(
            spec.name, f"an amount below {MOST // 10**places} with {least}", amount, currency=currency
        ) from None
