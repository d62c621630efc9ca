"""The dialog engine: pure. It is given a turn and what was understood, asks for what it must read, and
returns a plan.

    plan = decide(turn, understood, flows)      # a generator: yields Need, is sent its answer, returns Plan

Rules that no flow can change stand in `decide`: who owns the conversation, STOP, machines that write.
"""

from collections.abc import Generator, Mapping
from typing import Any

from bot.dialogs import slots as reading
from bot.dialogs.actions import ACTIONS, MENU, Action, Context, Outcome, answer_question, hand_off
from bot.dialogs.commands import (
    Affirm,
    Ask,
    Cancel,
    ChangeLanguage,
    Chitchat,
    Clarify,
    Command,
    Correct,
    Deny,
    Handoff,
    NotUnderstood,
    OptIn,
    OptOut,
    SetSlot,
    StartFlow,
    Understood,
)
from bot.dialogs.flows.model import Branch, Collect, Do, Flow, Flows, Goto, Tell
from bot.dialogs.speech import known_of_customer, media_words, offer, speak_in
from bot.dialogs.state import DialogState, Frame, load
from bot.dialogs.turn import (
    AddIdentity,
    Choice,
    Need,
    Plan,
    SaveContact,
    Say,
    Schedule,
    Turn,
    Write,
)

DEPTH = 3
"""Flows inside flows: deeper, the outermost is forgotten."""
STEPS = 200
"""Steps in one turn, so that a flow that loops without asking ends."""
FAILURES = 2
"""Messages in a row not understood before a person is called."""
BRIEF = 3
"""Words up to which something not understood after STOP is taken as courtesy."""

Steps = Generator[Need, Any, None]


def decide(turn: Turn, understood: Understood, flows: Flows) -> Generator[Need, Any, Plan]:
    """Decide a turn. Never raises on commands or states, however odd."""
    decision = _Decision(turn, understood, flows)
    consent = [command for command in understood.commands if isinstance(command, OptOut | OptIn)]
    if not turn.messages:
        return decision.keep()
    if turn.owner_is_human:
        for command in consent:
            yield from decision.consent(command)
        decision.says.clear()
        return decision.keep()
    if all(message.automatic for message in turn.messages):
        return decision.keep()
    if consent:
        yield from decision.consent(consent[-1])
        return decision.plan()
    if turn.stopped and (not turn.answers_after_stop or _mere_courtesy(understood, turn, decision.state)):
        return decision.keep()
    yield from decision.run()
    return decision.plan()


def _mere_courtesy(understood: Understood, turn: Turn, state: DialogState) -> bool:
    """After STOP: nothing in it that asks for an answer."""
    if state.frames and any(isinstance(command, SetSlot | Affirm | Deny) for command in understood.commands):
        return False
    brief = len(turn.text.split()) <= BRIEF
    return all(
        isinstance(command, Chitchat | Affirm | Deny | Cancel)
        or (isinstance(command, NotUnderstood) and brief)
        for command in understood.commands
    )


