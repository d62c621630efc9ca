"""When the business is open: "mon-fri 09:30-13:00 16:00-20:00; sat 10:00-14:00"; days on which it is not."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import groupby, pairwise
from operator import itemgetter
from zoneinfo import ZoneInfo

from bot.errors import InvalidInput

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(r"(\d{1,2}):(\d{2})\s*[-–]\s*(\d{1,2}):(\d{2})")
_PART = re.compile(rf"((?:{'|'.join(DAYS)})(?:\s*[-–,]\s*(?:{'|'.join(DAYS)}))*)\s+(.+)", re.IGNORECASE)
_DAY_BEGINS = re.compile(r",(?=\s*\d{4}-\d\d-\d\d)|,\s*$")
_HOW = 'write it as "mon-fri 09:30-13:00 16:00-20:00; sat 10:00-14:00"'
Span = tuple[time, time]


@dataclass(frozen=True, slots=True)
class OpeningHours:
    """`week`: the spans of each weekday, Monday 0; `closed`: days on which nobody is there."""

    week: Mapping[int, tuple[Span, ...]]
    closed: Collection[date]
    zone: ZoneInfo

    def spans(self, day: date) -> list[tuple[datetime, datetime]]:
        """From when until when it is open on a day."""
        if day in self.closed:
            return []
        return [
            (datetime.combine(day, begin, self.zone), datetime.combine(day, end, self.zone))
            for begin, end in self.week.get(day.weekday(), ())
        ]

    def open_for(self, start: datetime, length: timedelta) -> bool:
        """Whether it is open all the time from a moment on."""
        local = start.astimezone(self.zone)
        return any(begin <= local and local + length <= end for begin, end in self.spans(local.date()))


def read_week(text: str) -> dict[int, tuple[Span, ...]]:
    """The week of a text. Raises InvalidInput that says how it is written."""
    week: dict[int, tuple[Span, ...]] = {}
    for part in filter(None, (one.strip() for one in text.split(";"))):
        match = _PART.fullmatch(part)
        if match is None:
            raise InvalidInput(f"{part[:60]!r} are no opening hours; {_HOW}", field="opening_hours")
        spans = tuple(sorted(_span(one) for one in re.split(r"[\s,]+(?=\d)", match[2].strip())))
        if any(before[1] > after[0] for before, after in pairwise(spans)):
            raise InvalidInput(
                f"{part[:60]!r}: two times overlap; {_HOW}", field="opening_hours", reason="overlap"
            )
        for day in _days(match[1]):
            week[day] = spans
    return week


def _span(text: str) -> Span:
    match = _SPAN.fullmatch(text.strip())
    figures = [int(figure) for figure in match.groups()] if match else [0, 0, 0, 0]
    begin_hour, begin_minute, end_hour, end_minute = figures
    valid = max(begin_hour, end_hour) < 24 and max(begin_minute, end_minute) < 60
    if not valid or (begin_hour, begin_minute) >= (end_hour, end_minute):
        raise InvalidInput(
            f"{text[:30]!r} is no time from and until; {_HOW}", field="opening_hours", reason="span"
        )
    return time(begin_hour, begin_minute), time(end_hour, end_minute)


def _days(text: str) -> list[int]:
    days: list[int] = []
    for part in text.lower().replace("–", "-").split(","):
        first, _, last = (one.strip() for one in part.partition("-"))
        begin = DAYS.index(first)
        end = DAYS.index(last) if last else begin
        days += [(begin + step) % 7 for step in range((end - begin) % 7 + 1)]
    return days


def write_week(week: Mapping[int, tuple[Span, ...]]) -> str:
    """A week as `read_week` reads it; days that follow one another and are alike stand together."""
    alike = [
        (spans, [day for day, _ in days]) for spans, days in groupby(sorted(week.items()), itemgetter(1))
    ]
    parts = []
    for spans, days in alike:
        if not spans:
            continue
        times = " ".join(f"{begin:%H:%M}-{end:%H:%M}" for begin, end in spans)
        for first, last in _runs(days):
            parts.append(f"{DAYS[first]}{f'-{DAYS[last]}' if last > first else ''} {times}")
    return "; ".join(parts)


def _runs(days: list[int]) -> list[tuple[int, int]]:
    """The first and the last of each stretch of days without a gap."""
    starts = [day for day in days if day - 1 not in days]
    return list(zip(starts, [day for day in days if day + 1 not in days], strict=True))


def read_closed(text: str) -> dict[date, str]:
    """Closed days, each with what it is called: 2026-01-26 Republic Day, 2026-08-15. Raises InvalidInput."""
    days: dict[date, str] = {}
    for part in filter(None, (one.strip(", ") for one in _DAY_BEGINS.split(text))):
        day, _, name = part.partition(" ")
        try:
            days[date.fromisoformat(day)] = name.strip()
        except ValueError as error:
            raise InvalidInput(
                "closed_days are days, each with its name if it has one: 2026-01-26 Republic Day, 2026-08-15",
                field="closed_days",
            ) from error
    return days


def write_closed(days: Mapping[date, str]) -> str:
    """Closed days as `read_closed` reads them."""
    return ", ".join(
        f"{day.isoformat()} {' '.join(name.split())}".strip() for day, name in sorted(days.items())
    )
