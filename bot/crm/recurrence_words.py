"""A recurrence rule in words: `every Monday and Thursday, until 31 March 2026`."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from babel.dates import format_date, get_day_names, get_month_names

from bot.crm.recurrence import WEEKDAYS, parts_of, utc_until, zone_info
from bot.i18n import Key, locale_of

Words = str | Key


def say_rule(rule: str, start: datetime, zone: str, lang: str) -> Key:
    """What a person is told of a rule in normal form; days and months are named in `lang`."""
    parts = parts_of(rule)
    local = start.astimezone(zone_info(zone)).replace(microsecond=0)
    said = _rhythm(parts, local, lang)
    if "BYMONTH" in parts and parts["FREQ"] != "YEARLY":
        said = Key("recurs.in_months", {"rule": said, "months": _months(parts["BYMONTH"], lang)})
    if _is_limited_to_days(parts):
        said = Key("recurs.only_on", {"rule": said, "days": _weekdays(parts["BYDAY"], lang, "or")})
    if "COUNT" in parts:
        return Key("recurs.times", {"rule": said, "count": int(parts["COUNT"])})
    if "UNTIL" in parts:
        last = utc_until(parts["UNTIL"]).astimezone(local.tzinfo)
        # When it ends before the hour of the day, the day before is the last one.
        day = last.date() - timedelta(days=last.time() < local.time())
        return Key("recurs.until", {"rule": said, "date": format_date(day, "long", locale_of(lang))})
    return said


def _rhythm(parts: dict[str, str], local: datetime, lang: str) -> Key:
    count = int(parts.get("INTERVAL", "1"))
    freq = parts["FREQ"]
    if freq == "DAILY" and not (count == 1 and "BYDAY" in parts and "BYMONTHDAY" not in parts):
        if "BYMONTHDAY" in parts:
            days = _listed([_month_day(int(day)) for day in parts["BYMONTHDAY"].split(",")])
            return Key("recurs.daily_on", {"count": count, "days": days})
        return Key("recurs.daily", {"count": count})
    if freq in ("DAILY", "WEEKLY"):
        days = _weekdays(parts.get("BYDAY", WEEKDAYS[local.weekday()]), lang)
        return Key("recurs.weekly", {"count": count, "days": days})
    days = _days_of_month(parts, local, lang)
    if freq == "MONTHLY":
        return Key("recurs.monthly", {"count": count, "days": days})
    months = _months(parts.get("BYMONTH", str(local.month)), lang)
    return Key("recurs.yearly", {"count": count, "days": days, "months": months})


def _is_limited_to_days(parts: dict[str, str]) -> bool:
    """Whether BYDAY only drops days that another part names."""
    if "BYDAY" not in parts or "BYSETPOS" in parts:
        return False
    return "BYMONTHDAY" in parts or (parts["FREQ"] == "DAILY" and "INTERVAL" in parts)


def _days_of_month(parts: dict[str, str], local: datetime, lang: str) -> Words:
    """The first Monday; day 1 and day 15; the last of Saturday or Sunday."""
    named: list[Words]
    if "BYMONTHDAY" in parts:
        named = [_month_day(int(day)) for day in parts["BYMONTHDAY"].split(",")]
    elif "BYDAY" in parts:
        named = [_nth_weekday(day, lang, "BYSETPOS" in parts) for day in parts["BYDAY"].split(",")]
    else:
        named = [_month_day(local.day)]
    if "BYSETPOS" in parts:
        choice = _listed(named, "or")
        named = [_nth(int(position), choice) for position in parts["BYSETPOS"].split(",")]
    return _listed(named)


def _month_day(day: int) -> Key:
    if day > 0:
        return Key("recurs.day", {"day": day})
    return Key("recurs.last_day") if day == -1 else Key("recurs.day_from_end", {"count": -day})


def _nth_weekday(day: str, lang: str, bare: bool) -> Words:
    number, name = day[:-2], _weekday(day[-2:], lang)
    if number:
        return _nth(int(number), name)
    return name if bare else Key("recurs.each", {"day": name})


def _nth(number: int, day: Words) -> Key:
    if number == -1 or 1 <= number <= 5:
        return Key(f"recurs.nth.{'last' if number == -1 else number}", {"day": day})
    if number < 0:
        return Key("recurs.nth.from_end", {"count": -number, "day": day})
    return Key("recurs.nth.more", {"count": number, "day": day})


def _weekday(name: str, lang: str) -> str:
    return str(get_day_names("wide", "format", locale_of(lang))[WEEKDAYS.index(name)])


def _weekdays(days: str, lang: str, joined: str = "and") -> Words:
    return _listed([_weekday(day, lang) for day in days.split(",")], joined)


def _months(months: str, lang: str) -> Words:
    names = get_month_names("wide", "format", locale_of(lang))
    return _listed([str(names[int(month)]) for month in months.split(",")])


def _listed(items: Sequence[Words], joined: str = "and") -> Words:
    """`a, b and c` in the language of the sentence around it."""
    if len(items) == 1:
        return items[0]
    said: Words = Key(f"recurs.{joined}", {"first": items[-2], "last": items[-1]})
    for item in reversed(items[:-2]):
        said = Key("recurs.comma", {"first": item, "rest": said})
    return said
