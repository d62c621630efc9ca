"""What a flow is once read: values only. `bot.dialogs.flows` reads them from YAML."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

SlotType = Literal[
    "text", "name", "phone", "email", "contact", "money", "quantity", "date", "time", "datetime", "address",
    "order_number", "choice", "yes_no",
]  # fmt: skip

SLOT_TYPES: tuple[SlotType, ...] = get_args(SlotType)


@dataclass(frozen=True, slots=True)
class Condition:
    """`slot op value`, where op is ==, != or in; or `slot is known` / `slot is unknown`."""

    slot: str
    op: Literal["==", "!=", "in", "known", "unknown"]
    value: str | tuple[str, ...] = ""

    def holds(self, slots: Mapping[str, Any]) -> bool:
        """Whether the slots meet it. Values compare as text; a list compares by its length."""
        value = slots.get(self.slot)
        if self.op in ("known", "unknown"):
            return (value not in (None, "")) == (self.op == "known")
        text = str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
        if self.op == "in":
            return text in self.value
        return (text == self.value) == (self.op == "==")


@dataclass(frozen=True, slots=True)
class Collect:
    """Ask for a slot until its value fits. `optional`: skipped on "no", and once the flow has asked its
    `questions`. `choices`: value -> locale key; `choices_from` names a slot that holds
    `[[value, title], …]`. `other`: a choice also takes any text. `words`: value -> what people say for it,
    in any language; `early`: also when it was not asked for yet. `hints`: words so plain that they count
    anywhere, asked for or not. `reads`: what else answers it, `when` for a day, festival or span of time.
    `unit`: of a quantity, what it counts ("person"). `looks_back`: a date or time asked for is past ("since
    when is it broken?"), so that "kal" is yesterday. `last`: of several values in one message it takes the
    last, as the end of a stay does. `our_languages`: the choices are language codes, and only those the
    business speaks are offered."""

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
    early: bool = False
    hints: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reads: str = ""
    unit: str = ""
    looks_back: bool = False
    last: bool = False
    our_languages: bool = False


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
class Branch:
    """Go to `then` when the condition holds, else on to the next step or `otherwise`."""

    id: str
    when: Condition
    then: str
    otherwise: str = ""


@dataclass(frozen=True, slots=True)
class Goto:
    """Go to another step, or `end`."""

    id: str
    to: str


Step = Collect | Tell | Do | Branch | Goto


@dataclass(frozen=True, slots=True)
class Flow:
    """A conversation as data.

    `examples`: language -> messages that start it; `keywords`: language -> whole messages that do.
    `questions`: how many it asks in one go before it leaves optional ones for another day.
    `on_change`: an action run once a turn whenever its slots changed.
    `takes_trigger`: the slot that the message which started the flow answers, if it says enough.
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
    takes_trigger: str = ""
    positions: Mapping[str, int] = field(default_factory=dict)

    def collects(self) -> tuple[Collect, ...]:
        """The slots it asks for, in order."""
        return tuple(step for step in self.steps if isinstance(step, Collect))

    def collect(self, slot: str) -> Collect | None:
        """The step that asks for this slot."""
        return next((step for step in self.steps if isinstance(step, Collect) and step.slot == slot), None)


Flows = Mapping[str, Flow]
