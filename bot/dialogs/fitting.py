"""Whether an answer fits its question; when not, what is wrong with it and by how much."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import phonenumbers

from bot.dialogs.flows.conditions import number
from bot.dialogs.flows.model import Collect, Repair
from bot.dialogs.shown import show_sum, show_value
from bot.dialogs.slots import accept, zone_of
from bot.dialogs.spoken import in_figures
from bot.dialogs.turn import Turn

LEAST = 4
"""Digits from which a text is a mistyped telephone number rather than none."""
_NUMERAL = re.compile(r"\+?\d[\d\s().-]*")
_FAMILY: Mapping[str, str] = {
    "contact": "phone", "name": "text", "address": "text", "time": "date", "datetime": "date",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fit:
    """`value` as the slot keeps it, None when it does not fit; then `wrong` says why and `values` go into the
    text that says so."""

    value: Any = None
    wrong: Repair = "unreadable"
    values: Mapping[str, Any] = field(default_factory=dict)
    now: bool = False

    def key(self, step: Collect) -> str:
        """The key of what is said."""
        if self.wrong in step.repairs:
            return step.repairs[self.wrong]
        if self.wrong == "unreadable":
            return step.invalid
        family = "digits" if step.digits else _FAMILY.get(step.type, step.type)
        if self.now:
            return "repair.date.past" if self.wrong == "too_early" else "repair.date.future"
        return f"repair.{family}.{self.wrong}"


def fit(step: Collect, value: Any, slots: Mapping[str, Any], turn: Turn, lang: str) -> Fit:
    """Read an answer and hold it against the question's limits."""
    if step.digits:
        return Fit(value) if value in step.choices else _of_digits(value, step.digits)
    accepted = accept(step, value, slots, turn)
    if accepted is None:
        return _telephone(value, turn) if step.type in ("phone", "contact") else Fit()
    if step.after or step.before:
        return _in_time(step, accepted, slots, turn, lang)
    return _sized(step, accepted, lang)


def _of_digits(value: Any, wanted: int) -> Fit:
    """A code: the run of so many digits, or all digits of the text together ("123 456")."""
    runs = re.findall(r"\d+", in_figures(str(value)))
    if exact := next((run for run in runs if len(run) == wanted), None):
        return Fit(exact)
    whole = "".join(runs)
    if len(whole) == wanted:
        return Fit(whole)
    return _off(len(whole) - wanted, {"limit": wanted}) if whole else Fit()


def _telephone(value: Any, turn: Turn) -> Fit:
    """How far a mistyped number is from one of its country."""
    said = max(_NUMERAL.findall(in_figures(str(value))), key=len, default="")
    if sum(char.isdecimal() for char in said) < LEAST:
        return Fit()
    try:
        parsed = phonenumbers.parse(said, turn.business.country)
    except phonenumbers.NumberParseException:
        return Fit()
    region = phonenumbers.region_code_for_country_code(parsed.country_code or 0)
    known = phonenumbers.PhoneMetadata.metadata_for_region(region, None)
    mobile = known.mobile if known is not None else None
    lengths = [length for length in mobile.possible_length if length > 0] if mobile is not None else []
    given = len(str(parsed.national_number))
    if not lengths or min(lengths) <= given <= max(lengths):
        return Fit()
    return _off(given - (min(lengths) if given < min(lengths) else max(lengths)), {})


def _off(by: int, values: Mapping[str, Any]) -> Fit:
    return Fit(None, "too_short" if by < 0 else "too_long", {"count": abs(by), **values})


def _sized(step: Collect, value: Any, lang: str) -> Fit:
    """`min` and `max`: of a sum, a quantity, or the letters of a text."""
    size = len(value) if isinstance(value, str) else number(value)
    if size is None:
        return Fit(value)
    small, large = step.min is not None and size < step.min, step.max is not None and size > step.max
    if not small and not large:
        return Fit(value)
    limit: Any = step.min if small else step.max
    if isinstance(value, str):
        return Fit(None, "too_short" if small else "too_long", {"count": int(limit)})
    shown = show_sum(limit, value["currency"], lang) if "currency" in value else f"{limit:g}"
    return Fit(None, "too_little" if small else "too_much", {"limit": shown})


def _in_time(step: Collect, value: str, slots: Mapping[str, Any], turn: Turn, lang: str) -> Fit:
    """`after` and `before`: later or earlier than now or another slot; a day may be today's."""
    for named, wrong in ((step.after, "too_early"), (step.before, "too_late")):
        limit = _now(step, turn) if named == "now" else slots.get(named) if named else None
        if not isinstance(limit, str):
            continue
        out = _earlier(value, limit) if wrong == "too_early" else _earlier(limit, value)
        if out:
            shown = show_value(step.type, limit, lang)
            return Fit(
                None, "too_early" if wrong == "too_early" else "too_late", {"limit": shown}, named == "now"
            )
    return Fit(value)


def _now(step: Collect, turn: Turn) -> str:
    local = turn.now.astimezone(zone_of(turn, step.our_zone))
    if step.type == "date":
        return local.date().isoformat()
    return local.strftime("%H:%M") if step.type == "time" else local.isoformat(timespec="minutes")


def _earlier(first: Any, second: Any) -> bool:
    """Whether one day, time or moment is before another; a day and a moment compare by their days. What is
    none of these is before nothing."""
    if not isinstance(first, str) or not isinstance(second, str):
        return False
    try:
        if "T" in first and "T" in second:
            return datetime.fromisoformat(first) < datetime.fromisoformat(second)
    except (TypeError, ValueError):  # with a zone and without
        return False
    shortest = min(len(first), len(second))
    return first[:shortest] < second[:shortest]
