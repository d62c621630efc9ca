"""Slots as a customer reads them: sums with their sign, days and times in words, choices by their titles."""

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

from babel.dates import format_date, format_datetime, format_time
from babel.numbers import UnknownCurrencyError, format_currency

from bot.dialogs.flows.model import Collect, Flow
from bot.i18n import Key, locale_of
from bot.records.money import to_major


def shown(slots: Mapping[str, Any], flow: Flow, lang: str) -> dict[str, Any]:
    """The values of a flow's texts; what is not known, or no single value, says nothing."""
    values: dict[str, Any] = {step.slot: "" for step in flow.collects()}
    for slot, value in slots.items():
        step = flow.collect(slot)
        title = _title(step, value, slots) if step is not None and step.type == "choice" else None
        value = title or show_value(step.type if step else "text", value, lang)
        values[slot] = value if isinstance(value, str | int | float | Key) else ""
    return values


def _title(step: Collect, value: Any, slots: Mapping[str, Any]) -> Key | str | None:
    if key := step.choices.get(str(value)):
        return Key(key)
    rows = slots.get(step.choices_from)
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, list | tuple) and len(row) == 2 and str(row[0]) == value:
            return str(row[1])
    return None


def show_value(type: str, value: Any, lang: str) -> Any:
    """One value in words; as it is where there are none for it."""
    if isinstance(value, bool):
        return Key("answer.yes" if value else "answer.no")
    if isinstance(value, Mapping):
        minor, amount = value.get("minor"), value.get("amount")
        if isinstance(minor, int):
            return show_sum(to_major(minor, _currency(value)), _currency(value), lang)
        return f"{amount} {value.get('unit', '')}".strip() if isinstance(amount, int | float) else ""
    if type in ("date", "time", "datetime") and isinstance(value, str):
        return _moment(type, value, lang)
    return value


def show_sum(amount: float, currency: str, lang: str) -> str:
    """An amount in major units with its sign."""
    whole = amount == int(amount)
    try:
        pattern = "¤#,##,##0" if whole else None
        shown = format_currency(amount, currency, pattern, locale=locale_of(lang), currency_digits=not whole)
    except (UnknownCurrencyError, ValueError, OverflowError):
        shown = f"{currency} {amount:,.2f}"
    return str(shown).replace(currency, f"{currency} ", 1)


def _currency(value: Mapping[str, Any]) -> str:
    code = str(value.get("currency", ""))
    return code if len(code) == 3 and code.isalpha() else "INR"


def _moment(type: str, value: str, lang: str) -> str:
    locale = locale_of(lang)
    try:
        if type == "date":
            return str(format_date(date.fromisoformat(value[:10]), "EEEE, d MMMM", locale=locale))
        if type == "time":
            return str(format_time(time.fromisoformat(value), "short", locale=locale))
        return str(format_datetime(datetime.fromisoformat(value), "EEEE, d MMMM, h:mm a", locale=locale))
    except ValueError:
        return value
