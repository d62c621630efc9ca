"""What a rule can do: each action with its typed parameters. `bot.automation.actions` carries them out."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.errors import Forbidden, InvalidInput
from bot.ids import is_id
from bot.records.actor import ROLES, Actor
from bot.records.change import read_values
from bot.records.entity import Entity
from bot.records.query import reachable
from bot.records.shares import LEVELS
from bot.records.tx import Tx

MOST_ACTIONS = 20
MOST_TEXT = 2000
COPIED = re.compile(r"=\{(\w+)\}")
"""A value that is taken from another field of the record."""
PLACE = re.compile(r"\{(\w+)\}")
"""Where a text takes in a field of the record."""
_TELLABLE = frozenset({"text", "integer", "number", "enum", "date", "instant", "money"})
_TEN_YEARS = 10 * 366 * 24 * 60


@dataclass(frozen=True, slots=True)
class Ask:
    """For whom a parameter is read: the record kind, the user the rule runs as, and what it waits for."""

    tx: Tx
    entity: Entity
    actor: Actor
    action: str
    name: str

    def wrong(self, what: str) -> InvalidInput:
        """The error for this parameter."""
        return InvalidInput(
            f"{self.action}: {self.name} {what}", field="actions", action=self.action, parameter=self.name
        )


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter: what it holds (of `READ`: by that it is read, and forms ask for it), and its value where
    it is left out (no default: it must be given)."""

    holds: str
    optional: bool = False
    default: Any = None


@dataclass(frozen=True, slots=True)
class Action:
    """An action. `kinds` are the record kinds it is for; empty: all. `gone`: it needs no living record."""

    parameters: Mapping[str, Parameter]
    kinds: tuple[str, ...] = ()
    main_only: bool = False
    gone: bool = False
    one_of: tuple[str, ...] = ()
    """Exactly one of these parameters must be given."""


def _text(ask: Ask, value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > MOST_TEXT:
        raise ask.wrong(f"is a text of 1 to {MOST_TEXT} characters")
    known = reachable(ask.actor, ask.entity)
    for name in PLACE.findall(value):
        if name not in known or known[name].type not in _TELLABLE:
            raise ask.wrong(f"names {{{name}}}, which is no field of {ask.entity.name} that a text can hold")
    return value.strip()


def _fields(ask: Ask, value: Any) -> dict[str, Any]:
    """New values as the API takes them, or `={field}` for what another field of the record holds."""
    if not isinstance(value, dict) or not value:
        raise ask.wrong("are field names with their new values")
    known = reachable(ask.actor, ask.entity)
    literal: dict[str, Any] = {}
    for name, given in value.items():
        copied = COPIED.fullmatch(given) if isinstance(given, str) else None
        if copied is None:
            literal[name] = given
            continue
        source, spec = known.get(copied[1]), known.get(name)
        if source is None or spec is None or source.type != spec.type:
            raise ask.wrong(f"cannot copy {copied[1]} into {name}: both must be fields of one type")
        literal[name] = None
    try:
        with ask.tx.acting(ask.actor):
            read_values(ask.tx, ask.entity, literal)
    except (InvalidInput, Forbidden) as error:
        raise ask.wrong(f"cannot be set so: {error.message}") from None
    return value


def _tags(ask: Ask, value: Any) -> list[str]:
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list) or not given:
        raise ask.wrong("are one word or several")
    if any(not isinstance(tag, str) or not tag.strip() or len(tag) > 60 for tag in given):
        raise ask.wrong("have 1 to 60 characters each")
    return list(dict.fromkeys(tag.strip() for tag in given))


def _minutes(ask: Ask, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _TEN_YEARS:
        raise ask.wrong("is a number of minutes from now, ten years at most")
    return value


def _id(ask: Ask, value: Any) -> str:
    if not isinstance(value, str) or not is_id(value):
        raise ask.wrong("is an id")
    return value.lower()


def _owner(ask: Ask, value: Any) -> str:
    return value if value == "owner" else _id(ask, value)


def _whom(ask: Ask, value: Any) -> list[str]:
    """`owner`, `team`, `role:manager`, `run_as`, or users by their id."""
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list) or not given:
        raise ask.wrong("are owner, team, run_as, role:NAME or ids of users")
    for one in given:
        role = one.removeprefix("role:") if isinstance(one, str) and one.startswith("role:") else None
        if role is not None and role not in ROLES:
            raise ask.wrong(f"name the role {role[:20]!r}; one of {', '.join(ROLES)}")
        if role is None and one not in ("owner", "team", "run_as"):
            _id(ask, one)
    return list(dict.fromkeys(given))


