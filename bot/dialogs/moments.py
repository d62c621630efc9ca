"""Days and times in a text: "kal shaam 5 baje", "next Tuesday after lunch", "15 ko".

Where a text leaves something open, one rule each:
- "kal", "parso", a day of the month, of the week or of the year is the next one, or the last one where the
  slot looks back (a complaint: "kal se kharab hai").
- "this Friday" is the coming one; "next Friday" the Friday of next week, which begins with Monday;
  "next week" is its Monday, "the weekend" its Saturday.
- 3/4 is the third of April, except where the business is in the United States.
- An hour without morning or evening is one at which shops are open: 7 to 11 in the morning, 12 to 6 after.
- A part of the day alone, beside a day, is its usual hour: morning 9, afternoon ("after lunch") 14, evening
  18, night 20.
"""

import re
from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal

from bot.dialogs.calendar_words import Item, items_of
from bot.dialogs.hours import find_hour

_ISO = re.compile(r"(?<![\d/-])(\d{4})-(\d{1,2})-(\d{1,2})(?![\d/-])")
_FIGURES = re.compile(r"(?<![\d/.-])(\d{1,2})([/.-])(\d{1,2})(?:\2(\d{4}|\d{2}))?(?![\d/-]|\.\d)")


_TELLING = frozenset(
    ["number", "ordinal", "day", "either", "weekday", "month", "part", "unit", "tonight", "weekend"]
)
"""Words of these kinds are in every day and time."""
LONGEST, MOST = 2000, 4
"""Characters that are looked at, and moments of one text."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A day, a time or both, each with the place in the text that says so."""

    day: date | None = None
    day_at: tuple[int, int] = (0, 0)
    hour: time | None = None
    hour_at: tuple[int, int] = (0, 0)
    roughly: bool = False
    """Only a part of the day is said: "in the afternoon"."""


@dataclass(frozen=True, slots=True)
class Reckoning:
    """What a text's days are reckoned from: `now` in the contact's zone. `back`: the slot asks for a day that
    is past. `asked`: the text answers for a day or an hour, so that a bare number is one."""

    now: datetime
    back: bool = False
    asked: Literal["", "day", "hour"] = ""
    month_first: bool = False


def find_moments(text: str, lang: str, reckoning: Reckoning) -> list[Moment]:
    """The days and times of a text, whose digits are 0 to 9 and letters composed; nothing more after MOST."""
    text = text[:LONGEST]
    items = items_of(text, lang)
    moments: list[Moment] = []
    while len(moments) < MOST and any(item.means.keys() & _TELLING for item in items):
        try:
            moment = _Reader(text, items, reckoning).moment()
        except (ValueError, OverflowError):  # the year 0, or a million days from now
            break
        if moment == Moment():
            break
        moments.append(moment)
        end = max(moment.day_at[1], moment.hour_at[1])
        items = tuple(item for item in items if item.start >= end)
        text = " " * end + text[end:]
    return moments


