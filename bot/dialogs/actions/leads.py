"""What flows do about leads."""

from collections.abc import Generator, Mapping
from datetime import timedelta
from typing import Any

from bot.dialogs.actions.outcome import Context, Outcome
from bot.dialogs.deeds import DropLead
from bot.dialogs.turn import FindOpenLead, LeadView, Need, SaveLead, Schedule, Unschedule, Write

FOLLOWUP = "followup"
"""Kind of the timer that wakes a silent lead's conversation."""
FOLLOWUP_AFTER = timedelta(hours=24)
"""When, unless the pipeline puts the operator's setting in its place."""
_BANT = ("need", "budget", "authority", "timeline")


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


def drop_lead(context: Context) -> Generator[Need, Any, Outcome]:
    """The customer wants it no more: what was opened today is dropped; older interest stays to be asked."""
    lead: LeadView | None = yield FindOpenLead()
    if lead is None or lead.opened_at is None or context.turn.now - lead.opened_at > FOLLOWUP_AFTER:
        return Outcome()
    return Outcome(writes=(DropLead(lead.id, lead.version), Unschedule(FOLLOWUP)))


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
