"""What a played customer says next: from what is asked of them, their answers and their twists. Pure."""

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from bot.dialogs.flows.model import Collect, Flows
from bot.dialogs.state import DialogState
from bot.dialogs.turn import Choice
from bot.evaluate.simulation.noise import Typing
from bot.evaluate.simulation.script import Conversation, Kind, Twist
from bot.yaml_text import read_yaml

PATIENCE = 3
"""How often a customer answers the same question."""
_ASKED_AS: Mapping[str, tuple[str, ...]] = {
    "day": ("starts_at",),
    "contact": ("contact", "phone", "email"),
    "phone": ("phone", "contact"),
    "addition": ("description",),
}
"""Questions that an answer to another one answers."""


@dataclass(frozen=True, slots=True)
class Said:
    """A message of a customer: typed, or a button pressed that says `text`."""

    text: str
    button: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a customer has before their eyes. `heard` are the texts since they wrote; `code` is the last
    one-time code on their telephone."""

    state: DialogState
    heard: tuple[str, ...] = ()
    human: bool = False
    code: str = ""


class Customer(Protocol):
    """Somebody who talks until they have what they want, or give up."""

    channel: str
    """Where they write now."""
    answered: set[str]
    """Slots whose answer they gave."""

    @property
    def unsaid(self) -> tuple[Kind, ...]:
        """The kinds of twists that it has not come to."""

    def opening(self) -> tuple[Said, ...]:
        """How they begin."""

    async def next(self, scene: Scene, flows: Flows) -> Said | None:
        """What they say next; None when they say no more."""


@lru_cache(maxsize=1)
def _words() -> Mapping[str, Mapping[str, list[str]]]:
    found: Mapping[str, Mapping[str, list[str]]] = read_yaml(
        (Path(__file__).parent / "words.yaml").read_text(encoding="utf-8")
    )
    return found


@dataclass
class ScriptedCustomer:
    """Says what their conversation holds. `seed` 0 types as it is written; others slip on the keys."""

    conversation: Conversation
    seed: int = 0
    channel: str = ""
    lang: str = ""
    asked: Counter[str] = field(default_factory=Counter)
    answered: set[str] = field(default_factory=set)
    repeated: bool = False
    pending: list[Twist] = field(default_factory=list)

    def __post_init__(self) -> None:
        talk = self.conversation
        self.channel, self.lang = talk.channel, talk.lang
        self.random = random.Random(f"{talk.id}/{self.seed}")  # noqa: S311  # plays, hides nothing
        self.typing = Typing(talk, self.random) if self.seed else None
        self.pending = [twist for twist in talk.twists if twist.after or twist.at]

    @property
    def unsaid(self) -> tuple[Kind, ...]:
        """The kinds of twists that it has not come to."""
        return tuple(twist.kind for twist in self.pending)

    def opening(self) -> tuple[Said, ...]:
        """The first messages."""
        return tuple(Said(self._typed(text)) for text in self.conversation.opening)

    async def next(self, scene: Scene, flows: Flows) -> Said | None:
        """The next message."""
        if scene.human:
            return None
        if (twist := self._due(scene)) is not None:
            return Said(self._typed(twist.say))
        step = scene.state.awaited(flows)
        if step is not None:
            return self._answer(step, scene)
        if scene.state.confirming(flows) is not None:
            self.asked["confirm"] += 1
            return Said(self._word("agree")) if self.asked["confirm"] <= PATIENCE else None
        return self._go_on(scene)

    # --- twists --------------------------------------------------------------------------------------

    def _due(self, scene: Scene) -> Twist | None:
        """The next thing said out of turn; what needs no words is done on the way."""
        for twist in tuple(self.pending):
            if not twist.after or not self._given(twist.after, scene):
                continue
            self.pending.remove(twist)
            if twist.kind == "switch":
                self.lang = twist.to
            elif twist.kind == "moves":  # there they begin anew: that conversation is another one
                self.channel = twist.to
                return replace(twist, say=" ".join(self.conversation.opening))
            elif twist.kind != "digression" or scene.state.frames:
                return twist
        return None

    def _given(self, slot: str, scene: Scene) -> bool:
        """Whether a slot is given: the bot has it, or nothing runs that could still take it."""
        frames = scene.state.frames
        if any(slot in frame.given for frame in frames):
            return True
        if not frames:
            # A complaint is told by its first words, and written down at once.
            told = self.conversation.has("all_at_once") or slot == "description"
            return told or slot in self.answered
        return slot in self.answered and slot in ("code", "change")

    # --- answers -------------------------------------------------------------------------------------

    def _answer(self, step: Collect, scene: Scene) -> Said | None:
        self.asked[step.slot] += 1
        if self.asked[step.slot] > PATIENCE:
            return None
        for twist in self.pending:
            if twist.kind == "invalid" and twist.at in (step.slot, *_ASKED_AS.get(step.slot, ())):
                self.pending.remove(twist)
                return Said(self._typed(twist.say))
        if self.asked[step.slot] > 1 and (choice := self._offered(step, scene)) is not None:
            return choice
        text = self._text_for(step.slot)
        if text is None:
            return self._unprepared(step, scene)
        self.answered.add(step.slot)
        if "{code}" in text:
            return self._with_code(text, scene)
        return Said(self._typed(text))

    def _with_code(self, text: str, scene: Scene) -> Said:
        """The code that came; where none did, the number of the order was mistyped."""
        order = self.conversation.answers.get("order_number")
        if not scene.code and order and any(twist.at == "order_number" for twist in self.conversation.twists):
            return Said(self._word("mistaken").format(order))
        return Said(text.replace("{code}", scene.code or "000000"))

    def _text_for(self, slot: str) -> str | None:
        answers = self.conversation.answers
        known = (name for name in (slot, *_ASKED_AS.get(slot, ())) if name in answers)
        name = next(known, None)
        if name is None:
            return "{code}" if slot == "code" else None
        self.answered.add(name)
        return answers[name]

    def _offered(self, step: Collect, scene: Scene) -> Said | None:
        """The button that says what this customer wants, when their own words were not taken."""
        wanted = self.conversation.wanted.get(step.slot, self.conversation.wanted.get("starts_at"))
        prefix = f"slot:{step.slot}="
        for choice in scene.state.offered:
            value = choice.id.removeprefix(prefix)
            if choice.id.startswith(prefix) and wanted is not None and value.startswith(str(wanted)):
                return _press(choice)
        return None

    def _unprepared(self, step: Collect, scene: Scene) -> Said | None:
        """A question nobody thought of: pass it over, or take the first that is offered."""
        if step.optional:
            return Said(self._word("pass"))
        offers = [choice for choice in scene.state.offered if choice.id.startswith(f"slot:{step.slot}=")]
        if offers:
            return _press(offers[0])
        return self._again()

    # --- when nothing is asked -----------------------------------------------------------------------

    def _go_on(self, scene: Scene) -> Said | None:
        """Take what is offered if it is what they want; say it again when it was not understood."""
        for choice in scene.state.offered:
            kind, _, name = choice.id.partition(":")
            wanted = (kind == "flow" and name == self.conversation.flow) or kind in ("article", "resume")
            if wanted and self.asked[choice.id] == 0 and self.asked[kind] < PATIENCE:
                self.asked[choice.id] += 1
                self.asked[kind] += 1
                return _press(choice)
        return self._again() if scene.state.failed else None

    def _again(self) -> Said | None:
        if self.repeated:
            return None
        self.repeated = True
        return Said(self._typed(" ".join(self.conversation.opening)))

    def _word(self, kind: str) -> str:
        words = _words()[kind]
        known = words.get(self.lang) or words["en"]
        return self.random.choice(known) if self.seed else known[0]

    def _typed(self, text: str) -> str:
        return self.typing.slips(text) if self.typing is not None else text


def _press(choice: Choice) -> Said:
    return Said(choice.text or choice.key, choice.id)
