"""What the editor shows of a draft: kinds, moments and fields to choose from, and a form for each action."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bot.crm.rule import RULE
from bot.crm.rule_action import ACTIONS, Parameter, suits
from bot.crm.rule_check import DUE, GENERAL, KINDS, moments_of, triggers_of
from bot.crm.user import actor_by_id
from bot.errors import Forbidden, InvalidInput, NotFound, QueryInvalid
from bot.ids import is_id
from bot.records.actor import ROLES, Actor
from bot.records.entity import Entity
from bot.records.query import reachable
from bot.records.shares import LEVELS
from bot.records.tx import Tx
from bot.web.console.records.control import Control, control, editable
from bot.web.console.records.layout import LAYOUTS
from bot.web.console.records.listing import Fault, fault_of
from bot.web.console.records.names import names_of
from bot.web.console.records.pickers import stages_of
from bot.web.console.records.reader import Names, Reader
from bot.web.console.rules.draft import UNITS, Draft, Step, copied_from, in_units, plain

Options = Sequence[tuple[str, str]]
_PEOPLE = {"user": "users", "owner": "users", "team": "teams"}
_WHOM = ("owner", "team", "run_as")


@dataclass(frozen=True, slots=True)
class FieldRow:
    """A field that an action sets: which, its value, and the fields that it may be copied from."""

    name: str
    label: str
    chosen: str
    value: Control | None = None
    copies: Options = ()
    copied: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A parameter of an action as a control. `shown` is what a chosen record is called; `checks` are
    (value, words, chosen)."""

    name: str
    holds: str
    label: str
    value: str = ""
    must: bool = False
    kind: str = ""
    shown: str = ""
    unit: str = ""
    options: Options = ()
    checks: Sequence[tuple[str, str, bool]] = ()
    rows: Sequence[FieldRow] = ()
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """An action of the draft. `wrong`: what is to mend, where no part of it says so itself."""

    key: int
    action: str
    label: str
    parts: Sequence[Part]
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with a draft: in a field of the rule, or in an action by its place and parameter."""

    field: str = ""
    text: str = ""
    place: int | None = None
    parameter: str = ""
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Editor:
    """All that the form shows."""

    draft: Draft
    kinds: Options
    triggers: Options
    changeable: Sequence[tuple[str, str, bool]]
    moments: Options
    due: tuple[str, str, str]
    run_as: str
    cards: Sequence[Card]
    addable: Options
    tellable: Options
    settable: Options
    wrong: Wrong
    lookup: bool = True
    """Whether records of the kind can be found by their names."""


def wrong_of(error: Exception, draft: Draft, reader: Reader) -> Wrong:
    """An error of saving, beside what it is about."""
    data: Mapping[str, Any] = getattr(error, "data", {})
    if isinstance(error, QueryInvalid):
        fault = fault_of(error, draft.values["condition"], reader)
        return Wrong("condition", fault.text, fault=fault)
    name, place = str(data.get("field", "")), data.get("place")
    parameter = str(data.get("parameter", ""))
    keys = [f"rule.wrong.{name}", "records.wrong.other"]
    if place is not None:
        action = ACTIONS.get(draft.steps[place].action["action"])
        spec = action.parameters.get(parameter) if action is not None else None
        keys.insert(0, f"rule.wrong.{spec.holds}" if spec else "rule.wrong.action")
    elif name == "name":
        keys.insert(0, "records.wrong.required")
    text = reader.say(next(key for key in keys if reader.words.has(key)))
    return Wrong(name, text, place, parameter)


def runs_as(tx: Tx, draft: Draft) -> Actor:
    """Whose eyes the form looks with; the viewer's own while nobody sound is chosen."""
    user_id = draft.values.get("run_as_id") or ""
    if user_id == tx.actor.id or tx.actor.role != "admin" or not is_id(user_id):
        return tx.actor
    try:
        return actor_by_id(tx, user_id)
    except (NotFound, Forbidden):
        return tx.actor


