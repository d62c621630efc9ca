"""A Query back to text, such that parsing it gives the same Query."""

from collections.abc import Iterable
from datetime import UTC, date, datetime

from bot.records.query.amounts import amount_text
from bot.records.query.model import (
    ME,
    MY_TEAM,
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    Matches,
    Money,
    Not,
    Query,
    Relative,
    Summary,
    Value,
)
from bot.records.query.relative import relative_text


def where_text(where: "Query | Summary | Iterable[Condition]") -> str:
    """The conditions as a `where` is written; empty without any."""
    parts = where.where if isinstance(where, Query | Summary) else where
    return " and ".join(_condition(part) for part in parts)


def order_text(query: "Query | Summary") -> str:
    """The order keys as an `order` is written."""
    keys = [(str(key.field if isinstance(query, Query) else key.key), key.descending) for key in query.order]  # type: ignore[union-attr]
    return ", ".join(f"{name} desc" if descending else name for name, descending in keys)


def summarise_text(summary: Summary) -> str:
    """What is counted, and by what."""
    by = f" by {', '.join(map(str, summary.by))}" if summary.by else ""
    return ", ".join(map(str, summary.measures)) + by


def to_text(query: "Query | Summary") -> str:
    """The query as one sentence; a list's limit, cursor and fields are no part of it."""
    where = f" where {where_text(query)}" if query.where else ""
    order = f" order by {order_text(query)}" if query.order else ""
    if isinstance(query, Query):
        return f"{query.entity}{where}{order}"
    limit = "" if query.limit is None else f" limit {query.limit}"
    return f"{query.entity}{where} summarise {summarise_text(query)}{order}{limit}"


def _condition(part: Condition) -> str:
    if isinstance(part, Comparison):
        return _comparison(part)
    if isinstance(part, AnyOf):
        return f"({' or '.join(map(_condition, part.parts))})"
    if isinstance(part, AllOf):
        return f"({' and '.join(map(_condition, part.parts))})"
    if isinstance(part, Not):
        return f"not {_condition(part.part)}"
    if isinstance(part, Matches):
        return f"{part.field} ~ {quoted(part.text)}".lstrip()
    where = f" ({where_text(part.where)})" if part.where else ""
    return f"exists {part.entity} by {part.by}{where}"


def _comparison(condition: Comparison) -> str:
    written = ", ".join(_value(value) for value in condition.values)
    if condition.operator == "in":
        written = f"({written})"
    return f"{condition.field} {condition.operator} {written}"


def _value(value: Value) -> str:
    if value is None:
        return "null"
    if value is ME or value is MY_TEAM:
        return value.value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Relative):
        return relative_text(value)
    return amount_text(value) if isinstance(value, Money) else quoted(str(value))


def quoted(text: str) -> str:
    """A text as the language writes it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
