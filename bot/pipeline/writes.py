"""Carrying out what a plan writes: each kind of Write and the operation that does it, in one dict."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bot.crm import visit
from bot.crm.activity import add_note
from bot.crm.call import book_call_back
from bot.crm.case import CASE, add_to_case, display_number, open_case, withdraw_case
from bot.crm.consent import record_consent
from bot.crm.contact import CONTACT, add_identity, learn_about
from bot.crm.lead import LEAD, SOURCE_LIMIT, add_lead, add_to_lead, drop_lead
from bot.crm.notification import notify_user
from bot.crm.question import Asked, ask, needs_person, rate
from bot.crm.territory import category_of
from bot.crm.user import staff_to_tell
from bot.dialogs import deeds
from bot.dialogs import turn as plans
from bot.errors import VersionConflict
from bot.pipeline import proof
from bot.pipeline.reminders import link_to, owner_or_all, say_moment
from bot.pipeline.runtime import Runtime
from bot.records.timer import cancel_timer, set_timer
from bot.records.tx import Record, Tx
from bot.records.write import find

LOW_RATING = 2
"""A rating up to which a manager is told."""


def calendar_url(runtime: Runtime, visit_id: str) -> str:
    """Where a customer's calendar program finds their visit: the address is the permission."""
    return f"{runtime.settings.public_url}/visit/{runtime.tokens.sign(f'visit:{visit_id}')}.ics"


@dataclass(slots=True)
class TurnWrites:
    """What the writes of one turn share: whom they are about, the rows relied on, and what they changed
    of the conversation, which is saved once at the end."""

    runtime: Runtime
    contact_id: str
    conversation_id: str
    channel: str
    lang: str
    rows: Mapping[str, Record]
    escalation: timedelta
    delays: Mapping[str, timedelta]
    """What the settings say of a timer kind, over what the flow asks for."""
    results: dict[str, Any] = field(default_factory=dict)
    conversation: dict[str, Any] = field(default_factory=dict)
    written: str = ""
    """The language that the customer wrote in, where it is known."""
    source: str = ""
    """The link that brought the customer, where it is known."""
    stopped: bool | None = None
    handed_off: plans.HandOff | None = None

    def ours(self, key: str, **values: Any) -> str:
        """A text for our own people, in the business's first language."""
        return self.runtime.words.say(key, self.runtime.profile.languages[0], **values)


def _save_contact(tx: Tx, turn: TurnWrites, write: plans.SaveContact) -> None:
    learn_about(tx, turn.contact_id, name=write.name, lang=write.lang)


def _add_identity(tx: Tx, turn: TurnWrites, write: plans.AddIdentity) -> None:
    add_identity(tx, turn.contact_id, write.kind, write.value, verified=False)


def _save_lead(tx: Tx, turn: TurnWrites, write: plans.SaveLead) -> None:
    if write.lead_id is None:
        lead_id, number = add_lead(
            tx,
            turn.contact_id,
            write.slots,
            source=(turn.source or turn.channel)[:SOURCE_LIMIT],
            conversation_id=turn.conversation_id,
        )
        if write.qualified:
            lead = find(tx, LEAD, lead_id)
            assert lead is not None
            add_to_lead(tx, lead, {}, qualified=True)
    else:
        row = turn.rows.get(write.lead_id) or find(tx, LEAD, write.lead_id)
        if row is None or (write.version is not None and row["version"] != write.version):
            raise VersionConflict("The lead was changed meanwhile")
        add_to_lead(tx, row, write.slots, qualified=write.qualified)
        number = row["number"]
    turn.results["lead_number"] = f"L-{number}"


def _drop_lead(tx: Tx, turn: TurnWrites, write: deeds.DropLead) -> None:
    row = turn.rows.get(write.lead_id) or find(tx, LEAD, write.lead_id)
    if row is None or row["contact_id"] != turn.contact_id or row["version"] != write.version:
        raise VersionConflict("The lead was changed meanwhile")
    drop_lead(tx, row)


def _drop_case(tx: Tx, turn: TurnWrites, write: deeds.DropCase) -> None:
    row = turn.rows.get(write.case_id) or find(tx, CASE, write.case_id)
    if row is None or row["contact_id"] != turn.contact_id or row["version"] != write.version:
        raise VersionConflict("The case was changed meanwhile")
    withdraw_case(tx, row)
    cancel_timer(tx, "case_escalation", row["id"])


