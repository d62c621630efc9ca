"""What a flow can `do`. An action reads by yielding needs and answers with an Outcome; it writes nothing
itself. `ACTIONS` is the whole list."""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from bot.dialogs.turn import (
    AddToCase,
    CaseView,
    Choice,
    FindCases,
    FindOpenLead,
    HandOff,
    LeadView,
    Need,
    NoteUnanswered,
    OpenCase,
    RecordConsent,
    SaveContact,
    SaveLead,
    Say,
    Schedule,
    SearchKnowledge,
    Turn,
    Unschedule,
    Write,
)
from bot.i18n import Key

FOLLOWUP = "followup"
"""Kind of the timer that wakes a silent lead's conversation."""
FOLLOWUP_AFTER = timedelta(hours=24)
"""When, unless the pipeline puts the operator's setting in its place."""

SUBJECT_LIMIT = 80
_BANT = ("need", "budget", "authority", "timeline")
_OPEN = ("new", "open", "pending", "resolved")


@dataclass(frozen=True, slots=True)
class Context:
    """What an action may look at. `slots` are the running flow's; `given` those the customer filled;
    `all_slots` those of every running flow, for a handoff's summary."""

    turn: Turn
    lang: str
    slots: Mapping[str, Any] = field(default_factory=dict)
    given: frozenset[str] = frozenset()
    all_slots: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an action decided. `slots` join the flow's; `lang` is the language to speak from here on;
    `ends` drops every running flow; `unanswered` counts towards a handoff."""

    says: tuple[Say, ...] = ()
    writes: tuple[Write, ...] = ()
    slots: Mapping[str, Any] = field(default_factory=dict)
    lang: str = ""
    ends: bool = False
    unanswered: bool = False


Action = Callable[[Context], Generator[Need, Any, Outcome]]


def recall_lead(context: Context) -> Generator[Need, Any, Outcome]:
    """Fill what the open lead already knows."""
    lead: LeadView | None = yield FindOpenLead()
    if lead is None:
        return Outcome()
    known = {slot: lead.slots.get(slot) for slot in _BANT}
    return Outcome(
        slots={slot: value for slot, value in known.items() if value and slot not in context.slots}
    )


def save_lead(context: Context) -> Generator[Need, Any, Outcome]:
    """Open the lead as soon as the need is known; add what is new to it afterwards."""
    lead: LeadView | None = yield FindOpenLead()
    before = lead.slots if lead else {}
    given = {
        slot: context.slots.get(slot) for slot in _BANT if slot in context.given and context.slots.get(slot)
    }
    merged = {**before, **given}
    if not merged.get("need"):
        return Outcome()
    changes = _lead_changes(before, given)
    if lead is not None and not changes:
        return Outcome()
    qualified = all(merged.get(slot) for slot in _BANT)
    timer: Write = Unschedule(FOLLOWUP) if qualified else Schedule(FOLLOWUP, FOLLOWUP_AFTER)
    save = SaveLead(changes, qualified, lead.id if lead else None, lead.version if lead else None)
    return Outcome(writes=(save, timer))


def _lead_changes(before: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for slot, value in given.items():
        if slot == "budget":
            if isinstance(value, dict) and isinstance(value.get("minor"), int):
                changes["budget"] = value["minor"]
                changes["currency"] = str(value.get("currency", ""))
        elif slot == "need" and before.get("need"):
            # Somebody who comes back for a second thing still wants the first.
            if str(value).casefold() not in str(before["need"]).casefold():
                changes["need"] = f"{before['need']}; {value}"
        elif before.get(slot) != value:
            changes[slot] = value
    if changes.get("budget") is not None and changes["budget"] == before.get("budget"):
        del changes["budget"], changes["currency"]
    return changes


def open_case(context: Context) -> Generator[Need, Any, Outcome]:
    """Open a case from the description; its first line, or the mail's subject, is the subject."""
    yield from ()
    description = str(context.slots.get("description") or "")
    mail = next((message.subject for message in context.turn.messages if message.subject), "")
    subject = mail or description.strip().split("\n", 1)[0]
    return Outcome(writes=(OpenCase(_cut(subject, SUBJECT_LIMIT), description),))


