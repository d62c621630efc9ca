"""The controls of a form: one for each field, with what it holds and what is wrong with it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from babel import Locale
from multidict import MultiDictProxy

from bot.errors import SamvadError
from bot.records.actor import Actor
from bot.records.entity import Entity, Field
from bot.records.money import to_major
from bot.records.permissions import visible, writable
from bot.web.console.records.layout import choices_of, layout_of, sections_of
from bot.web.console.records.reader import Names, Reader

CURRENCIES = ("INR", "PKR", "BDT", "LKR", "NPR", "AED", "SAR", "SGD", "USD", "EUR", "GBP")
LANGUAGES = ("en", "hi", "hi-Latn", "bn", "ta", "te", "mr", "gu", "kn", "ml", "pa", "ur", "si", "ne")
_NO_COUNTRY = ("ZZ", "EU", "UN", "EZ", "QO", "XA", "XB")


@dataclass(frozen=True, slots=True)
class Control:
    """One field of a form. `options` are (value, words); `shown` is what a chosen record is called;
    `theirs` is what somebody else wrote meanwhile; `wrong` says what to mend."""

    name: str
    label: str
    type: str
    value: str = ""
    required: bool = False
    options: tuple[tuple[str, str], ...] = ()
    kind: str = ""
    shown: str = ""
    length: int = 0
    wrong: str = ""
    theirs: str = ""
    hint: str = ""


def editable(actor: Actor, entity: Entity, name: str) -> bool:
    """Whether this actor may give the field a value from outside."""
    if entity.extras is not None and name in entity.extras.names:
        return writable(actor, entity, name)
    spec = entity.fields.get(name)
    if spec is None:
        return False
    plain = not spec.computed and not spec.internal and (spec.type != "json" or spec.texts or spec.structure)
    return plain and visible(actor, entity, name) and writable(actor, entity, name)


def form_fields(actor: Actor, entity: Entity, *, new: bool) -> list[tuple[str, tuple[str, ...]]]:
    """The sections of a form with the fields this actor may fill in; of a new record the required first."""
    extras = entity.extras.names if entity.extras is not None else ()
    found = []
    for title, names in sections_of(entity, layout_of(entity)):
        kept = [name for name in names if editable(actor, entity, name)]
        if title == "main":
            kept = [*kept[:1], *extras, *kept[1:]]
        if new:
            kept.sort(key=lambda name: name in entity.fields and not entity.fields[name].required)
        if kept:
            found.append((title, tuple(kept)))
    return found


def as_text(entity: Entity, name: str, row: Mapping[str, Any], reader: Reader) -> str:
    """A field's value as a form holds it: what is posted back unchanged is the same."""
    value = row.get(name)
    if value is None:
        return ""
    if name in entity.fields and entity.fields[name].structure:
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    if name not in entity.fields or isinstance(value, list):
        return ", ".join(str(one) for one in value)
    spec = entity.fields[name]
    if spec.type == "money":
        return str(to_major(value, reader.currency_of(spec, row)))
    if spec.type == "boolean":
        return "true" if value else "false"
    if spec.type == "instant":
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        return moment.astimezone(reader.zone).strftime("%Y-%m-%dT%H:%M")
    return value.isoformat() if isinstance(value, date) else str(value)


def control(
    entity: Entity,
    name: str,
    value: str,
    reader: Reader,
    names: Names,
    choices: Mapping[str, tuple[tuple[str, str], ...]],
    *,
    wrong: str = "",
    theirs: str = "",
) -> Control:
    """The control of a field holding this text."""
    label = reader.label(entity, name)
    if name not in entity.fields:
        hint = reader.say("records.hint.several")
        return Control(name, label, "texts", value, wrong=wrong, theirs=theirs, hint=hint)
    spec = entity.fields[name]
    source = choices_of(layout_of(entity), name)
    options: tuple[tuple[str, str], ...] = ()
    if spec.type == "enum":
        options = tuple((one, reader.value(entity, name, one)) for one in spec.values)
    elif spec.type == "boolean":
        options = tuple(
            (one, reader.say(f"records.{word}")) for one, word in (("true", "yes"), ("false", "no"))
        )
    elif source:
        options = choices.get(source) or _fixed(source, reader)
        if value and value not in {one for one, _ in options}:
            options = ((value, value), *options)
    kind: str = "choice" if options else "long" if spec.long else spec.type
    if name in ("condition", "pattern") or spec.structure:
        kind = "code"
    hint = f"records.hint.{entity.name}.{name}"
    hint = hint if reader.words.has(hint) else f"records.hint.{spec.type}"
    return Control(
        name,
        label,
        kind,
        value,
        required=spec.required or (not spec.nullable and name not in entity.defaults),
        options=options,
        kind=spec.to,
        shown=names.get((spec.to, value), ""),
        length=spec.length,
        wrong=wrong,
        theirs=theirs,
        hint=reader.say(hint) if reader.words.has(hint) else "",
    )


def _fixed(source: str, reader: Reader) -> tuple[tuple[str, str], ...]:
    """The values of a list that the program knows."""
    if source == "countries":
        territories = (str(code) for code in Locale("en").territories)
        codes = [one for one in territories if len(one) == 2 and one.isalpha() and one not in _NO_COUNTRY]
        listed = [(code, reader.choice(source, code)) for code in codes]
        return tuple(sorted(listed, key=lambda pair: (pair[0] != reader.country, pair[1])))
    if source == "languages":
        return tuple((code, reader.choice(source, code)) for code in LANGUAGES)
    if source == "currencies":
        return tuple((code, code) for code in dict.fromkeys((reader.currency, *CURRENCIES)))
    main = [name for name, entity in reader.schema.entities.items() if entity.main]
    return tuple((name, reader.kind(name)) for name in main)


def given(form: MultiDictProxy[Any], names: Iterable[str]) -> dict[str, Any]:
    """The values of a posted form, empty ones as None."""
    return {name: str(form[name]).strip() or None for name in names if name in form}


def sentence(error: SamvadError, entity: Entity, reader: Reader) -> str:
    """What is wrong with a value, in the reader's language: the admin's own words where there are some."""
    rules = reader.schema.rules.get(entity.name, ())
    if own_words := next((one["message"] for one in rules if one["id"] == error.data.get("rule")), None):
        return str(own_words)
    name = str(error.data.get("field", ""))
    if reason := error.data.get("reason"):
        key = f"records.wrong.{reason}"
        if reader.words.has(key):
            return reader.say(key)
    spec: Field | None = entity.fields.get(name)
    own = f"records.wrong.{entity.name}.{name}"
    if reader.words.has(own):
        return reader.say(own)
    if spec is None:
        return reader.say("records.wrong.other")
    if spec.required and "takes" not in error.data and "needs" in error.message:
        return reader.say("records.wrong.required")
    if "limit" in error.data:
        return reader.say("records.wrong.long", count=error.data["limit"])
    key = f"records.wrong.{spec.type}"
    return reader.say(key if reader.words.has(key) else "records.wrong.other")