def _open_case(tx: Tx, turn: TurnWrites, write: plans.OpenCase) -> None:
    category_id, subject = None, write.subject
    if write.category:
        name = turn.ours(f"case.category.{write.category}")
        category_id = category_of(tx, CASE.name, write.category, name)
        subject = subject or ": ".join(part for part in (name, write.about) if part)
    lines = [turn.ours(key, value=value) for key, value in write.details]
    case_id, number = open_case(
        tx,
        turn.contact_id,
        subject,
        "\n".join(part for part in ("\n".join(lines), write.description) if part),
        origin=turn.channel,
        priority=write.priority,
        conversation_id=turn.conversation_id,
        category_id=category_id,
    )
    turn.results |= {"case_id": case_id, "case_number": display_number(number)}
    set_timer(tx, "case_escalation", case_id, tx.now + turn.escalation)


def _add_to_case(tx: Tx, turn: TurnWrites, write: plans.AddToCase) -> None:
    row = turn.rows.get(write.case_id) or find(tx, CASE, write.case_id)
    if row is None or row["contact_id"] != turn.contact_id:
        raise VersionConflict("The case was changed meanwhile")
    add_to_case(tx, row, write.text)
    turn.results["case_number"] = display_number(row["number"])


def _hand_off(tx: Tx, turn: TurnWrites, write: plans.HandOff) -> None:
    turn.handed_off = write
    turn.conversation |= {
        "owner": "human",
        "assignee_id": None,
        "waiting_since": tx.now,
        "handoff_reason": write.reason,
        "handoff_summary": write.summary,
        "escalation_level": 0,
    }
    set_timer(tx, "handoff_escalation", turn.conversation_id, tx.now + turn.escalation)
    needs_person(tx, turn.contact_id)


def _record_consent(tx: Tx, turn: TurnWrites, write: plans.RecordConsent) -> None:
    turn.stopped = write.state == "withdrawn"
    record_consent(tx, turn.contact_id, turn.channel, write.state, how="message", words=write.words)


def _note_question(tx: Tx, turn: TurnWrites, write: plans.NoteQuestion) -> None:
    if write.outcome == "none":
        tx.event(CONTACT, turn.contact_id, "question_unanswered", None, turn.contact_id)
    asked = Asked(
        write.text,
        turn.written or turn.lang,
        turn.channel,
        turn.contact_id,
        turn.conversation_id,
        write.outcome,
        tx.now.astimezone(ZoneInfo(turn.runtime.profile.time_zone)).date(),
        write.article_id or None,
        write.id,
    )
    ask(tx, asked)


def _rate_answer(tx: Tx, turn: TurnWrites, write: plans.RateAnswer) -> None:
    rate(tx, write.question_id, turn.contact_id, helped=write.helped)


def _note_abuse(tx: Tx, turn: TurnWrites, write: plans.NoteAbuse) -> None:
    tx.event(CONTACT, turn.contact_id, "abusive", None, turn.contact_id)


def _schedule(tx: Tx, turn: TurnWrites, write: plans.Schedule) -> None:
    set_timer(tx, write.kind, turn.conversation_id, tx.now + turn.delays.get(write.kind, write.delay))


def _book_visit(tx: Tx, turn: TurnWrites, write: deeds.BookVisit) -> None:
    subject = write.service or turn.ours("visit.subject")
    visit_id = visit.book_visit(tx, turn.contact_id, turn.conversation_id, subject, write.starts_at)
    turn.results["calendar_url"] = calendar_url(turn.runtime, visit_id)
    _tell_owner(tx, turn, visit_id, "notify.visit_booked")


def _move_visit(tx: Tx, turn: TurnWrites, write: deeds.MoveVisit) -> None:
    row = _visit(tx, turn, write.visit_id, write.version)
    visit.move_visit(tx, row, write.starts_at)
    turn.results["calendar_url"] = calendar_url(turn.runtime, write.visit_id)
    _tell_owner(tx, turn, write.visit_id, "notify.visit_moved", before=row["owner_id"])


def _call_off_visit(tx: Tx, turn: TurnWrites, write: deeds.CallOffVisit) -> None:
    visit.call_off(tx, _visit(tx, turn, write.visit_id, write.version))
    _tell_owner(tx, turn, write.visit_id, "notify.visit_called_off")


