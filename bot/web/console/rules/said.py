"""Values, outcomes and definitions of rules as a reader is told them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from bot.crm.rule import DEFINING, RULE
from bot.crm.rule_action import ACTIONS
from bot.ids import is_id
from bot.records.entity import Entity
from bot.records.tx import Tx
from bot.web.console.records.reader import Names, Reader
from bot.web.console.rules.draft import in_units
from bot.web.console.rules.editor import action_words, trigger_words


@dataclass(frozen=True, slots=True)
class Line:
    """A field that changed, from and to; without a label a sentence in `after`."""

    label: str
    before: str
    after: str


def named_in(tx: Tx, kind: str, actions: Iterable[Mapping[str, Any]]) -> Iterable[tuple[str, str]]:
    """The records that the outcomes of actions name."""
    entity = tx.schema.entities.get(kind)
    for action in actions:
        for name, pair in (action.get("changes") or {}).items():
            to = entity.fields[name].to if entity is not None and name in entity.fields else ""
            yield from ((to, value) for value in pair if to and isinstance(value, str) and is_id(value))
        yield from (("users", user_id) for user_id in action.get("users") or ())
        for name, to in (("user_id", "users"), ("team_id", "teams")):
            if action.get(name):
                yield to, action[name]


def changes_of(reader: Reader, entity: Entity, changes: Mapping[str, Any], names: Names) -> Iterable[Line]:
    """Fields that changed, or would."""
    for name, (before, after) in changes.items():
        label = reader.label(entity, name) if name in entity.fields else name
        yield Line(label, *(value_words(reader, entity, name, value, names) for value in (before, after)))


def told_of(reader: Reader, entity: Entity, action: Mapping[str, Any], names: Names) -> Iterable[Line]:
    """What an action did beside changing fields."""
    say = reader.say
    if action["action"] == "create_task" and action.get("due_at"):
        yield Line("", "", say("console.due", date=_moment(reader, action["due_at"])))
    if "users" in action:
        people = [names.get(("users", one), one[-6:]) for one in action["users"]]
        yield Line(
            "", "", say("rule.told.users", names=", ".join(people)) if people else say("rule.told.nobody")
        )
    if "level" in action:
        whom = (("users", action.get("user_id")), ("teams", action.get("team_id")))
        name = next((names.get((kind, one), one[-6:]) for kind, one in whom if one), "")
        yield Line("", "", f"{name}: {say('value.level.' + action['level'])}")
    if "message_id" in action:
        yield Line("", "", say("rule.told.sent"))
    if "waits_for" in action:
        reason, until = say(f"rule.reason.{action['waits_for']}"), _moment(reader, action["until"])
        yield Line("", "", say("rule.told.waits", date=until, reason=reason))
    if "refused" in action:
        yield Line("", "", say("rule.told.refused", reason=say(f"rule.reason.{action['refused']}")))
    if action.get("personal"):
        fields = ", ".join(reader.label(entity, name) for name in action["personal"])
        yield Line("", "", say("rule.told.personal", fields=fields))


def _moment(reader: Reader, value: str) -> str:
    return reader.moment(datetime.fromisoformat(value))


def value_words(reader: Reader, entity: Entity, name: str, value: Any, names: Names) -> str:
    """A value as the API shows it, in words."""
    if value in (None, "", []):
        return ""
    if isinstance(value, bool):
        return reader.say("records.yes" if value else "records.no")
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    spec = entity.fields.get(name)
    if spec is None:
        return str(value)
    try:
        if spec.type == "instant":
            return _moment(reader, value)
        if spec.type == "date":
            return reader.day(date.fromisoformat(value))
    except ValueError:
        return str(value)
    if spec.to:
        return names.get((spec.to, value), str(value)[-6:])
    if spec.type == "enum":
        return reader.value(entity, name, value)
    return reader.number(value) if isinstance(value, int | float) else str(value)


def named_by(definition: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """The users and teams that a version of a rule names."""
    if definition.get("run_as_id"):
        yield "users", definition["run_as_id"]
    for action in definition.get("actions") or ():
        for name, value in action.items():
            kind = "teams" if name == "team_id" else "users"
            for one in value if isinstance(value, list) else [value]:
                if name in ("user_id", "team_id", "owner", "to") and is_id(str(one)):
                    yield kind, one


def differences(
    reader: Reader, tx: Tx, before: Mapping[str, Any], after: Mapping[str, Any], names: Names
) -> list[Line]:
    """What two versions of a rule differ in."""
    return [
        Line(
            reader.label(RULE, name),
            _part_words(reader, tx, before, name, names),
            _part_words(reader, tx, after, name, names),
        )
        for name in DEFINING
        if before.get(name) != after.get(name)
    ]


def _part_words(reader: Reader, tx: Tx, definition: Mapping[str, Any], name: str, names: Names) -> str:
    value = definition.get(name)
    entity = tx.schema.entities.get(definition.get("entity") or "")
    if value is None or entity is None:
        return ""
    if name == "entity":
        return reader.kind(value)
    if name == "trigger":
        return trigger_words(reader, value)
    if name == "due_field":
        return reader.label(entity, value)
    if name == "changed":
        return ", ".join(reader.label(entity, one) for one in value)
    if name == "due_minutes":
        return minutes_words(reader, value)
    if name == "run_as_id":
        return names.get(("users", value), str(value)[-6:])
    if name == "actions":
        return "\n".join(_action_line(reader, entity, one, names) for one in value)
    return value_words(reader, RULE, name, value, names)


def minutes_words(reader: Reader, minutes: int) -> str:
    """`3 days after`."""
    count, unit = in_units(minutes)
    side = reader.say("rule.side.before" if minutes < 0 else "rule.side.after")
    return f"{count} {reader.say('rule.unit.' + unit)} {side}"


def _action_line(reader: Reader, entity: Entity, action: Mapping[str, Any], names: Names) -> str:
    """An action and what it is given, on one line."""
    parameters = ACTIONS[action["action"]].parameters if action["action"] in ACTIONS else {}
    told = []
    for name, value in action.items():
        if name not in parameters or value in (None, "owner"):
            continue
        if isinstance(value, Mapping):
            told += [f"{reader.label(entity, field)} = {one}" for field, one in value.items()]
        elif parameters[name].holds == "minutes":
            told += [minutes_words(reader, value)] if value else []
        else:
            kind = "teams" if name == "team_id" else "users"
            several = value if isinstance(value, list) else [value]
            told.append(", ".join(names.get((kind, str(one)), _plain(reader, str(one))) for one in several))
    words = action_words(reader, action["action"])
    return f"{words}: {' · '.join(told)}" if told else words


def _plain(reader: Reader, value: str) -> str:
    if value.startswith("role:"):
        return reader.say("rule.whom.role", role=reader.say(f"console.role.{value.removeprefix('role:')}"))
    return next((reader.say(key) for key in (f"rule.whom.{value}",) if reader.words.has(key)), value)
