"""What timers do when they fall due. A worker takes one by its id; the row is the truth, so a job that runs
twice finds nothing the second time.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta

from bot import metrics
from bot.conversations.conversation import CONVERSATION
from bot.crm.activity import add_task
from bot.crm.case import CASE, display_number
from bot.crm.contact import CONTACT
from bot.crm.lead import open_lead_of
from bot.crm.notification import notify_user
from bot.crm.question import TIMER as QUESTION_SILENCE
from bot.crm.question import assume
from bot.crm.user import staff_to_tell
from bot.pipeline import files, reminders
from bot.pipeline.business import ask_gate, write_first
from bot.pipeline.load import read_conversation
from bot.pipeline.reminders import link_to
from bot.pipeline.runtime import Runtime
from bot.records import timer
from bot.records.tx import Record, Tx
from bot.records.write import find, update

OnTimer = Callable[[Tx, Runtime, Record], None]
LEVELS: tuple[tuple[str, ...], ...] = (("agent", "rep"), ("manager",), ("admin",))
"""Who is told at each level of escalation."""


def fire(tx: Tx, runtime: Runtime, timer_id: str, timers: Mapping[str, OnTimer] | None = None) -> bool:
    """Do what a timer is for; False when it was done or dropped meanwhile. `timers`: more kinds than ours."""
    row = timer.take(tx, timer_id)
    if row is None:
        return False
    timer.finish(tx, timer_id)  # first, so that a handler may set the same timer anew
    (TIMERS if timers is None else timers)[row["kind"]](tx, runtime, row)
    metrics.TIMERS.labels(row["kind"]).inc()
    return True


def _follow_up(tx: Tx, runtime: Runtime, row: Record) -> None:
    """A lead went silent: one nudge if the gate allows, later a task for its owner."""
    conversation = read_conversation(tx, row["subject_id"])
    lead = open_lead_of(tx, conversation["contact_id"]) if conversation else None
    if conversation is None or lead is None or lead["status"] not in ("new", "working"):
        return
    wait = timedelta(hours=runtime.settings.followup_hours)
    if conversation["owner"] == "human":
        return  # somebody is talking with them
    if row["data"].get("nudged"):
        subject = runtime.words.say(
            "task.follow_up", runtime.profile.languages[0], name=conversation["contact_name"] or "?"
        )
        add_task(
            tx,
            "leads",
            lead["id"],
            subject,
            due_at=tx.now,
            contact_id=lead["contact_id"],
            owner_id=lead["owner_id"],
            team_id=lead["team_id"],
        )
        return
    verdict = ask_gate(tx, runtime, conversation)
    if verdict.until is not None:
        timer.set_timer(tx, row["kind"], row["subject_id"], verdict.until, row["data"])
        return
    if verdict.open:
        _nudge(tx, runtime, conversation, lead)
    timer.set_timer(tx, row["kind"], row["subject_id"], tx.now + wait, {"nudged": True})


def _nudge(tx: Tx, runtime: Runtime, conversation: Record, lead: Record) -> None:
    lang = conversation["lang"] or runtime.profile.languages[0]
    name, need = conversation["contact_name"], lead["need"] or ""
    key = "followup.nudge" if name else "followup.nudge_unnamed"
    text = runtime.words.say(key, lang, conversation["channel"], name=name, need=need)
    write_first(tx, conversation, text)


def _escalate_handoff(tx: Tx, runtime: Runtime, row: Record) -> None:
    """A customer waits for a person: tell the next level, until somebody answers."""
    conversation = find(tx, CONVERSATION, row["subject_id"])
    if conversation is None or conversation["owner"] != "human" or conversation["waiting_since"] is None:
        return
    level = conversation["escalation_level"]
    if level >= len(LEVELS):
        return
    contact = find(tx, CONTACT, conversation["contact_id"])
    data = {
        "name": (contact["name"] if contact else "") or _number(conversation),
        "channel": conversation["channel"],
        "level": level + 1,
    }
    _tell(tx, level, "notify.handoff_waiting", data, f"/console/conversations/{conversation['id']}")
    update(tx, CONVERSATION, conversation, {"escalation_level": level + 1}, action="escalated")
    tx.notify("conversation", conversation["id"])
    timer.set_timer(tx, row["kind"], row["subject_id"], tx.now + _interval(runtime))


def _number(conversation: Record) -> str:
    """The telephone number of somebody without a name; other addresses say nothing to a person."""
    return conversation["address"] if conversation["address"].startswith("+") else ""


def _escalate_case(tx: Tx, runtime: Runtime, row: Record) -> None:
    """Nobody took up a new case: tell the next level, until somebody does."""
    case = find(tx, CASE, row["subject_id"])
    if case is None or case["status"] != "new" or case["escalation_level"] >= len(LEVELS):
        return
    escalate_case(tx, case)
    timer.set_timer(tx, row["kind"], row["subject_id"], tx.now + _interval(runtime))


def escalate_case(tx: Tx, case: Record) -> int:
    """Tell the next level about a case; returns the level it is at now."""
    level: int = case["escalation_level"]
    if level >= len(LEVELS):
        return level
    data = {"number": display_number(case["number"]), "subject": case["subject"], "level": level + 1}
    link = link_to(CASE.name, case["id"])
    if case["conversation_id"]:
        link = f"/console/conversations/{case['conversation_id']}"
    _tell(tx, level, "notify.case_waiting", data, link)
    update(tx, CASE, case, {"escalation_level": level + 1}, action="escalated")
    return level + 1


def _tell(tx: Tx, level: int, key: str, data: dict[str, object], link: str) -> None:
    """Everyone of this level; with nobody of that role, whoever comes next."""
    for roles in LEVELS[level:]:
        staff = staff_to_tell(tx, roles)
        if staff:
            for user in staff:
                notify_user(tx, user["id"], key, data, link)
            return


def _interval(runtime: Runtime) -> timedelta:
    return timedelta(minutes=runtime.settings.escalation_minutes)


def _assume(tx: Tx, _runtime: Runtime, row: Record) -> None:
    """Nothing more came of an answer: it is taken to have sufficed."""
    assume(tx, row["subject_id"], row["due_at"])


TIMERS: dict[str, OnTimer] = {
    "followup": _follow_up,
    "handoff_escalation": _escalate_handoff,
    "case_escalation": _escalate_case,
    QUESTION_SILENCE: _assume,
    files.TIMER: files.ask_again,
    **reminders.TIMERS,
}
"""Every kind of timer and what it does."""
