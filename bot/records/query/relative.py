"""Spans of time that move: `today`, `this month`, `last 30 days`. A week begins on Monday."""

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from difflib import get_close_matches
from typing import cast

from bot.records.query.model import UNITS, Relative, Unit, Way

_DAYS = {"yesterday": "last", "today": "this", "tomorrow": "next"}
_NAMED = {(way, "day"): name for name, way in _DAYS.items()}
_SPAN = re.compile(r"(this|last|next)(?: ([0-9]{1,4}))? (hour|day|week|month|quarter|year)(s?)")
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_FARTHEST = 9_999  # months: within the years that a calendar has
_PHRASES = (*_DAYS, *(f"{way} {unit}" for way in ("this", "last", "next") for unit in UNITS[2:]))


def read_relative(text: str) -> Relative | None:
    """The span that these words name; None where they name none."""
    low = " ".join(text.lower().split())
    if low in _DAYS:
        return Relative(cast(Way, _DAYS[low]), "day")
    found = _SPAN.fullmatch(low)
    if found is None:
        return None
    way, count, unit, _ = found.groups()
    if count is None:
        return None if found[4] or unit == "hour" else Relative(cast(Way, way), cast(Unit, unit))
    if way == "this" or not 0 < int(count) * _MONTHS.get(unit, 1) <= _FARTHEST:
        return None
    return Relative(cast(Way, way), cast(Unit, unit), int(count))


def nearest_phrase(text: str) -> str | None:
    """The span somebody may have meant."""
    near = get_close_matches(text.lower(), _PHRASES, n=1, cutoff=0.7)
    return near[0] if near else None


def relative_text(span: Relative) -> str:
    """The span as it is written."""
    if span.count:
        return f"{span.way} {span.count} {span.unit}{'s' if span.count > 1 else ''}"
    return _NAMED.get((span.way, span.unit), f"{span.way} {span.unit}")


def days_of(span: Relative, today: date) -> tuple[date, date]:
    """The first day of the span and the day after its last. Counted spans hold today: the last 30 days end
    with it, the next 7 begin with it."""
    if not span.count:
        start = _start(span.unit, today)
        place = {"last": -1, "this": 0, "next": 1}[span.way]
        return _moved(start, span.unit, place), _moved(start, span.unit, place + 1)
    if span.way == "last":
        return _moved(today, span.unit, -span.count) + timedelta(days=1), today + timedelta(days=1)
    return today, _moved(today, span.unit, span.count)


def moments_of(span: Relative, now: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """The span's first moment and the first behind it, in UTC. Hours are counted from now, other units are
    whole days of the zone."""
    if span.unit == "hour":
        far = timedelta(hours=span.count)
        return (now - far, now) if span.way == "last" else (now, now + far)
    first, end = days_of(span, now.astimezone(zone).date())
    return midnight(first, zone), midnight(end, zone)


def midnight(day: date, zone: tzinfo) -> datetime:
    """When the day begins in the zone, in UTC."""
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def _start(unit: Unit, day: date) -> date:
    if unit == "week":
        return day - timedelta(days=day.weekday())
    if unit == "day":
        return day
    months = _MONTHS[unit]
    return date(day.year, (day.month - 1) // months * months + 1, 1)


def _moved(day: date, unit: Unit, count: int) -> date:
    """So many units on; a day that the month does not have becomes its last."""
    if unit in ("day", "week"):
        return day + timedelta(days=count * (7 if unit == "week" else 1))
    months = day.year * 12 + day.month - 1 + count * _MONTHS[unit]
    year, month = divmod(months, 12)
    after = date(year + (month == 11), (month + 1) % 12 + 1, 1)
    return min(date(year, month + 1, 1) + timedelta(days=day.day - 1), after - timedelta(days=1))