def _visit(tx: Tx, turn: TurnWrites, visit_id: str, version: int) -> Record:
    row = visit.find_visit(tx, visit_id)
    if row is None or row["contact_id"] != turn.contact_id or row["version"] != version:
        raise VersionConflict("The visit was changed meanwhile")
    return row


def _tell_owner(tx: Tx, turn: TurnWrites, visit_id: str, key: str, before: str | None = None) -> None:
    """Whose calendar it is, else everybody who takes customers on; and who had it `before`."""
    row = visit.find_visit(tx, visit_id)
    assert row is not None
    contact = find(tx, CONTACT, turn.contact_id)
    moment = say_moment(row["starts_at"], turn.runtime.profile.time_zone, turn.runtime.profile.languages[0])
    data = {"name": (contact["name"] if contact else "") or "?", "subject": row["subject"], "time": moment}
    owner = row["owner_id"]
    for user_id in owner_or_all(tx, owner):
        notify_user(tx, user_id, key, data, link_to("activities", visit_id))
    if before not in (None, owner):
        notify_user(tx, before, "notify.visit_passed_on", data, link_to("activities", visit_id))


def _book_call(tx: Tx, turn: TurnWrites, write: deeds.BookCall) -> None:
    contact = find(tx, CONTACT, turn.contact_id)
    name = contact["name"] if contact else ""
    subject = " ".join(turn.ours("call.subject", name=name, phone=write.phone).split())
    book_call_back(tx, turn.contact_id, turn.conversation_id, write.call_at, subject, write.about)


def _send_code(tx: Tx, turn: TurnWrites, write: deeds.SendCode) -> None:
    order = turn.rows.get(proof.row_of(write.order_number))
    if order is None:
        raise VersionConflict("The order was not looked up in this turn")
    proof.send_code(tx, turn.runtime, turn.conversation_id, turn.lang, write.order_number, order)


def _code_tried(tx: Tx, turn: TurnWrites, write: deeds.CodeTried) -> None:
    tried = (write.order_number, write.code_id, write.tries, write.right)
    proof.note_try(tx, turn.runtime, turn.contact_id, turn.rows, tried)


def _keep_feedback(tx: Tx, turn: TurnWrites, write: deeds.KeepFeedback) -> None:
    rating = turn.ours("feedback.note", rating=write.rating)
    body = "\n".join(part for part in (rating, write.comment) if part)
    add_note(tx, "contacts", turn.contact_id, body, contact_id=turn.contact_id)
    tx.event(CONTACT, turn.contact_id, "rated", {"rating": (None, write.rating)}, turn.contact_id)
    if write.rating <= LOW_RATING:
        contact = find(tx, CONTACT, turn.contact_id)
        data = {"name": (contact["name"] if contact else "") or "?", "rating": write.rating}
        for user in staff_to_tell(tx, ("manager",)) or staff_to_tell(tx, ("admin",)):
            link = f"/console/conversations/{turn.conversation_id}"
            notify_user(tx, user["id"], "notify.low_rating", data, link)


def _unschedule(tx: Tx, turn: TurnWrites, write: plans.Unschedule) -> None:
    cancel_timer(tx, write.kind, turn.conversation_id)


WRITES: dict[type, Callable[[Tx, TurnWrites, Any], None]] = {
    plans.SaveContact: _save_contact,
    plans.AddIdentity: _add_identity,
    plans.SaveLead: _save_lead,
    deeds.DropLead: _drop_lead,
    deeds.DropCase: _drop_case,
    plans.OpenCase: _open_case,
    plans.AddToCase: _add_to_case,
    plans.HandOff: _hand_off,
    plans.RecordConsent: _record_consent,
    plans.NoteQuestion: _note_question,
    plans.RateAnswer: _rate_answer,
    plans.NoteAbuse: _note_abuse,
    plans.Schedule: _schedule,
    plans.Unschedule: _unschedule,
    deeds.BookVisit: _book_visit,
    deeds.MoveVisit: _move_visit,
    deeds.CallOffVisit: _call_off_visit,
    deeds.BookCall: _book_call,
    deeds.SendCode: _send_code,
    deeds.CodeTried: _code_tried,
    deeds.KeepFeedback: _keep_feedback,
}


def carry_out(tx: Tx, turn: TurnWrites, writes: tuple[plans.Write, ...]) -> None:
    """Do every write of a plan, in order, in this transaction."""
    for write in writes:
        WRITES[type(write)](tx, turn, write)
