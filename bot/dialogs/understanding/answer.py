"""What a message means while a flow waits: an answer, a yes or no, a correction, or another matter."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bot.dialogs.commands import (
    Affirm,
    Ask,
    Cancel,
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
from bot.dialogs.flows.model import Collect, Flow
from bot.dialogs.slots import accept, read_name, read_yes_no
from bot.dialogs.state import Frame, running
from bot.dialogs.understanding.corrections import corrections_in, marks_correction, named_wrong
from bot.dialogs.understanding.exact import bare
from bot.dialogs.understanding.extract import (
    choice_word,
    grade,
    is_word_of,
    said_unasked,
    slots_for,
    without_addresses,
)
from bot.dialogs.understanding.manners import (
    SHORT,
    asks_to_write,
    asks_why,
    denies,
    gives_up,
    has_none,
    is_question,
    passes_over,
)
from bot.dialogs.understanding.reading import CHITCHAT, HAS_NONE, INFORM, Reading
from bot.dialogs.understanding.request import CLAUSE, LIKELY, command_of, frills
from bot.knowledge.tokens import WORD

_HEARD_ALWAYS = ("talk_to_person", "cancel", "change_language")
"""What is heard also where anything answers the question."""
_ASIDES: Mapping[str, Command] = {"talk_to_person": Handoff(), "cancel": Cancel()}
ASIDE = 0.6
"""How sure an aside must be where no answer is understood."""
PERHAPS = 0.35
"""How sure it must be that somebody has not what they need not have."""
TOLD_SURELY = 0.93
"""How sure it must be where anything may be told."""
ALMOST = 0.1
"""How much less sure than an answer an aside may be."""
INTERRUPTS = 0.8
"""How sure a guess must be to leave a free-text question unanswered for it."""
WORDS = re.compile(r"[^\W\d_]")
WORDS_OF = re.compile(r"[^\W\d_]{2,}")
TOLD = 3
"""Words from which a number stands in a sentence, and is no mistyped code."""
DIGITS = 7
"""Digits from which a number is a poor phone number sooner than a sum of money."""
_PLAIN_KINDS = ("date", "time", "datetime", "phone", "email", "contact", "order_number")
RECHOSEN = 0.9
"""How sure it must be that another choice is made of what was chosen before."""
BRIEF = 8
"""Words up to which a clause may be nothing but a correction."""
LONG = 12
"""Words from which on an answer in words corrects nothing but by how it begins."""


def answer(reading: Reading, step: Collect, frame: Frame, flow: Flow) -> tuple[Command, ...]:
    """While a question waits."""
    corrections = _corrections(reading, step, frame, flow) or _callers(reading, step, frame)
    value = _value(reading, step, frame)
    rechosen = _rechosen(reading, frame) if step.type == "choice" and not corrections else None
    if rechosen is not None and not (reading.answer.sure and reading.answer.confidence >= rechosen[1]):
        return (rechosen[0],)
    if (command := _instead_of_answer(reading, step, value)) is not None:
        return (command,)
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
    yes_or_no = reading.guess.label in ("affirm", "deny")
    if others and (yes_or_no or not _elsewhere(reading, flow, INTERRUPTS)):
        return tuple(SetSlot(slot, other) for slot, other in others.items())
    denied = step.optional and _lacks(reading)
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


def _instead_of_answer(reading: Reading, step: Collect, value: Any) -> Command | None:
    """What an aside asks for: a person, an end, or to pass over the question. A value that fits is no aside
    unless that is very sure."""
    aside = reading.aside
    if step.optional and _passes_over(reading.text, step):
        return None  # the very words that the question offers
    needed = ASIDE if value is None or step.type == "name" else INTERRUPTS
    if step.type == "choice" and value is not None and reading.answer.sure:
        needed = max(needed, reading.answer.confidence - ALMOST)
    if step.type == "text" and not step.digits:  # whatever is told has words of all kinds
        needed = TOLD_SURELY
    if aside.label == "cancel" and gives_up(reading.text):
        needed = 0.0
    if aside.label == "cancel" and "cancel" in step.choices and value is not None:
        return None  # to cancel is one of the answers
    if aside.label == HAS_NONE and step.optional and value is None:
        needed = PERHAPS
    if not aside.sure or aside.confidence < needed:
        return None
    if aside.label == HAS_NONE:
        return (Deny() if step.optional else NotUnderstood(reading.text)) if value is None else None
    return _ASIDES.get(aside.label)


def _mere_digits(text: str) -> bool:
    return not WORDS.search(text) and sum(char.isdecimal() for char in text) >= DIGITS


def _passes_over(text: str, step: Collect) -> bool:
    """The same of a question: "no" passes over one where anything may be said."""
    alone = " " not in bare(text)
    return passes_over(text) or (step.anything and alone and read_yes_no(text) is False)


def _lacks(reading: Reading) -> bool:
    """Whether somebody says that they have not what they are asked for."""
    if reading.guess.sure and reading.guess.label in ("talk_to_person", "cancel"):
        return False
    return reading.guess.label == HAS_NONE or has_none(reading.text)


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
        read, word = reading.found.fits(step), choice_word(step, text)
        # A month or a festival that is named says more than "end" or "before" beside it.
        told = (read if read not in step.choices else None) or word or read
        learned = _learned(reading, step)
        value = (grade(step, text) if step.grades else None) or (
            told or learned if step.reads else learned or told
        )
        value = value or accept(step, said, frame.slots, turn)
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


def _learned(reading: Reading, step: Collect) -> str | None:
    """The choice that the classifier reads in an answer; in a few words the known ones decide sooner."""
    answer = reading.answer
    if not answer.sure or answer.label not in step.choices or is_word_of(step, reading.text):
        return None
    asks = reading.text.rstrip().endswith(("?", "؟"))
    return None if asks and answer.confidence < INTERRUPTS else answer.label


def _sounds_courteous(reading: Reading) -> bool:
    """Whether a few words were only taken for a courtesy: "Ramanathan" begins as "Ram Ram" does."""
    few = len(reading.text.split()) <= 3 and not is_question(reading.text)
    return few and reading.guess.label in (*CHITCHAT, "affirm") and bare(reading.text) not in frills()


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
    if not guess.sure or guess.confidence < at_least or guess.label in (flow.name, INFORM, HAS_NONE):
        return False
    if guess.label in ("affirm", "deny", "cancel", *CHITCHAT):
        return len(reading.text.split()) <= SHORT
    # What goes wrong, or is added, is told in words that sound like questions and other requests.
    return guess.label != "ask_knowledge" or is_question(reading.text)


def _corrections(reading: Reading, step: Collect, frame: Frame, flow: Flow) -> tuple[Command, ...]:
    """New values for slots answered before, when the message says that it corrects, or names its kind."""
    given = [flow.collect(slot) for slot in frame.given if slot != step.slot]
    named = named_wrong(given, reading.text) is not None and step.type != "text"
    marked = named or marks_correction(reading.text) or (step.type == "text" and denies(reading.text))
    if step.type == "text" and (graded := _graded_anew(reading, given)) is not None:
        return (graded,)
    if step.type == "text" and not marked:
        return _another_time(reading, given, frame)
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
    wrong = named_wrong(given, reading.text) if marks_correction(reading.text) else None
    return (Correct(wrong, None),) if wrong else ()


def _another_time(reading: Reading, given: Sequence[Collect | None], frame: Frame) -> tuple[Correct, ...]:
    """A day and hour, or an hour of the clock, in few words where a matter is told after a time was agreed
    on: "she is in class then, do 5:15 pm thursday"."""
    steps = tuple(one for one in given if one is not None and one.type == "datetime")
    if not steps or len(reading.text.split()) > LONG or "time" not in reading.found.values:
        return ()
    return _instead(reading, steps, frame, True)


def _rechosen(reading: Reading, frame: Frame) -> tuple[Correct, float] | None:
    """Another choice than the one made before, in words of the customer's own, and how sure that is."""
    if len(reading.text.split()) < TOLD or read_yes_no(reading.text) is not None:
        return None
    for slot, guess in reading.choices.items():
        if guess.sure and guess.confidence >= RECHOSEN and guess.label != frame.slots.get(slot):
            return Correct(slot, guess.label), guess.confidence
    return None


