"""Records as one reader sees them: kinds and fields in their language, values as people write them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_time
from babel.numbers import format_currency, format_decimal

from bot.i18n import Words, locale_of
from bot.records.entity import Entity, Field
from bot.records.money import digits, to_major
from bot.records.schema import Schema
from bot.records.tx import Record
from bot.web.console.records.layout import address_of, choices_of, layout_of

Names = Mapping[tuple[str, str], str]
"""What records are called, by (kind, id): those that the reader may see."""
_BY_LAKH = frozenset({"IN", "PK", "BD", "NP", "LK"})
"""Countries that group digits as 12,34,567, whatever the language."""
_TONES = {
    **dict.fromkeys(("urgent", "lost", "disqualified", "blocker", "missed", "blocked"), "bad"),
    **dict.fromkeys(("high", "new", "pending", "call_back"), "warn"),
    **dict.fromkeys(("closed", "low", "resolved", "household", "note"), "plain"),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One value as a page shows it. `moment` is for machines, `items` are tags, `tone` colours a badge."""

    name: str
    label: str
    type: str
    text: str
    href: str = ""
    items: tuple[str, ...] = ()
    tone: str = ""
    moment: str = ""
    raw: str = ""
    """What a spreadsheet can count with."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: their language, the business's zone and country."""

    words: Words
    lang: str
    schema: Schema
    zone: ZoneInfo
    country: str
    currency: str
    locale: Locale = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "locale", locale_of(self.lang))

    def say(self, key: str, **values: Any) -> str:
        """A text of the catalogue."""
        return self.words.say(key, self.lang, **values)

    def kind(self, name: str, *, one: bool = False) -> str:
        """What records of a kind are called: several, or one of them."""
        key = f"kind.{name}.one" if one else f"kind.{name}"
        return self.say(key) if self.words.has(key) else name

    def label(self, entity: Entity, name: str) -> str:
        """What a field is called."""
        own = self.schema.labels.get((entity.name, name))
        if own is not None:
            return own
        keys = (f"field.{entity.name}.{name}", f"field.{name}")
        return next((self.say(key) for key in keys if self.words.has(key)), name)

    def value(self, entity: Entity, name: str, value: str) -> str:
        """What a value of an enum is called."""
        keys = (f"value.{entity.name}.{name}.{value}", f"value.{name}.{value}", f"value.{value}")
        own = entity.fields[name].custom
        return value if own else next((self.say(key) for key in keys if self.words.has(key)), value)

    def number(self, value: float | int) -> str:
        """A number, grouped as the country does."""
        grouped = "#,##,##0.###" if self.country in _BY_LAKH else None
        return str(format_decimal(value, format=grouped, locale=self.locale))

    def money(self, minor: int, currency: str) -> str:
        """An amount with its currency; whole amounts without empty decimals."""
        places = digits(currency)
        whole = minor % 10**places == 0
        decimals = "" if whole or not places else "." + "0" * places
        pattern = "¤#,##,##0" if self.country in _BY_LAKH else "¤#,##0"
        amount = to_major(minor, currency)
        shown = format_currency(
            amount, currency, format=pattern + decimals, locale=self.locale, currency_digits=False
        )
        return str(shown)

    def moment(self, value: datetime) -> str:
        """A date and a time of day where the business is."""
        local = value.astimezone(self.zone)
        return f"{self.day(local)}, {format_time(local, 'short', locale=self.locale)}"

    def day(self, value: date) -> str:
        """A date."""
        return str(format_date(value, "medium", locale=self.locale))

    def title(self, entity: Entity, row: Record) -> str:
        """By what people know a record."""
        known = entity.title if entity.title in row else "number"
        if known not in row:  # hidden from the reader: some name it needs
            return str(row["id"])[-6:]
        if known == "number":
            return f"{entity.number_prefix}{row[known]}"
        return str(row[known] or "").strip() or self.say("records.unnamed")

    def currency_of(self, spec: Field, row: Record) -> str:
        """The currency of an amount in this row: its own field's, a fixed one, else the business's."""
        if spec.custom:
            return spec.currency or self.currency
        return str(row.get(spec.currency) or self.currency)

    def cell(self, entity: Entity, name: str, row: Record, names: Names) -> Cell:
        """A field of a row as pages show it."""
        spec, value = entity.fields[name], row.get(name)
        label = self.label(entity, name)
        if value is None or value == "" or value == []:
            return Cell(name, label, spec.type, "")
        if spec.type == "id" and not spec.to and row.get("entity") in self.schema.entities:
            return self._any(spec, label, row["entity"], str(value))
        if spec.type == "id":
            return self._link(spec, label, str(value), names)
        if spec.type == "tags":
            return Cell(name, label, "tags", ", ".join(value), items=tuple(value))
        if spec.type == "enum":
            return Cell(name, label, "enum", self.value(entity, name, value), tone=_TONES.get(value, ""))
        moment = value.isoformat() if isinstance(value, date) else ""
        shown = self._plain(entity, spec, row, value)
        if name == entity.title:
            return Cell(name, label, spec.type, shown, href=address_of(entity, row["id"]))
        kind = "long" if spec.long else spec.type
        return Cell(name, label, kind, shown, moment=moment, raw=self._raw(spec, row, value))

    def _raw(self, spec: Field, row: Record, value: Any) -> str:
        if spec.type == "money":
            return str(to_major(value, self.currency_of(spec, row)))
        if spec.type == "instant":
            return _as_instant(value).astimezone(self.zone).strftime("%Y-%m-%d %H:%M")
        return str(value) if spec.type in ("date", "number", "integer") and spec.name != "number" else ""

    def _any(self, spec: Field, label: str, kind: str, record_id: str) -> Cell:
        """A record of the kind that the row names: its page tells whether the reader may see it."""
        target = self.schema.entities[kind]
        text = f"{self.kind(kind, one=True)} {record_id[-6:]}"
        return Cell(spec.name, label, "id", text, href=address_of(target, record_id))

    def _link(self, spec: Field, label: str, record_id: str, names: Names) -> Cell:
        known = names.get((spec.to, record_id))
        if known is None:
            return Cell(spec.name, label, "id", self.say("records.out_of_sight"))
        target = self.schema.entities[spec.to]
        own_room = spec.to in ("users", "teams", "territories", "categories")
        return Cell(spec.name, label, "id", known, href="" if own_room else address_of(target, record_id))

    def _plain(self, entity: Entity, spec: Field, row: Record, value: Any) -> str:
        if spec.type == "money" and spec.currency in entity.fields and spec.currency not in row:
            return self.number(float(to_major(value, self.currency)))  # its currency is hidden
        if spec.type == "money":
            return self.money(value, self.currency_of(spec, row))
        if spec.type == "boolean":
            return self.say("records.yes" if value else "records.no")
        if spec.type == "instant":
            return self.moment(_as_instant(value))
        if spec.type == "date":
            return self.day(value if isinstance(value, date) else date.fromisoformat(value))
        if spec.name == "number" and entity.number_prefix:
            return f"{entity.number_prefix}{value}"
        if spec.name == "probability":
            return f"{value}%"
        if spec.type in ("integer", "number"):
            return self.number(value)
        if spec.type == "json":
            return ", ".join(str(one) for one in value) if isinstance(value, list) else str(value)
        return self.choice(choices_of(layout_of(entity), spec.name), str(value))

    def choice(self, source: str, value: str) -> str:
        """A code (country, language, record kind) as people say it."""
        if source == "countries":
            return str(self.locale.territories.get(value, value))
        if source in ("kinds", "targets"):
            return self.kind(value)
        key = f"language.name.{value}"
        if source == "languages":
            base = value.split("-", 1)[0]
            return self.say(key) if self.words.has(key) else str(self.locale.languages.get(base, value))
        return value


def _as_instant(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)
