"""What an answer does to the flow that asked: it fills a slot, corrects one, is repaired, says yes or no."""

from collections.abc import Generator, Mapping
from typing import Any

from bot.dialogs.actions import ACTIONS
from bot.dialogs.fitting import Fit, fit
from bot.dialogs.flows.model import Collect, Confirm, Flow
from bot.dialogs.patience import PERSON
from bot.dialogs.running import Running, Steps, after, correctable
from bot.dialogs.speech import offer
from bot.dialogs.state import running
from bot.dialogs.turn import Choice, Need, RateAnswer, Say

FAILURES = 2
"""Messages in a row not understood before a person is called."""
HELPED = "helped:yes:"
"""How the buttons begin that say that an answer helped; its question follows."""
GO_ON, ANEW = Choice("resume:on", "resume.go_on"), Choice("resume:anew", "resume.anew")


class Answering(Running):
    """A turn whose messages answer."""

    # --- slots ---------------------------------------------------------------------------------------

    def set_slot(self, name: str, value: Any, corrected: bool) -> Generator[Need, Any, bool]:
        """An answer, an early answer, or a correction. False when no running flow asks for it."""
        for frame in reversed(self.state.frames):
            flow = self.flow_of(frame)
            step = flow.collect(name)
            if step is None:
                continue
            had = name in frame.given
            if corrected and value is None:
                self.reopen(name)
                return True
            found = self.fill(frame, flow, name, value)
            if found.value is not None:
                self.state.failed = 0
                if corrected and had:
                    self.say(Say("slot.corrected"))
            else:
                yield from self.unfit(step, found)
            return True
        return False

    def reopen(self, name: str) -> None:
        """What was answered is wrong: ask it again."""
        self.state.failed = 0
        top = self.state.top
        step = self.flow_of(top).collect(name) if top is not None else None
        if top is not None and step is not None and step.id in top.path:
            self.rewind(top, step)
            top.forget(name)

    # --- repair --------------------------------------------------------------------------------------

    def unfit(self, step: Collect, found: Fit) -> Steps:
        """Say what is wrong with an answer; after as many as the question bears, go another way."""
        top = self.state.top
        if top is None or not step.tries or self.state.awaited(self.flows) is not step:
            yield from self.fail(step, Say(found.key(step), found.values))
            return
        top.tries += 1
        self.state.failed = 0
        if top.tries < step.tries:
            self.mend(step, Say(found.key(step), found.values))
        elif not self.leave(step.otherwise):
            yield from self.give_up("not_understood")

    def fail(self, step: Collect | Confirm | None, repair: Say) -> Steps:
        """Count a failure: repair once, then hand over. Counted once a turn."""
        self.state.failed = self.before + 1
        if self.state.failed >= FAILURES:
            yield from self.give_up("not_understood")
        else:
            self.mend(step, repair)

    def mend(self, step: Collect | Confirm | None, repair: Say) -> None:
        """Say what is wrong, in place of the question."""
        self.repair = (step, repair) if step is not None else None
        self.say(repair)

    # --- yes and no ----------------------------------------------------------------------------------

    def affirm(self) -> Steps:
        """Yes: to the question of the flow, else to the one thing that was offered."""
        step, sure = self.state.awaited(self.flows), self.state.confirming(self.flows)
        if sure is not None:
            self.agree(sure)
        elif step is not None:
            if step.type == "yes_no":
                yield from self.set_slot(step.slot, True, corrected=False)
        elif GO_ON in self.state.offered:
            self.resume(anew=False)
        elif question := self.asked_helped():
            self.rate(question, True)
        elif (
            len(self.state.offered) in (1, 2) and (name := offer(self.state.offered[0])) and self.agreeable()
        ):
            self.start(name, {})
        elif self.state.offered:
            self.say(Say("clarify.which", choices=self.state.offered))
        else:
            self.say(Say("courtesy.other"))

    def asked_helped(self) -> str:
        """The question about whose answer the last reply asked whether it helped."""
        return next((one.id[len(HELPED) :] for one in self.state.offered if one.id.startswith(HELPED)), "")

    def rate(self, question: str, helped: bool) -> None:
        """Whether an answer helped; who was not helped is offered a person."""
        self.writes.append(RateAnswer(question, helped))
        self.say(Say("helped.thanks") if helped else Say("helped.sorry", choices=PERSON))

    def agree(self, step: Confirm) -> None:
        """Yes to what was to be confirmed; while it is asked what is wrong, nothing is."""
        top = self.state.top
        if top is None or top.doubted:
            if top is not None:
                top.doubted = False
            return
        flow = self.flow_of(top)
        top.path.append(step.id)
        top.go(after(flow, flow.positions[step.id]))

    def agreeable(self) -> bool:
        """Whether "yes" to what was offered is clear: one thing, or one and a person instead."""
        return len(self.state.offered) == 1 or offer(self.state.offered[1]) == "talk_to_person"

    def deny(self) -> Steps:
        """No: an answer, a slot passed over, or the end of a flow that cannot do without it."""
        step, top = self.state.awaited(self.flows), self.state.top
        if top is not None and (sure := self.state.confirming(self.flows)) is not None:
            self.doubt(sure)
        elif (question := self.asked_helped()) and step is None:
            self.rate(question, False)
        elif step is None or top is None:
            if GO_ON in self.state.offered:
                self.state.paused = []
            self.say(Say("courtesy.fine"))
        elif step.type == "yes_no":
            yield from self.set_slot(step.slot, False, corrected=False)
        elif step.optional:
            top.slots[step.slot] = None
        elif not self.leave(step.otherwise):
            self.say(Say("flow.cancelled"))

    def doubt(self, step: Confirm) -> None:
        """No to what was to be confirmed: ask what is wrong; the second time leave it."""
        top = self.state.top
        if top is not None and not top.doubted and correctable(top, self.flow_of(top)):
            top.doubted = True
        elif not self.leave(step.otherwise):
            self.say(Say("flow.cancelled"))

    def cancel(self) -> Steps:
        """Leave all running flows, and those that wait; what they have recorded so far is taken back, and
        what the last one did that has just ended."""
        taken_back = False
        for frame in reversed(self.state.frames):
            yield from self.take_back(self.flow_of(frame), frame.slots)
        last = self.flows.get(self.before_flow)
        if not self.state.frames and last is not None:
            taken_back = yield from self.take_back(last, {})
        running = bool(self.state.frames) or taken_back
        self.say(Say("flow.cancelled" if running else "flow.nothing_to_cancel"))
        self.state.frames.clear()
        self.state.paused = []

    def take_back(self, flow: Flow, slots: Mapping[str, Any]) -> Generator[Need, Any, bool]:
        """A flow's `on_cancel`. Whether it took anything back."""
        action = ACTIONS.get(flow.on_cancel)
        if action is None:
            return False
        outcome = yield from self.act(action, slots)
        return bool(outcome.writes)

    # --- going on another day ------------------------------------------------------------------------

    def offers_resume(self) -> bool:
        """Offer to go on with what waited too long; not twice in a row."""
        if not self.state.paused or self.state.frames or GO_ON in self.state.offered:
            return False
        self.say(Say("resume.offer", choices=(GO_ON, ANEW)))
        return True

    def resume(self, anew: bool) -> bool:
        """Go on with what waited, or begin it anew. What has run out meanwhile is asked again."""
        paused, self.state.paused = self.state.paused, []
        if not paused:
            return False
        if anew:
            return self.start(paused[0].flow, {})
        self.state.frames = [frame for frame in paused if running(frame, self.flows) is not None]
        top = self.state.top
        if top is None:
            return self.start(paused[0].flow, {})
        self.flow = top.flow
        for step in self.flow_of(top).collects():
            if step.after != "now" or step.slot not in top.slots:
                continue
            if fit(step, top.slots[step.slot], top.slots, self.turn, self.lang).value is None:
                self.rewind(top, step)
                top.forget(step.slot)
        return True
