"""The calendar that customers book in as its form holds it, sound or not: read from what was posted, and
changed step by step.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from multidict import MultiDictProxy

from bot.crm.business import BUSINESS_PROFILE, LIMITS
from bot.crm.hours import DAYS, Span, read_closed, read_week, write_closed, write_week
from bot.errors import InvalidInput
from bot.records.tx import Record
from bot.web.console.rules.draft import UNITS, in_units

Form = MultiDictProxy[Any]
Wrong = dict[str, str]
"""By the name of a control: the reason, a word of `business.wrong.…`."""
LEAD = "visit_lead_minutes"
_SPANS = 2
"""Pairs of times that each day has room for, at least."""
_MOST_ROWS = 200


@dataclass(slots=True)
class Day:
    """A day of the week: whether it is open, and from when until when, as typed."""

    name: str
    open: bool = False
    spans: list[tuple[str, str]] = field(default_factory=list)

    def rows(self) -> list[tuple[str, str]]:
        """The spans with room for one more."""
        return self.spans + [("", "")] * (_SPANS - len(self.spans))


@dataclass(slots=True)
class Draft:
    """`figures` as typed, by field; `unit` is that of the lead time. `bookable` are ids of users, and
    `begun` those that it began with."""

    version: int
    days: list[Day]
    closed: list[tuple[str, str]]
    figures: dict[str, str]
    unit: str
    bookable: set[str]
    begun: set[str]

    def change(self, deed: str, chosen: str) -> None:
        """`copy` the chosen day to all days, `add` a closed day, `remove:3` takes one off the list."""
        verb, _, place = deed.partition(":")
        if verb == "copy" and chosen in DAYS:
            like = self.days[DAYS.index(chosen)]
            self.days = [Day(name, like.open, list(like.spans)) for name in DAYS]
        elif verb == "add":
            self.closed.append(("", ""))
        elif verb == "remove" and place.isdigit() and int(place) < len(self.closed):
            del self.closed[int(place)]


def of_row(row: Record, bookable: set[str]) -> Draft:
    """The draft of what is saved."""
    week = read_week(row["opening_hours"])
    days = [
        Day(name, bool(spans), [(f"{begin:%H:%M}", f"{end:%H:%M}") for begin, end in spans])
        for name, spans in ((name, week.get(number, ())) for number, name in enumerate(DAYS))
    ]
    closed = [(day.isoformat(), name) for day, name in sorted(read_closed(row["closed_days"]).items())]
    count, unit = in_units(row[LEAD])
    figures = {name: str(row[name]) for name in LIMITS} | {LEAD: count}
    return Draft(row["version"], days, [*closed, ("", "")], figures, unit, bookable, set(bookable))


def read(form: Form) -> Draft:
    """The draft that was posted."""
    unit = _text(form, f"{LEAD}.unit")
    version = _text(form, "version")
    return Draft(
        int(version) if _is_figure(version) else 0,
        [_day(form, name) for name in DAYS],
        _closed(form),
        {name: _text(form, name) for name in LIMITS},
        unit if unit in UNITS else "minutes",
        {str(one) for one in form.getall("bookable", [])},
        {str(one) for one in form.getall("begun", [])},
    )


def _day(form: Form, name: str) -> Day:
    rows = []
    for place in range(len(form)):
        if f"{name}.{place}.from" not in form:
            break
        rows.append((_text(form, f"{name}.{place}.from"), _text(form, f"{name}.{place}.until")))
    return Day(name, f"{name}.open" in form, [row for row in rows if any(row)])


def _closed(form: Form) -> list[tuple[str, str]]:
    rows = []
    for place in range(_MOST_ROWS):
        if f"closed.{place}.day" not in form:
            break
        rows.append((_text(form, f"closed.{place}.day"), _text(form, f"closed.{place}.name")))
    return rows


def _text(form: Form, name: str) -> str:
    return str(form.get(name, "")).strip()


def _is_figure(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 9


# --- as writing takes it -----------------------------------------------------------------------------


def as_given(draft: Draft) -> tuple[Mapping[str, Any], Wrong]:
    """The values of the fields, and what is wrong with them: with each control, all at once."""
    wrong: Wrong = {}
    values: dict[str, Any] = {"opening_hours": _week(draft, wrong), "closed_days": _holidays(draft, wrong)}
    for name, (least, most) in LIMITS.items():
        text = draft.figures[name]
        figure = int(text) * (UNITS[draft.unit] if name == LEAD else 1) if _is_figure(text) else -1
        if not least <= figure <= most:
            wrong[name] = name
        values[name] = figure
    return values, wrong


def _week(draft: Draft, wrong: Wrong) -> str:
    week: dict[int, tuple[Span, ...]] = {}
    for number, day in enumerate(draft.days):
        if not day.open:
            continue
        times = " ".join(f"{begin}-{end}" for begin, end in day.spans)
        if not times:
            wrong[day.name] = "no_times"
            continue
        try:
            week[number] = read_week(f"{day.name} {times}")[number]
        except InvalidInput as error:
            wrong[day.name] = error.data.get("reason", "span")
    return write_week(week)


def _holidays(draft: Draft, wrong: Wrong) -> str:
    days: dict[date, str] = {}
    for place, (day, name) in enumerate(draft.closed):
        if not day and not name:
            continue
        try:
            days[date.fromisoformat(day)] = name
        except ValueError:
            wrong[f"closed.{place}"] = "day"
    text = write_closed(days)
    if len(text) > BUSINESS_PROFILE.fields["closed_days"].length:
        wrong["closed_days"] = "too_many"
    return text
