"""A rule as its form holds it, sound or not: read from what was posted, and changed step by step.

The form of an action is made from its definition (`bot.crm.rule_action`): its parameters by what they hold.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from multidict import MultiDictProxy

from bot.crm.rule import DEFINING, RULE
from bot.crm.rule_action import ACTIONS, COPIED, MOST_ACTIONS
from bot.errors import Forbidden
from bot.records.tx import Record

Form = MultiDictProxy[Any]
UNITS = {"minutes": 1, "hours": 60, "days": 24 * 60}
"""In which a time is given; the longest that fits without a rest is shown."""


@dataclass(slots=True)
class Step:
    """An action of the draft. `key` names its controls, wherever it is moved to."""

    key: int
    action: dict[str, Any]


@dataclass(slots=True)
class Draft:
    """`values` are the rule's fields but its actions; `id` and `version` are those of a saved one."""

    values: dict[str, Any]
    steps: list[Step] = field(default_factory=list)
    id: str = ""
    version: int = 0

    def whole(self) -> dict[str, Any]:
        """As it would be saved."""
        return {**self.values, "actions": [step.action for step in self.steps]}

    def change(self, deed: str, chosen: str) -> None:
        """Add the chosen action (`add`), or `remove`, `up`, `down` the one whose key follows the colon."""
        if deed == "add":
            if chosen in ACTIONS and len(self.steps) < MOST_ACTIONS:
                key = max((step.key for step in self.steps), default=-1) + 1
                self.steps.append(Step(key, {"action": chosen}))
            return
        verb, _, key_text = deed.partition(":")
        place = next((n for n, step in enumerate(self.steps) if str(step.key) == key_text), None)
        if place is None:
            return
        if verb == "remove":
            del self.steps[place]
            return
        other = place + {"up": -1, "down": 1}.get(verb, 0)
        if 0 <= other < len(self.steps):
            self.steps[place], self.steps[other] = self.steps[other], self.steps[place]


def blank(user_id: str | None, entity: str) -> Draft:
    """What a new rule begins with."""
    begun = {"name": "", "entity": entity, "trigger": "created", "run_as_id": user_id}
    return Draft({**dict.fromkeys(DEFINING), **RULE.defaults, **begun})


def of_row(row: Record) -> Draft:
    """The draft of a saved rule."""
    if hidden := [name for name in DEFINING if name not in row]:
        # Saved without it, the rule would be another.
        raise Forbidden(f"You may not see all of a rule: {', '.join(hidden)}")
    values = {name: row[name] for name in DEFINING if name != "actions"}
    steps = [Step(key, dict(action)) for key, action in enumerate(row["actions"])]
    return Draft(values, steps, row["id"], row["version"])


def read(form: Form) -> Draft:
    """The draft that was posted. What cannot be a value stays as it was typed: saving says what is wrong."""
    values: dict[str, Any] = {
        name: _text(form, name) or ""
        for name in ("name", "entity", "trigger", "condition", "due_field", "run_as_id")
    }
    values["changed"] = [str(name) for name in form.getall("changed", []) if name] or None
    due = _minutes(form, "due_minutes")
    values["due_minutes"] = -due if isinstance(due, int) and form.get("due_side") == "before" else due
    position = _text(form, "position") or "0"
    values["position"] = int(position) if _is_number(position) else position
    values["active"], values["stop_after"] = bool(form.get("active")), bool(form.get("stop_after"))
    version = _text(form, "version") or "0"
    return Draft(values, _steps(form), _text(form, "id") or "", int(version) if _is_number(version) else 0)


def _steps(form: Form) -> list[Step]:
    """In the order in which they stand in the form."""
    steps = []
    for name in form:
        head, _, tail = name.partition(".")
        if tail != "action" or not _is_number(head[1:]) or (action := ACTIONS.get(str(form[name]))) is None:
            continue
        given = {"action": str(form[name])}
        for parameter, spec in action.parameters.items():
            value = _READ.get(spec.holds, _text)(form, f"{head}.{parameter}")
            given |= {} if value in (None, [], {}) else {parameter: value}
        steps.append(Step(int(head[1:]), given))
    return steps[:MOST_ACTIONS]


def _is_number(text: str) -> bool:
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) < 9


def _text(form: Form, name: str) -> str | None:
    return str(form.get(name, "")).strip() or None


def _tags(form: Form, name: str) -> list[str]:
    return [tag.strip() for tag in str(form.get(name, "")).replace("،", ",").split(",") if tag.strip()]


def _minutes(form: Form, name: str) -> int | str | None:
    given = _text(form, name)
    if given is None or not _is_number(given):
        return given
    return int(given) * UNITS.get(str(form.get(f"{name}.unit")), 1)


def _whom(form: Form, name: str) -> list[str]:
    return [str(one) for one in form.getall(name, []) if one]


def _fields(form: Form, name: str) -> dict[str, Any]:
    """Rows of a field with its new value, or the field that it is copied from."""
    found: dict[str, Any] = {}
    for row in range(len(form)):
        prefix = f"{name}.{row}"
        if f"{prefix}.name" not in form:
            break
        if chosen := _text(form, f"{prefix}.name"):
            source = _text(form, f"{prefix}.copy")
            found[chosen] = f"={{{source}}}" if source else _text(form, f"{prefix}.value")
    return found


_READ: dict[str, Callable[[Form, str], Any]] = {
    "tags": _tags,
    "minutes": _minutes,
    "whom": _whom,
    "fields": _fields,
}
"""By what a parameter holds; all others are one text."""


def in_units(minutes: Any) -> tuple[str, str]:
    """(count, unit) of a time, without its sign; what is no number as it was typed."""
    if not isinstance(minutes, int):
        return str(minutes or ""), "minutes"
    unit = next(unit for unit in reversed(UNITS) if minutes % UNITS[unit] == 0) if minutes else "minutes"
    return str(abs(minutes) // UNITS[unit]), unit


def copied_from(value: Any) -> str:
    """The field that a value is copied from; empty: none."""
    found = COPIED.fullmatch(value) if isinstance(value, str) else None
    return found[1] if found else ""


def plain(value: Any) -> str:
    """A value of an action as a form holds it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    return "" if value is None else str(value)


def as_given(draft: Draft) -> Mapping[str, Any]:
    """The values as writing takes them: what is empty is none."""
    return {name: None if value == "" else value for name, value in draft.whole().items()}
