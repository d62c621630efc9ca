"""Running flows within a turn: from step to step until one asks. What a message means for them is the
engine's to say."""

from collections.abc import Generator, Mapping
from typing import Any

from bot.dialogs.actions import ACTIONS, Action, Context, Outcome, hand_off
from bot.dialogs.commands import Understood
from bot.dialogs.fitting import Fit, fit
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
from bot.dialogs.shown import shown
from bot.dialogs.slots import choices
from bot.dialogs.speech import known_of_customer, media_words, speak_in
from bot.dialogs.state import Frame, load, running
from bot.dialogs.turn import AddIdentity, Choice, Need, SaveContact, Say, Turn, Write

DEPTH = 6
"""Flows inside flows: deeper, the outermost is forgotten."""
STEPS = 200
"""Steps in one turn, so that a flow that loops without asking ends."""
YES, NO = Choice("answer:yes", "answer.yes"), Choice("answer:no", "answer.no")

Steps = Generator[Need, Any, None]


class Running:
    """The flows of a turn and what they have said and written so far."""

    def __init__(self, turn: Turn, understood: Understood, flows: Flows) -> None:
        self.turn = turn
        self.understood = understood
        self.flows = flows
        self.state = load(turn, flows)
        self.before = self.state.failed
        self.before_flow, self.state.after = self.state.after, ""
        self.said, self.state.said = self.state.said, ""
        self.says: list[Say] = []
        self.writes: list[Write] = []
        self.lang = speak_in(turn, understood, self.state)
        self.known = known_of_customer(turn)
        self.changed: set[str] = set()
        self.flow = ""
        self.repair: tuple[Collect | Confirm, Say] | None = None
        self.digressed = False
        self.state.frames = [frame for frame in self.state.frames if running(frame, flows) is not None]

    def flow_of(self, frame: Frame) -> Flow:
        """The flow of a frame that runs."""
        flow = self.flows.version(frame.flow, frame.version)
        assert flow is not None, "frames without a flow are dropped when the turn begins"
        return flow

    def say(self, say: Say) -> None:
        """Add a text, once."""
        if say not in self.says:
            self.says.append(say)

    # --- beginning and filling -----------------------------------------------------------------------

    def start(self, name: str, slots: Mapping[str, Any]) -> bool:
        """Begin a flow, go on with it when it runs already, or put it on top of the running one. False when
        there is no such flow, or none that customers start."""
        flow = self.flows.get(name)
        if flow is None or not flow.steps or flow.calls_only:
            return False
        self.flow = name
        if self.state.paused and self.state.paused[0].flow == name:
            self.state.paused = []
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
            self.fill(top, self.flow_of(top), slot, value)
        return True

    def fill(self, frame: Frame, flow: Flow, slot: str, value: Any) -> Fit:
        """Put a value that fits into a slot; what the customer says of themselves is saved at once. What is
        corrected after it was used is used again: the flow goes back to its question and on from there."""
        step = flow.collect(slot)
        if step is None:
            frame.slots[slot] = value
            return Fit(value)
        found = fit(step, value, frame.slots, self.turn, self.lang)
        if found.value is None:
            return found
        accepted = found.value
        if step.type == "text" and (media := media_words(self.turn)) and media not in accepted:
            accepted = f"{accepted} {media}"
        if slot in frame.slots and frame.slots[slot] != accepted:
            self.rewind(frame, step)
        frame.slots[slot] = accepted
        frame.tries = 0
        if slot not in frame.given:
            frame.given.append(slot)
        self.changed.add(frame.flow)
        self.save_person(step.type, accepted)
        return found

    def rewind(self, frame: Frame, step: Collect) -> None:
        """Go back to a question that the flow has behind it, asked or jumped over; flows that it called since
        are over."""
        at = self.state.frames.index(frame)
        if not all(above.call for above in self.state.frames[at + 1 :]):
            return  # something else was begun meanwhile, and goes first
        flow = self.flow_of(frame)
        there = len(flow.steps)
        if step.id in frame.path:
            last = len(frame.path) - frame.path[::-1].index(step.id)
            frame.path = frame.path[:last]
        elif flow.positions[step.id] >= flow.positions.get(frame.step, there):
            return
        del self.state.frames[at + 1 :]
        frame.go(step.id)

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
        for one in self.state.frames:
            gathered.update(one.slots)
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
            self.state.paused = []
            self.state.failed = 0
        return outcome

    def give_up(self, reason: str) -> Steps:
        """Call a person."""
        self.flow = "talk_to_person"
        yield from self.act(hand_off, {"reason": reason})

    # --- from step to step ---------------------------------------------------------------------------

    def advance(self) -> Steps:
        """Go on with the innermost flow until one asks, or none runs."""
        for _ in range(STEPS):
            top = self.state.top
            if top is None:
                return
            self.flow = self.flow or top.flow
            flow = self.flow_of(top)
            index = flow.positions.get(top.step)
            if index is None:
                yield from self.finish(top, flow)
                continue
            step = flow.steps[index]
            if isinstance(step, Collect) and self.passes(step, top, flow):
                top.path.append(step.id)
                top.go(after(flow, index))
                continue
            if isinstance(step, Collect | Confirm):
                yield from self.wait(step, top, flow)
                return
            to = yield from self.step(step, top, after(flow, index))
            if to != top.step:
                top.go(to)
        # It went round and round without a question: a person sorts it out.
        yield from self.give_up("failed")

    def wait(self, step: Collect | Confirm, frame: Frame, flow: Flow) -> Steps:
        """Ask, unless this question has come round too often."""
        yield from self.changes(frame, flow)
        if frame.path.count(step.id) >= flow.repeats:
            yield from self.give_up("not_understood")
        elif isinstance(step, Confirm):
            self.ask_yes(step, frame, flow)
        else:
            self.question(step, frame, flow)

    def step(self, step: Step, frame: Frame, following: str) -> Generator[Need, Any, str]:
        """Do a step that asks nothing; the id of the next."""
        if isinstance(step, Branch):
            holding = (case.then for case in step.cases if case.when.holds(frame.slots))
            return next(holding, step.otherwise or following)
        if isinstance(step, Goto):
            return step.to
        if isinstance(step, Set):
            for slot, value in step.slots.items():
                frame.forget(slot)
                if value is not None:
                    frame.slots[slot] = value
            return following
        if isinstance(step, Call):
            frame.path.append(step.id)
            return step.id if self.call(step, frame) else step.otherwise or END
        if isinstance(step, Tell):
            buttons = tuple(Choice(id, key) for id, key in step.choices.items())
            self.say(Say(step.key, shown(frame.slots, self.flow_of(frame), self.lang), choices=buttons))
            return following
        action = ACTIONS.get(step.action) if isinstance(step, Do) else None
        if action is not None:
            yield from self.act(action, frame.slots, frame)
        return following

    def call(self, step: Call, frame: Frame) -> bool:
        """Put a called flow on top; this one waits at the step until it has ended."""
        flow = self.flows.get(step.flow)
        often = frame.path.count(step.id) > self.flow_of(frame).repeats
        if flow is None or not flow.steps or often or len(self.state.frames) >= DEPTH:
            return False
        slots = {its: frame.slots[ours] for its, ours in step.takes.items() if ours in frame.slots}
        given = [its for its, ours in step.takes.items() if ours in frame.given]
        self.state.frames.append(
            Frame(flow.name, flow.version, flow.steps[0].id, slots, given=given, call=step.id)
        )
        return True

    def passes(self, step: Collect, frame: Frame, flow: Flow) -> bool:
        """Whether a question need not, or need no longer, be asked."""
        if step.slot in frame.slots:
            return True
        if step.skip_when_known and step.slot in self.known and step.id not in frame.path:
            frame.slots[step.slot] = self.known[step.slot]
            return True
        enough = flow.questions and len(frame.asked) >= flow.questions
        return bool(enough and step.optional and step.slot not in frame.asked)

    # --- asking --------------------------------------------------------------------------------------

    def question(self, step: Collect, frame: Frame, flow: Flow) -> None:
        """Ask; after a repair text in the same turn the question is in it already."""
        back = step.slot in frame.asked and self.digressed
        if step.slot not in frame.asked:
            frame.asked.append(step.slot)
        buttons = tuple(
            Choice(f"slot:{step.slot}={value}", key, text)
            for value, key, text in choices(step, frame.slots, self.turn)
        )
        self.ask(step, Say(step.ask, shown(frame.slots, flow, self.lang), choices=buttons), back)

    def ask_yes(self, step: Confirm, frame: Frame, flow: Flow) -> None:
        """Ask for a yes, or what is wrong."""
        wanted = correctable(frame, flow) if frame.doubted else []
        named = tuple(Choice(f"again:{slot}", flow.label(slot)) for slot in wanted)
        if named:
            leave = Choice("answer:no", "confirm.leave")
            self.ask(step, Say("confirm.what_is_wrong", choices=(*named, leave)), False)
        else:
            asked = Say(step.ask, shown(frame.slots, flow, self.lang), choices=(YES, NO))
            self.ask(step, asked, self.digressed)

    def ask(self, step: Collect | Confirm, say: Say, back: bool) -> None:
        """Ask; a text that says what is wrong with its answer asks already, and gets the buttons."""
        if self.repair is not None and self.repair[0] is step and self.repair[1] in self.says:
            repair = self.repair[1]
            self.says.remove(repair)
            self.says.append(Say(repair.key, repair.values, choices=say.choices))
            return
        if back:
            self.say(Say("back.to_it"))
        self.say(say)

    # --- ending --------------------------------------------------------------------------------------

    def changes(self, frame: Frame, flow: Flow) -> Steps:
        """The flow's `on_change`, once a turn."""
        if frame.flow in self.changed and flow.on_change in ACTIONS:
            self.changed.discard(frame.flow)
            yield from self.act(ACTIONS[flow.on_change], frame.slots, frame)

    def save_all(self) -> Steps:
        """What flows learned that are not the innermost, or that are about to be left."""
        for frame in self.state.frames:
            yield from self.changes(frame, self.flow_of(frame))

    def finish(self, frame: Frame, flow: Flow) -> Steps:
        """A flow has ended: keep what it learned, and go back to the one below, or that called it."""
        yield from self.changes(frame, flow)
        if frame not in self.state.frames:
            return
        self.state.frames.remove(frame)
        caller = self.caller(frame)
        if caller is None:
            self.digressed = True
            return
        below, step = caller
        for ours, its in step.gives.items():
            if its in frame.slots:
                below.slots[ours] = frame.slots[its]
        calling = self.flow_of(below)
        below.go(after(calling, calling.positions[step.id]))

    def caller(self, frame: Frame) -> tuple[Frame, Call] | None:
        """The frame below one that was just left, and its step, if it called that one."""
        below = self.state.top
        if below is None or not frame.call or below.step != frame.call:
            return None
        flow = self.flow_of(below)
        index = flow.positions.get(below.step)
        step = flow.steps[index] if index is not None else None
        return (below, step) if isinstance(step, Call) else None

    def leave(self, otherwise: str) -> bool:
        """The innermost flow gets no further at its question: it goes on at `otherwise`, else what called it
        does at its own. False when nothing is left to go on with: then all flows are over."""
        while (top := self.state.top) is not None:
            if otherwise:
                top.path.append(top.step)
                top.go(otherwise)
                return True
            self.state.frames.remove(top)
            caller = self.caller(top)
            if caller is None:
                break
            otherwise = caller[1].otherwise
        self.state.frames.clear()
        return False


def correctable(frame: Frame, flow: Flow) -> list[str]:
    """The slots behind a flow that the customer can name as wrong."""
    return [
        step.slot
        for step in flow.collects()
        if step.id in frame.path and frame.slots.get(step.slot) is not None
    ]


def after(flow: Flow, index: int) -> str:
    """The step that follows on another."""
    return flow.steps[index + 1].id if index + 1 < len(flow.steps) else END
