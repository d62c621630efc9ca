"""From a text, what it holds and what it most likely means to the commands that are proposed. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

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
    SetSlot,
    StartFlow,
)
from bot.dialogs.flows.model import Collect, Flow, Flows
from bot.dialogs.slots import accept, read_name, read_yes_no
from bot.dialogs.state import DialogState, Frame, running
from bot.dialogs.turn import Turn
from bot.dialogs.understanding.corrections import corrections_in, marks_correction, named_wrong
from bot.dialogs.understanding.exact import bare
from bot.dialogs.understanding.examples import courtesy, words_of
from bot.dialogs.understanding.extract import (
    Extracted,
    choice_word,
    extract,
    said_unasked,
    says_something,
    slots_for,
    without_addresses,
)
from bot.dialogs.understanding.manners import SHORT, asks_why, gives_up, has_none, is_question, passes_over
from bot.dialogs.understanding.model import Guess
from bot.dialogs.understanding.named_language import language_named

CHITCHAT = ("greeting", "thanks", "goodbye")
_HEARD_ALWAYS = ("talk_to_person", "cancel", "ask_knowledge", "change_language")
"""What is heard also where anything answers the question."""
INFORM = "inform"
"""Somebody says who they are: the extractors hold what it says."""
INTERRUPTS = 0.8
"""How sure a guess must be to leave a free-text question unanswered for it."""
NEAR = 0.35
"""From here two flows are worth asking about."""
_CLAUSE = re.compile(r"[.!?।,;۔؟،؛]\s+|\n+")
WORDS = re.compile(r"[^\W\d_]")
LIKELY = 0.55
"""From here one is."""
DIGITS = 7
"""Digits from which a number is a poor phone number sooner than a sum of money."""
FAR = 0.05
"""From here one is worth a button when nothing else is understood."""
CLOSE = 0.2
"""From here a second flow is too likely to begin the first without asking, unless that is SURELY meant."""
SURELY = 0.75
_PLAIN_KINDS = ("date", "time", "datetime", "phone", "email", "contact", "order_number")
LONG = 12
"""Words from which on an answer in words corrects nothing but by how it begins."""


@dataclass(frozen=True, slots=True)
class Reading:
    """All that is known of a text. `guess` is the classifier's; `lang` the text's language."""

    text: str
    lang: str
    found: Extracted
    guess: Guess
    turn: Turn
    state: DialogState
    flows: Flows

    @property
    def frame(self) -> Frame | None:
        """The running flow."""
        top = self.state.top
        return top if top is not None and running(top, self.flows) is not None else None

    @property
    def flow(self) -> Flow:
        """The flow of the running frame, in the version that it began."""
        found = running(self.frame, self.flows) if self.frame is not None else None
        assert found is not None, "asked only while a flow runs"
        return found


def propose(reading: Reading) -> tuple[Command, ...]:
    """The commands of a message."""
    step, frame = reading.state.awaited(reading.flows), reading.frame
    if step is not None and frame is not None:
        return _answer(reading, step, frame, reading.flow)
    if frame is not None and reading.state.confirming(reading.flows) is not None:
        return _confirm(reading, frame, reading.flow)
    return _request(reading)


# --- while a flow waits for an answer --------------------------------------------------------------


def _answer(reading: Reading, step: Collect, frame: Frame, flow: Flow) -> tuple[Command, ...]:
    corrections = _corrections(reading, step, frame, flow) or _callers(reading, step, frame)
    value = _value(reading, step, frame)
    if gives_up(reading.text) and not corrections and (value is None or step.type == "text"):
        return (Cancel(),)
    if value is not None and not (corrections and step.type in ("text", "choice")):
        others = slots_for(flow, reading.found, reading.text, frozenset({step.slot, *frame.given}))
        # A contact that answers the question is not a second slot as well.
        rest = [SetSlot(slot, other) for slot, other in others.items() if other != value]
        return (*corrections, SetSlot(step.slot, value), *rest)
    if corrections:
        return corrections
    if step.type in ("phone", "contact") and _mere_digits(reading.text):
        return (NotUnderstood(reading.text),)  # a digit is missing: it is no sum of money
    asks = is_question(reading.text)
    others = slots_for(flow, reading.found, "" if asks else reading.text, frozenset(frame.given))
    if not asks and (name := _late_name(reading, step, frame, flow)):
        others = {**others, "name": name}
    denies = reading.guess.label in ("affirm", "deny")
    if others and (denies or not _elsewhere(reading, flow, INTERRUPTS)):
        return tuple(SetSlot(slot, other) for slot, other in others.items())
    denied = step.optional and has_none(reading.text) and not _for_person(reading)
    if _passes_over(reading.text, step) or denied:
        return (Deny(),)
    if step.type != "text" and asks_why(reading.text):
        return (Chitchat("why"),)
    label = reading.guess.label
    if reading.guess.sure and label not in (flow.name, INFORM) and not (asks and _unlikely(reading)):
        return (_beside(label, reading),)
    if asks:
        return (Ask(reading.text),)
    again = slots_for(flow, reading.found, reading.text, frozenset({step.slot}))
    return tuple(SetSlot(*slot) for slot in again.items()) or (NotUnderstood(reading.text),)


def _mere_digits(text: str) -> bool:
    return not WORDS.search(text) and sum(char.isdecimal() for char in text) >= DIGITS


def _passes_over(text: str, step: Collect) -> bool:
    """The same of a question: "no" passes over one where anything may be said."""
    alone = " " not in bare(text)
    return passes_over(text) or (step.anything and alone and read_yes_no(text) is False)


def _for_person(reading: Reading) -> bool:
    """Whether it asks for a person."""
    return reading.guess.sure and reading.guess.label == "talk_to_person"


def _unlikely(reading: Reading) -> bool:
    """Whether the guess is another flow, and not sure enough to leave a question for it."""
    return reading.guess.label in reading.flows and reading.guess.confidence < INTERRUPTS


def _value(reading: Reading, step: Collect, frame: Frame) -> Any:
    """The value that answers the question; None when the message is no answer."""
    text, turn = reading.text, reading.turn
    said = bare(text)
    if (step.optional and _passes_over(text, step)) or not text.strip():
        return None
    if step.digits and not any(char.isdecimal() for char in text):
        return None
    if step.digits and sum(char.isdecimal() for char in text) == step.digits:
        return text
    if step.type == "text":
        words = step.digits or WORDS.search(text)
        leaves = not step.anything or reading.guess.label in _HEARD_ALWAYS
        asks = text.rstrip().endswith(("?", "؟")) and is_question(text)
        return (
            None if not words or asks or (leaves and _elsewhere(reading, reading.flow, INTERRUPTS)) else text
        )
    if step.type == "yes_no":
        return read_yes_no(text)
    if step.type == "choice":
        value = choice_word(step, text) or reading.found.fits(step) or accept(step, said, frame.slots, turn)
        known = value is not None and (value != said or value in step.choices)
        return value if known or (value is not None and _free_value(reading, step, frame)) else None
    if (value := reading.found.fits(step)) is not None:
        return value
    if step.type == "money" and "phone" in reading.found.values:
        return None
    if step.type == "name":
        free = _free_value(reading, step, frame) or _sounds_courteous(reading)
        return accept(step, without_addresses(text), frame.slots, turn) if free else None
    if step.type == "money" and reading.guess.sure and is_question(text):
        return None
    return accept(step, text, frame.slots, turn)


def _sounds_courteous(reading: Reading) -> bool:
    """Whether a word or two were only taken for a greeting: "Ramanathan" begins as "Ram Ram" does."""
    few = len(reading.text.split()) <= 3 and not is_question(reading.text)
    return few and reading.guess.label in CHITCHAT and bare(reading.text) not in _frills()


def _free_value(reading: Reading, step: Collect, frame: Frame) -> bool:
    """Whether a message may be any words at all: it is short and answers no other question of the flow."""
    flow = reading.flow
    if step.type == "name" and reading.guess.label == flow.name and reading.guess.confidence >= LIKELY:
        return False
    if not _bare_value(reading) or _late_name(reading, step, frame, flow):
        return False
    rest = (other for other in flow.collects() if other.slot != step.slot)
    return not any(
        said_unasked(other, reading.text)
        or (other.type in ("money", "choice") and reading.found.fits(other) is not None)
        for other in rest
    )


def _late_name(reading: Reading, step: Collect, frame: Frame, flow: Flow) -> str | None:
    """A name said after its question was passed over: capitals and nothing else."""
    known = flow.collect("name")
    if known is None or step.slot == "name" or "name" not in frame.asked or frame.slots.get("name"):
        return None
    words = reading.text.split()
    if not 0 < len(words) <= 3 or any(word[:1].islower() for word in words) or not _bare_value(reading):
        return None
    if _passes_over(reading.text, step) or reading.found.values.keys() & {"money", "when"}:
        return None
    taken = any(choice_word(other, reading.text) for other in flow.collects())
    return None if taken else read_name(reading.text)


def _bare_value(reading: Reading) -> bool:
    """Short, and neither a question nor surely something else."""
    if len(reading.text.split()) > SHORT or is_question(reading.text):
        return False
    guess = reading.guess
    return guess.label == INFORM or not (guess.sure and guess.confidence >= INTERRUPTS)


def _elsewhere(reading: Reading, flow: Flow, at_least: float) -> bool:
    """Whether the message surely means something other than an answer in this flow."""
    guess = reading.guess
    if not guess.sure or guess.confidence < at_least or guess.label in (flow.name, INFORM):
        return False
    if guess.label in ("affirm", "deny", "cancel", *CHITCHAT):
        return len(reading.text.split()) <= SHORT
    # What goes wrong, or is added, is told in words that sound like questions and other requests.
    return guess.label != "ask_knowledge" or is_question(reading.text)


def _corrections(reading: Reading, step: Collect, frame: Frame, flow: Flow) -> tuple[Command, ...]:
    """New values for slots answered before, when the message says that it corrects, or names its kind."""
    marked = marks_correction(reading.text)
    if step.type == "text" and not marked:
        return ()
    answers = choice_word(step, reading.text) if step.type == "choice" else None
    others = tuple(
        known
        for slot in frame.given
        if (known := flow.collect(slot)) is not None
        and slot != step.slot
        and (known.type != step.type or (marked and step.type == "choice" and answers is None))
    )
    found = _instead(reading, others, frame, marked)
    if step.type == "text" and not _briefly(reading, others, frame):
        # What is told is full of denials and figures: of those only a day, an hour or a number corrects.
        kinds = {known.slot: known.type for known in others}
        plain = all(kinds[one.name] in _PLAIN_KINDS for one in found)
        if not plain or len(reading.text.split()) > LONG:
            return ()
    if found or not marked or step.type == "text":
        return found
    wrong = named_wrong([flow.collect(slot) for slot in frame.given if slot != step.slot], reading.text)
    return (Correct(wrong, None),) if wrong else ()


def _callers(reading: Reading, step: Collect, frame: Frame) -> tuple[Command, ...]:
    """A new value for what the calling flow had, in place of a code: "sorry, the order is 48213"."""
    frames = reading.state.frames
    figures = sum(char.isdecimal() for char in reading.text)
    if not step.digits or not frame.call or figures == step.digits or len(frames) < 2:
        return ()
    below, flow = frames[-2], running(frames[-2], reading.flows)
    if flow is None or not marks_correction(reading.text):
        return ()
    for known in (flow.collect(slot) for slot in below.given):
        value = accept(known, reading.text, below.slots, reading.turn) if known is not None else None
        if known is not None and value is not None and value != below.slots.get(known.slot):
            return (Correct(known.slot, value),)
    return ()


def _instead(reading: Reading, steps: tuple[Collect, ...], frame: Frame, marked: bool) -> tuple[Correct, ...]:
    return corrections_in(reading.text, reading.lang, reading.turn, steps, frame.slots, marked)


def _briefly(reading: Reading, steps: tuple[Collect, ...], frame: Frame) -> bool:
    """Whether a long text begins with a few words that correct something: "make that 2, I remember now …"."""
    first = _CLAUSE.split(reading.text)[0]
    if len(first.split()) > SHORT or not marks_correction(first):
        return False
    return bool(corrections_in(first, reading.lang, reading.turn, steps, frame.slots, True))


def _confirm(reading: Reading, frame: Frame, flow: Flow) -> tuple[Command, ...]:
    """While it waits for a yes: a correction, yes or no, or something else."""
    text = reading.text
    steps = tuple(step for step in flow.collects() if frame.slots.get(step.slot) is not None)
    if found := _instead(reading, steps, frame, True):
        return found
    frame_asks = frame.doubted and len(text.split()) <= SHORT
    if (marks_correction(text) or frame_asks) and (wrong := named_wrong(steps, text)):
        return (Correct(wrong, None),)
    said = read_yes_no(text)
    if said is not None:
        return (Affirm() if said else Deny(),)
    if gives_up(text):
        return (Cancel(),)
    label = reading.guess.label
    if reading.guess.sure and label not in (flow.name, INFORM):
        return (_beside(label, reading),)
    return (Ask(text) if is_question(text) else NotUnderstood(text),)


def _beside(label: str, reading: Reading) -> Command:
    """Another matter while a flow waits: what would be recorded by this one message is asked about first."""
    command = _command(label, reading)
    if isinstance(command, StartFlow):
        flow = reading.flows[command.flow]
        if flow.steps and all(step.slot in command.slots for step in flow.collects()):
            return Clarify((command.flow,))
    return command


# --- with nothing running --------------------------------------------------------------------------


def _request(reading: Reading) -> tuple[Command, ...]:
    guess, found = reading.guess, reading.found
    if guess.sure and guess.label == "cancel" and is_question(reading.text):
        # Nothing runs that could be cancelled: it asks whether an order can be.
        return (Ask(reading.text),)
    if reading.state.after and gives_up(reading.text):
        return (Cancel(),)
    if guess.sure and guess.label != INFORM:
        close = _close(reading)
        return (Clarify(close) if close else _command(guess.label, reading),)
    if "case_number" in found.values and len(reading.text.split()) <= SHORT:
        return (StartFlow("case_status", {"case_number": found.values["case_number"]}),)
    if is_question(reading.text):
        return (Ask(reading.text),)
    claims = [
        SetSlot(kind, found.values[kind]) for kind in ("name", "phone", "email") if kind in found.values
    ]
    if claims and len(reading.text.split()) <= 2 * SHORT:
        return tuple(claims)
    near = [label for label, probability in guess.ranked if probability >= NEAR and label in reading.flows]
    if len(near) > 1 or (near and guess.confidence >= LIKELY):
        return (Clarify(tuple(near[:2])),)
    return (NotUnderstood(reading.text),)


def _close(reading: Reading) -> tuple[str, ...]:
    """The two flows that a message may mean as likely; empty when one is surely meant."""
    (first, likely), *rest = reading.guess.ranked
    if not rest or likely >= SURELY or rest[0][1] < CLOSE:
        return ()
    both = (first, rest[0][0])
    return both if all(_can_start(name, reading.flows) for name in both) else ()


def _can_start(name: str, flows: Flows) -> bool:
    """Whether it is a flow that a button can offer."""
    flow = flows.get(name)
    return flow is not None and bool(flow.steps and flow.title) and not flow.calls_only


def near_flows(guess: Guess, flows: Flows) -> tuple[str, ...]:
    """The flows that a message that was not understood may have meant."""
    return tuple(name for name, likely in guess.ranked if likely >= FAR and _can_start(name, flows))


def _command(label: str, reading: Reading) -> Command:
    """The command that a label of the classifier stands for."""
    if label == "ask_knowledge":
        return Ask(reading.text)
    if label == "talk_to_person":
        return Handoff()
    if label == "change_language":
        return ChangeLanguage(language_named(reading.text, reading.lang, reading.turn))
    if label in CHITCHAT:
        return Chitchat(label)
    plain: Mapping[str, Command] = {"cancel": Cancel(), "affirm": Affirm(), "deny": Deny()}
    if label in plain:
        return plain[label]
    flow = reading.flows.get(label)
    if flow is None:
        return NotUnderstood(reading.text)
    return StartFlow(label, start_slots(flow, reading))


def start_slots(flow: Flow, reading: Reading) -> dict[str, Any]:
    """What the message that starts a flow already says."""
    slots = slots_for(flow, reading.found, reading.text)
    if flow.takes_trigger:
        matter = _matter(reading.text, flow, reading.turn)
        if says_something(matter):
            slots[flow.takes_trigger] = matter
    return slots


def _matter(text: str, flow: Flow, turn: Turn) -> str:
    """The text without the clauses that only fill other slots ("my name is Ravi", "9876543210")."""
    if all(step.slot == flow.takes_trigger for step in flow.collects()):
        return text
    clauses = [clause.strip() for clause in _CLAUSE.split(text) if clause.strip()]
    closing = next((n for n, clause in enumerate(clauses) if n and bare(clause) in _closings()), len(clauses))
    kept = [clause for clause in clauses[:closing] if not _only_fills(clause, flow, turn)]
    if len(kept) == len(clauses):
        return text
    return ", ".join(kept) if says_something(" ".join(kept)) else text


def _only_fills(clause: str, flow: Flow, turn: Turn) -> bool:
    """Whether a clause answers other questions of a flow, or only greets."""
    if bare(clause) in _frills():
        return True
    found = extract(clause, turn)
    if any(found.values.get(kind) for kind in ("name", "phone", "email", "money")):
        return bool(slots_for(flow, found, ""))
    hinted = any(step.hints and said_unasked(step, clause) for step in flow.collects())
    return hinted or ("when" in found.values and len(clause.split()) <= 4)


@lru_cache(maxsize=1)
def _closings() -> frozenset[str]:
    """What stands above a letter's signature."""
    return frozenset(bare(word) for word in words_of("closings"))


@lru_cache(maxsize=1)
def _frills() -> frozenset[str]:
    """Whole clauses that say nothing of the matter: greetings and thanks."""
    intents = courtesy()["intents"]
    said = (text for kind in CHITCHAT for texts in intents[kind].values() for text in texts)
    return frozenset(bare(str(text)) for text in (*said, *words_of("frills"), *words_of("closings")))