def _cut(text: str, limit: int) -> str:
    text = " ".join(text.split())
    if len(text) <= limit:
        return text
    return text[: limit - 1].rsplit(" ", 1)[0] + "…"


def find_open_cases(context: Context) -> Generator[Need, Any, Outcome]:
    """The cases one can still add to; the only one, or the one whose number was said, is chosen."""
    cases: tuple[CaseView, ...] = yield FindCases(_number(context))
    able = [case for case in cases if case.status in _OPEN]
    slots: dict[str, Any] = {
        "case_count": len(able),
        "cases": [[case.id, f"C-{case.number} {_cut(case.subject, 40)}"] for case in able],
    }
    if len(able) == 1:
        slots["case_id"] = able[0].id
    return Outcome(slots=slots)


def add_to_case(context: Context) -> Generator[Need, Any, Outcome]:
    """Add the customer's words to the chosen case."""
    yield from ()
    return Outcome(
        writes=(AddToCase(str(context.slots.get("case_id", "")), str(context.slots.get("addition", ""))),)
    )


def case_status(context: Context) -> Generator[Need, Any, Outcome]:
    """One line a case: number, subject, status."""
    number = _number(context)
    cases: tuple[CaseView, ...] = yield FindCases(number)
    if not cases:
        offer = (
            Choice("flow:open_case", "flow.open_case"),
            Choice("flow:talk_to_person", "flow.talk_to_person"),
        )
        if number is None:
            return Outcome(says=(Say("case.none", choices=offer),))
        return Outcome(says=(Say("case.not_found", {"number": f"C-{number}"}, choices=offer),))
    lines = tuple(
        Say(
            "case.status_line",
            {
                "number": f"C-{case.number}",
                "subject": case.subject,
                "status": Key(f"case.status.{case.status}"),
            },
        )
        for case in cases
    )
    return Outcome(says=lines)


def _number(context: Context) -> int | None:
    number = context.slots.get("case_number")
    try:
        return int(str(number).upper().removeprefix("C-")) if number else None
    except ValueError:
        return None


def answer_question(context: Context) -> Generator[Need, Any, Outcome]:
    """Answer from the articles, ask back between a few, or say honestly that there is none."""
    question = str(context.slots.get("question") or "")
    answer: Any = yield SearchKnowledge(question, context.lang)
    if answer is not None and answer.kind == "found":
        source = Say("knowledge.source", {"title": answer.title, "url": answer.url})
        if not answer.url:
            source = Say("knowledge.source_title", {"title": answer.title})
        return Outcome(says=(Say(text=answer.text), source))
    if answer is not None and answer.kind == "unsure" and answer.options:
        options = tuple(Choice(f"article:{option.id}", text=option.title) for option in answer.options)
        return Outcome(says=(Say("knowledge.which", choices=options),))
    return Outcome(
        says=(Say("knowledge.none", choices=(Choice("flow:talk_to_person", "flow.talk_to_person"),)),),
        writes=(NoteUnanswered(question),),
        unanswered=True,
    )


def hand_off(context: Context) -> Generator[Need, Any, Outcome]:
    """Give the conversation to a person, and say honestly when one will answer."""
    yield from ()
    reason = str(context.slots.get("reason") or "asked")
    slots = {
        slot: value for slot, value in context.all_slots.items() if value and slot not in ("reason", "cases")
    }
    said = _cut(context.turn.text, 200)
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
    Choice("flow:talk_to_person", "flow.talk_to_person"),
)

ACTIONS: Mapping[str, Action] = {
    "recall_lead": recall_lead,
    "save_lead": save_lead,
    "open_case": open_case,
    "find_open_cases": find_open_cases,
    "add_to_case": add_to_case,
    "case_status": case_status,
    "answer_question": answer_question,
    "hand_off": hand_off,
    "change_language": change_language,
    "opt_out": opt_out,
    "opt_in": opt_in,
}
