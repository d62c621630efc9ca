"""A flow as boxes and arrows, with the words that an admin reads in them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bot.dialogs.actions import ONLY_LOOK
from bot.dialogs.drawing.letters import SIZE, width, wrap
from bot.dialogs.flows.conditions import Condition
from bot.dialogs.flows.model import (
    END,
    Branch,
    Call,
    Collect,
    Confirm,
    Do,
    Flow,
    Flows,
    Goto,
    Set,
    Step,
    Tell,
)
from bot.i18n import Words

LINE = SIZE * 1.5
_WIDEST, _PAD, _HEAD = 230.0, 14.0, 20.0
_LABEL = 190.0
_CHOICES = 8
"""Choices and buttons that are shown; of more, the first."""


@dataclass(frozen=True, slots=True)
class Box:
    """`kind`: start, end, label, or that of a step; `change` for an action with consequences. `head` says in
    small letters what it does, `notes` what else is to know."""

    id: str
    kind: str
    head: str
    lines: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[float, float]:
        """Its width and height."""
        bold = 1.08 if self.kind in ("branch", "label") else 1.0
        widest = max([width(line) * bold for line in (*self.lines, *self.notes)] + [width(self.head)])
        rows = len(self.lines) + len(self.notes)
        if self.kind == "label":
            return widest + 8, max(LINE * rows, 8.0)
        if self.kind == "branch":
            # What a diamond holds is half as wide and half as high.
            return max(2 * widest + 28, 120.0), 2 * LINE * rows + 26
        head = _HEAD if self.head else 0.0
        sides = 2 * (_PAD + 8 if self.kind == "start" else _PAD)
        return max(widest + sides, 90.0), LINE * rows + head + _PAD


@dataclass(frozen=True, slots=True)
class Graph:
    """`arrows`: (from, to, the steps that are nothing but this arrow)."""

    boxes: Mapping[str, Box]
    arrows: tuple[tuple[str, str, tuple[str, ...]], ...]


def graph(flow: Flow, flows: Flows, words: Words, lang: str) -> Graph:
    """The picture of a flow: every step is a box, or, where it only leads on, an arrow."""
    return _Drawing(flow, flows, words, lang).draw()


class _Drawing:
    """One flow being drawn."""

    def __init__(self, flow: Flow, flows: Flows, words: Words, lang: str) -> None:
        self._flow = flow
        self._flows = flows
        self._words = words
        self._lang = lang
        self._boxes: dict[str, Box] = {}
        self._arrows: list[tuple[str, str, tuple[str, ...]]] = []

    def draw(self) -> Graph:
        """All boxes first, in the order of the steps: the layout keeps to it."""
        flow = self._flow
        start = self._box("start", "start", "", *self._begins())
        led_to = {to for step in flow.steps for to, _ in self._ways(step)} | {s.id for s in flow.steps[:1]}
        drawn = [step for step in flow.steps if not isinstance(step, Goto) or step.id not in led_to]
        for step in drawn:
            self._step(step)
        self._arrow(start, flow.steps[0].id if flow.steps else END, "")
        for step in drawn:
            for to, label in self._ways(step):
                self._arrow(step.id, to, label)
        return Graph(self._boxes, tuple(self._arrows))

    def say(self, key: str, **values: object) -> str:
        """A text in the picture's language; what fills it in a conversation stands in it by its name."""
        return self._words.say(key, self._lang, **values)

    # --- boxes ---------------------------------------------------------------------------------------

    def _box(
        self, id: str, kind: str, head: str, *texts: str, notes: tuple[str, ...] = (), most: int = 6
    ) -> str:
        widest = _LABEL * 0.7 if kind == "branch" else _WIDEST
        lines = tuple(line for text in texts for line in wrap(text, widest, most))
        more = tuple(line for note in notes for line in wrap(note, widest, 2))
        self._boxes[id] = Box(id, kind, head, lines, more)
        return id

    def _begins(self) -> Iterator[str]:
        flow = self._flow
        if flow.calls_only:
            yield self.say("draw.called")
            return
        said = flow.examples.get(self._lang) or next(iter(flow.examples.values()), ())
        said = said or flow.keywords.get(self._lang) or next(iter(flow.keywords.values()), ())
        yield self.say("draw.said", text=said[0]) if said else self.say("draw.begins")

    def _step(self, step: Step) -> None:
        if isinstance(step, Collect):
            self._collect(step)
        elif isinstance(step, Confirm):
            self._box(step.id, "confirm", self.say("draw.kind.confirm"), self._text(step.ask))
        elif isinstance(step, Tell):
            self._box(
                step.id, "say", self.say("draw.kind.say"), self._text(step.key), notes=self._buttons(step)
            )
        elif isinstance(step, Do):
            kind = "do" if step.action in ONLY_LOOK else "change"
            key = f"draw.action.{step.action}"
            does = self.say(key) if self._words.has(key) else _plain(step.action)
            self._box(step.id, kind, self.say(f"draw.kind.{kind}"), does)
        elif isinstance(step, Set):
            self._box(step.id, "set", self.say("draw.kind.set"), *self._sets(step))
        elif isinstance(step, Call):
            called = self._flows.get(step.flow)
            title = self.say(called.title) if called is not None and called.title else _plain(step.flow)
            self._box(step.id, "call", self.say("draw.kind.call"), title)
        elif isinstance(step, Branch):
            self._box(step.id, "branch", "", self._asks(step), most=4)
        else:
            self._box(step.id, "goto", self.say("draw.kind.goto"), self._name(step))

    def _collect(self, step: Collect) -> None:
        label = self._words.say(self._flow.label(step.slot), self._lang)
        head = self.say("draw.kind.collect", what=label)
        optional = (self.say("draw.optional"),) if step.optional else ()
        self._box(step.id, "collect", head, self._text(step.ask), notes=(*self._buttons(step), *optional))

    def _buttons(self, step: Tell | Collect) -> tuple[str, ...]:
        shown = list(step.choices.values())[:_CHOICES]
        more = ("…",) if len(step.choices) > _CHOICES else ()
        return (*(f"• {self._text(key)}" for key in shown), *more)

    def _text(self, key: str) -> str:
        """What is said, with ‹slot› for what is filled in."""
        if not self._words.has(key):
            return key
        names = self._words.placeholders(key)
        return self._words.say(key, self._lang, **{name: f"‹{_plain(name)}›" for name in names})

    def _sets(self, step: Set) -> Iterator[str]:
        for slot, value in step.slots.items():
            if value is None:
                yield self.say("draw.forgets", slot=self._slot(slot))
            else:
                yield self.say("draw.when.is", slot=self._slot(slot), value=self._value(slot, value))

    # --- conditions ----------------------------------------------------------------------------------

    def _asks(self, step: Branch) -> str:
        if len(step.cases) == 1:
            when = step.cases[0].when
            asked = self._slot(when.slot) if _denies(when) else self._condition(when)
            return self.say("draw.asks", condition=asked)
        slots = {case.when.slot for case in step.cases}
        return (
            self.say("draw.which", slot=self._slot(slots.pop())) if len(slots) == 1 else self.say("draw.what")
        )

    def _condition(self, when: Condition) -> str:
        if when.op in ("==", "!=") and when.value in ("true", "false"):
            slot = self._slot(when.slot)
            return self.say("draw.when.not", slot=slot) if _denies(when) else slot
        one = when.value if isinstance(when.value, str) else ""
        values = (one,) if one else when.value
        shown = ", ".join(self._value(when.slot, value) for value in values)
        return self.say(f"draw.when.{_OPERATORS[when.op]}", slot=self._slot(when.slot), value=shown)

    def _slot(self, slot: str) -> str:
        """What a slot is called: by its own label, by what only it can be in this flow, else by its name."""
        step = self._flow.collect(slot)
        alike = [one for one in self._flow.collects() if step is not None and one.type == step.type]
        telling = step is not None and step.type not in ("text", "choice", "yes_no") and len(alike) == 1
        if step is not None and (step.label or telling):
            return self.say(self._flow.label(slot))
        return _plain(slot)

    def _value(self, slot: str, value: object) -> str:
        if value in (True, "true"):
            return self.say("answer.yes")
        if value in (False, "false"):
            return self.say("answer.no")
        step = self._flow.collect(slot)
        key = step.choices.get(str(value), "") if step is not None else ""
        return self._text(key) if key else _plain(str(value))

    # --- arrows --------------------------------------------------------------------------------------

    def _ways(self, step: Step) -> Iterator[tuple[str, str]]:
        """(where it leads, the words on the arrow)."""
        index = self._flow.positions[step.id]
        after = self._flow.steps[index + 1].id if index + 1 < len(self._flow.steps) else END
        yes, no = self.say("answer.yes"), self.say("answer.no")
        if isinstance(step, Goto):
            yield step.to, ""
        elif isinstance(step, Branch) and len(step.cases) == 1:
            yes, no = (no, yes) if _denies(step.cases[0].when) else (yes, no)
            yield step.cases[0].then, yes
            yield step.otherwise or after, no
        elif isinstance(step, Branch):
            for case in step.cases:
                yield case.then, self._condition(case.when)
            yield step.otherwise or after, self.say("draw.otherwise")
        elif isinstance(step, Confirm):
            yield after, yes
            yield step.otherwise or END, no
        else:
            yield after, ""
            if isinstance(step, Call) and step.otherwise:
                yield step.otherwise, self.say("draw.given_up")
            if isinstance(step, Collect) and step.otherwise:
                yield step.otherwise, self.say("draw.unanswered")

    def _arrow(self, start: str, to: str, label: str) -> None:
        """An arrow to the first box on the way: steps that only lead on are arrows themselves."""
        passed: list[str] = []
        while to not in self._boxes and to != END and to in self._flow.positions and to not in passed:
            passed.append(to)
            step = self._flow.steps[self._flow.positions[to]]
            to = next(self._ways(step))[0]
        if to not in self._boxes:
            to = self._box(f"end of {start}", "end", "", self.say("draw.end"))
        if label or to == start or any(arrow[:2] == (start, to) for arrow in self._arrows):
            # Words stand in a box of their own, so that they touch nothing.
            between = f"from {start}, {len(self._arrows)}"
            self._boxes[between] = Box(between, "label", "", wrap(label, _LABEL, 3))
            self._arrows.append((start, between, ()))
            start = between
        self._arrows.append((start, to, tuple(passed)))

    def _name(self, step: Goto) -> str:
        return self.say("draw.end") if step.to == END else _plain(step.to)


_OPERATORS: Mapping[str, str] = {
    "==": "is",
    "!=": "is_not",
    "<": "less",
    "<=": "at_most",
    ">": "more",
    ">=": "at_least",
    "in": "one_of",
    "known": "known",
    "unknown": "unknown",
}


def _denies(when: Condition) -> bool:
    """Whether it holds where something is not so."""
    return (when.op, when.value) in (("==", "false"), ("!=", "true"))


def _plain(name: str) -> str:
    """A name as words."""
    return name.replace("_", " ")