def settle(tx: Tx, draft: Draft) -> None:
    """Take out of a draft what its kind and its trigger do not know: they were chosen anew."""
    values = draft.values
    if values["entity"] not in KINDS:
        raise InvalidInput("There are no rules for such records", field="entity")
    entity = tx.schema.entity(values["entity"])
    values["run_as_id"] = values["run_as_id"] or tx.actor.id
    if values["trigger"] not in triggers_of(entity.name):
        values["trigger"] = triggers_of(entity.name)[0]
    actor = runs_as(tx, draft)
    known = reachable(actor, entity)
    eventful = values["trigger"] not in (DUE, "deleted")
    changed = [name for name in values["changed"] or () if name in known] if eventful else []
    values["changed"] = changed or None
    moments = moments_of(actor, entity)
    if values["trigger"] != DUE:
        values["due_field"] = values["due_minutes"] = None
    elif values["due_field"] not in moments:
        values["due_field"] = moments[0] if moments else None


def build(tx: Tx, reader: Reader, draft: Draft, wrong: Wrong | None = None) -> Editor:
    """The editor of a draft."""
    tx.require("read", RULE.name)
    wrong = wrong or Wrong()
    values = draft.values
    entity, actor = tx.schema.entity(values["entity"]), runs_as(tx, draft)
    known = reachable(actor, entity)
    builder = _Builder(tx, reader, entity, actor, wrong)
    names = names_of(tx, reader, {*builder.named(draft), *_pair("users", values.get("run_as_id"))})
    changed = values["changed"] or ()
    changeable = [
        (name, reader.label(entity, name), name in changed)
        for name, spec in known.items()
        if not spec.computed or spec.name == "status"
    ]
    trigger = values["trigger"]
    addable = [
        (name, action_words(reader, name)) for name, one in ACTIONS.items() if suits(one, entity, trigger)
    ]
    count, unit = in_units(values["due_minutes"])
    side = "before" if isinstance(values["due_minutes"], int) and values["due_minutes"] < 0 else "after"
    return Editor(
        draft,
        [(kind, reader.kind(kind)) for kind in KINDS],
        [(one, trigger_words(reader, one)) for one in triggers_of(entity.name)],
        changeable if changed or trigger not in (*GENERAL[:1], *GENERAL[2:], DUE) else (),
        [(name, reader.label(entity, name)) for name in moments_of(actor, entity)] if trigger == DUE else (),
        (count, unit, side),
        names.get(("users", values.get("run_as_id") or ""), ""),
        [builder.card(place, step, names) for place, step in enumerate(draft.steps)],
        addable,
        builder.tellable(),
        builder.settable(),
        wrong,
        lookup=entity.name in LAYOUTS,
    )


def trigger_words(reader: Reader, trigger: str) -> str:
    """What a trigger is called."""
    return reader.say(f"rule.trigger.{trigger}")


def action_words(reader: Reader, action: str) -> str:
    """What an action is called."""
    key = f"rule.action.{action}"
    return reader.say(key) if reader.words.has(key) else action


def _pair(kind: str, record_id: Any) -> set[tuple[str, str]]:
    return {(kind, record_id)} if isinstance(record_id, str) and is_id(record_id) else set()


