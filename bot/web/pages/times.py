"""Moments as people read them: in the business's time zone, in the reader's language."""

import datetime as dates
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time, format_timedelta

from bot import clock as world
from bot.clock import to_iso
from bot.i18n import locale_of


def _local_day(moment: datetime, zone: str) -> dates.date:
    """The day it was where the business is."""
    return moment.astimezone(ZoneInfo(zone)).date()


def clock(moment: datetime, *, lang: str, zone: str) -> str:
    """The time of day, `9:05 am`."""
    return format_time(moment.astimezone(ZoneInfo(zone)), "short", locale=locale_of(lang))


def day(moment: datetime, *, lang: str, zone: str) -> str:
    """The day, `Monday, 3 March`."""
    return format_date(_local_day(moment, zone), "EEEE, d MMMM", locale=locale_of(lang))


def date(moment: datetime, *, lang: str, zone: str) -> str:
    """The date, `3 March 2026`."""
    return format_date(_local_day(moment, zone), "long", locale=locale_of(lang))


def ago(moment: datetime | None, *, lang: str) -> str:
    """How long ago, short: `3 min`; nothing for no moment."""
    if moment is None:
        return ""
    since = max(world.now() - moment, timedelta(0))
    return format_timedelta(since, format="narrow", threshold=1.2, locale=locale_of(lang))


def iso(moment: datetime | None) -> str:
    """What a `<time datetime>` holds."""
    return "" if moment is None else to_iso(moment)
