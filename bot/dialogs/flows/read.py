"""From a YAML text to a flow, gathering problems: file, line, what to do."""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import yaml

from bot.dialogs.flows.conditions import HOW, read_condition
from bot.dialogs.flows.model import (
    END,
    MEMORY,
    REPAIRS,
    REPEATS,
    SLOT_TYPES,
    Branch,
    Call,
    Case,
    Collect,
    Confirm,
    Do,
    Flow,
    Goto,
    Set,
    Step,
    Tell,
)
from bot.yaml_text import SafeLoader

LINE = "__line__"
FLOW_FIELDS = {
    "name", "version", "description", "audience", "title", "examples", "keywords", "questions",
    "on_change", "on_cancel", "takes_trigger", "remembers", "calls_only", "repeats", "steps",
}  # fmt: skip
_COLLECT = {
    "type", "ask", "invalid", "optional", "skip_when_known", "choices", "choices_from", "other", "words",
    "examples", "early", "hints", "reads", "unit", "looks_back", "last", "our_languages", "our_zone", "min",
    "max", "after", "before", "day_from", "anything", "digits", "tries", "otherwise", "repairs", "label",
}  # fmt: skip
STEP_FIELDS: Mapping[str, frozenset[str]] = {
    "collect": frozenset(_COLLECT),
    "say": frozenset({"choices"}),
    "do": frozenset(),
    "set": frozenset(),
    "branch": frozenset({"then", "otherwise"}),
    "call": frozenset({"takes", "gives", "otherwise"}),
    "confirm": frozenset({"otherwise"}),
    "goto": frozenset(),
    "end": frozenset(),
}
"""Kind of step -> its fields beside `id` and the kind itself."""
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_SPAN = re.compile(r"(\d{1,4})\s*([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SIZED = ("money", "quantity", "text", "name", "address")
_TIMED = ("date", "time", "datetime")


class LineLoader(SafeLoader):
    """A mapping remembers the line it starts on, so that a problem can name it."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        mapping = super().construct_mapping(node, deep=True)
        mapping[LINE] = node.start_mark.line + 1
        return mapping


def read_span(given: Any) -> timedelta | None:
    """A span of time as "30m", "12h", "7d" or "2w"."""
    match = _SPAN.fullmatch(str(given).strip())
    return timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else None


class Reader:
    """Reads one file, gathering problems instead of stopping at the first. `lines`: step id -> its line."""

    def __init__(self, file: str, problems: list[str]) -> None:
        self.file = file
        self.problems = problems
        self.lines: dict[str, int] = {}

    def problem(self, line: int, what: str) -> None:
        """Note what is wrong, and where."""
        self.problems.append(f"{self.file}:{line}: {what}")

    def read(self, text: str) -> Flow | None:
        """The flow, or None when too little of it can be read."""
        try:
            data = yaml.load(text, LineLoader)  # noqa: S506 - a SafeLoader
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            # What is never closed is missed after the last line.
            line = max(min(mark.line + 1, len(text.splitlines())), 1) if mark else 1
            self.problem(line, f"not YAML: {getattr(error, 'problem', error)}")
            return None
        if not isinstance(data, dict):
            self.problem(1, "a flow is a mapping with name, version, description and steps")
            return None
        self.unknown(data, FLOW_FIELDS)
        for needed in ("name", "version", "description", "steps"):
            if not data.get(needed):
                self.problem(1, f"{needed} is missing; add it")
        name = str(data.get("name", ""))
        if not _NAME.fullmatch(name):
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
            on_cancel=str(data.get("on_cancel", "")),
            takes_trigger=str(data.get("takes_trigger", "")),
            remembers=self.span(data),
            calls_only=bool(data.get("calls_only", False)),
            repeats=self.number(data, "repeats", REPEATS),
            positions={step.id: index for index, step in enumerate(steps)},
        )

    def unknown(self, data: Mapping[Any, Any], fields: set[str] | frozenset[str]) -> None:
        """Name the fields that mean nothing."""
        for field in data:
            if field not in fields and field != LINE:
                self.problem(data[LINE], f"{field} is not known here; use one of {', '.join(sorted(fields))}")

    # --- values --------------------------------------------------------------------------------------

    def number(self, data: Mapping[str, Any], field: str, default: int) -> int:
        """A whole number that is not negative."""
        value = data.get(field, default)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        self.problem(data[LINE], f"{field} must be a whole number, not {value!r}")
        return default

    def size(self, data: Mapping[str, Any], field: str) -> float | None:
        """A `min` or `max`."""
        value = data.get(field)
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
            return value
        self.problem(data[LINE], f"{field} must be a number, not {value!r}")
        return None

    def span(self, data: Mapping[str, Any]) -> timedelta:
        """`remembers`."""
        given = data.get("remembers")
        span = read_span(given) if given is not None else MEMORY
        if span is None:
            self.problem(data[LINE], f"remembers must be as 30m, 12h, 7d or 2w, not {given!r}")
        return MEMORY if span is None else span

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

    def pairs(self, data: Mapping[str, Any], field: str, how: str) -> dict[str, str]:
        """A mapping of names to names."""
        given = data.get(field) or {}
        if not isinstance(given, dict):
            self.problem(data[LINE], f"{field} must be {how}")
            return {}
        return {str(name): str(value) for name, value in given.items() if name != LINE}

    # --- steps ---------------------------------------------------------------------------------------

    def steps(self, given: Any) -> tuple[Step, ...]:
        """All steps that can be read."""
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
        """One step, by its kind."""
        if not isinstance(data, dict):
            self.problem(1, f"step {index + 1} must be a mapping such as `say: greet.hello`")
            return None
        kinds = [kind for kind in STEP_FIELDS if kind in data]
        line = data[LINE]
        if len(kinds) != 1:
            self.problem(line, f"a step is one of {', '.join(STEP_FIELDS)}; this one has {kinds or 'none'}")
            return None
        kind = kinds[0]
        self.unknown(data, STEP_FIELDS[kind] | {kind, "id"})
        id = str(data.get("id") or (data[kind] if kind == "collect" else f"{kind}-{index}"))
        if id == END:
            self.problem(line, f"a step cannot be called {END}; choose another id")
        return _STEPS[kind](self, data, id)

    def collect(self, data: Mapping[str, Any], id: str) -> Collect | None:
        """A question with its limits."""
        slot, type = str(data["collect"]), data.get("type", "text")
        if type not in SLOT_TYPES:
            self.problem(data[LINE], f"type {type!r} is none of {', '.join(SLOT_TYPES)}")
            return None
        choices = self.choices(data)
        from_slot = str(data.get("choices_from", ""))
        if type == "choice" and not choices and not from_slot:
            self.problem(data[LINE], "a choice needs `choices` (value: key) or `choices_from` (a slot)")
        if not data.get("ask"):
            self.problem(data[LINE], f"collect {slot} needs `ask`, the key of its question")
        self.limits(data, type)
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
            examples=self.texts(data, "examples"),
            early=bool(data.get("early", False)),
            hints=self.texts(data, "hints"),
            reads=str(data.get("reads", "")),
            unit=str(data.get("unit", "")),
            looks_back=bool(data.get("looks_back", False)),
            day_from=str(data.get("day_from", "")),
            anything=bool(data.get("anything", False)),
            last=bool(data.get("last", False)),
            our_languages=bool(data.get("our_languages", False)),
            our_zone=bool(data.get("our_zone", False)),
            min=self.size(data, "min"),
            max=self.size(data, "max"),
            after=str(data.get("after", "")),
            before=str(data.get("before", "")),
            digits=self.number(data, "digits", 0),
            tries=self.number(data, "tries", 0),
            otherwise=str(data.get("otherwise", "")),
            repairs=self.pairs(data, "repairs", "`what is wrong: key` pairs"),
            label=str(data.get("label", "")),
        )

    def limits(self, data: Mapping[str, Any], type: str) -> None:
        """Limits that mean nothing for the type."""
        line = data[LINE]
        low, high = data.get("min"), data.get("max")
        if (low is not None or high is not None) and type not in _SIZED:
            self.problem(line, f"min and max go with {', '.join(_SIZED)}, not with {type}")
        if isinstance(low, int | float) and isinstance(high, int | float) and low > high:
            self.problem(line, f"min {low} is more than max {high}; nothing would fit")
        if ("after" in data or "before" in data) and type not in _TIMED:
            self.problem(line, f"after and before go with {', '.join(_TIMED)}, not with {type}")
        if data.get("our_zone") and type not in _TIMED:
            self.problem(line, f"our_zone goes with {', '.join(_TIMED)}, not with {type}")
        if data.get("digits") and type != "text":
            self.problem(line, f"digits goes with text, not with {type}")
        repairs = data.get("repairs")
        for wrong in repairs if isinstance(repairs, dict) else ():
            if wrong not in REPAIRS and wrong != LINE:
                self.problem(line, f"repairs: {wrong} is none of {', '.join(REPAIRS)}")

    def choices(self, data: Mapping[str, Any]) -> dict[str, str]:
        """The choices of a question or the buttons of a text."""
        return self.pairs(data, "choices", "`value: key` pairs")

    def say(self, data: Mapping[str, Any], id: str) -> Tell:
        """A text with its buttons."""
        return Tell(id, str(data["say"]), self.choices(data))

    def set(self, data: Mapping[str, Any], id: str) -> Set | None:
        """Values for slots: texts, numbers, yes and no, or null."""
        given = data["set"]
        if not isinstance(given, dict) or len(given) < 2:
            self.problem(data[LINE], "set needs slots and their values, as `set: {tried: 1, code: null}`")
            return None
        slots = {str(slot): value for slot, value in given.items() if slot != LINE}
        for slot, value in slots.items():
            if not isinstance(value, str | int | float | bool | None):
                self.problem(data[LINE], f"set {slot}: give a text, a number, true, false or null")
                return None
        return Set(id, slots)

    def call(self, data: Mapping[str, Any], id: str) -> Call:
        """A flow run on top."""
        takes = self.pairs(data, "takes", "`its slot: our slot` pairs")
        gives = self.pairs(data, "gives", "`our slot: its slot` pairs")
        return Call(id, str(data["call"]), takes, gives, str(data.get("otherwise", "")))

    def branch(self, data: Mapping[str, Any], id: str) -> Branch | None:
        """One condition with `then`, or a list of cases."""
        given = data["branch"]
        rows = (
            given
            if isinstance(given, list)
            else [{"when": given, "then": data.get("then"), LINE: data[LINE]}]
        )
        cases = [self.case(row, data[LINE]) for row in rows]
        if isinstance(given, list) and "then" in data:
            self.problem(
                data[LINE], "a branch with a list of cases has no `then` of its own; each case has one"
            )
        known = tuple(case for case in cases if case is not None)
        return Branch(id, known, str(data.get("otherwise", ""))) if known else None

    def case(self, row: Any, line: int) -> Case | None:
        """One case of a branch."""
        if not isinstance(row, dict) or not row.get("then") or set(row) - {"when", "then", LINE}:
            self.problem(
                line,
                "a branch names a step in `then`; of several cases each is `{when: condition, then: step}`",
            )
            return None
        condition = read_condition(str(row.get("when", "")))
        if condition is None:
            self.problem(row[LINE], f"branch {row.get('when')!r} {HOW}")
            return None
        return Case(condition, str(row["then"]))


_STEPS: Mapping[str, Callable[[Reader, Mapping[str, Any], str], Step | None]] = {
    "collect": Reader.collect,
    "say": Reader.say,
    "do": lambda reader, data, id: Do(id, str(data["do"])),
    "set": Reader.set,
    "branch": Reader.branch,
    "call": Reader.call,
    "confirm": lambda reader, data, id: Confirm(id, str(data["confirm"]), str(data.get("otherwise", ""))),
    "goto": lambda reader, data, id: Goto(id, str(data["goto"])),
    "end": lambda reader, data, id: Goto(id, END),
}
