"""The conditions of branches: `amount >= 5000`, `change == move`, `reason in damaged, wrong_item`,
`name is known`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, get_args

Operator = Literal["==", "!=", "<", "<=", ">", ">=", "in", "known", "unknown"]
OPERATORS: tuple[Operator, ...] = get_args(Operator)
_ORDERED = ("<", "<=", ">", ">=")
_ONE: Mapping[str, Operator] = {op: op for op in OPERATORS}
_CONDITION = re.compile(r"^(\w+)\s+(?:(==|!=|<=|>=|<|>|in)\s+(.+)|is\s+(known|unknown))$")
HOW = (
    "must read `slot == value`, `slot != value`, `slot < 10` (or <=, >, >=, with a number or a date), "
    "`slot in a, b`, `slot is known` or `slot is unknown`"
)


@dataclass(frozen=True, slots=True)
class Condition:
    """`slot op value`; or `slot is known` / `slot is unknown`."""

    slot: str
    op: Operator
    value: str | tuple[str, ...] = ""

    def holds(self, slots: Mapping[str, Any]) -> bool:
        """Whether the slots meet it. Values compare as text; by size as numbers (sums in major units) or
        days; what cannot be compared meets nothing."""
        value = slots.get(self.slot)
        if self.op in ("known", "unknown"):
            return (value not in (None, "")) == (self.op == "known")
        if self.op in _ORDERED:
            return _ordered(value, self.op, str(self.value))
        text = str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
        if self.op == "in":
            return text in self.value
        return (text == self.value) == (self.op == "==")

    def __str__(self) -> str:
        if self.op in ("known", "unknown"):
            return f"{self.slot} is {self.op}"
        value = self.value if isinstance(self.value, str) else ", ".join(self.value)
        return f"{self.slot} {self.op} {value}"


def read_condition(text: str) -> Condition | None:
    """The condition that a text states; None when it states none."""
    match = _CONDITION.match(text.strip())
    if match is None:
        return None
    slot, op, value, known = match.groups()
    if known:
        return Condition(slot, "known" if known == "known" else "unknown")
    if op == "in":
        return Condition(slot, "in", tuple(part.strip() for part in value.split(",")))
    if op not in ("==", "!=") and number(value) is None and moment(value) is None:
        return None
    return Condition(slot, _ONE[op], value.strip())


def number(value: Any) -> Decimal | None:
    """A value as a number: a sum in major units, a quantity's amount, a list's length."""
    if isinstance(value, Mapping):
        minor = value.get("minor")
        value = Decimal(minor) / 100 if isinstance(minor, int) else value.get("amount")
    if isinstance(value, list | tuple):
        return Decimal(len(value))
    if isinstance(value, bool) or value is None:
        return None
    try:
        found = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def moment(value: Any) -> date | datetime | None:
    """A value as a day, or a moment with its offset."""
    text = str(value).strip()
    try:
        return date.fromisoformat(text) if len(text) == 10 else datetime.fromisoformat(text)
    except ValueError:
        return None


def _ordered(value: Any, op: str, than: str) -> bool:
    left, right = number(value), number(than)
    if left is not None and right is not None:
        return _compare(left, op, right)
    then, limit = moment(value), moment(than)
    if then is None or limit is None:
        return False
    # By the day, in the zone it was said in: a flow's author writes days.
    return _compare(then.isoformat()[:10], op, limit.isoformat()[:10])


def _compare(left: Any, op: str, right: Any) -> bool:
    if op == "<":
        return bool(left < right)
    if op == "<=":
        return bool(left <= right)
    return bool(left > right) if op == ">" else bool(left >= right)
