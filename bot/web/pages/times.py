"""Moments as people read them: in the business's time zone, in the reader's language."""

import datetime as dates
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time, format_timedelta

from bot import clock as world
from bot.clock import to_iso


def _locale(lang: str) -> Locale:
    # Babel has no romanised Hindi: its readers read English dates.
    name = "en_IN" if lang.endswith("-Latn") or lang == "en" else lang.replace("-", "_")
    try:
        return Locale.parse(name)
    except (UnknownLocaleError, ValueError):
        return Locale.parse("en_IN")


def _local_day(moment: datetime, zone: str) -> dates.date:
    """The day it was where the business is."""
    return moment.astimezone(ZoneInfo(zone)).date()


def clock(moment: datetime, *, lang: str, zone: str) -> str:
    """The time of day, `9:05 am`."""
    return format_time(moment.astimezone(ZoneInfo(zone)), "short", locale=_locale(lang))


def day(moment: datetime, *, lang: str, zone: str) -> str:
    """The day, `Monday, 3 March`."""
    return format_date(_local_day(moment, zone), "EEEE, d MMMM", locale=_locale(lang))


def date(moment: datetime, *, lang: str, zone: str) -> str:
    """The date, `3 March 2026`."""
    return format_date(_local_day(moment, zone), "long", locale=_locale(lang))


def ago(moment: datetime | None, *, lang: str) -> str:
    """How long ago, short: `3 min`; nothing for no moment."""
    if moment is None:
        return ""
    since = max(world.now() - moment, timedelta(0))
    return format_timedelta(since, format="narrow", threshold=1.2, locale=_locale(lang))


def iso(moment: datetime | None) -> str:
    """What a `<time datetime>` holds."""
    return "" if moment is None else to_iso(moment)