class _Reader:
    def __init__(self, text: str, items: Sequence[Item], reckoning: Reckoning) -> None:
        self.text, self.items, self.reckoning = text, items, reckoning
        self.known = [at for at, item in enumerate(items) if item.means or item.word in ("a", "an")]
        self.now = reckoning.now.replace(second=0, microsecond=0, tzinfo=None)
        self.today = self.now.date()

    def get(self, at: int, tag: str) -> object:
        """What the word at a place means as this kind of word."""
        return self.items[at].get(tag) if 0 <= at < len(self.items) else None

    def span(self, first: int, last: int) -> tuple[int, int]:
        return self.items[first].start, self.items[last].end

    def moment(self) -> Moment:
        relative = self.relative()
        if relative is not None and relative.hour is not None:
            return relative
        if relative is not None:  # "in 3 days", perhaps "at 5 pm"
            day, day_at = relative.day, relative.day_at
        else:
            day, day_at = self.day() or (None, (0, 0))
        found = find_hour(self.text, self.items, day_at, self.reckoning.asked == "hour")
        if found is not None and self.of_another_day(day, day_at, found[1]):
            found = None
        hour, hour_at = found or (None, (0, 0))
        return Moment(day, day_at, hour, hour_at, hour is not None and self.only_part(hour_at))

    def of_another_day(self, day: date | None, day_at: tuple[int, int], hour_at: tuple[int, int]) -> bool:
        """Whether another day is said between a day and an hour: "not tomorrow, Friday at 3"."""
        between = [item for item in self.items if day_at[1] <= item.start < hour_at[0]]
        if day is None or not any(item.get("weekday") is not None or item.get("day") for item in between):
            return False
        text = " " * day_at[1] + self.text[day_at[1] : hour_at[0]]
        other = _Reader(text, between, self.reckoning).day()
        if other is None or other[0] == day:
            return False
        # "the 30th, Monday that is, at 11": its weekday is not another day.
        named = [item.get("weekday") for item in between if item.get("weekday") is not None]
        return not (named == [day.weekday()] and not any(item.get("day") for item in between))

    def only_part(self, place: tuple[int, int]) -> bool:
        """Whether the time at a place is but a part of the day; noon and midnight are hours."""
        said = [item for item in self.items if place[0] <= item.start < place[1]]
        return not any(char.isdecimal() for char in self.text[slice(*place)]) and all(
            item.get("part") not in (None, "noon", "midnight") for item in said
        )

    # --- "in 20 minutes", "2 din pehle" ---

    def relative(self) -> Moment | None:
        for at in self.known:
            amount, unit_at = self.amount(at)
            unit = self.get(unit_at, "unit")
            if amount is None or unit is None:
                continue
            first, last, sign = at, unit_at, 0
            if self.get(at - 1, "in_before") and not self.get(at - 1, "part"):
                first, sign = at - 1, 1
            elif self.get(unit_at + 1, "ago"):
                last, sign = unit_at + 1, -1
            elif self.get(unit_at + 1, "in_after"):
                last, sign = unit_at + 1, 1
            if sign:
                return self.away(sign * amount, str(unit), self.span(first, last))
        return None

    def amount(self, at: int) -> tuple[float | None, int]:
        """A number, "a" or "half an", and the place after it."""
        if self.items[at].word in ("a", "an"):
            return 1.0, at + 1
        value = self.get(at, "number")
        if not isinstance(value, int | float):
            return None, at
        after = at + 1
        tail = self.get(after, "number")
        if (
            isinstance(tail, int)
            and value in range(20, 100, 10)
            and 0 < tail < 10
            and not self.get(at, "digits")
        ):
            value, after = value + tail, after + 1
        if after < len(self.items) and self.items[after].word in ("a", "an"):
            after += 1
        return float(value), after

    def away(self, amount: float, unit: str, place: tuple[int, int]) -> Moment:
        if unit in ("minute", "hour"):
            then = self.now + timedelta(minutes=amount * (60 if unit == "hour" else 1))
            return Moment(then.date(), place, then.time(), place)
        if unit in ("day", "week"):
            return Moment(self.today + timedelta(days=round(amount * (7 if unit == "week" else 1))), place)
        return Moment(_months_on(self.today, round(amount * (12 if unit == "year" else 1))), place)

    # --- days ---

    def day(self) -> tuple[date, tuple[int, int]] | None:
        figures, words = self.in_figures(), self.in_words()
        if figures is None or words is None or words[1][1] > figures[1][0]:
            return figures or words
        # "tomorrow 11:00 to Friday 27/11": two days; "Friday, 27/11" and "next week, 27/11" are one.
        between = [item for item in self.items if words[1][1] <= item.start < figures[1][0]]
        apart = words[0] != figures[0] and any(isinstance(item.get("number"), int) for item in between)
        return words if apart else figures

    def in_words(self) -> tuple[date, tuple[int, int]] | None:
        """The first day that is said without a date in figures."""
        for at in self.known:
            for read in (self.day_of_month, self.weekday, self.named, self.bare_day, self.period):
                if found := read(at):
                    return found
        return None

    def in_figures(self) -> tuple[date, tuple[int, int]] | None:
        if match := _ISO.search(self.text):
            return date(int(match[1]), int(match[2]), int(match[3])), match.span()
        for match in _FIGURES.finditer(self.text):
            if match[4] is None and match[2] != "/" and self.reckoning.asked != "day":
                continue  # "2-3", "5.30"
            if match[4] is None and match[2] == "." and int(match[3]) > 12:
                continue
            day, month = int(match[1]), int(match[3])
            if month > 12 or (self.reckoning.month_first and day <= 12):
                day, month = month, day
            year = int(match[4]) + (2000 if len(match[4]) == 2 else 0) if match[4] else 0
            if found := self.of_year(day, month, year):
                return found, match.span()
        return None

    def day_of_month(self, at: int) -> tuple[date, tuple[int, int]] | None:
        """ "3rd of March", "March 3rd, 2026", "15 ko", "the 11th", "3rd of this month"."""
        day = self.get(at, "ordinal") or self.get(at, "number")
        if isinstance(day, int) and 1 <= day <= 31:
            after = self.over(at + 1, "of")
            month = self.get(after, "month")
            if isinstance(month, int):
                year, last = self.year(after + 1)
                return self.found(self.of_year(day, month, year), at, last)
            shift = self.shift(after)
            if shift is not None and self.get(after + 1, "unit") == "month":
                month_day = _months_on(self.today.replace(day=1), shift)
                return self.found(_day_in(month_day, day), at, after + 1)
            return None
        month = self.get(at, "month")
        if isinstance(month, int):
            after = self.over(at + 1, "of")
            day = self.get(after, "ordinal") or self.get(after, "number")
            if isinstance(day, int) and 1 <= day <= 31 and not self.get(after + 1, "clock"):
                year, last = self.year(after + 1)
                return self.found(self.of_year(day, month, year or self.year_before(at)), at, last)
        return None

    def over(self, at: int, tag: str) -> int:
        """The place after words of a kind."""
        while self.get(at, tag):
            at += 1
        return at

    def year(self, at: int) -> tuple[int, int]:
        """The year at a place (0: none is said), and where what was read ends."""
        for place in (at, at + 1):
            value = self.get(place, "number")
            if isinstance(value, int) and 1900 <= value <= 2200 and (place == at or self.get(at, "of")):
                return value, place
        return 0, at - 1

    def year_before(self, at: int) -> int:
        """The year said somewhere before a month ("2026 likhna tha, March ki 15"), or its shift; 0: none."""
        for place in range(at - 1, -1, -1):
            value = self.get(place, "number")
            if isinstance(value, int) and 1900 <= value <= 2200:
                return value
            shift = self.shift(place)
            if shift is not None and self.get(place + 1, "unit") == "year":
                return self.today.year + shift
        return 0

    def of_year(self, day: int, month: int, year: int) -> date | None:
        """A day and month in the year said, or in the one that the slot looks to."""
        if not (1 <= month <= 12 and 1 <= day <= 31):
            return None
        for guess in (year,) if year else range(self.today.year - 4, self.today.year + 5):
            if day > monthrange(guess, month)[1]:
                continue
            found = date(guess, month, day)
            if year or (found >= self.today and not self.reckoning.back):
                return found
            if self.reckoning.back and found <= self.today:
                later = [date(n, month, day) for n in range(guess + 1, self.today.year + 1)
                         if day <= monthrange(n, month)[1] and date(n, month, day) <= self.today]  # fmt: skip
                return later[-1] if later else found
        return None

    def found(self, day: date | None, first: int, last: int) -> tuple[date, tuple[int, int]] | None:
        return (day, self.span(first, min(last, len(self.items) - 1))) if day else None

    def shift(self, at: int) -> int | None:
        """+1 for "next", 0 for "this", -1 for "last"."""
        for tag, value in (("next", 1), ("this", 0), ("last", -1)):
            if self.get(at, tag):
                return value
        return None

    def weekday(self, at: int) -> tuple[date, tuple[int, int]] | None:
        weekday = self.get(at, "weekday")
        if not isinstance(weekday, int):
            return None
        if dated := self.dated(at, weekday):
            return dated
        before, after = self.shift(at - 1), self.shift(at + 1)
        monday = self.today - timedelta(days=self.today.weekday())
        if after is not None and self.get(at + 2, "unit") == "week":  # "Friday next week"
            return self.found(monday + timedelta(days=weekday + 7 * after), at, at + 2)
        if self.get(at - 1, "unit") == "week" and (earlier := self.shift(at - 2)) is not None:
            return self.found(monday + timedelta(days=weekday + 7 * earlier), at - 2, at)
        if before == 1:
            return self.found(monday + timedelta(days=weekday + 7), at - 1, at)
        first = at if before is None else at - 1
        if before == -1 or (before is None and self.reckoning.back):
            return self.found(
                self.today - timedelta(days=(self.today.weekday() - weekday - 1) % 7 + 1), first, at
            )
        return self.found(self.today + timedelta(days=(weekday - self.today.weekday()) % 7), first, at)

    def dated(self, at: int, weekday: int) -> tuple[date, tuple[int, int]] | None:
        """ "Monday 30 November", "Saturday the 28th": the day that the date beside a weekday names."""
        near = at + 1
        while near <= at + 2 and (self.get(near, "of") or self.get(near, "of_month")):
            near += 1
        if found := self.day_of_month(near):
            return found[0], (self.items[at].start, found[1][1])
        day = self.get(near, "ordinal")
        if day is None and self.get(near + 1, "of_month"):
            day = self.get(near, "number")
        coming = self.coming(day) if isinstance(day, int) and 1 <= day <= 31 else None
        return self.found(coming, at, near) if coming and coming.weekday() == weekday else None

    def named(self, at: int) -> tuple[date, tuple[int, int]] | None:
        """Today, tomorrow, kal."""
        if self.get(at, "tonight"):
            return self.found(self.today, at, at)
        offset = self.get(at, "day")
        if not isinstance(offset, int):
            offset = self.get(at, "either")
            if not isinstance(offset, int):
                return None
            offset = -offset if self.reckoning.back or self.get(at - 1, "last") else offset
        return self.found(self.today + timedelta(days=offset), at, at)

    def bare_day(self, at: int) -> tuple[date, tuple[int, int]] | None:
        """ "15 ko", "the 11th"; in an answer also a number alone."""
        day, last = self.get(at, "ordinal"), at
        if day is None and isinstance(day := self.get(at, "number"), int):
            if self.get(at + 1, "of_month"):
                last = at + 1
            elif not (self.reckoning.asked == "day" and len(self.items) == 1):
                return None
        elif day is not None and not (self.get(at - 1, "of") or len(self.items) <= 2 or self.with_hour(at)):
            return None
        if not isinstance(day, int) or not 1 <= day <= 31:
            return None
        return self.found(self.coming(day), at, last)

    def with_hour(self, at: int) -> bool:
        """Whether an hour follows: "26th, 11 in the morning"; "2nd floor" has none."""
        after = self.items[at + 1 : at + 6]
        return self.reckoning.asked == "day" or (
            any(isinstance(item.get("number"), int) for item in after)
            and any(
                item.get("part") or item.get("clock") or item.get("am") or item.get("pm") for item in after
            )
        )

    def coming(self, day: int) -> date | None:
        """The next such day of a month, or the last one where the slot looks back."""
        step = -1 if self.reckoning.back else 1
        for months in range(5):
            found = _day_in(_months_on(self.today.replace(day=1), step * months), day)
            if found and (found <= self.today if self.reckoning.back else found >= self.today):
                return found
        return None

    def period(self, at: int) -> tuple[date, tuple[int, int]] | None:
        """ "next week", "agle mahine", "the weekend"; "in May" where a day that is past was asked for."""
        month = self.get(at, "month")
        if isinstance(month, int) and self.reckoning.back and self.reckoning.asked == "day":
            year, last = self.year(at + 1)
            if self.items[at].word == "may" and not (year or self.get(at - 1, "of") or len(self.items) <= 2):
                return None  # "may I ask …"
            return self.found(self.of_year(1, month, year), at, last)
        shift = self.shift(at)
        monday = self.today - timedelta(days=self.today.weekday())
        if self.get(at, "weekend"):
            before = self.shift(at - 1)
            return self.found(monday + timedelta(days=5 + 7 * (before or 0)), at - (before is not None), at)
        if not shift:
            return None
        if self.get(at + 1, "unit") == "week" and self.get(at + 2, "weekday") is None:
            return self.found(monday + timedelta(days=7 * shift), at, at + 1)
        if self.get(at + 1, "unit") == "month":
            month_first = _months_on(self.today.replace(day=1), shift)
            day_at = self.over(at + 2, "of")
            day = self.get(day_at, "ordinal") or self.get(day_at, "number")
            if isinstance(day, int) and 1 <= day <= 31 and self.get(day_at + 1, "of_month"):
                return self.found(_day_in(month_first, day), at, day_at + 1)  # "pichhle mahine 20 tarikh ko"
            return self.found(month_first, at, at + 1)
        return None


def _months_on(day: date, months: int) -> date:
    """The same day some months on, or the last one of a shorter month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _day_in(month: date, day: int) -> date | None:
    """A day of a month, if it has so many."""
    return month.replace(day=day) if day <= monthrange(month.year, month.month)[1] else None
