"""Recurring activities: an RRULE (RFC 5545), the instant of the first occurrence and a time zone.

Wall-clock times stay: Monday 10:00 in London is 10:00 in summer and in winter. A wall-clock time that a
change of clocks leaves out is no occurrence and is not counted (RFC 5545, 3.3.10).
"""

import re
from collections.abc import Iterator
from datetime import MAXYEAR, UTC, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

from bot.errors import InvalidInput

FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
MAX_LENGTH = 300
MAX_COUNT = 1000
MAX_INTERVAL = 999
# The parts we take, in the order of the normal form. The hour is the start's, so no BYHOUR and finer.
_PARTS = ("FREQ", "INTERVAL", "BYMONTH", "BYMONTHDAY", "BYDAY", "BYSETPOS", "WKST", "COUNT", "UNTIL")
_NUMBERS = {"INTERVAL": MAX_INTERVAL, "COUNT": MAX_COUNT}
_LISTS = {"BYMONTH": (1, 12), "BYMONTHDAY": (-31, 31), "BYSETPOS": (-366, 366)}
_INTEGER = re.compile(r"[+-]?[0-9]{1,4}")
_DAY = re.compile(rf"([+-]?[1-5])?({'|'.join(WEEKDAYS)})")
_UNTIL = re.compile(r"([0-9]{8})(?:T([0-9]{6})(Z?))?")
_STEP = {"DAILY": 1, "WEEKLY": 7}
# The calendar repeats every 400 years, weekdays and all, and dateutil gives up only after the year 9999:
# a rule is run as late as that allows, so that one without any occurrence ends soon.
_CYCLE = 400
# 40 years without a missing leap day, in which every possible day comes (29 February on each weekday).
_LATE = datetime(9960, 1, 1)  # noqa: DTZ001 (wall-clock time)


def check_rule(text: str, zone: str = "UTC") -> str:
    """The rule in its normal form; an UNTIL without a zone is read in `zone`, a date as that whole day."""
    if len(text) > MAX_LENGTH:
        raise _wrong(f"A rule has at most {MAX_LENGTH} characters")
    parts: dict[str, str] = {}
    for part in filter(None, text.strip().upper().removeprefix("RRULE:").split(";")):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if name not in _PARTS:
            raise _wrong(f"A rule has no part {name[:40]!r}; it may have {', '.join(_PARTS)}")
        if not equals or not value:
            raise _wrong(f"{name} needs a value, as {name}=…")
        if name in parts:
            raise _wrong(f"{name} stands twice; write its values in one list: {name}=…,…")
        parts[name] = _value(name, value, zone)
    _check_together(parts)
    if parts.get("INTERVAL") == "1":
        del parts["INTERVAL"]
    if parts.get("WKST") == "MO":
        del parts["WKST"]
    always = {name: value for name, value in parts.items() if name not in ("INTERVAL", "COUNT", "UNTIL")}
    if next(_late_dates(always, _LATE), None) is None:
        raise _wrong("No day fits this rule; look at BYMONTH, BYMONTHDAY, BYDAY and BYSETPOS together")
    return _text(parts)


def parts_of(rule: str) -> dict[str, str]:
    """The parts of a rule in normal form."""
    return dict(part.split("=", 1) for part in rule.split(";"))


def occurrences(
    rule: str, start: datetime, zone: str, after: datetime, before: datetime, limit: int
) -> list[datetime]:
    """The instants from `after` up to, and without, `before`, in order; at most `limit`."""
    found: list[datetime] = []
    for moment in _instants(rule, start, zone, after):
        if moment >= before or len(found) >= limit:
            break
        if moment >= after:
            found.append(moment)
    return found


def until(rule: str, start: datetime, zone: str, moment: datetime) -> str | None:
    """The rule of a series that ends before its occurrence at `moment`; None when that is its first."""
    passed = _passed(rule, start, zone, moment)
    if passed == 0:
        return None
    parts = parts_of(rule)
    if "COUNT" in parts:
        return _text(parts | {"COUNT": str(passed)})
    return _text(parts | {"UNTIL": _utc_text(moment - timedelta(seconds=1))})