class _Builder:
    """Cards for the actions of one draft."""

    def __init__(self, tx: Tx, reader: Reader, entity: Entity, actor: Actor, wrong: Wrong) -> None:
        self._reader = reader
        self._entity = entity
        self._wrong = wrong
        self._settable = [
            name
            for name, spec in entity.fields.items()
            if spec.type != "json" and editable(actor, entity, name)
        ]
        self._known = reachable(actor, entity)
        stages = "stage" in entity.fields
        self._choices = {"stages": tuple((one, one) for one in stages_of(tx))} if stages else {}

    def tellable(self) -> Options:
        """The fields that a text can take in."""
        return [
            (name, self._reader.label(self._entity, name))
            for name, spec in self._known.items()
            if spec.type in ("text", "integer", "number", "enum", "date", "instant", "money")
        ]

    def named(self, draft: Draft) -> Iterable[tuple[str, str]]:
        """Every record that the draft's actions name."""
        for step in draft.steps:
            for name, spec in ACTIONS[step.action["action"]].parameters.items():
                value = step.action.get(name)
                if spec.holds in _PEOPLE:
                    yield from _pair(_PEOPLE[spec.holds], value)
                elif spec.holds == "whom":
                    for one in value or ():
                        yield from _pair("users", one)
                elif spec.holds == "fields":
                    for field, one in (value or {}).items():
                        if field in self._entity.fields:
                            yield from _pair(self._entity.fields[field].to, one)

    def card(self, place: int, step: Step, names: Names) -> Card:
        """The form of one action."""
        name = step.action["action"]
        here = self._wrong.place == place
        parts = [
            self._part(step, parameter, spec, names, here)
            for parameter, spec in ACTIONS[name].parameters.items()
        ]
        told = any(part.wrong for part in parts)
        text = self._wrong.text if here and not told else ""
        return Card(step.key, name, action_words(self._reader, name), parts, text)

    def _part(self, step: Step, parameter: str, spec: Parameter, names: Names, here: bool) -> Part:
        say, holds = self._reader.say, spec.holds
        name, value = f"a{step.key}.{parameter}", step.action.get(parameter)
        own = f"rule.parameter.{step.action['action']}.{parameter}"
        part = Part(
            name,
            holds,
            say(own if self._reader.words.has(own) else f"rule.parameter.{parameter}"),
            plain(value),
            must=not spec.optional,
            wrong=self._wrong.text if here and self._wrong.parameter == parameter else "",
        )
        if holds in _PEOPLE:
            chosen = "" if value in (None, "owner") else str(value)
            kind = _PEOPLE[holds]
            return replace(part, kind=kind, value=chosen, shown=names.get((kind, chosen), chosen[-6:]))
        if holds == "minutes":
            count, unit = in_units(value if value is not None else spec.default)
            units = [(one, say(f"rule.unit.{one}")) for one in UNITS]
            return replace(part, value=count, unit=unit, options=units)
        if holds == "level":
            levels = [(one, say(f"value.level.{one}")) for one in LEVELS]
            return replace(part, value=str(value or spec.default), options=levels)
        if holds == "whom":
            return replace(part, kind="users", checks=self._whom(value or [], names))
        if holds == "fields":
            return replace(part, rows=self._rows(name, value or {}, names))
        return part

    def _whom(self, chosen: list[str], names: Names) -> Sequence[tuple[str, str, bool]]:
        say = self._reader.say
        fixed = [(one, say(f"rule.whom.{one}")) for one in _WHOM]
        roles = [(f"role:{role}", say("rule.whom.role", role=say(f"console.role.{role}"))) for role in ROLES]
        known = {one for one, _ in (*fixed, *roles)}
        people = [(one, names.get(("users", one), one[-6:])) for one in chosen if one not in known]
        return [(one, words, one in chosen) for one, words in (*fixed, *roles, *people)]

    def _rows(self, name: str, given: Mapping[str, Any], names: Names) -> Sequence[FieldRow]:
        """A row for each field that is set, and an empty one."""
        rows = [
            self._row(f"{name}.{number}", field, value, names)
            for number, (field, value) in enumerate(given.items())
        ]
        return [*rows, FieldRow(f"{name}.{len(rows)}", "", "")]

    def _row(self, name: str, field: str, value: Any, names: Names) -> FieldRow:
        entity, reader = self._entity, self._reader
        if field not in entity.fields:
            return FieldRow(name, field, field)
        source = copied_from(value)
        made = control(entity, field, "" if source else plain(value), reader, names, self._choices)
        copies = [
            (other, reader.label(entity, other))
            for other, spec in self._known.items()
            if other != field and spec.type == entity.fields[field].type and spec.type != "id"
        ]
        hint = reader.say("rule.value_means")
        shown = replace(made, name=f"{name}.value", label=reader.say("rule.value"), required=False, hint=hint)
        return FieldRow(name, reader.label(entity, field), field, shown, copies, source)

    def settable(self) -> Options:
        """The fields that an action may set."""
        return [(name, self._reader.label(self._entity, name)) for name in self._settable]
