"""A conversation without a database: the real engine, with records and calendars that somebody gives it.

The lint walks through flows with it, recorded conversations are replayed with it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from bot.dialogs.commands import Understood
from bot.dialogs.engine import decide
from bot.dialogs.flows.model import Flows
from bot.dialogs.looks import (
    CheckCode,
    CodeAnswer,
    FindFreeTimes,
    FindOrder,
    FindVisits,
    OrderAnswer,
    Times,
    VisitView,
)
from bot.dialogs.turn import (
    Business,
    CaseView,
    Customer,
    FindCases,
    FindOpenLead,
    LeadView,
    Need,
    Plan,
    SaveContact,
    SaveLead,
    SearchKnowledge,
    Turn,
)
from bot.knowledge.answer import Answer
from bot.messages import ChannelName, InboundMessage

BUSINESS = Business("Sharma Electronics", "IN", "Asia/Kolkata", ("en", "hi", "hi-Latn", "ur"), "INR")
NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
RESULTS: Mapping[str, Any] = {"case_number": "C-1042", "calendar_url": "https://shop.example/visit.ics"}
"""What writes would have given the texts."""
_OFFERED = 3
"""Free times that are offered at once."""


def played(turn: Turn, understood: Understood, flows: Flows, answer: Callable[[Need], Any]) -> Plan:
    """What the engine decides when `answer` knows what it asks for."""
    deciding = decide(turn, understood, flows)
    found: Any = None
    while True:
        try:
            found = answer(deciding.send(found))
        except StopIteration as done:
            plan: Plan = done.value
            return plan


@dataclass
class Rehearsal:
    """One customer. `lead`, `cases`, `visits`, `order`, `code` and `answer` are what records, order system
    and articles hold; `free` the times that the calendar has left. What a turn writes of it is remembered."""

    flows: Flows
    channel: ChannelName = "webchat"
    business: Business = BUSINESS
    customer: Customer = field(default_factory=Customer)
    lead: LeadView | None = None
    cases: tuple[CaseView, ...] = ()
    answer: Answer = field(default_factory=lambda: Answer("none"))
    free: tuple[datetime, ...] = ()
    visits: tuple[VisitView, ...] = ()
    order: OrderAnswer = field(default_factory=lambda: OrderAnswer("off"))
    code: CodeAnswer = field(default_factory=lambda: CodeAnswer("over"))
    now: datetime = NOW
    options: dict[str, Any] = field(default_factory=dict)
    """More of the turn: `owner_is_human` and its like."""
    state: Mapping[str, Any] = field(default_factory=dict)
    plan: Plan = field(default_factory=Plan)

    def turn(self, text: str = "", **message: Any) -> Turn:
        """The turn of one message."""
        inbound = InboundMessage("k", self.channel, "us", "them", "x", text=text, **message)
        return Turn(
            self.now, self.channel, self.business, self.customer, (inbound,), self.state, **self.options
        )

    def play(self, turn: Turn, understood: Understood) -> Plan:
        """Decide a turn and go on from what it leaves behind."""
        self.plan = played(turn, understood, self.flows, self.read)
        self.state = self.plan.state
        for write in self.plan.writes:
            if isinstance(write, SaveLead):
                slots = {**(self.lead.slots if self.lead else {}), **write.slots}
                self.lead = LeadView("lead-1", 1, "new", slots)
            if isinstance(write, SaveContact) and write.name:
                self.customer = replace(self.customer, name=write.name)
        return self.plan

    def read(self, need: Need) -> Any:
        """What the engine is told."""
        if isinstance(need, FindCases):
            return tuple(case for case in self.cases if need.number in (None, case.number))
        if isinstance(need, FindFreeTimes):
            return self._times(need)
        known: dict[type, Any] = {
            FindOpenLead: self.lead,
            FindVisits: self.visits,
            FindOrder: self.order,
            CheckCode: self.code,
            SearchKnowledge: self.answer,
        }
        return known[type(need)]

    def _times(self, need: FindFreeTimes) -> Times:
        """As the calendar would: the wanted time or the nearest to it, else of the day, if it has any."""
        if need.wanted is not None:
            if need.wanted in self.free:
                return Times("", (need.wanted,))
            wanted = need.wanted
            nearest = sorted(self.free, key=lambda time: (abs(time - wanted), time))[:_OFFERED]
            return Times("taken", tuple(sorted(nearest)))
        zone = ZoneInfo(self.business.time_zone)
        of_day = tuple(time for time in self.free if time.astimezone(zone).date() == need.day)
        return Times(times=(of_day or self.free)[:_OFFERED])