def _level(ask: Ask, value: Any) -> str:
    if value not in LEVELS:
        raise ask.wrong(f"is one of {', '.join(LEVELS)}")
    return str(value)


READ: dict[str, Callable[[Ask, Any], Any]] = {
    "text": _text,
    "fields": _fields,
    "tags": _tags,
    "minutes": _minutes,
    "user": _id,
    "team": _id,
    "owner": _owner,
    "whom": _whom,
    "level": _level,
}
"""What a parameter holds, and what reads it."""
_SOMEBODY = {"user_id": Parameter("user", optional=True), "team_id": Parameter("team", optional=True)}
ACTIONS: dict[str, Action] = {
    "set_fields": Action({"fields": Parameter("fields")}, main_only=True),
    "assign": Action(_SOMEBODY, main_only=True, one_of=("user_id", "team_id")),
    "add_tags": Action({"tags": Parameter("tags")}, main_only=True),
    "remove_tags": Action({"tags": Parameter("tags")}, main_only=True),
    "create_task": Action(
        {
            "subject": Parameter("text"),
            "due_minutes": Parameter("minutes", optional=True, default=0),
            "owner": Parameter("owner", optional=True, default="owner"),
        }
    ),
    "add_note": Action({"text": Parameter("text")}),
    "notify": Action({"to": Parameter("whom"), "text": Parameter("text")}, gone=True),
    "share": Action(
        {**_SOMEBODY, "level": Parameter("level", optional=True, default="read")},
        main_only=True,
        one_of=("user_id", "team_id"),
    ),
    "send_message": Action({"text": Parameter("text")}),
    "escalate": Action({}, kinds=("cases",)),
}
"""By name. `assign` to a team takes its members in turn."""


def read_actions(tx: Tx, entity: Entity, actor: Actor, trigger: str, given: Any) -> list[dict[str, Any]]:
    """The actions of a rule with every parameter in its place. Raises InvalidInput."""
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_ACTIONS:
        raise InvalidInput(f"A rule has 1 to {MOST_ACTIONS} actions, as a list", field="actions")
    found = []
    for place, one in enumerate(given):
        try:
            found.append(_read(tx, entity, actor, trigger, one))
        except InvalidInput as error:
            raise InvalidInput(error.message, **{**error.data, "place": place}) from None
    return found


def suits(action: Action, entity: Entity, trigger: str) -> bool:
    """Whether a rule on such records that waits for this may do it."""
    kind = entity.name in action.kinds if action.kinds else entity.main or not action.main_only
    return kind and (action.gone or trigger != "deleted")


def _read(tx: Tx, entity: Entity, actor: Actor, trigger: str, given: Any) -> dict[str, Any]:
    name = given.get("action") if isinstance(given, dict) else None
    action = ACTIONS.get(str(name))
    if action is None:
        known = ", ".join(ACTIONS)
        raise InvalidInput(f"There is no action {str(name)[:40]!r}; one of {known}", field="actions")
    if (action.kinds and entity.name not in action.kinds) or (action.main_only and not entity.main):
        raise InvalidInput(f"{name} is nothing for {entity.name}", field="actions", action=name)
    if trigger == "deleted" and not action.gone:
        raise InvalidInput(f"{name} cannot be done to a deleted record", field="actions", action=name)
    if unknown := set(given) - {"action", *action.parameters}:
        known = ", ".join(action.parameters) or "none"
        raise InvalidInput(f"{name} has no {sorted(unknown)[0]!r}; it has {known}", field="actions")
    found: dict[str, Any] = {"action": name}
    for parameter, spec in action.parameters.items():
        value = given.get(parameter)
        if value is not None:
            found[parameter] = READ[spec.holds](Ask(tx, entity, actor, str(name), parameter), value)
        elif not spec.optional:
            raise InvalidInput(f"{name} needs {parameter}", field="actions", parameter=parameter)
        elif spec.default is not None:
            found[parameter] = spec.default
    if action.one_of and sum(one in found for one in action.one_of) != 1:
        raise InvalidInput(f"{name} needs one of {' and '.join(action.one_of)}", field="actions")
    return found
