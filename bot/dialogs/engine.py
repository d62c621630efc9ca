"""The dialog engine: pure. It is given a turn and what was understood, asks for what it must read, and
returns a plan.

    plan = decide(turn, understood, flows)      # a generator: yields Need, is sent its answer, returns Plan

Rules that no flow can change stand in `decide`: who owns the conversation, STOP, machines that write.
"""

from collections.abc import Generator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bot.dialogs.actions import ACTIONS, MENU, answer_question
from bot.dialogs.answering import FAILURES, HELPED, Answering
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
    Rate,
    Resume,
    SetSlot,
    StartFlow,
    Understood,
)
from bot.dialogs.fitting import fit
from bot.dialogs.flows.model import MEMORY, Collect, Flows
from bot.dialogs.patience import answer_instead
from bot.dialogs.running import Steps
from bot.dialogs.speech import media_words
from bot.dialogs.state import DialogState
from bot.dialogs.turn import Choice, Need, NoteAbuse, NoteQuestion, Plan, Say, Schedule, Turn

SAID = 2000
"""Letters that are kept of what was said before we asked back."""
HELPED_AGAIN = timedelta(minutes=10)
"""Within so long of each other only one answer is asked about whether it helped."""
BRIEF = 3
"""Words up to which something not understood after STOP is taken as courtesy."""


def decide(turn: Turn, understood: Understood, flows: Flows) -> Generator[Need, Any, Plan]:
    """Decide a turn. Never raises on commands or states, however odd."""
    decision = _Decision(turn, understood, flows)
    consent = [command for command in understood.commands if isinstance(command, OptOut | OptIn)]
    if not turn.messages:
        return decision.keep()
    if turn.owner_is_human:
        for command in consent:
            yield from decision.consent(command)
        decision.rated()
        decision.says.clear()
        return decision.keep()
    if all(message.automatic for message in turn.messages):
        return decision.keep()
    if consent:
        yield from decision.consent(consent[-1])
        return decision.plan()
    if turn.stopped and (not turn.answers_after_stop or _mere_courtesy(understood, turn, decision.state)):
        return decision.keep()
    instead = answer_instead(turn, understood, decision.state)
    if understood.abusive:
        decision.writes.append(NoteAbuse())
    if instead is not None:
        return decision.hold(instead)
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


