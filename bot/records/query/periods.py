"""The day, week, month, quarter or year in which a moment lies, in a zone, as SQL: the date it begins on."""

from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from bot.records.entity import Field
from bot.records.query.model import Period

_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
_STEP = timedelta(days=7)


def period_start(
    spec: Field, column: sa.ColumnElement[Any], period: Period, dialect: str, zone: tzinfo
) -> sa.ColumnElement[Any]:
    """The first date of the period in which the field's moment or date lies."""
    if dialect == "postgresql":
        return _on_postgresql(spec, column, period, zone)
    day: sa.ColumnElement[Any] = sa.func.substr(column, 1, 10) if spec.custom else column
    if spec.type == "instant":
        day = sa.func.date(sa.func.substr(column, 1, 19), _shift(spec, column, zone))
    return sa.type_coerce(_on_sqlite(sa.type_coerce(day, sa.Text), period), sa.Date)


def _on_postgresql(
    spec: Field, column: sa.ColumnElement[Any], period: Period, zone: tzinfo
) -> sa.ColumnElement[Any]:
    if spec.type == "instant":
        moment = sa.cast(column, sa.DateTime(timezone=True)) if spec.custom else column
        local: sa.ColumnElement[Any] = sa.func.timezone(str(zone), moment)
    else:
        local = sa.cast(column, sa.TIMESTAMP)
    return sa.cast(sa.func.date_trunc(sa.literal_column(f"'{period}'"), local), sa.Date)


def _on_sqlite(day: sa.ColumnElement[Any], period: Period) -> sa.ColumnElement[Any]:
    if period == "day":
        return day
    if period == "week":  # six days back, then on to a Monday
        return sa.func.date(day, "-6 days", "weekday 1")
    if period in ("month", "year"):
        return sa.func.date(day, f"start of {period}")
    month = sa.cast(sa.func.substr(day, 6, 2), sa.Integer)
    beyond = sa.literal("-") + sa.cast((month - 1) % 3, sa.Text) + " months"
    return sa.func.date(day, "start of month", beyond)


def _shift(spec: Field, column: sa.ColumnElement[Any], zone: tzinfo) -> sa.ColumnElement[Any]:
    """What SQLite adds to a moment in UTC: it knows no zones, so it is told when their clocks change."""
    *changes, (_, last) = offsets(zone)
    shifts = [(column < _written(spec, column, until), f"{seconds:+d} seconds") for until, seconds in changes]
    final = sa.literal(f"{last:+d} seconds")
    return sa.case(*shifts, else_=final) if shifts else final


def _written(spec: Field, column: sa.ColumnElement[Any], moment: datetime) -> sa.ColumnElement[Any]:
    if spec.custom:
        return sa.literal(moment.isoformat(timespec="microseconds"), sa.Text)
    return sa.literal(moment, column.type)


@lru_cache(maxsize=64)
def offsets(zone: tzinfo) -> tuple[tuple[datetime, int], ...]:
    """The zone's distance from UTC in seconds, each until when, in order."""
    found: list[tuple[datetime, int]] = []
    moment = _FIRST
    while moment < _LAST:
        following = moment + _STEP
        if _offset(zone, following) != _offset(zone, moment):
            low, high = moment, following
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) // 2
                low, high = (low, middle) if _offset(zone, middle) != _offset(zone, low) else (middle, high)
            found.append((high.replace(microsecond=0), _offset(zone, moment)))
        moment = following
    return (*found, (_LAST, _offset(zone, _LAST)))


def _offset(zone: tzinfo, moment: datetime) -> int:
    distance = moment.astimezone(zone).utcoffset()
    return int(distance.total_seconds()) if distance else 0
