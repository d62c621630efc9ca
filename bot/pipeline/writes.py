"""Carrying out what a plan writes: each kind of Write and the operation that does it, in one dict."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from bot.crm.case import CASE, add_to_case, display_number, open_case
from bot.crm.consent import record_consent
from bot.crm.contact import CONTACT, add_identity, learn_about
from bot.crm.lead import LEAD, SOURCE_LIMIT, add_lead, add_to_lead
from bot.dialogs import turn as plans
from bot.errors import VersionConflict
from bot.records.timer import cancel_timer, set_timer
from bot.records.tx import Record, Tx
from bot.records.write import find


@dataclass(slots=True)
class TurnWrites:
    """What the writes of one turn share: whom they are about, the rows relied on, and what they changed
    of the conversation, which is saved once at the end."""

    contact_id: str
    conversation_id: str
    channel: str
    rows: Mapping[str, Record]
    escalation: timedelta
    delays: Mapping[str, timedelta]
    """What the settings say of a timer kind, over what the flow asks for."""
    results: dict[str, Any] = field(default_factory=dict)
    conversation: dict[str, Any] = field(default_factory=dict)
    source: str = ""
    """The link that brought the customer, where it is known."""
    stopped: bool | None = None
    handed_off: plans.HandOff | None = None


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


def _open_case(tx: Tx, turn: TurnWrites, write: plans.OpenCase) -> None:
    case_id, number = open_case(
        tx,
        turn.contact_id,
        write.subject,
        write.description,
        origin=turn.channel,
        priority=write.priority,
        conversation_id=turn.conversation_id,
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


def _record_consent(tx: Tx, turn: TurnWrites, write: plans.RecordConsent) -> None:
    turn.stopped = write.state == "withdrawn"
    record_consent(tx, turn.contact_id, turn.channel, write.state, how="message", words=write.words)


def _note_unanswered(tx: Tx, turn: TurnWrites, write: plans.NoteUnanswered) -> None:
    # The question itself is in the message log; the event marks where to look.
    tx.event(CONTACT, turn.contact_id, "question_unanswered", None, turn.contact_id)


def _note_abuse(tx: Tx, turn: TurnWrites, write: plans.NoteAbuse) -> None:
    tx.event(CONTACT, turn.contact_id, "abusive", None, turn.contact_id)


def _schedule(tx: Tx, turn: TurnWrites, write: plans.Schedule) -> None:
    set_timer(tx, write.kind, turn.conversation_id, tx.now + turn.delays.get(write.kind, write.delay))


def _unschedule(tx: Tx, turn: TurnWrites, write: plans.Unschedule) -> None:
    cancel_timer(tx, write.kind, turn.conversation_id)


WRITES: dict[type, Callable[[Tx, TurnWrites, Any], None]] = {
    plans.SaveContact: _save_contact,
    plans.AddIdentity: _add_identity,
    plans.SaveLead: _save_lead,
    plans.OpenCase: _open_case,
    plans.AddToCase: _add_to_case,
    plans.HandOff: _hand_off,
    plans.RecordConsent: _record_consent,
    plans.NoteUnanswered: _note_unanswered,
    plans.NoteAbuse: _note_abuse,
    plans.Schedule: _schedule,
    plans.Unschedule: _unschedule,
}


def carry_out(tx: Tx, turn: TurnWrites, writes: tuple[plans.Write, ...]) -> None:
    """Do every write of a plan, in order, in this transaction."""
    for write in writes:
        WRITES[type(write)](tx, turn, write)
