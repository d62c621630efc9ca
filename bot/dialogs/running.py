"""Running flows within a turn: from step to step until one asks. What a message means for them is the
engine's to say."""

from collections.abc import Generator, Mapping
from typing import Any

from bot.dialogs import slots as reading
from bot.dialogs.actions import ACTIONS, Action, Context, Outcome
from bot.dialogs.commands import Understood
from bot.dialogs.flows.model import Branch, Collect, Do, Flow, Flows, Goto, Set, Step, Tell
from bot.dialogs.speech import known_of_customer, media_words, speak_in
from bot.dialogs.state import Frame, load
from bot.dialogs.turn import AddIdentity, Choice, Need, SaveContact, Say, Turn, Write

DEPTH = 3
"""Flows inside flows: deeper, the outermost is forgotten."""
STEPS = 200
"""Steps in one turn, so that a flow that loops without asking ends."""

Steps = Generator[Need, Any, None]


class Running:
    """The flows of a turn and what they have said and written so far."""

    def __init__(self, turn: Turn, understood: Understood, flows: Flows) -> None:
        self.turn = turn
        self.understood = understood
        self.flows = flows
        self.state = load(turn)
        self.before = self.state.failed
        self.before_flow, self.state.after = self.state.after, ""
        self.said, self.state.said = self.state.said, ""
        self.says: list[Say] = []
        self.writes: list[Write] = []
        self.lang = speak_in(turn, understood, self.state)
        self.known = known_of_customer(turn)
        self.changed: set[str] = set()
        self.flow = ""
        self.state.frames = [frame for frame in self.state.frames if self._runs(frame)]

    def _runs(self, frame: Frame) -> bool:
        """A frame of another version of its flow goes on when its step is still there."""
        flow = self.flows.get(frame.flow)
        return flow is not None and frame.step in flow.positions

    def say(self, say: Say) -> None:
        """Add a text, once."""
        if say not in self.says:
            self.says.append(say)

    def start(self, name: str, slots: Mapping[str, Any]) -> bool:
        """Begin a flow, go on with it when it runs already, or put it on top of the running one. False when
        there is no such flow."""
        flow = self.flows.get(name)
        if flow is None or not flow.steps:
            return False
        self.flow = name
        while any(frame.flow == name for frame in self.state.frames[:-1]):
            self.state.frames.pop()
        top = self.state.top
        if top is None or top.flow != name:
            top = Frame(name, flow.version, flow.steps[0].id)
            self.state.frames = [*self.state.frames, top][-DEPTH:]
        if self.said and flow.takes_trigger:
            # The answer to "which of these?": what was said before is what the flow is about.
            slots = {flow.takes_trigger: self.said, **slots}
        for slot, value in slots.items():
            self.fill(top, flow, slot, value)
        return True

    def fill(self, frame: Frame, flow: Flow, slot: str, value: Any) -> bool:
        """Put a value that fits into a slot; what the customer says of themselves is saved at once."""
        step = flow.collect(slot)
        if step is None:
            frame.slots[slot] = value
            return True
        accepted = reading.accept(step, value, frame.slots, self.turn)
        if accepted is None:
            return False
        if step.type == "text" and (media := media_words(self.turn)) and media not in accepted:
            accepted = f"{accepted} {media}"
        frame.slots[slot] = accepted
        if slot not in frame.given:
            frame.given.append(slot)
        self.changed.add(frame.flow)
        self.save_person(step.type, accepted)
        return True

    def save_person(self, type: str, value: Any) -> None:
        """A name, phone or e-mail typed anywhere is kept: as a claim, never as proof."""
        write: Write | None = None
        if type == "name" and value != self.turn.customer.name:
            write = SaveContact(name=value)
        elif type in ("phone", "email", "contact"):
            kind = "email" if "@" in str(value) else "phone"
            known = self.turn.customer.emails if kind == "email" else self.turn.customer.phones
            write = AddIdentity(kind, value) if value not in known else None
        if write is not None and write not in self.writes:
            self.writes.append(write)

    def act(
        self, action: Action, slots: Mapping[str, Any], frame: Frame | None = None
    ) -> Generator[Need, Any, Outcome]:
        """Run an action and take its outcome over."""
        gathered: dict[str, Any] = {}
        for running in self.state.frames:
            gathered.update(running.slots)
        given = frozenset(frame.given) if frame else frozenset()
        outcome = yield from action(Context(self.turn, self.lang, slots, given, gathered))
        if outcome.lang:
            self.lang = self.state.lang = outcome.lang
        self.writes.extend(write for write in outcome.writes if write not in self.writes)
        for say in outcome.says:
            self.say(say)
        if frame is not None:
            frame.slots.update(outcome.slots)
        if outcome.ends:
            yield from self.save_all()
            self.state.frames.clear()
            self.state.failed = 0
        return outcome

    def advance(self) -> Steps:
        """Go on with the innermost flow until one asks, or none runs."""
        for _ in range(STEPS):
            top = self.state.top
            if top is None:
                return
            self.flow = self.flow or top.flow
            flow = self.flows[top.flow]
            index = flow.positions.get(top.step)
            if index is None:
                yield from self.finish(top, flow)
                continue
            step = flow.steps[index]
            following = flow.steps[index + 1].id if index + 1 < len(flow.steps) else "end"
            if isinstance(step, Collect):
                if self.passes(step, top, flow):
                    top.step = following
                    continue
                yield from self.changes(top, flow)
                self.question(step, top)
                return
            top.step = yield from self.step(step, top, following)
        self.state.frames.clear()

    def step(self, step: Step, frame: Frame, following: str) -> Generator[Need, Any, str]:
        """Do a step that asks nothing; the id of the next."""
        if isinstance(step, Branch):
            holding = (case.then for case in step.cases if case.when.holds(frame.slots))
            return next(holding, step.otherwise or following)
        if isinstance(step, Goto):
            return step.to
        if isinstance(step, Tell):
            choices = tuple(Choice(id, key) for id, key in step.choices.items())
            self.say(Say(step.key, _shown(frame.slots), choices=choices))
            return following
        if isinstance(step, Set):
            frame.slots.update(step.slots)
            return following
        action = ACTIONS.get(step.action) if isinstance(step, Do) else None
        if action is not None:
            yield from self.act(action, frame.slots, frame)
        return following

    def passes(self, step: Collect, frame: Frame, flow: Flow) -> bool:
        """Whether a question need not, or need no longer, be asked."""
        if step.slot in frame.slots:
            return True
        if step.skip_when_known and step.slot in self.known:
            frame.slots[step.slot] = self.known[step.slot]
            return True
        enough = flow.questions and len(frame.asked) >= flow.questions
        return bool(enough and step.optional and step.slot not in frame.asked)

    def question(self, step: Collect, frame: Frame) -> None:
        """Ask; after a repair text in the same turn the question is in it already."""
        if step.slot not in frame.asked:
            frame.asked.append(step.slot)
        choices = tuple(
            Choice(f"slot:{step.slot}={value}", key, text)
            for value, key, text in reading.choices(step, frame.slots, self.turn)
        )
        if any(say.key == step.invalid for say in self.says):
            self.says = [say for say in self.says if say.key != step.invalid]
            self.says.append(Say(step.invalid, choices=choices))
            return
        self.say(Say(step.ask, _shown(frame.slots), choices=choices))

    def changes(self, frame: Frame, flow: Flow) -> Steps:
        """The flow's `on_change`, once a turn."""
        if frame.flow in self.changed and flow.on_change in ACTIONS:
            self.changed.discard(frame.flow)
            yield from self.act(ACTIONS[flow.on_change], frame.slots, frame)

    def save_all(self) -> Steps:
        """What flows learned that are not the innermost, or that are about to be left."""
        for frame in self.state.frames:
            yield from self.changes(frame, self.flows[frame.flow])

    def finish(self, frame: Frame, flow: Flow) -> Steps:
        """A flow has ended: keep what it learned, and go back to the one below."""
        yield from self.changes(frame, flow)
        if frame in self.state.frames:
            self.state.frames.remove(frame)


def _shown(slots: Mapping[str, Any]) -> dict[str, Any]:
    """Slots as values of a text: the plain ones."""
    return {slot: value for slot, value in slots.items() if isinstance(value, str | int) and value != ""}