def _graded_anew(reading: Reading, given: Sequence[Collect | None]) -> Correct | None:
    """Another grade beside what is told: "make that 4 stars", "5 likhiye"."""
    step = next((one for one in given if one is not None and one.grades), None)
    if step is None:
        return None
    named = named_wrong([step], reading.text) is not None
    slots = reading.frame.slots if reading.frame else {}
    if marks_correction(reading.text) and len(reading.text.split()) <= LONG:
        last = [word for word in WORD.findall(reading.text) if word in step.choices]
        if last and last[-1] != slots.get(step.slot):
            return Correct(step.slot, last[-1])
    for clause in CLAUSE.split(reading.text):
        words = WORD.findall(clause)
        figure = any(word.isdecimal() for word in words)
        if figure and (named or len(words) == 1 or (len(words) <= 3 and asks_to_write(clause))):
            value = grade(step, clause)
            if value is not None and value != slots.get(step.slot):
                return Correct(step.slot, value)
    return None


def _callers(reading: Reading, step: Collect, frame: Frame) -> tuple[Command, ...]:
    """A new value for what the calling flow had, in place of a code: "sorry, the order is 48213"."""
    frames = reading.state.frames
    figures = sum(char.isdecimal() for char in reading.text)
    if not step.digits or not frame.call or figures == step.digits or len(frames) < 2:
        return ()
    below, flow = frames[-2], running(frames[-2], reading.flows)
    if flow is None or not (marks_correction(reading.text) or len(WORDS_OF.findall(reading.text)) >= TOLD):
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
    first = CLAUSE.split(reading.text)[0]
    if len(first.split()) > BRIEF or not marks_correction(first):
        return False
    return bool(corrections_in(first, reading.lang, reading.turn, steps, frame.slots, True))


def confirmation(reading: Reading, frame: Frame, flow: Flow) -> tuple[Command, ...]:
    """While it waits for a yes: a correction, yes or no, or something else."""
    text, aside = reading.text, reading.aside
    steps = tuple(step for step in flow.collects() if frame.slots.get(step.slot) is not None)
    if found := _instead(reading, steps, frame, True):
        return found
    if (rechosen := _rechosen(reading, frame)) is not None:
        return (rechosen[0],)
    leaves = _ASIDES.get(aside.label) if aside.sure and aside.confidence >= INTERRUPTS else None
    if leaves is not None and len(text.split()) > 1:
        return (leaves,)
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
    command = command_of(label, reading)
    if isinstance(command, StartFlow):
        flow = reading.flows[command.flow]
        if flow.steps and all(step.slot in command.slots for step in flow.collects()):
            return Clarify((command.flow,))
    return command