class _Decision:
    """One turn being decided."""

    def __init__(self, turn: Turn, understood: Understood, flows: Flows) -> None:
        self.turn = turn
        self.understood = understood
        self.flows = flows
        self.state = load(turn)
        self.before = self.state.failed
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

    # --- plans ---------------------------------------------------------------------------------------

    def keep(self) -> Plan:
        """Say nothing; go on from the same state."""
        return Plan(writes=tuple(self.writes), state=self.turn.state, lang=self.lang, flow=self.flow)

    def plan(self) -> Plan:
        """What was decided."""
        state = self.state
        state.at, state.spoken = self.turn.now, self.lang
        state.offered = self.says[-1].choices if self.says else ()
        writes = self.writes
        if self.turn.stopped and not any(isinstance(command, OptIn) for command in self.understood.commands):
            # Nothing that we would start ourselves after a STOP.
            writes = [write for write in writes if not isinstance(write, Schedule)]
        return Plan(tuple(self.says), tuple(writes), state.to_json(), self.lang, self.flow)

    def consent(self, command: OptOut | OptIn) -> Steps:
        """STOP and START: before everything else, whoever owns the conversation."""
        out = isinstance(command, OptOut)
        self.flow = "stop" if out else "start"
        yield from self.act(ACTIONS["opt_out" if out else "opt_in"], {"words": command.words})

    # --- the turn ------------------------------------------------------------------------------------

    def run(self) -> Steps:
        """Apply each command, then go on with the running flow until it asks or ends."""
        commands: list[Command] = list(self.understood.commands)
        words = media_words(self.turn)
        if not commands and words:
            awaited = self.state.awaited(self.flows)
            if awaited is not None and awaited.type == "text":
                commands = [SetSlot(awaited.slot, words)]
            self.say(Say("media.received"))
        elif not commands and not self.turn.text:
            return
        if any(not isinstance(command, Chitchat) for command in commands):
            commands = [command for command in commands if not isinstance(command, Chitchat)]
        for command in commands:
            yield from self.apply(command)
        yield from self.advance()
        yield from self.save_all()

    def apply(self, command: Command) -> Steps:
        """One command."""
        if isinstance(command, NotUnderstood):
            yield from self.not_understood(command.text)
            return
        if not isinstance(command, SetSlot | Correct | Ask):
            self.state.failed = 0
        match command:
            case StartFlow(flow, slots):
                yield from self.start(flow, slots)
            case SetSlot(name, value):
                yield from self.set_slot(name, value, corrected=False)
            case Correct(name, value):
                yield from self.set_slot(name, value, corrected=True)
            case Ask(question):
                yield from self.ask(question)
            case Handoff():
                yield from self.start("talk_to_person", {})
            case ChangeLanguage(lang):
                yield from self.start("change_language", {"lang": lang} if lang else {})
            case Chitchat(kind):
                yield from self.courtesy(kind)
            case Affirm():
                yield from self.affirm()
            case Deny():
                yield from self.deny()
            case Cancel():
                self.cancel()
            case Clarify(names):
                self.clarify(names)

    def say(self, say: Say) -> None:
        """Add a text, once."""
        if say not in self.says:
            self.says.append(say)

    def start(self, name: str, slots: Mapping[str, Any]) -> Steps:
        """Begin a flow, go on with it when it runs already, or put it on top of the running one."""
        flow = self.flows.get(name)
        if flow is None or not flow.steps:
            yield from self.not_understood(self.turn.text)
            return
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

    def set_slot(self, name: str, value: Any, corrected: bool) -> Steps:
        """An answer, an early answer, or a correction; without a flow that takes it, a claim."""
        for frame in reversed(self.state.frames):
            flow = self.flows[frame.flow]
            step = flow.collect(name)
            if step is None:
                continue
            had = name in frame.given
            if self.fill(frame, flow, name, value):
                self.state.failed = 0
                if corrected and had:
                    self.say(Say("slot.corrected"))
            else:
                yield from self.fail(step.invalid)
            return
        yield from self.stray(name, value)

    def stray(self, name: str, value: Any) -> Steps:
        """A value that no running flow asked for."""
        lead = self.flows.get("capture_lead")
        if name in ("name", "phone", "email", "contact") and isinstance(value, str):
            self.state.failed = 0
            self.save_person(name, value)
            self.say(Say("contact.noted"))
        elif lead is not None and lead.collect(name) is not None:
            self.state.failed = 0
            yield from self.start("capture_lead", {name: value})
        else:
            yield from self.not_understood(self.turn.text)

    def ask(self, question: str) -> Steps:
        """A question: answered, whatever runs; the running flow asks again after it."""
        self.flow = self.flow or "ask_knowledge"
        outcome = yield from self.act(answer_question, {"question": question})
        if not outcome.unanswered:
            self.state.failed = 0
            return
        self.state.failed = self.before + 1
        if self.state.failed >= FAILURES:
            self.says.clear()
            yield from self.give_up("no_answer")

    def courtesy(self, kind: str) -> Steps:
        """Answer in kind; a greeting with nothing running begins the conversation."""
        if kind != "greeting" or self.state.frames:
            key = kind if kind in ("greeting", "thanks", "goodbye") else "other"
            self.say(Say(f"courtesy.{key}"))
            return
        dropped = self.flows.get(self.state.dropped)
        if dropped is not None and dropped.title:
            self.say(Say("resume.offer", choices=(Choice(f"flow:{dropped.name}", dropped.title), *MENU[2:])))
            return
        yield from self.start("greet", {})

    def affirm(self) -> Steps:
        """Yes: to the question of the flow, else to the one thing that was offered."""
        step = self.state.awaited(self.flows)
        if step is not None:
            if step.type == "yes_no":
                yield from self.set_slot(step.slot, True, corrected=False)
            return
        if len(self.state.offered) in (1, 2) and (name := offer(self.state.offered[0])) and self.agreeable():
            yield from self.start(name, {})
        elif self.state.offered:
            self.say(Say("clarify.which", choices=self.state.offered))
        else:
            self.say(Say("courtesy.other"))

    def agreeable(self) -> bool:
        """Whether "yes" to what was offered is clear: one thing, or one and a person instead."""
        return len(self.state.offered) == 1 or offer(self.state.offered[1]) == "talk_to_person"

    def deny(self) -> Steps:
        """No: an answer, a slot passed over, or the end of a flow that cannot do without it."""
        step, top = self.state.awaited(self.flows), self.state.top
        if step is None or top is None:
            self.say(Say("courtesy.fine"))
        elif step.type == "yes_no":
            yield from self.set_slot(step.slot, False, corrected=False)
        elif step.optional:
            top.slots[step.slot] = None
        else:
            self.cancel()

    def cancel(self) -> None:
        """Leave all running flows."""
        self.say(Say("flow.cancelled" if self.state.frames else "flow.nothing_to_cancel"))
        self.state.frames.clear()

    def clarify(self, names: tuple[str, ...]) -> None:
        """Ask which of a few flows was meant."""
        flows = [self.flows[name] for name in names if name in self.flows]
        options = tuple(Choice(f"flow:{flow.name}", flow.title) for flow in flows if flow.title)
        if len(options) == 1:
            options = (*options, *(choice for choice in MENU[2:] if choice not in options))
        self.state.said = self.turn.text
        self.say(Say("clarify.which", choices=options or MENU))

    def not_understood(self, text: str) -> Steps:
        """An article may still answer it; else say so, and after the second time call a person."""
        step = self.state.awaited(self.flows)
        if step is not None:
            yield from self.fail(step.invalid)
            return
        if len(text.split()) > 1:
            says, writes = list(self.says), list(self.writes)
            outcome = yield from self.act(answer_question, {"question": text})
            if not outcome.unanswered:
                self.state.failed = 0
                return
            # No article: that is our not understanding, not a question to be noted as unanswered.
            self.says, self.writes = says, writes
        yield from self.fail("")

    def fail(self, repair: str) -> Steps:
        """Count a failure: repair once, then hand over. Counted once a turn."""
        self.state.failed = self.before + 1
        if self.state.failed >= FAILURES:
            yield from self.give_up("not_understood")
        else:
            self.say(Say(repair) if repair else Say("not_understood", choices=MENU))

    def give_up(self, reason: str) -> Steps:
        """Call a person."""
        self.flow = "talk_to_person"
        yield from self.act(hand_off, {"reason": reason})

    # --- running a flow ------------------------------------------------------------------------------

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

    def step(
        self, step: Tell | Do | Branch | Goto, frame: Frame, following: str
    ) -> Generator[Need, Any, str]:
        """Do a step that asks nothing; the id of the next."""
        if isinstance(step, Branch):
            return step.then if step.when.holds(frame.slots) else step.otherwise or following
        if isinstance(step, Goto):
            return step.to
        if isinstance(step, Tell):
            choices = tuple(Choice(id, key) for id, key in step.choices.items())
            self.say(Say(step.key, _shown(frame.slots), choices=choices))
            return following
        action = ACTIONS.get(step.action)
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
            for value, key, text in reading.choices(step, frame.slots)
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
