"""Pages by key: where the last page ended, as an opaque cursor and as a condition. Never an OFFSET."""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import sqlalchemy as sa

from bot.errors import InvalidInput
from bot.records.entity import Entity, Field
from bot.records.query.model import Query
from bot.records.query.text import order_text
from bot.records.query.values import MOMENT, is_id
from bot.storage.database import dump_json


def write_cursor(query: Query, row: Mapping[str, Any]) -> str:
    """The cursor that continues after this row. It names the order it belongs to."""
    values = [row[key.field] for key in query.order]
    written = [value.isoformat() if isinstance(value, datetime) else value for value in values]
    raw = dump_json([query.entity, order_text(query), written]).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def read_cursor(query: Query, entity: Entity) -> list[Any]:
    """The order values that the cursor holds. Raises InvalidInput for one of another list or order."""
    wrong = InvalidInput(
        "This cursor belongs to no page of this list; start again without one", field="cursor"
    )
    cursor = query.cursor or ""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        kind, order, values = json.loads(raw)
    except (binascii.Error, ValueError, TypeError, RecursionError):
        raise wrong from None
    if kind != query.entity or order != order_text(query):
        raise wrong
    if not isinstance(values, list) or len(values) != len(query.order):
        raise wrong
    try:
        return [
            _value(entity.fields[key.field], value) for key, value in zip(query.order, values, strict=True)
        ]
    except (ValueError, OverflowError):
        raise wrong from None


def _value(spec: Field, value: Any) -> Any:
    """The value as its column reads it. Raises ValueError for what the column cannot hold."""
    fits = False
    if value is None:
        fits = bool(spec.column.nullable)
    elif spec.type == "boolean":
        fits = isinstance(value, bool)
    elif spec.type == "integer":
        fits = isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63
    elif isinstance(value, str):
        value.encode()  # a lone surrogate is no text
        fits = "\0" not in value
        if spec.type == "instant":
            fits = MOMENT.fullmatch(value) is not None
            value = datetime.fromisoformat(value).astimezone(UTC) if fits else value
        elif spec.type == "id":
            fits = is_id(value)
    if not fits:
        raise ValueError(spec.name)
    return value


def after(
    keys: Sequence[tuple[sa.ColumnElement[Any], sa.ColumnElement[Any] | None, bool, bool]],
) -> sa.ColumnElement[bool]:
    """The rows behind the cursor. A key is (expression, value or None for empty, descending, may be empty).

    Empty values come last. Keys of one direction, none of them ever empty, compare as a row: an index can
    follow that.
    """
    directions = {descending for _, _, descending, _ in keys}
    if len(directions) == 1 and not any(nullable for *_, nullable in keys):
        left: Any = sa.tuple_(*(key for key, _, _, _ in keys)) if len(keys) > 1 else keys[0][0]
        right: Any = sa.tuple_(*(value for _, value, _, _ in keys)) if len(keys) > 1 else keys[0][1]
        return cast("sa.ColumnElement[bool]", left < right if directions == {True} else left > right)
    choices: list[sa.ColumnElement[bool]] = []
    same: list[sa.ColumnElement[bool]] = []
    for key, value, descending, nullable in keys:
        if value is None:
            same.append(key.is_(None))
            continue
        behind = key < value if descending else key > value
        if nullable:
            behind = sa.or_(behind, key.is_(None))
        choices.append(sa.and_(*same, behind))
        same.append(key == value)
    return sa.or_(*choices)