class _Decision(Answering):
    """One turn being decided."""

    # --- plans ---------------------------------------------------------------------------------------

    def keep(self) -> Plan:
        """Say nothing; go on from the same state."""
        return Plan(writes=tuple(self.writes), state=self.turn.state, lang=self.lang, flow=self.flow)

    def hold(self, says: tuple[Say, ...]) -> Plan:
        """Say only this, perhaps nothing; what runs waits."""
        state = self.state
        state.at, state.after, state.said = self.turn.now, self.before_flow, self.said
        state.offered = says[-1].choices if says else state.offered
        return Plan(says, tuple(self.writes), state.to_json(), self.lang, self.flow)

    def plan(self) -> Plan:
        """What was decided."""
        state = self.state
        state.at, state.spoken = self.turn.now, self.lang
        state.offered = self.says[-1].choices if self.says else ()
        state.after = "" if state.frames else self.flow
        state.source = next((one.source for one in self.turn.messages if one.source), state.source)
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
        self.limits_said()
        if not commands and words:
            awaited = self.state.awaited(self.flows)
            if awaited is not None and awaited.type == "text":
                commands = [SetSlot(awaited.slot, words)]
            if not self.says:
                self.say(Say("media.received"))
        elif not commands and any(message.unsupported for message in self.turn.messages):
            called = all(message.unsupported == "call" for message in self.turn.messages)
            if called and self.state.called:
                return  # it was said once
            self.state.called = self.state.called or called
            self.say(Say("message.call" if called else "message.unsupported"))
        elif not commands and not self.turn.text.strip():
            return
        if any(not isinstance(command, Chitchat) for command in commands):
            commands = [command for command in commands if not isinstance(command, Chitchat)]
        asked = self.state.awaited(self.flows)
        if self.state.confirming(self.flows) and any(isinstance(one, SetSlot | Correct) for one in commands):
            # "Yes, but at six": what is to be confirmed is another thing now.
            commands = [command for command in commands if not isinstance(command, Affirm | Deny)]
        for command in commands:
            yield from self.apply(command)
        self.note(asked)
        yield from self.advance()
        yield from self.save_all()
        self.ask_helped()

    def rated(self) -> None:
        """What the customer says of an answer, whoever owns the conversation by now."""
        for command in self.understood.commands:
            if isinstance(command, Rate):
                self.rate(command.question, command.helped)

    def ask_helped(self) -> None:
        """Ask by buttons on the answer whether it helped: once, and only where nothing else is asked."""
        last, turn = self.state.helped_at, self.turn
        lately = last is not None and turn.now - last < HELPED_AGAIN
        asked = [write for write in self.writes if isinstance(write, NoteQuestion)]
        if not turn.asks_helped or lately or turn.stopped or self.state.frames or not asked:
            return
        if not asked[-1].article_id or any(say.choices for say in self.says):
            return
        self.writes[self.writes.index(asked[-1])] = replace(asked[-1], id=turn.question_id)
        yes = Choice(f"{HELPED}{turn.question_id}", "helped.yes")
        no = Choice(f"helped:no:{turn.question_id}", "helped.no")
        self.says[-1] = replace(self.says[-1], choices=(yes, no))
        self.state.helped_at = turn.now

    def limits_said(self) -> None:
        """Say what of the messages was over a limit."""
        if any(message.unsupported == "file" for message in self.turn.messages):
            self.say(Say("media.too_large"))
        if any(message.cut for message in self.turn.messages):
            self.say(Say("message.cut"))

    def note(self, asked: Collect | None) -> None:
        """Say that something was taken in when it was no answer to the question, which is asked again."""
        step, top = self.state.awaited(self.flows), self.state.top
        taken = [c for c in self.understood.commands if isinstance(c, SetSlot)]
        if asked is None or step is not asked or top is None or self.says or not taken:
            return
        if asked.slot not in top.slots and any(command.name in top.given for command in taken):
            self.say(Say("slot.noted"))

    def apply(self, command: Command) -> Steps:
        """One command."""
        if isinstance(command, NotUnderstood):
            yield from self.not_understood(command.text)
            return
        if not isinstance(command, SetSlot | Correct | Ask | Clarify):
            self.state.failed = 0
        match command:
            case StartFlow("open_case", _) if self.goes_on(self.turn.text):
                pass
            case StartFlow(flow, slots):
                if not self.takes_up(flow) and not self.start(flow, slots):
                    yield from self.not_understood(self.turn.text)
            case Resume(anew):
                if not self.resume(anew):
                    self.start("greet", {})
            case SetSlot(name, value):
                yield from self.slot(name, value, corrected=False)
            case Correct(name, value):
                yield from self.slot(name, value, corrected=True)
            case Ask(question):
                yield from self.ask_knowledge(question)
            case Rate(question, helped):
                self.rate(question, helped)
            case Handoff():
                yield from self.give_up("asked")
            case ChangeLanguage(lang):
                self.start("change_language", {"lang": lang} if lang else {})
            case Chitchat(kind):
                self.courtesy(kind)
            case Affirm():
                yield from self.affirm()
            case Deny():
                yield from self.deny()
            case Cancel():
                yield from self.cancel()
            case Clarify(names):
                yield from self.clarify(names)

    def slot(self, name: str, value: Any, corrected: bool) -> Steps:
        """A value: for a running flow, else a claim."""
        taken = yield from self.set_slot(name, value, corrected)
        if not taken:
            yield from self.stray(name, value)

    def stray(self, name: str, value: Any) -> Steps:
        """A value that no running flow asked for."""
        lead = self.flows.get("capture_lead")
        if self.goes_on(self.turn.text):
            return
        if name in ("name", "phone", "email", "contact") and isinstance(value, str):
            self.state.failed = 0
            self.save_person(name, value)
            self.say(Say("contact.noted"))
        elif lead is not None and lead.collect(name) is not None:
            self.state.failed = 0
            self.start("capture_lead", {name: value})
        else:
            yield from self.not_understood(self.turn.text)

    def ask_knowledge(self, question: str) -> Steps:
        """A question: answered, whatever runs; the running flow asks again after it."""
        self.flow = self.flow or "ask_knowledge"
        articles = [choice.text for choice in self.state.offered if choice.id.startswith("article:")]
        slots = {"question": question, "chosen": question in articles}
        outcome = yield from self.act(answer_question, slots)
        self.digressed = True
        if not outcome.unanswered:
            self.state.failed = 0
            return
        # Understood, though no article knows it: no failure, and a person was offered.
        self.state.failed = self.before
        if not self.state.frames:
            self.offer_near()

    def offer_near(self) -> None:
        """Offer what the customer may have meant, before the person."""
        near = tuple(
            Choice(f"flow:{name}", flow.title)
            for name in self.understood.near
            if (flow := self.flows.get(name)) is not None and flow.title
        )
        if near and self.says:
            self.state.said = self.turn.text[:SAID]
            last = self.says.pop()
            rest = tuple(choice for choice in last.choices if choice not in near)
            self.says.append(replace(last, choices=(*near, *rest)))

    def courtesy(self, kind: str) -> None:
        """Answer in kind. A greeting with nothing running begins a conversation; thanks end one that can."""
        step = self.state.awaited(self.flows)
        if kind == "why":
            self.say(Say("slot.why" if step is not None else "courtesy.other"))
            return
        if step is not None and step.optional and kind in ("thanks", "goodbye"):
            self.leave_open()
            return
        if kind == "other" and step is not None:
            return
        if kind != "greeting" or self.state.frames:
            key = kind if kind in ("greeting", "thanks", "goodbye") else "other"
            self.say(Say(f"courtesy.{key}"))
            return
        if not self.offers_resume():
            self.start("greet", {})

    def takes_up(self, name: str) -> bool:
        """Asked again for what waits: offer to go on with it, where the flow says that it remembers."""
        waiting = self.state.paused[0].flow if self.state.paused else ""
        flow = self.flows.get(waiting)
        return flow is not None and waiting == name and flow.remembers != MEMORY and self.offers_resume()

    def leave_open(self) -> None:
        """Pass over all that the running flow need not know: the customer takes leave."""
        top = self.state.top
        if top is not None:
            for step in self.flow_of(top).collects():
                if step.optional:
                    top.slots.setdefault(step.slot, None)

    def clarify(self, names: tuple[str, ...]) -> Steps:
        """Ask which of a few flows was meant: half a failure, so that it is not asked twice in a row."""
        if self.goes_on(self.turn.text):
            return
        self.state.failed = self.before + 1
        if self.state.failed >= FAILURES:
            yield from self.give_up("not_understood")
            return
        flows = [self.flows[name] for name in names if name in self.flows]
        options = tuple(Choice(f"flow:{flow.name}", flow.title) for flow in flows if flow.title)
        if len(options) == 1:
            options = (*options, *(choice for choice in MENU[-1:] if choice not in options))
        self.state.said = self.turn.text[:SAID]
        self.say(Say("clarify.which", choices=options or MENU))

    def not_understood(self, text: str) -> Steps:
        """An article may still answer it; else say so, and after the second time call a person."""
        step, top = self.state.awaited(self.flows), self.state.top
        if step is not None and top is not None:
            yield from self.unfit(step, fit(step, text, top.slots, self.turn, self.lang))
            return
        sure = self.state.confirming(self.flows)
        if sure is not None and top is not None:
            yield from self.fail(sure, Say("confirm.what_is_wrong" if top.doubted else "invalid.yes_no"))
            return
        if self.offers_resume():
            return
        if self.goes_on(text):
            return
        if len(text.split()) > 1:
            says, writes = list(self.says), list(self.writes)
            outcome = yield from self.act(answer_question, {"question": text})
            if not outcome.unanswered:
                self.state.failed = 0
                return
            # No article: that is our not understanding, not a question to be noted as unanswered.
            self.says, self.writes = says, writes
        yield from self.fail(None, Say("not_understood", choices=MENU))
        if self.state.failed:
            self.offer_near()

    def goes_on(self, text: str) -> bool:
        """Right after a case was opened: words that fit nothing else are more of it."""
        if self.before_flow not in ("open_case", "add_to_case") or len(text.split()) < 3:
            return False
        return not self.state.frames and self.start("add_to_case", {"addition": text})
