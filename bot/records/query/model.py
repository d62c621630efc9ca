"""A query as values: what every list, filter, segment and rule holds."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Final, Literal, TypeAlias

Operator = Literal["=", "!=", "<", ">", "<=", ">=", "in"]
OPERATORS: tuple[Operator, ...] = ("=", "!=", "<", ">", "<=", ">=", "in")
DEFAULT_LIMIT = 50


class _Me(Enum):
    ME = "me"


ME: Final = _Me.ME
"""Whoever runs the query: a saved query means each viewer's own records."""

Value: TypeAlias = str | int | bool | datetime | date | Literal[_Me.ME] | None
"""Typed by its field. A `date` stands for a whole day where the field is an instant."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One condition. `value` is a tuple for `in`, else one value."""

    field: str
    operator: Operator
    value: Value | tuple[Value, ...]

    @property
    def values(self) -> tuple[Value, ...]:
        """The value or values, as a tuple."""
        return self.value if isinstance(self.value, tuple) else (self.value,)


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
    where: tuple[Comparison, ...] = ()
    order: tuple[Order, ...] = (Order("id"),)
    limit: int | None = DEFAULT_LIMIT
    cursor: str | None = None
    fields: tuple[str, ...] = ()
