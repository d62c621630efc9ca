"""The time of day in a text: "half past 11 in the morning", "shaam 5 baje", "17:15", "six thirty pm"."""

import re
from collections.abc import Sequence
from datetime import time

from bot.dialogs.calendar_words import Item

USUAL = {"morning": 9, "noon": 12, "afternoon": 14, "evening": 18, "night": 20, "midnight": 0}
"""The hour that a part of the day means beside a day: "next Tuesday after lunch"."""
_CLOCK = re.compile(r"(?<![\d:.])(\d{1,2}):(\d{2})(?::\d{2})?(?![\d:])")
_NEAR = 3
"""Words between an hour and the part of the day that goes with it."""

Place = tuple[int, int]


def find_hour(
    text: str, items: Sequence[Item], taken: Place, answers: bool = False
) -> tuple[time, Place] | None:
    """The first time of a text outside of the place that a day has taken."""
    return _Hours(text, items, taken, answers).find()


class _Hours:
    def __init__(self, text: str, items: Sequence[Item], taken: Place, answers: bool) -> None:
        self.text, self.items, self.taken, self.answers = text, items, taken, answers

    def get(self, at: int, tag: str) -> object:
        """What the word at a place means as this kind of word; nothing where the day is said."""
        if not 0 <= at < len(self.items):
            return None
        item = self.items[at]
        return None if item.start < self.taken[1] and self.taken[0] < item.end else item.get(tag)

    def find(self) -> tuple[time, Place] | None:
        for match in _CLOCK.finditer(self.text):
            last = max(n for n, item in enumerate(self.items) if item.start < match.end())
            first = next(n for n, item in enumerate(self.items) if item.start >= match.start())
            sure = match[1].startswith("0") and len(match[1]) == 2
            if found := self.at(int(match[1]), int(match[2]), first, last, sure):
                return found
        for at in (at for at, item in enumerate(self.items) if item.means):
            if found := self.shifted(at) or self.spoken(at):
                return found
        return self.named()

    def number(self, at: int) -> tuple[int, int]:
        """An hour or minute in figures or words, and the place after it; -1 where none stands."""
        value, after = self.get(at, "number"), at + 1
        if not isinstance(value, int) or not 0 <= value < 100:
            return -1, at
        tail = self.get(after, "number")
        in_words = self.get(at, "digits") is None and self.get(after, "digits") is None
        if in_words and value in (20, 30, 40, 50) and isinstance(tail, int) and 0 < tail < 10:
            return value + tail, after + 1
        return value, after

    def shifted(self, at: int) -> tuple[time, Place] | None:
        """ "half past 11", "quarter to six", "ten to five", "saade paanch baje"."""
        for tag, hours, minutes in (("half_past", 0, 30), ("quarter_past", 0, 15), ("quarter_to", -1, 45)):
            if self.get(at, tag):
                hour, after = self.number(at + 1)
                if 1 <= hour <= 12:
                    return self.at((hour + hours) or 12, minutes, at, self.clock(after))
        minute, middle = self.number(at)
        if minute in (5, 10, 20, 25):
            past, to = self.get(middle, "minutes_past"), self.get(middle, "minutes_to")
            hour, after = self.number(middle + 1)
            to = to and minute > 5 and self.half_of_day(at, after) is not None  # "5 to 7 pm" is from five
            if 1 <= hour <= 12 and (past or to):
                return self.at(
                    hour if past else (hour - 1) or 12, minute if past else 60 - minute, at, after - 1
                )
        value = self.get(at, "number")
        if value in (1.5, 2.5) and self.get(at + 1, "clock"):
            return self.at(int(value), 30, at, at + 1)
        return None

    def clock(self, after: int) -> int:
        """The last place of "5 baje" or "5 o'clock"."""
        return after if self.get(after, "clock") else after - 1

    def spoken(self, at: int) -> tuple[time, Place] | None:
        """ "six pm", "5.30 pm", "shaam 5 baje", "evening 6", "one in the afternoon", "at 5"."""
        hour, after = self.number(at)
        if not 0 <= hour <= 24 or (self.get(at, "ordinal") is not None):
            return None
        minute = 0
        point = after < len(self.items) and self.items[after].word in (".", ":")
        then, past = self.number(after + 1 if point else after)
        if point and self.items[after].start != self.items[at].end:
            then = -1
        if 0 <= then < 60 and (point or then in (15, 30, 45, 10, 20, 40, 50)) and self.sign(at, past):
            minute, after = then, past
        elif point and then >= 0:
            return None
        if not self.sign(at, after) and not self.bare(at, after):
            return None
        last = self.clock(after)
        if self.get(last + 1, "am") or self.get(last + 1, "pm"):
            last += 1
        return self.at(hour, minute, at, last)

    def sign(self, at: int, after: int) -> bool:
        """Whether what stands around a number makes it an hour."""
        if self.get(after, "clock") or self.get(after, "am") or self.get(after, "pm"):
            return True
        if self.get(after, "unit") or self.get(after, "month") or self.get(after, "number") is not None:
            return False
        if self.get(at - 1, "part") and not self.get(after, "of_month"):
            return True
        place = after
        while self.get(place, "of"):
            place += 1
        return bool(self.get(place, "part")) and place - after <= 2

    def bare(self, at: int, after: int) -> bool:
        """ "at 5" with nothing counted after it; a number alone where an hour was asked for."""
        alone = len(self.items) == after - at
        if self.answers and alone:
            return True
        if not self.get(at - 1, "at") or self.items[at - 1].word not in ("at", "by", "around"):
            return False
        return after >= len(self.items) or not self.items[after].word[:1].isalpha() or self.calendar(after)

    def calendar(self, at: int) -> bool:
        return any(
            self.items[at].get(tag) is not None for tag in ("day", "either", "weekday", "of", "tonight")
        )

    def half_of_day(self, first: int, last: int) -> str | None:
        """am, pm or the part of the day that is said near an hour."""
        for at in (last + 1, last, last - 1):
            for tag in ("am", "pm"):
                if self.get(at, tag):
                    return tag
        near = [*range(last + 1, last + 1 + _NEAR), *range(first - 1, first - 1 - _NEAR, -1)]
        for at in near:
            if 0 <= at < len(self.items) and (part := self.items[at].get("part")):
                return str(part)
        return (
            "night"
            if any(0 <= at < len(self.items) and self.items[at].get("tonight") for at in near)
            else None
        )

    def at(
        self, hour: int, minute: int, first: int, last: int, sure: bool = False
    ) -> tuple[time, Place] | None:
        """The time, its half of the day told by the words around or by when shops are open."""
        if hour > 24 or minute > 59:
            return None
        half = self.half_of_day(first, last)
        if 1 <= hour <= 12 and not (sure and half is None):
            hour = _of_day(hour, half)
        last = min(last, len(self.items) - 1)
        if self.get(last + 1, "am") or self.get(last + 1, "pm"):
            last += 1
        return time(hour % 24, minute), (self.items[first].start, self.items[last].end)

    def named(self) -> tuple[time, Place] | None:
        """Noon and midnight; another part of the day only right beside the day, or as an answer."""
        for at, item in enumerate(self.items):
            part = self.get(at, "part")
            if not isinstance(part, str):
                continue
            beside = self.taken[1] and self.beside(at)
            if part in ("noon", "midnight") or beside or (self.answers and len(self.items) <= 3):
                return time(USUAL[part]), (item.start, item.end)
        tonight = next((item for item in self.items if item.get("tonight")), None)
        return (time(USUAL["night"]), (tonight.start, tonight.end)) if tonight else None

    def beside(self, at: int) -> bool:
        """Whether at most one small word stands between a place and the day."""
        item = self.items[at]
        between = self.text[self.taken[1] : item.start] if item.start >= self.taken[1] else (
            self.text[item.end : self.taken[0]]
        )  # fmt: skip
        return len(between.split()) <= 2 and not any(mark in between for mark in ".!?।\n")


def _of_day(hour: int, half: str | None) -> int:
    """An hour of twelve as one of twenty-four."""
    if half == "am" or half == "morning":
        return hour % 12
    if half == "pm":
        return hour % 12 + 12
    if half in ("noon", "afternoon"):
        return hour if hour in (10, 11, 12) else hour + 12
    if half == "evening":
        return hour % 12 + 12
    if half in ("night", "midnight"):
        return hour % 12 if hour == 12 or hour < 6 else hour + 12
    return hour if hour >= 7 else hour + 12
