"""Flows are data: one YAML file each, checked as a whole before any of them runs.

`load_flows()` raises ConfigurationInvalid with every problem found: file, line, what to do.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from bot.dialogs.flows.model import (
    SLOT_TYPES,
    Branch,
    Collect,
    Condition,
    Do,
    Flow,
    Flows,
    Goto,
    Step,
    Tell,
)
from bot.errors import ConfigurationInvalid
from bot.yaml_text import SafeLoader

__all__ = [
    "Branch",
    "Collect",
    "Condition",
    "Do",
    "Flow",
    "Flows",
    "Goto",
    "Step",
    "Tell",
    "load_flows",
]

LINE = "__line__"
END = "end"
_KINDS = ("collect", "say", "do", "branch", "goto", "end")
_FLOW_FIELDS = {
    "name", "version", "description", "audience", "title", "examples", "keywords", "questions",
    "on_change", "takes_trigger", "steps",
}  # fmt: skip
_STEP_FIELDS: Mapping[str, set[str]] = {
    "collect": {
        "type",
        "ask",
        "invalid",
        "optional",
        "skip_when_known",
        "choices",
        "choices_from",
        "other",
        "words",
        "early",
        "hints",
        "reads",
        "unit",
        "looks_back",
        "last",
        "our_languages",
    },
    "say": {"choices"},
    "do": set(),
    "branch": {"then", "otherwise"},
    "goto": set(),
    "end": set(),
}
_CONDITION = re.compile(r"^(\w+)\s+(?:(==|!=|in)\s+(.+)|is\s+(known|unknown))$")


class _LineLoader(SafeLoader):
    """A mapping remembers the line it starts on, so that a problem can name it."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        mapping = super().construct_mapping(node, deep=True)
        mapping[LINE] = node.start_mark.line + 1
        return mapping


def load_flows(
    folder: Path | None = None,
    *,
    actions: Iterable[str] | None = None,
    knows: Callable[[str], bool] | None = None,
) -> Flows:
    """Read and check every `*.yaml` of `folder`, by default the shipped flows, by name.

    `actions` are the names a step may `do`; `knows(key)` says whether there are words for a key.
    """
    folder = folder or Path(__file__).parent
    problems: list[str] = []
    flows: dict[str, Flow] = {}
    for file in sorted(folder.glob("*.yaml")):
        reader = _Reader(file.name, problems)
        flow = reader.read(file.read_text(encoding="utf-8"))
        if flow is None:
            continue
        if flow.name in flows:
            reader.problem(1, f"there is already a flow named {flow.name}; choose another name")
        flows[flow.name] = flow
        reader.check(flow, set(actions) if actions is not None else None, knows)
    if not flows and not problems:
        problems.append(f"{folder} holds no flows; put *.yaml files there")
    if problems:
        raise ConfigurationInvalid("Please mend these flows:\n" + "\n".join(problems), problems=problems)
    return flows


