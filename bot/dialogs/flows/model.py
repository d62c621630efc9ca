"""What a flow is once read: values only. `bot.dialogs.flows.read` reads them from YAML."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, get_args

from bot.dialogs.flows.conditions import Condition

SlotType = Literal[
    "text", "name", "phone", "email", "contact", "money", "quantity", "date", "time", "datetime", "address",
    "order_number", "choice", "yes_no",
]  # fmt: skip
SLOT_TYPES: tuple[SlotType, ...] = get_args(SlotType)

Repair = Literal["too_short", "too_long", "too_early", "too_late", "too_little", "too_much", "unreadable"]
REPAIRS: tuple[Repair, ...] = get_args(Repair)
"""What may be wrong with an answer."""

END = "end"
MEMORY = timedelta(hours=24)
"""How long an unfinished flow waits for its answer, unless it says otherwise."""
REPEATS = 10
"""How often one question may come round in one run of a flow, unless it says otherwise."""


@dataclass(frozen=True, slots=True)
class Collect:
    """Ask for a slot until its value fits. `optional`: skipped on "no", and once the flow has asked its
    `questions`. `choices`: value -> locale key; `choices_from` names a slot that holds
    `[[value, title], …]`. `other`: a choice also takes any text. `words`: value -> what people say for it,
    in any language; `examples`: value -> whole answers that mean it, which the classifier learns; `early`:
    also when it was not asked for yet. `hints`: words so plain that they count
    anywhere, asked for or not. `reads`: what else answers it, `when` for a day, festival or span of time.
    `unit`: of a quantity, what it counts ("person"). `looks_back`: a date or time asked for is past ("since
    when is it broken?"), so that "kal" is yesterday. `last`: of several values in one message it takes the
    last, as the end of a stay does. `our_languages`: the choices are language codes, and only those the
    business speaks are offered. `our_zone`: a day or time is the business's, as of a visit there, also where
    the customer's phone is of another zone.

    `anything`: whatever is said answers it, also what would begin another flow elsewhere ("it does not
    start"); only who asks for a person or stops is heard.

    Limits: `min` and `max` of a sum in major units, a quantity or a text's length; `after` and `before` a
    slot or "now", of dates and times; `day_from` names the slot that holds the day of a date and time where
    only an hour is said (without one it is the next such hour); `digits`, how many an answer has. `tries`:
    answers that do not fit before the flow goes to `otherwise`, or is given up. `repairs`: what is wrong ->
    locale key, where the usual words do not do. `label`: the key of what the slot is called."""

    id: str
    slot: str
    type: SlotType
    ask: str
    invalid: str
    optional: bool = False
    skip_when_known: bool = True
    choices: Mapping[str, str] = field(default_factory=dict)
    choices_from: str = ""
    other: bool = False
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    examples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    early: bool = False
    hints: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reads: str = ""
    unit: str = ""
    looks_back: bool = False
    last: bool = False
    our_languages: bool = False
    our_zone: bool = False
    min: float | None = None
    max: float | None = None
    after: str = ""
    before: str = ""
    day_from: str = ""
    anything: bool = False
    digits: int = 0
    tries: int = 0
    otherwise: str = ""
    repairs: Mapping[str, str] = field(default_factory=dict)
    label: str = ""

    @property
    def grades(self) -> bool:
        """Whether its choices are figures: a rating."""
        return bool(self.choices) and all(value.isdecimal() for value in self.choices)


@dataclass(frozen=True, slots=True)
class Tell:
    """Say a text; its values are the slots. `choices`: button id -> locale key."""

    id: str
    key: str
    choices: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Do:
    """Run an action of `bot.dialogs.actions`."""

    id: str
    action: str


@dataclass(frozen=True, slots=True)
class Case:
    """One case of a branch: where it goes when its condition holds."""

    when: Condition
    then: str


@dataclass(frozen=True, slots=True)
class Branch:
    """Go where the first case that holds says, else to `otherwise`, else on to the next step."""

    id: str
    cases: tuple[Case, ...]
    otherwise: str = ""


@dataclass(frozen=True, slots=True)
class Goto:
    """Go to another step, or `end`."""

    id: str
    to: str


@dataclass(frozen=True, slots=True)
class Set:
    """Put values into slots; None forgets one."""

    id: str
    slots: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """Run another flow on top and go on when it ends. `takes`: its slot -> ours, given to it at its start;
    `gives`: our slot -> its, taken over at its end. `otherwise`: where to go when it was given up."""

    id: str
    flow: str
    takes: Mapping[str, str] = field(default_factory=dict)
    gives: Mapping[str, str] = field(default_factory=dict)
    otherwise: str = ""


@dataclass(frozen=True, slots=True)
class Confirm:
    """Ask for a yes before a consequence; its text shows the slots. `otherwise`: where a no leads, after
    it was asked what is wrong; without it the flow is given up."""

    id: str
    ask: str
    otherwise: str = ""


Step = Collect | Tell | Do | Branch | Goto | Set | Call | Confirm


def targets(step: Step) -> Iterator[str]:
    """The steps that a step names."""
    if isinstance(step, Branch):
        yield from (case.then for case in step.cases)
    if isinstance(step, Goto):
        yield step.to
    if isinstance(step, Branch | Collect | Call | Confirm) and step.otherwise:
        yield step.otherwise


@dataclass(frozen=True, slots=True)
class Flow:
    """A conversation as data.

    `examples`: language -> messages that start it; `keywords`: language -> whole messages that do.
    `questions`: how many it asks in one go before it leaves optional ones for another day.
    `on_change`: an action run once a turn whenever its slots changed. `on_cancel`: an action that takes back
    what was recorded, when the customer gives it up or does so right after its end.
    `takes_trigger`: the slot that the message which started the flow answers, if it says enough.
    `remembers`: how long an unfinished run waits before it is offered again instead of going on.
    `calls_only`: no customer starts it, only another flow. `repeats`: how often one question may come round.
    """

    name: str
    version: int
    description: str
    audience: str
    steps: tuple[Step, ...]
    title: str = ""
    examples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    keywords: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    questions: int = 0
    on_change: str = ""
    on_cancel: str = ""
    takes_trigger: str = ""
    remembers: timedelta = MEMORY
    calls_only: bool = False
    repeats: int = REPEATS
    positions: Mapping[str, int] = field(default_factory=dict)

    def collects(self) -> tuple[Collect, ...]:
        """The slots it asks for, in order."""
        return tuple(step for step in self.steps if isinstance(step, Collect))

    def collect(self, slot: str) -> Collect | None:
        """The step that asks for this slot."""
        return next((step for step in self.steps if isinstance(step, Collect) and step.slot == slot), None)

    def label(self, slot: str) -> str:
        """The key of what a slot is called."""
        step = self.collect(slot)
        return "slot.label.text" if step is None else step.label or f"slot.label.{step.type}"


class Flows(Mapping[str, Flow]):
    """The flows by name, each in its newest version; `earlier` ones finish what they began."""

    def __init__(
        self, newest: Mapping[str, Flow], earlier: Mapping[tuple[str, int], Flow] | None = None
    ) -> None:
        self._newest = dict(newest)
        self._earlier = dict(earlier or {})

    def __getitem__(self, name: str) -> Flow:
        return self._newest[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._newest)

    def __len__(self) -> int:
        return len(self._newest)

    def version(self, name: str, version: int) -> Flow | None:
        """The flow as a running conversation began it; the newest where that version is kept no more."""
        newest = self._newest.get(name)
        if newest is not None and newest.version == version:
            return newest
        return self._earlier.get((name, version), newest)
