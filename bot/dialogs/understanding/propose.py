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
from bot.dialogs.slots import accept, read_yes_no
from bot.dialogs.state import DialogState, Frame
from bot.dialogs.turn import Turn
from bot.dialogs.understanding.exact import bare
from bot.dialogs.understanding.examples import courtesy, words_of
from bot.dialogs.understanding.extract import (
    Extracted,
    choice_word,
    extract,
    says_something,
    slots_for,
    without_addresses,
)
from bot.dialogs.understanding.model import Guess
from bot.knowledge.tokens import WORD, fold

CHITCHAT = ("greeting", "thanks", "goodbye")
INFORM = "inform"
"""Somebody says who they are: the extractors hold what it says."""
INTERRUPTS = 0.8
"""How sure a guess must be to leave a free-text question unanswered for it."""
SHORT = 5
"""Words up to which a message may be just a value."""
NEAR = 0.35
"""From here two flows are worth asking about."""
_CLAUSE = re.compile(r"[.!?।,;]\s+|\n+")
LIKELY = 0.55
"""From here one is."""


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
        return self.state.top if self.state.top and self.state.top.flow in self.flows else None


def propose(reading: Reading) -> tuple[Command, ...]:
    """The commands of a message."""
    step, frame = reading.state.awaited(reading.flows), reading.frame
    if step is not None and frame is not None:
        return _answer(reading, step, frame, reading.flows[frame.flow])
    return _request(reading)


# --- while a flow waits for an answer --------------------------------------------------------------


def _answer(reading: Reading, step: Collect, frame: Frame, flow: Flow) -> tuple[Command, ...]:
    corrections = _corrections(reading, step, frame, flow)
    value = _value(reading, step, frame)
    if value is not None and not (corrections and step.type in ("text", "choice")):
        others = slots_for(flow, reading.found, reading.text, frozenset({step.slot, *frame.given}))
        # A contact that answers the question is not a second slot as well.
        rest = [SetSlot(slot, other) for slot, other in others.items() if other != value]
        return (*corrections, SetSlot(step.slot, value), *rest)
    if corrections:
        return corrections
    others = slots_for(flow, reading.found, reading.text, frozenset(frame.given))
    if others and not _elsewhere(reading, flow, INTERRUPTS):
        return tuple(SetSlot(slot, other) for slot, other in others.items())
    if bare(reading.text) in _skips():
        return (Deny(),)
    label = reading.guess.label
    if reading.guess.sure and label not in (flow.name, INFORM):
        return (_command(label, reading),)
    if is_question(reading.text):
        return (Ask(reading.text),)
    return (NotUnderstood(reading.text),)


def _value(reading: Reading, step: Collect, frame: Frame) -> Any:
    """The value that answers the question; None when the message is no answer."""
    text, turn = reading.text, reading.turn
    said = bare(text)
    if step.optional and said in _skips():
        return None
    if step.type == "text":
        return (
            None if _elsewhere(reading, reading.flows[frame.flow], INTERRUPTS) or not text.strip() else text
        )
    if step.type == "yes_no":
        return read_yes_no(text)
    if step.type == "choice":
        value = choice_word(step, text) or accept(step, said, frame.slots, turn)
        known = value is not None and value != said
        return value if known or (value is not None and _bare_value(reading)) else None
    if (value := reading.found.fits(step)) is not None:
        return value
    if step.type == "money" and "phone" in reading.found.values:
        return None
    if step.type == "name":
        return accept(step, without_addresses(text), frame.slots, turn) if _bare_value(reading) else None
    if step.type == "money" and reading.guess.sure and is_question(text):
        return None
    return accept(step, text, frame.slots, turn)


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
    if step.type == "text" and not _marks_correction(reading.text):
        return ()
    corrections: list[Command] = []
    for given in frame.given:
        known = flow.collect(given)
        if known is None or given == step.slot or known.type == step.type:
            continue
        value = reading.found.fits(known)
        if value is None and known.early and _marks_correction(reading.text):
            value = choice_word(known, reading.text)
        if value is not None and value != frame.slots.get(given):
            corrections.append(Correct(given, value))
    return tuple(corrections)


def _marks_correction(text: str) -> bool:
    first = WORD.findall(fold(text))[:4]
    return any(word in _correction_words() for word in first)


# --- with nothing running --------------------------------------------------------------------------


def _request(reading: Reading) -> tuple[Command, ...]:
    guess, found = reading.guess, reading.found
    if guess.sure and guess.label != INFORM:
        return (_command(guess.label, reading),)
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
    clauses = _CLAUSE.split(text)
    kept = [clause for clause in clauses[1:] if not slots_for(flow, extract(clause, turn), "")]
    return text if len(kept) == len(clauses) - 1 else ", ".join([clauses[0], *kept]).strip()


def language_named(text: str, lang: str, turn: Turn) -> str | None:
    """The language a text asks for, the last one it names; Hindi asked for in Latin letters stays in them."""
    words = WORD.findall(fold(text))
    named = [_languages()[word] for word in words if word in _languages()]
    if not named:
        return None
    wanted = named[-1]
    if wanted == "hi" and lang == "hi-Latn" and "hi-Latn" in turn.business.languages:
        wanted = "hi-Latn"
    return wanted if wanted in turn.business.languages else None


def is_question(text: str) -> bool:
    """Whether a text asks: by a question mark or a question's words, in Hindi anywhere."""
    if "?" in text or "؟" in text:
        return True
    words = WORD.findall(fold(text))
    if len(words) < 2:
        return False
    begins = " ".join(words[:3]) + " "
    if any(begins.startswith(f"{start} ") for start in _question_words("en")):
        return True
    hindi = _question_words("hi") | _question_words("hi-Latn")
    return any(word in hindi for word in words)


@lru_cache(maxsize=4)
def _question_words(lang: str) -> frozenset[str]:
    return frozenset(fold(word) for word in courtesy()["questions"][lang])


@lru_cache(maxsize=1)
def _skips() -> frozenset[str]:
    return frozenset(bare(word) for word in words_of("skip"))


@lru_cache(maxsize=1)
def _correction_words() -> frozenset[str]:
    return frozenset(word for phrase in words_of("correction") for word in WORD.findall(fold(phrase)))


@lru_cache(maxsize=1)
def _languages() -> Mapping[str, str]:
    return {fold(name): lang for lang, names in courtesy()["languages"].items() for name in names}
