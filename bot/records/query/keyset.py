"""Pages by key: where the last page ended, as an opaque cursor and as a condition. Never an OFFSET."""

import base64
import binascii
import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, cast

import sqlalchemy as sa

from bot.errors import InvalidInput
from bot.records.query.fields import Found
from bot.records.query.model import Query
from bot.records.query.text import order_text
from bot.records.query.values import MOMENT, is_id
from bot.storage.database import dump_json


def write_cursor(query: Query, row: Mapping[str, Any]) -> str:
    """The cursor that continues after this row. It names the order it belongs to."""
    values = [row[key.field] for key in query.order]
    written = [value.isoformat() if isinstance(value, date) else value for value in values]
    raw = dump_json([query.entity, order_text(query), written]).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def read_cursor(query: Query, keys: Sequence[Found]) -> list[Any]:
    """The order values that the cursor holds, typed by the keys' fields. Raises InvalidInput for one of
    another list or order."""
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
        return [_value(key, value) for key, value in zip(keys, values, strict=True)]
    except (ValueError, OverflowError):
        raise wrong from None


def _value(key: Found, value: Any) -> Any:
    """The value as its field is compared with it. Raises ValueError for what the field cannot hold."""
    spec = key.spec
    if value is None:
        fits = key.nullable
    elif spec.type == "boolean":
        fits = isinstance(value, bool)
    elif spec.type in ("integer", "money"):
        fits = isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63
    elif spec.type == "number":
        fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    else:
        return _text(spec.type, value)
    if not fits:
        raise ValueError(spec.name)
    return value


def _text(kind: str, value: Any) -> Any:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError(kind)
    value.encode()  # a lone surrogate is no text
    if kind == "id" and not is_id(value):
        raise ValueError(kind)
    if kind not in ("instant", "date"):
        return value
    match = MOMENT.fullmatch(value)
    if match is None or bool(match["zone"]) != (kind == "instant"):
        raise ValueError(kind)
    return datetime.fromisoformat(value).astimezone(UTC) if kind == "instant" else date.fromisoformat(value)


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
