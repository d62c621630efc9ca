"""A Query back to text, such that parsing it gives the same Query."""

from datetime import UTC, date, datetime

from bot.records.query.model import ME, Comparison, Query, Value


def where_text(query: Query) -> str:
    """The conditions as a `where` is written; empty without any."""
    return " and ".join(_comparison(condition) for condition in query.where)


def order_text(query: Query) -> str:
    """The order keys as an `order` is written."""
    return ", ".join(f"{key.field} desc" if key.descending else key.field for key in query.order)


def to_text(query: Query) -> str:
    """The query as one sentence; limit, cursor and fields are no part of it."""
    where = f" where {where_text(query)}" if query.where else ""
    return f"{query.entity}{where} order by {order_text(query)}"


def _comparison(condition: Comparison) -> str:
    written = ", ".join(_value(value) for value in condition.values)
    if condition.operator == "in":
        written = f"({written})"
    return f"{condition.field} {condition.operator} {written}"


def _value(value: Value) -> str:
    if value is None:
        return "null"
    if value is ME:
        return "me"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
