"""A value as written becomes a value of its field's type."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID

from bot.errors import QueryInvalid
from bot.records.entity import Entity, Field
from bot.records.query.fields import invalid, unknown
from bot.records.query.model import ME, Operator, Value

MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?P<time>[Tt][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?P<zone>[Zz]|[+-][0-9]{2}:[0-9]{2})?)?"
)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
_YEARS = range(1000, 9999)  # what both databases and every time zone can hold
_ORDERED = frozenset({"text", "integer", "instant", "enum", "id"})
_WORDS = frozenset({"null", "true", "false", "me"})


@dataclass(frozen=True, slots=True)
class Written:
    """A value as it stands in the text. `quoted` ones are never keywords."""

    text: str
    quoted: bool
    position: int

    @property
    def word(self) -> str:
        """The keyword this is (null, true, false, me), else nothing."""
        low = self.text.lower()
        return low if not self.quoted and low in _WORDS else ""


def is_id(text: str) -> bool:
    """Whether this is the text of an id (lower case)."""
    return _UUID.fullmatch(text) is not None


def check_operator(spec: Field, operator: Operator, position: int) -> None:
    """Raise QueryInvalid where the field's type does not know the operator."""
    if operator not in ("=", "!=") and spec.type not in _ORDERED:
        raise invalid(
            f"{spec.name} ({spec.type}) knows only = and !=, not {operator}", position, expected=["=", "!="]
        )


def typed(entity: Entity, spec: Field, operator: Operator, written: Written) -> Value:
    """The value for this field. Raises QueryInvalid that says what was expected."""
    if written.word == "null":
        if operator not in ("=", "!=", "in"):
            raise invalid("null goes with =, != and in only", written.position, expected=["=", "!=", "in"])
        return None
    if spec.type == "text":
        if written.word:
            raise _expected("text; put the word in quotes", spec, written)
        return written.text
    if spec.type == "enum":
        return _enum(spec, written)
    if spec.type == "id":
        return _id(spec, operator, written)
    if spec.type == "integer":
        return _integer(entity, spec, written)
    if spec.type == "boolean":
        if written.word in ("true", "false"):
            return written.word == "true"
        raise _expected("true, false or null", spec, written)
    if spec.type == "instant":
        return _moment(spec, written)
    raise _expected("null; its parts cannot be compared", spec, written)


def _expected(what: str, spec: Field, written: Written) -> QueryInvalid:
    return invalid(
        f"{spec.name} takes {what}, not {written.text[:80]!r}",
        written.position,
        field=spec.name,
        expected=[what],
    )


def _enum(spec: Field, written: Written) -> str:
    if written.text not in spec.values:
        raise unknown("value", written.text, spec.values, written.position, of=spec.name)
    return written.text


def _id(spec: Field, operator: Operator, written: Written) -> Value:
    if written.word == "me":
        if operator not in ("=", "!=", "in"):
            raise invalid("me goes with =, != and in only", written.position, expected=["=", "!=", "in"])
        return ME
    low = written.text.lower()
    if not is_id(low):
        raise _expected("an id, me or null", spec, written)
    return str(UUID(low))


def _integer(entity: Entity, spec: Field, written: Written) -> int:
    text, prefix = written.text.strip(), entity.number_prefix
    numbered = spec.name == "number" and bool(prefix)
    if numbered and text.lower().startswith(prefix.lower()):
        text = text[len(prefix) :]
    if not _WHOLE.fullmatch(text) or (written.quoted and not numbered):
        example = f" (1042 or {prefix}1042)" if numbered else ""
        raise _expected(f"a whole number{example}", spec, written)
    number = int(text)
    if not -(2**63) <= number < 2**63:
        raise _expected("a whole number of at most 64 bits", spec, written)
    return number


def _moment(spec: Field, written: Written) -> date | datetime:
    """A date (a day in the zone the query runs in), or an instant with its offset."""
    what = "a date (2026-01-31) or an instant with its zone (2026-01-31T09:30:00Z)"
    match = MOMENT.fullmatch(written.text)
    if match is None or (match["time"] and not match["zone"]):
        raise _expected(what, spec, written)
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
