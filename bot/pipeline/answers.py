"""What the engine asks for while it decides, answered outside of the turn's transaction: one function for
each kind of need, in one dict.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from bot.crm import visit
from bot.crm.case import cases_of
from bot.crm.lead import SLOTS, open_lead_of
from bot.crm.question import asked_before
from bot.dialogs import looks
from bot.dialogs.turn import (
    CaseView,
    FindCases,
    FindOpenLead,
    LeadView,
    Need,
    SearchKnowledge,
    Turn,
)
from bot.knowledge.retrieve import goes_on
from bot.pipeline.load import LaneState
from bot.pipeline.proof import check_code, look_at_order, proved
from bot.pipeline.runtime import Runtime
from bot.records.actor import BOT
from bot.records.tx import Record


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks: the turn and its lane. `rows` remembers what was read, for the commit to rely on."""

    runtime: Runtime
    state: LaneState
    turn: Turn
    rows: dict[str, Record]

    @property
    def contact_id(self) -> str | None:
        """The customer, None before their first turn."""
        found: str | None = self.state.lane["contact_id"]
        return found

    @property
    def conversation_id(self) -> str | None:
        """The conversation, None before its first turn."""
        return self.state.conversation["id"] if self.state.conversation is not None else None


async def answer_need(
    runtime: Runtime, state: LaneState, turn: Turn, need: Need, rows: dict[str, Record]
) -> Any:
    """The answer to one need."""
    return await ANSWERS[type(need)](Asking(runtime, state, turn, rows), need)


async def _knowledge(asking: Asking, need: SearchKnowledge) -> Any:
    # A provider vouches for who writes; a visitor of the web page and the sender of a mail may be anybody.
    known = asking.contact_id is not None and asking.turn.channel not in ("webchat", "email")
    audiences = frozenset({"public", "customers"} if known else {"public"})
    before = ""
    if asking.contact_id and asking.conversation_id and goes_on(need.question):
        before = await asking.runtime.store.read(asked_before, BOT, asking.contact_id, asking.conversation_id)
    return await asking.runtime.search(replace(need, audiences=audiences, before=before))


async def _cases(asking: Asking, need: FindCases) -> tuple[CaseView, ...]:
    if asking.contact_id is None:
        return ()
    found = await asking.runtime.store.read(cases_of, BOT, asking.contact_id, need.number)
    asking.rows.update({row["id"]: row for row in found})
    return tuple(_case_view(row) for row in found)


async def _lead(asking: Asking, _need: FindOpenLead) -> LeadView | None:
    if asking.contact_id is None:
        return None
    lead = await asking.runtime.store.read(open_lead_of, BOT, asking.contact_id)
    if lead is None:
        return None
    asking.rows[lead["id"]] = lead
    known = {name: lead[name] for name in SLOTS if lead[name] is not None}
    return LeadView(lead["id"], lead["version"], lead["status"], known, lead["created_at"])


async def _free_times(asking: Asking, need: looks.FindFreeTimes) -> looks.Times:
    found = await asking.runtime.store.read(
        visit.free_times,
        BOT,
        wanted=need.wanted,
        day=need.day,
        besides=need.besides or None,
        calls=need.calls,
    )
    return looks.Times(found.why, found.times)


async def _visits(asking: Asking, _need: looks.FindVisits) -> tuple[looks.VisitView, ...]:
    if asking.contact_id is None:
        return ()
    found = await asking.runtime.store.read(visit.visits_of, BOT, asking.contact_id)
    asking.rows.update({row["id"]: row for row in found})
    return tuple(
        looks.VisitView(row["id"], row["version"], row["subject"], row["starts_at"]) for row in found
    )


async def _order(asking: Asking, need: looks.FindOrder) -> looks.OrderAnswer:
    return await look_at_order(
        asking.runtime, asking.turn, asking.contact_id, asking.conversation_id, need.number, asking.rows
    )


async def _code(asking: Asking, need: looks.CheckCode) -> looks.CodeAnswer:
    if asking.conversation_id is None:
        return looks.CodeAnswer("over")
    found = await asking.runtime.store.read(
        check_code, BOT, asking.runtime.tokens, asking.conversation_id, need.number, need.code
    )
    if found.state == "right":  # what this turn commits it may rely on
        asking.rows[proved(need.number)] = {"code_id": found.code_id}
    return found


def _case_view(row: Record) -> CaseView:
    return CaseView(
        row["id"], row["number"], row["subject"], row["status"], row["updated_at"], row["version"]
    )


ANSWERS: dict[type, Callable[[Asking, Any], Awaitable[Any]]] = {
    SearchKnowledge: _knowledge,
    FindCases: _cases,
    FindOpenLead: _lead,
    looks.FindFreeTimes: _free_times,
    looks.FindVisits: _visits,
    looks.FindOrder: _order,
    looks.CheckCode: _code,
}