class _Reader:
    """Reads one file, gathering problems instead of stopping at the first."""

    def __init__(self, file: str, problems: list[str]) -> None:
        self.file = file
        self.problems = problems
        self.lines: dict[str, int] = {}

    def problem(self, line: int, what: str) -> None:
        self.problems.append(f"{self.file}:{line}: {what}")

    def read(self, text: str) -> Flow | None:
        """The flow, or None when too little of it can be read."""
        try:
            data = yaml.load(text, _LineLoader)  # noqa: S506 - a SafeLoader
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            # What is never closed is missed after the last line.
            line = min(mark.line + 1, len(text.splitlines())) if mark else 1
            self.problem(line, f"not YAML: {getattr(error, 'problem', error)}")
            return None
        if not isinstance(data, dict):
            self.problem(1, "a flow is a mapping with name, version, description and steps")
            return None
        self.unknown(data, _FLOW_FIELDS)
        for needed in ("name", "version", "description", "steps"):
            if not data.get(needed):
                self.problem(1, f"{needed} is missing; add it")
        name = str(data.get("name", ""))
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            self.problem(1, f"name {name!r} must be lower-case words joined by _")
        steps = self.steps(data.get("steps"))
        return Flow(
            name=name,
            version=self.number(data, "version", 1),
            description=str(data.get("description", "")),
            audience=str(data.get("audience", "customer")),
            steps=steps,
            title=str(data.get("title", "")),
            examples=self.texts(data, "examples"),
            keywords=self.texts(data, "keywords"),
            questions=self.number(data, "questions", 0),
            on_change=str(data.get("on_change", "")),
            takes_trigger=str(data.get("takes_trigger", "")),
            positions={step.id: index for index, step in enumerate(steps)},
        )

    def unknown(self, data: Mapping[Any, Any], fields: set[str]) -> None:
        for field in data:
            if field not in fields and field != LINE:
                self.problem(data[LINE], f"{field} is not known here; use one of {', '.join(sorted(fields))}")

    def number(self, data: Mapping[str, Any], field: str, default: int) -> int:
        value = data.get(field, default)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        self.problem(data[LINE], f"{field} must be a whole number, not {value!r}")
        return default

    def texts(self, data: Mapping[str, Any], field: str) -> dict[str, tuple[str, ...]]:
        """A name (a language, a value) -> list of texts."""
        given = data.get(field) or {}
        if not isinstance(given, dict):
            self.problem(data[LINE], f"{field} must list texts by language, as `en: [..]`")
            return {}
        texts: dict[str, tuple[str, ...]] = {}
        for lang, items in given.items():
            if lang == LINE:
                continue
            if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
                self.problem(
                    given[LINE], f"{field}.{lang} must be a list of texts; quote yes, no and numbers"
                )
                continue
            texts[str(lang)] = tuple(items)
        return texts

    def steps(self, given: Any) -> tuple[Step, ...]:
        if not isinstance(given, list):
            self.problem(1, "steps must be a list")
            return ()
        steps: list[Step] = []
        for index, data in enumerate(given):
            step = self.step(data, index)
            if step is None:
                continue
            if step.id in self.lines:
                self.problem(data[LINE], f"two steps are called {step.id}; give one another id")
            self.lines[step.id] = data[LINE]
            steps.append(step)
        return tuple(steps)

    def step(self, data: Any, index: int) -> Step | None:
        if not isinstance(data, dict):
            self.problem(1, f"step {index + 1} must be a mapping such as `say: greet.hello`")
            return None
        kinds = [kind for kind in _KINDS if kind in data]
        line = data[LINE]
        if len(kinds) != 1:
            self.problem(line, f"a step is one of {', '.join(_KINDS)}; this one has {kinds or 'none'}")
            return None
        kind = kinds[0]
        self.unknown(data, _STEP_FIELDS[kind] | {kind, "id"})
        value = str(data[kind])
        id = str(data.get("id") or (value if kind == "collect" else f"{kind}-{index}"))
        if kind == "collect":
            return self.collect(data, id, value)
        if kind == "say":
            return Tell(id, value, self.choices(data))
        if kind == "do":
            return Do(id, value)
        if kind == "branch":
            return self.branch(data, id, value)
        return Goto(id, END if kind == "end" else value)

    def collect(self, data: Mapping[str, Any], id: str, slot: str) -> Collect | None:
        type = data.get("type", "text")
        if type not in SLOT_TYPES:
            self.problem(data[LINE], f"type {type!r} is none of {', '.join(SLOT_TYPES)}")
            return None
        choices = self.choices(data)
        from_slot = str(data.get("choices_from", ""))
        if type == "choice" and not choices and not from_slot:
            self.problem(data[LINE], "a choice needs `choices` (value: key) or `choices_from` (a slot)")
        if not data.get("ask"):
            self.problem(data[LINE], f"collect {slot} needs `ask`, the key of its question")
        return Collect(
            id,
            slot,
            type,
            ask=str(data.get("ask", "")),
            invalid=str(data.get("invalid", f"invalid.{type}")),
            optional=bool(data.get("optional", False)),
            skip_when_known=bool(data.get("skip_when_known", True)),
            choices=choices,
            choices_from=from_slot,
            other=bool(data.get("other", False)),
            words=self.texts(data, "words"),
            early=bool(data.get("early", False)),
            hints=self.texts(data, "hints"),
            reads=str(data.get("reads", "")),
            unit=str(data.get("unit", "")),
            looks_back=bool(data.get("looks_back", False)),
            last=bool(data.get("last", False)),
            our_languages=bool(data.get("our_languages", False)),
        )

    def choices(self, data: Mapping[str, Any]) -> dict[str, str]:
        given = data.get("choices") or {}
        if not isinstance(given, dict):
            self.problem(data[LINE], "choices must be `value: key` pairs")
            return {}
        return {str(value): str(key) for value, key in given.items() if value != LINE}

    def branch(self, data: Mapping[str, Any], id: str, text: str) -> Branch | None:
        match = _CONDITION.match(text.strip())
        if match is None or not data.get("then"):
            self.problem(
                data[LINE],
                f"branch {text!r} must read `slot == value`, `slot != value`, `slot in a, b`, "
                "`slot is known` or `slot is unknown`, and name a step in `then`",
            )
            return None
        slot, op, value, known = match.groups()
        if known:
            condition = Condition(slot, "known" if known == "known" else "unknown")
        elif op == "in":
            condition = Condition(slot, "in", tuple(part.strip() for part in value.split(",")))
        else:
            condition = Condition(slot, "==" if op == "==" else "!=", value.strip())
        return Branch(id, condition, str(data["then"]), str(data.get("otherwise", "")))

    def check(self, flow: Flow, actions: set[str] | None, knows: Callable[[str], bool] | None) -> None:
        """What can only be seen once all steps are read."""
        self.check_targets(flow)
        if flow.takes_trigger and flow.collect(flow.takes_trigger) is None:
            self.problem(1, f"takes_trigger {flow.takes_trigger} is no slot this flow collects")
        if actions is not None:
            for step in flow.steps:
                if isinstance(step, Do) and step.action not in actions:
                    self.problem(self.lines[step.id], f"there is no action {step.action}")
            if flow.on_change and flow.on_change not in actions:
                self.problem(1, f"on_change: there is no action {flow.on_change}")
        if knows is not None:
            for id, key in _keys(flow):
                if not knows(key):
                    line = self.lines.get(id, 1)
                    self.problem(line, f"there are no words for {key}; add it to locales/en")

    def check_targets(self, flow: Flow) -> None:
        for step in flow.steps:
            targets = (
                (step.then, step.otherwise)
                if isinstance(step, Branch)
                else (step.to,)
                if isinstance(step, Goto)
                else ()
            )
            for target in targets:
                if target and target != END and target not in flow.positions:
                    self.problem(self.lines[step.id], f"there is no step {target}; the end is `{END}`")


def _keys(flow: Flow) -> Iterable[tuple[str, str]]:
    if flow.title:
        yield "", flow.title
    for step in flow.steps:
        if isinstance(step, Tell):
            yield step.id, step.key
        if isinstance(step, Collect):
            yield step.id, step.ask
            yield step.id, step.invalid
        if isinstance(step, Tell | Collect):
            for key in step.choices.values():
                yield step.id, key
