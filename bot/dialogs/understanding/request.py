"""What a message means with nothing running: which flow it starts, and what of that flow it already says."""

import re
from collections.abc import Mapping
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
    Deny,
    Handoff,
    NotUnderstood,
    SetSlot,
    StartFlow,
)
from bot.dialogs.flows.model import Flow, Flows
from bot.dialogs.slots import accept
from bot.dialogs.turn import Turn
from bot.dialogs.understanding.exact import bare
from bot.dialogs.understanding.examples import courtesy, words_of
from bot.dialogs.understanding.extract import extract, said_unasked, says_something, slots_for
from bot.dialogs.understanding.manners import SHORT, gives_up, is_question
from bot.dialogs.understanding.model import Guess
from bot.dialogs.understanding.named_language import language_named
from bot.dialogs.understanding.reading import CHITCHAT, HAS_NONE, INFORM, Reading
from bot.knowledge.retrieve import goes_on

CLAUSE = re.compile(r"[.!?।,;۔؟،؛]\s+|\n+")
LIKELY = 0.55
"""From here one flow is worth asking about, """
NEAR = 0.35
"""and from here two."""
FAR = 0.05
"""From here one is worth a button when nothing else is understood."""
CLOSE = 0.12
"""From here another flow is too likely to begin the first without asking, unless that is SURELY meant."""
SURELY, QUITE_SURELY = 0.75, 0.9


def request(reading: Reading) -> tuple[Command, ...]:
    """What a message asks for."""
    guess, found = reading.guess, reading.found
    if guess.sure and guess.label == "cancel" and is_question(reading.text):
        # Nothing runs that could be cancelled: it asks whether an order can be.
        return (Ask(reading.text),)
    aside = reading.aside
    leaves = aside.sure and aside.label == "cancel" and aside.confidence >= SURELY
    if (reading.state.after or reading.state.said) and (gives_up(reading.text) or leaves):
        return (Cancel(),)
    follows = reading.state.after == "ask_knowledge" and goes_on(reading.text)
    if guess.sure and guess.label not in (INFORM, HAS_NONE):
        close = _close(reading)
        if not (close and follows):
            return (Clarify(close) if close else command_of(guess.label, reading),)
    if follows:
        return (Ask(reading.text),)
    if "case_number" in found.values and len(reading.text.split()) <= SHORT:
        return (StartFlow("case_status", {"case_number": found.values["case_number"]}),)
    if (order := _order_alone(reading)) is not None:
        return (order,)
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


def _order_alone(reading: Reading) -> StartFlow | None:
    """Few words with a number that may be an order's: "50991 ka kya hua"."""
    flow = reading.flows.get("order_status")
    step = flow.collect("order_number") if flow is not None else None
    likely = any(label == "order_status" for label, _ in reading.guess.ranked)
    if step is None or not likely or len(reading.text.split()) > 2 * SHORT:
        return None
    number = accept(step, reading.text, {}, reading.turn)
    return StartFlow("order_status", {"order_number": number}) if number else None


def _close(reading: Reading) -> tuple[str, ...]:
    """The few flows that a message may mean; empty when one is surely meant. What would be on record by this
    one message must be surer."""
    (name, likely), *rest = reading.guess.ranked
    if not _can_start(name, reading.flows):
        return ()
    flow = reading.flows[name]
    slots = start_slots(flow, reading)
    recorded = bool(flow.on_cancel) and all(step.slot in slots for step in flow.collects())
    if likely >= (QUITE_SURELY if recorded else SURELY):
        return ()
    others = [(other, chance) for other, chance in rest if chance >= FAR and _can_start(other, reading.flows)]
    doubted = likely < LIKELY and name != "ask_knowledge"  # an answer harms nobody
    close = recorded or doubted or any(chance >= CLOSE for _, chance in others)
    return (name, *(other for other, _ in others)) if close else ()


def _can_start(name: str, flows: Flows) -> bool:
    """Whether it is a flow that a button can offer."""
    flow = flows.get(name)
    return flow is not None and bool(flow.steps and flow.title) and not flow.calls_only


def near_flows(guess: Guess, flows: Flows) -> tuple[str, ...]:
    """The flows that a message that was not understood may have meant."""
    return tuple(name for name, likely in guess.ranked if likely >= FAR and _can_start(name, flows))


def command_of(label: str, reading: Reading) -> Command:
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
    clauses = [clause.strip() for clause in CLAUSE.split(text) if clause.strip()]
    closing = next((n for n, clause in enumerate(clauses) if n and bare(clause) in _closings()), len(clauses))
    kept = [clause for clause in clauses[:closing] if not _only_fills(clause, flow, turn)]
    if len(kept) == len(clauses):
        return text
    return ", ".join(kept) if says_something(" ".join(kept)) else text


def _only_fills(clause: str, flow: Flow, turn: Turn) -> bool:
    """Whether a clause answers other questions of a flow, or only greets."""
    if bare(clause) in frills():
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
def frills() -> frozenset[str]:
    """Whole clauses that say nothing of the matter: greetings and thanks."""
    intents = courtesy()["intents"]
    said = (text for kind in CHITCHAT for texts in intents[kind].values() for text in texts)
    return frozenset(bare(str(text)) for text in (*said, *words_of("frills"), *words_of("closings")))
