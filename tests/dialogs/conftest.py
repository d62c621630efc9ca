"""A conversation played against the engine: commands in, texts out, needs answered from what a test gives."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.dialogs.actions import ACTIONS
from bot.dialogs.commands import Command, Understood
from bot.dialogs.engine import decide
from bot.dialogs.flows import Flows, load_flows
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
from bot.dialogs.render import Rendered, render
from bot.dialogs.turn import (
    Business,
    Customer,
    FindCases,
    FindOpenLead,
    LeadView,
    OpenCase,
    Plan,
    SaveContact,
    SaveLead,
    Turn,
)
from bot.dialogs.understanding import Model, Understanding
from bot.i18n import Words
from bot.knowledge.answer import Answer
from bot.messages import ChannelName, InboundMessage, Media
from tests.support.world import trained

BUSINESS = Business("Sharma Electronics", "IN", "Asia/Kolkata", ("en", "hi", "hi-Latn", "ur"), "INR")


@pytest.fixture(scope="session")
def words() -> Words:
    return Words.load(strict=True)


@pytest.fixture(scope="session")
def flows(words: Words) -> Flows:
    return load_flows(actions=ACTIONS, knows=words.has)


@dataclass
class Conversation:
    """One customer. `lead`, `cases` and `answer` are what the records and articles hold."""

    flows: Flows
    words: Words
    channel: ChannelName = "webchat"
    business: Business = BUSINESS
    customer: Customer = field(default_factory=Customer)
    lead: LeadView | None = None
    cases: tuple[Any, ...] = ()
    answer: Answer = field(default_factory=lambda: Answer("none"))
    times: Times = field(default_factory=Times)
    visits: tuple[VisitView, ...] = ()
    order: OrderAnswer = field(default_factory=lambda: OrderAnswer("off"))
    code: CodeAnswer = field(default_factory=lambda: CodeAnswer("over"))
    now: datetime = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
    options: dict[str, Any] = field(default_factory=dict)
    lang: str = "en"
    state: Any = field(default_factory=dict)
    plan: Plan = field(default_factory=Plan)
    rendered: tuple[Rendered, ...] = ()
    needs: list[Any] = field(default_factory=list)

    def turn(self, text: str = "", media: tuple[Media, ...] = (), **message: Any) -> Turn:
        inbound = InboundMessage("k", self.channel, "us", "them", "x", text=text, media=media, **message)
        return Turn(
            self.now, self.channel, self.business, self.customer, (inbound,), self.state, **self.options
        )

    def hears(
        self, *commands: Command, text: str = "said", media: tuple[Media, ...] = (), **message: Any
    ) -> str:
        """Play a turn; the texts of the reply, joined."""
        return self.plays(self.turn(text, media, **message), Understood(commands, self.lang, "exact"))

    def plays(self, turn: Turn, understood: Understood) -> str:
        deciding = decide(turn, understood, self.flows)
        reply = None
        while True:
            try:
                need = deciding.send(reply)
            except StopIteration as done:
                self.plan = done.value
                break
            self.needs.append(need)
            reply = self.read(need)
        self.state = self.plan.state
        self.remember()
        results = {"case_number": "C-1042", "calendar_url": "https://x.example/visit.ics"}
        self.rendered = render(self.plan, results, self.words, self.channel)
        return " | ".join(one.text for one in self.rendered)

    def read(self, need: Any) -> Any:
        if isinstance(need, FindOpenLead):
            return self.lead
        if isinstance(need, FindCases):
            return tuple(case for case in self.cases if need.number in (None, case.number))
        known: dict[type, Any] = {FindFreeTimes: self.times, FindVisits: self.visits}
        known |= {FindOrder: self.order, CheckCode: self.code}
        return known.get(type(need), self.answer)

    def remember(self) -> None:
        """What the pipeline would have written."""
        for write in self.plan.writes:
            if isinstance(write, SaveLead):
                slots = {**(self.lead.slots if self.lead else {}), **write.slots}
                self.lead = LeadView("lead-1", 1, "new", slots)
            if isinstance(write, SaveContact) and write.name:
                self.customer = replace(self.customer, name=write.name)

    def wrote(self, kind: type) -> list[Any]:
        return [write for write in self.plan.writes if isinstance(write, kind)]

    def opened_case(self) -> OpenCase:
        [case] = self.wrote(OpenCase)
        return case  # type: ignore[no-any-return]

    def later(self, **delta: float) -> None:
        self.now += timedelta(**delta)

    @property
    def buttons(self) -> list[str]:
        return [button.id for one in self.rendered for button in one.buttons]


@pytest.fixture(scope="session")
def conversation(flows: Flows, words: Words) -> Callable[..., Conversation]:
    def begin(**given: Any) -> Conversation:
        return Conversation(flows, words, **given)

    return begin


@pytest.fixture(scope="session")
def model(flows: Flows) -> Model:
    """The one that all tests share."""
    return Model.read(trained())


@pytest.fixture(scope="session")
def understanding(flows: Flows, words: Words, model: Model) -> Understanding:
    return Understanding(flows, words, model)


@pytest.fixture
def understand(
    flows: Flows, words: Words, understanding: Understanding
) -> Callable[..., Awaitable[Understood]]:
    """Understand one text of a customer, with nothing or a given state behind it."""

    async def one(text: str, state: Any = None, **message: Any) -> Understood:
        chat = Conversation(flows, words, state=state or {})
        return await understanding.understand(chat.turn(text, **message))

    return one
