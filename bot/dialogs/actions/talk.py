"""What flows do about the conversation itself: answers from articles, handoff, language, STOP and START."""

from collections.abc import Generator
from typing import Any

from bot.dialogs.actions.leads import FOLLOWUP
from bot.dialogs.actions.outcome import Context, Outcome, cut
from bot.dialogs.turn import (
    Choice,
    HandOff,
    Need,
    NoteQuestion,
    RecordConsent,
    SaveContact,
    Say,
    SearchKnowledge,
    Unschedule,
)


def answer_question(context: Context) -> Generator[Need, Any, Outcome]:
    """Answer from the articles, ask back between a few, or say honestly that there is none."""
    question = str(context.slots.get("question") or "")
    answer: Any = yield SearchKnowledge(question, context.lang)
    if answer is not None and answer.kind == "found":
        outcome = "chosen" if context.slots.get("chosen") else "answered"
        source = Say("knowledge.source", {"title": answer.title, "url": answer.url})
        if not answer.url:
            source = Say("knowledge.source_title", {"title": answer.title})
        note = NoteQuestion(question, outcome, answer.article_id)
        return Outcome(says=(Say(text=answer.text), source), writes=(note,))
    if answer is not None and answer.kind == "unsure" and answer.options:
        options = tuple(Choice(f"article:{option.id}", text=option.title) for option in answer.options)
        return Outcome(
            says=(Say("knowledge.which", choices=options),), writes=(NoteQuestion(question, "unsure"),)
        )
    return Outcome(
        says=(Say("knowledge.none", choices=(Choice("flow:talk_to_person", "flow.talk_to_person"),)),),
        writes=(NoteQuestion(question, "none"),),
        unanswered=True,
    )


_NOT_TOLD = frozenset(
    [
        "reason",
        "cases",
        "times",
        "times_of",
        "days",
        "visits",
        "visit_id",
        "case_id",
        "code",
        "code_sent",
        "code_state",
        "verified",
        "time_free",
        "booked",
        "orders",
    ]
)
"""Slots that help a flow along and tell a person nothing."""


def hand_off(context: Context) -> Generator[Need, Any, Outcome]:
    """Give the conversation to a person, and say honestly when one will answer."""
    yield from ()
    reason = str(context.slots.get("reason") or "asked")
    slots = {slot: value for slot, value in context.all_slots.items() if value and slot not in _NOT_TOLD}
    said = cut(context.turn.text, 200)
    summary = "\n".join([said, *(f"{slot}: {_plain(value)}" for slot, value in slots.items())]).strip()
    says = [Say(f"handoff.because.{reason}")] if reason in ("not_understood", "no_answer") else []
    says.append(Say("handoff.coming" if context.turn.agents_online else "handoff.nobody_online"))
    return Outcome(says=tuple(says), writes=(HandOff(reason, summary, slots),), ends=True)


def _plain(value: Any) -> str:
    if isinstance(value, dict) and isinstance(value.get("minor"), int):
        return f"{value.get('currency', '')} {value['minor'] / 100:,.2f}".strip()
    return str(value)


def change_language(context: Context) -> Generator[Need, Any, Outcome]:
    """Speak the chosen language from here on, on this and later days."""
    yield from ()
    lang = str(context.slots.get("lang") or context.lang)
    return Outcome(says=(Say("language.changed"),), writes=(SaveContact(lang=lang),), lang=lang)


def opt_out(context: Context) -> Generator[Need, Any, Outcome]:
    """STOP: recorded each time, confirmed once, and on SMS not by us (the provider does)."""
    yield from ()
    turn = context.turn
    says = (Say("consent.stopped"),) if turn.answers_after_stop and not turn.stopped else ()
    words = str(context.slots.get("words") or turn.text)
    return Outcome(says, (RecordConsent("withdrawn", words), Unschedule(FOLLOWUP)), ends=True)


def opt_in(context: Context) -> Generator[Need, Any, Outcome]:
    """START after a STOP resumes; without one it is a greeting."""
    yield from ()
    if not context.turn.stopped:
        return Outcome(says=(Say("help.menu", choices=MENU),))
    words = str(context.slots.get("words") or context.turn.text)
    return Outcome((Say("consent.resumed"),), (RecordConsent("given", words),))


MENU = (
    Choice("flow:capture_lead", "flow.capture_lead"),
    Choice("flow:open_case", "flow.open_case"),
    Choice("flow:book_appointment", "flow.book_appointment"),
    Choice("flow:talk_to_person", "flow.talk_to_person"),
)