def remaining(rule: str, start: datetime, zone: str, moment: datetime) -> str:
    """The rule of a series that takes over at the occurrence at `moment`, with the count that remains."""
    passed = _passed(rule, start, zone, moment)
    parts = parts_of(rule)
    if "COUNT" in parts:
        parts["COUNT"] = str(int(parts["COUNT"]) - passed)
    return _text(parts)


def zone_info(name: str) -> ZoneInfo:
    """The time zone of this name."""
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:  # unknown; a folder or too long; a path that leads out
        wrong = f"There is no time zone {name[:40]!r}; write it as Asia/Kolkata"
        raise InvalidInput(wrong, field="zone") from error


def utc_until(value: str) -> datetime:
    """The instant of an UNTIL in normal form, itself still within the series."""
    return datetime.strptime(value, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


# --- the arithmetic --------------------------------------------------------------------------------


def _instants(rule: str, start: datetime, zone: str, after: datetime) -> Iterator[datetime]:
    """The instants of a series in UTC; those before `after` may be missing when nothing counts them."""
    parts, where = parts_of(rule), zone_info(zone)
    start = start.astimezone(UTC).replace(microsecond=0)
    count, last = parts.pop("COUNT", None), parts.pop("UNTIL", None)
    end = utc_until(last) if last else None
    wall = start.astimezone(where).replace(tzinfo=None, fold=0)
    first = wall if count else _nearer(parts, wall, after - start)
    instants = (
        start if local == wall else local.replace(tzinfo=where).astimezone(UTC)
        for local in _dates(parts, first)
        if local == wall or _exists(local, where)
    )
    for moment in islice(instants, int(count) if count else None):
        if end and moment > end:
            return
        yield moment


def _nearer(parts: dict[str, str], wall: datetime, ahead: timedelta) -> datetime:
    """A later start of the same series, two rounds before what is asked: old series cost as little as new."""
    step = _STEP.get(parts["FREQ"], 0) * int(parts.get("INTERVAL", "1"))
    rounds = ahead.days // step - 2 if step else 0
    return wall + timedelta(days=step * rounds) if rounds > 0 else wall


def _dates(parts: dict[str, str], wall: datetime) -> Iterator[datetime]:
    """The wall-clock times of a rule without COUNT and UNTIL."""
    shift = (MAXYEAR - wall.year) // _CYCLE * _CYCLE
    for late in _late_dates(parts, wall.replace(year=wall.year + shift)):
        if late.year < MAXYEAR:  # whose last evening has no time in UTC
            yield late.replace(year=late.year - shift)


def _late_dates(parts: dict[str, str], wall: datetime) -> Iterator[datetime]:
    dates: Any = rrulestr(_text(parts), dtstart=wall)
    return iter(dates)


def _exists(local: datetime, where: ZoneInfo) -> bool:
    """Whether clocks there ever show this time; they leave some out when summer begins."""
    there = local.replace(tzinfo=where).astimezone(UTC).astimezone(where)
    return there.replace(tzinfo=None, fold=0) == local


def _passed(rule: str, start: datetime, zone: str, moment: datetime) -> int:
    """How many occurrences there are before the one at `moment`; without a COUNT no more than one is told."""
    counted = "COUNT" in parts_of(rule)
    if not occurrences(rule, start, zone, moment, moment + timedelta(seconds=1), 1):
        raise InvalidInput(f"{moment.isoformat()} is no occurrence of this series", field="occurrence")
    first = start.replace(microsecond=0)
    return len(occurrences(rule, start, zone, first, moment, MAX_COUNT if counted else 1))


# --- the text --------------------------------------------------------------------------------------


def _wrong(message: str) -> InvalidInput:
    return InvalidInput(message, field="rrule")


def _text(parts: dict[str, str]) -> str:
    return ";".join(f"{name}={parts[name]}" for name in _PARTS if name in parts)


def _value(name: str, value: str, zone: str) -> str:
    """One part's value in normal form."""
    if name == "FREQ":
        if value not in FREQUENCIES:
            raise _wrong(f"FREQ is one of {', '.join(FREQUENCIES)}, not {value[:20]!r}")
        return value
    if name in _NUMBERS:
        return str(_number(name, value, 1, _NUMBERS[name]))
    if name in _LISTS:
        return ",".join(str(number) for number in _numbers(name, value))
    if name == "BYDAY":
        return ",".join(_days(value))
    if name == "WKST":
        if value not in WEEKDAYS:
            raise _wrong(f"WKST is one of {', '.join(WEEKDAYS)}, not {value[:20]!r}")
        return value
    return _until(value, zone)


def _number(name: str, value: str, low: int, high: int) -> int:
    number = int(value) if _INTEGER.fullmatch(value) else 0
    if not number or not low <= number <= high:
        but = " but not 0" if low < 0 else ""
        raise _wrong(f"{name} is a number from {low} to {high}{but}, not {value[:20]!r}")
    return number


def _numbers(name: str, value: str) -> list[int]:
    low, high = _LISTS[name]
    # Days from the end of the month come after those from its beginning.
    return sorted(
        {_number(name, item.strip(), low, high) for item in value.split(",")}, key=lambda n: (n < 0, n)
    )


def _days(value: str) -> list[str]:
    found: set[tuple[int, int]] = set()
    for item in value.split(","):
        match = _DAY.fullmatch(item.strip())
        if not match:
            raise _wrong(f"BYDAY lists days as MO or 2MO or -1FR, not {item[:20]!r}")
        found.add((int(match[1] or 0), WEEKDAYS.index(match[2])))
    in_order = sorted(found, key=lambda day: (day[0] < 0, day))
    return [f"{nth or ''}{WEEKDAYS[day]}" for nth, day in in_order]


def _until(value: str, zone: str) -> str:
    match = _UNTIL.fullmatch(value)
    try:
        if match is None:
            raise ValueError
        moment = datetime.strptime(match[1] + (match[2] or "235959"), "%Y%m%d%H%M%S")  # noqa: DTZ007
        return _utc_text(moment.replace(tzinfo=UTC if match[3] else zone_info(zone)))
    except (ValueError, OverflowError) as error:
        raise _wrong(f"UNTIL is a date as 20260331 or 20260331T183000Z, not {value[:20]!r}") from error


def _utc_text(moment: datetime) -> str:
    utc = moment.astimezone(UTC)
    # Not strftime alone: it writes the year 999 with three digits on some systems.
    return f"{utc.year:04d}{utc:%m%dT%H%M%S}Z"


def _check_together(parts: dict[str, str]) -> None:
    """What RFC 5545 leaves open or forbids, and calendars read differently, is refused."""
    freq = parts.get("FREQ")
    if freq is None:
        raise _wrong(f"A rule needs FREQ: one of {', '.join(FREQUENCIES)}")
    if "COUNT" in parts and "UNTIL" in parts:
        raise _wrong("COUNT and UNTIL do not go together; keep one")
    by_day, by_month_day = "BYDAY" in parts, "BYMONTHDAY" in parts
    kinds = {day not in WEEKDAYS for day in parts["BYDAY"].split(",")} if by_day else set()
    numbered = True in kinds
    by_month = freq in ("MONTHLY", "YEARLY")
    if numbered and not by_month:
        raise _wrong(f"BYDAY with FREQ={freq} takes days without a number, as MO,TH")
    if len(kinds) == 2:
        raise _wrong("BYDAY has a number at each of its days or at none")
    if numbered and by_month_day:
        raise _wrong("BYDAY with a number and BYMONTHDAY do not go together; keep one")
    if by_month_day and freq == "WEEKLY":
        raise _wrong("BYMONTHDAY does not go with FREQ=WEEKLY; use FREQ=MONTHLY")
    if (by_day or by_month_day) and freq == "YEARLY" and "BYMONTH" not in parts:
        raise _wrong("FREQ=YEARLY with BYDAY or BYMONTHDAY needs BYMONTH: say in which month")
    if "BYSETPOS" in parts and not (by_month and (by_day or by_month_day)):
        raise _wrong("BYSETPOS goes with FREQ=MONTHLY or YEARLY and a BYDAY or BYMONTHDAY to pick from")
