"""A query as values: what every list, filter, segment, report and rule holds."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Final, Literal, TypeAlias

Operator = Literal["=", "!=", "<", ">", "<=", ">=", "in"]
OPERATORS: tuple[Operator, ...] = ("=", "!=", "<", ">", "<=", ">=", "in")
DEFAULT_LIMIT = 50
Way = Literal["this", "last", "next"]
Unit = Literal["hour", "day", "week", "month", "quarter", "year"]
UNITS: tuple[Unit, ...] = ("hour", "day", "week", "month", "quarter", "year")


class _Whose(Enum):
    ME = "me"
    MY_TEAM = "my team"


ME: Final = _Whose.ME
"""Whoever runs the query: a saved query means each viewer's own records."""
MY_TEAM: Final = _Whose.MY_TEAM
"""The team of whoever runs the query; of a user's id: everybody in it."""


@dataclass(frozen=True, slots=True)
class Relative:
    """A span of time as seen when the query runs: `this month` has no count, `last 30 days` has one."""

    way: Way
    unit: Unit
    count: int = 0


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in major units. Without a currency it is in that of the business."""

    amount: Decimal
    currency: str = ""


Value: TypeAlias = str | int | float | bool | datetime | date | Relative | Money | _Whose | None
"""Typed by its field. A `date` stands for a whole day where the field is an instant."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """`field` is a name, or a path through relations (`account.name`). `value` is a tuple for `in`."""

    field: str
    operator: Operator
    value: Value | tuple[Value, ...]

    @property
    def values(self) -> tuple[Value, ...]:
        """The value or values, as a tuple."""
        return self.value if isinstance(self.value, tuple) else (self.value,)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of these holds."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class AllOf:
    """All of these hold."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    """This does not hold. There is no third way: what is empty does not hold, so its denial does."""

    part: "Condition"


@dataclass(frozen=True, slots=True)
class Exists:
    """There is a record of kind `entity` that points here by the relation `by` and fulfils `where`."""

    entity: str
    by: str
    where: "tuple[Condition, ...]" = ()


@dataclass(frozen=True, slots=True)
class Matches:
    """The words of `text` are found in a searched field; in any of the record's where `field` is empty."""

    field: str
    text: str


Condition: TypeAlias = Comparison | AnyOf | AllOf | Not | Exists | Matches


def weight(where: tuple[Condition, ...]) -> int:
    """How much the conditions hold: each counts one, and so does each of its values."""
    return sum(_weight(part) for part in where)


def _weight(part: Condition) -> int:
    if isinstance(part, Comparison):
        return 1 + len(part.values)
    if isinstance(part, Not):
        return 1 + _weight(part.part)
    if isinstance(part, AnyOf | AllOf):
        return weight(part.parts)
    return 1 + weight(part.where) if isinstance(part, Exists) else 2


def moving(where: tuple[Condition, ...]) -> bool:
    """Whether the conditions look at the clock."""
    return any(_moves(part) for part in where)


def _moves(part: Condition) -> bool:
    if isinstance(part, Comparison):
        return any(isinstance(value, Relative) for value in part.values)
    if isinstance(part, Not):
        return _moves(part.part)
    if isinstance(part, AnyOf | AllOf):
        return moving(part.parts)
    return isinstance(part, Exists) and moving(part.where)


@dataclass(frozen=True, slots=True)
class Order:
    """One order key. Empty values come last, whichever the direction."""

    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """Records of one kind. Conditions are joined by `and`; the last order key is always the id.

    `limit` None: no limit (inside the program only). `fields` empty: all that the actor may see.
    """

    entity: str
    where: tuple[Condition, ...] = ()
    order: tuple[Order, ...] = (Order("id"),)
    limit: int | None = DEFAULT_LIMIT
    cursor: str | None = None
    fields: tuple[str, ...] = ()
    deleted: bool = False
    """Deleted records instead of the others."""


Function = Literal["count", "sum", "avg", "min", "max"]
FUNCTIONS: tuple[Function, ...] = ("count", "sum", "avg", "min", "max")
Period = Literal["day", "week", "month", "quarter", "year"]
PERIODS: tuple[Period, ...] = ("day", "week", "month", "quarter", "year")


@dataclass(frozen=True, slots=True)
class Measure:
    """`count`, or a function over a field: `sum(amount)`."""

    function: Function
    field: str = ""

    def __str__(self) -> str:
        return f"{self.function}({self.field})" if self.field else self.function


@dataclass(frozen=True, slots=True)
class Group:
    """What records are counted by: a field's values, or the periods its moments lie in."""

    field: str
    period: Period | None = None

    def __str__(self) -> str:
        return f"{self.period}({self.field})" if self.period else self.field


@dataclass(frozen=True, slots=True)
class SummaryOrder:
    """Groups in the order of a measure or of what they are grouped by."""

    key: Measure | Group
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Summary:
    """Records of one kind, counted and added up."""

    entity: str
    measures: tuple[Measure, ...]
    by: tuple[Group, ...] = ()
    where: tuple[Condition, ...] = ()
    order: tuple[SummaryOrder, ...] = ()
    limit: int | None = None
