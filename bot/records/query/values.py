"""A value as written becomes a value of its field's type."""

import math
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID

from bot.errors import QueryInvalid
from bot.records.entity import Entity, Field
from bot.records.query.amounts import read_amount
from bot.records.query.fields import invalid, unknown
from bot.records.query.model import ME, MY_TEAM, Money, Operator, Value
from bot.records.query.relative import nearest_phrase, read_relative

MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?P<time>[Tt][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?P<zone>[Zz]|[+-][0-9]{2}:[0-9]{2})?)?"
)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,310}(?:\.[0-9]{1,400})?(?:[eE][+-]?[0-9]{1,3})?")
_YEARS = range(1000, 9999)  # what both databases and every time zone can hold
_ORDERED = frozenset({"text", "integer", "number", "money", "instant", "date", "enum", "id"})
_WORDS = frozenset({"null", "true", "false", "me", "my team"})
_SAME: tuple[Operator, ...] = ("=", "!=", "in")


@dataclass(frozen=True, slots=True)
class Written:
    """A value as it stands in the text. `quoted` ones are never keywords; `more` are the words behind the
    first, each with its place."""

    text: str
    quoted: bool
    position: int
    more: tuple[tuple[str, int], ...] = ()

    @property
    def word(self) -> str:
        """The keyword this is (null, true, false, me, my team), else nothing."""
        low = self.text.lower()
        return low if not self.quoted and low in _WORDS else ""


def is_id(text: str) -> bool:
    """Whether this is the text of an id (lower case)."""
    return _UUID.fullmatch(text) is not None


def check_operator(spec: Field, operator: Operator, position: int) -> None:
    """Raise QueryInvalid where the field's type does not know the operator."""
    known: tuple[Operator, ...] = _SAME if spec.type == "tags" else ("=", "!=")
    if operator not in known and spec.type not in _ORDERED:
        names = " and ".join((", ".join(known[:-1]), known[-1]))
        raise invalid(
            f"{spec.name} ({spec.type}) knows only {names}, not {operator}", position, expected=[*known]
        )


def typed(entity: Entity, spec: Field, operator: Operator, written: Written) -> Value:
    """The value for this field. Raises QueryInvalid that says what was expected."""
    if written.word == "null":
        if operator not in _SAME:
            raise invalid("null goes with =, != and in only", written.position, expected=[*_SAME])
        return None
    if spec.type in ("text", "tags"):
        if written.word and not written.more:
            raise _expected("text; put the word in quotes", spec, written)
        return _single(written).text
    if spec.type == "enum":
        return _enum(spec, written)
    if spec.type == "id":
        return _id(spec, operator, written)
    if spec.type in ("integer", "number"):
        return _number(entity, spec, written)
    if spec.type == "money":
        return _money(spec, written)
    if spec.type == "boolean":
        if written.word in ("true", "false"):
            return written.word == "true"
        raise _expected("true, false or null", spec, written)
    if spec.type in ("instant", "date"):
        return _moment(spec, written)
    raise _expected("null; its parts cannot be compared", spec, written)


def _expected(what: str, spec: Field, written: Written, **more: str) -> QueryInvalid:
    hint = f". Did you mean {more['suggestion']}?" if more else ""
    return invalid(
        f"{spec.name} takes {what}, not {written.text[:80]!r}{hint}",
        written.position,
        field=spec.name,
        expected=[what],
        **more,
    )


def _single(written: Written) -> Written:
    """A value of one word. Raises QueryInvalid that points at the second."""
    if written.more:
        word, position = written.more[0]
        raise invalid(
            f"Expected and, or or the end at character {position}, found {word[:80]!r}. "
            "Put a value of several words in quotes",
            position,
            expected=["and", "or", "the end"],
        )
    return written


def _enum(spec: Field, written: Written) -> str:
    if written.text in spec.values:
        return written.text
    _single(written)
    raise unknown("value", written.text, spec.values, written.position, of=spec.name)


def _id(spec: Field, operator: Operator, written: Written) -> Value:
    mine = {"me": ME, "my team": MY_TEAM}.get(written.word)
    whose = spec.to in ("users", "teams") or mine is ME
    if mine is not None and whose:
        if operator not in _SAME:
            raise invalid(f"{written.word} goes with =, != and in only", written.position, expected=[*_SAME])
        return mine
    low = written.text.lower()
    if is_id(low):
        return str(UUID(low))
    if not low.startswith("my "):
        _single(written)
    raise _expected("an id, me, my team or null" if whose else "an id, me or null", spec, written)


def _number(entity: Entity, spec: Field, written: Written) -> int | float:
    text, prefix = written.text.strip(), entity.number_prefix
    numbered = spec.name == "number" and bool(prefix)
    if numbered and text.lower().startswith(prefix.lower()):
        text = text[len(prefix) :]
    scaled = read_amount(text) if not numbered and not written.quoted else None
    if scaled is not None and not scaled.currency and not _NUMBER.fullmatch(text):
        text = format(scaled.amount.normalize(), "f")  # 5 lakh
    if spec.type == "number":
        number = float(text) if _NUMBER.fullmatch(text) and not written.quoted else math.inf
        if math.isfinite(number):
            return number
        raise _expected("a number", spec, written)
    if not _WHOLE.fullmatch(text) or (written.quoted and not numbered):
        example = f" (1042 or {prefix}1042)" if numbered else ""
        raise _expected(f"a whole number{example}", spec, written)
    if not -(2**63) <= int(text) < 2**63:
        raise _expected("a whole number of at most 64 bits", spec, written)
    return int(text)


def _money(spec: Field, written: Written) -> Money:
    """An amount; an own field is in the one currency that it was made for."""
    found = read_amount(written.text)
    if found is None:
        raise _expected("an amount (2500.50, 5 lakh, 1.5 crore, USD 5000)", spec, written)
    if spec.custom:
        if found.currency not in ("", spec.currency):
            raise _expected(f"an amount in {spec.currency}", spec, written)
        return Money(found.amount, spec.currency)
    return found


def _moment(spec: Field, written: Written) -> Value:
    """A date (a day in the zone the query runs in), an instant with its offset, or a span that moves."""
    instant = spec.type == "instant"
    span = None if written.quoted else read_relative(written.text)
    if span is not None and (instant or span.unit != "hour"):
        return span
    what = "a date (2026-01-31), a span (today, this month, last 30 days)"
    if instant:
        what += " or an instant with its zone (2026-01-31T09:30:00Z)"
    match = MOMENT.fullmatch(written.text)
    if match is None or (match["time"] and not (match["zone"] and instant)):
        near = nearest_phrase(written.text)
        raise _expected(what, spec, written, **({"suggestion": near} if near else {}))
    try:
        if match["time"]:
            found: date = datetime.fromisoformat(written.text.upper()).astimezone(UTC)
        else:
            found = date.fromisoformat(written.text)
    except (ValueError, OverflowError):
        raise _expected(f"{what} that exists", spec, written) from None
    if found.year not in _YEARS:
        raise _expected(f"a year from {_YEARS.start} to {_YEARS.stop - 1}", spec, written)
    return found
