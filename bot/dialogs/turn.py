"""What goes into a turn and what comes out of it: values only.

The engine is a generator: it yields a `Need` and is sent its answer, until it returns a `Plan`.
The pipeline answers needs outside the write transaction and commits the plan once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bot.dialogs.deeds import (
    BookCall,
    BookVisit,
    CallOffVisit,
    CodeTried,
    DropCase,
    DropLead,
    KeepFeedback,
    MoveVisit,
    SendCode,
)
from bot.dialogs.looks import CheckCode, FindFreeTimes, FindOrder, FindVisits
from bot.messages import ChannelName, InboundMessage


@dataclass(frozen=True, slots=True)
class Business:
    """The business profile, as dialogs need it."""

    name: str
    country: str
    time_zone: str
    languages: tuple[str, ...]
    currency: str


@dataclass(frozen=True, slots=True)
class Customer:
    """Who writes. `contact_id` is None before the first turn of a sender we do not know."""

    contact_id: str | None = None
    name: str = ""
    lang: str | None = None
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """Something that was said in the conversation before: by the customer, or to them."""

    customer: bool
    text: str


@dataclass(frozen=True, slots=True)
class Turn:
    """All that understanding and the engine may look at.

    `messages` were gathered into this turn, oldest first; empty when a timer woke the bot.
    `state` is what the last plan of this conversation left behind (JSON), {} at first.
    `owner_is_human`: the bot must stay silent. `stopped`: the customer said STOP on this channel.
    `answers_after_stop`: False on SMS, where nothing may leave at all after STOP.
    `earlier`: the last lines before these messages, oldest first; only where a language model reads them.
    `quiet`: too much comes in: nothing but STOP, START and the wish for a person is heard, and nothing is
    said but the text of the key `notice`, if there is one.
    `asks_helped`: whether an answer helped may be asked here; `question_id` is what a question of this turn
    is then called.
    """

    now: datetime
    channel: ChannelName
    business: Business
    customer: Customer
    messages: tuple[InboundMessage, ...]
    state: Mapping[str, Any] = field(default_factory=dict)
    agents_online: bool = False
    owner_is_human: bool = False
    stopped: bool = False
    answers_after_stop: bool = True
    article_base_url: str = ""
    """Articles are found at `{article_base_url}/{lang}/{key}`."""
    earlier: tuple[Line, ...] = ()
    quiet: bool = False
    notice: str = ""
    asks_helped: bool = False
    question_id: str = ""

    @property
    def text(self) -> str:
        """The gathered messages as one text."""
        return "\n".join(message.text for message in self.messages if message.text)


# --- what the engine may ask for -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FindOpenLead:
    """Answered with `LeadView | None`: the customer's open lead."""


@dataclass(frozen=True, slots=True)
class FindCases:
    """Answered with `tuple[CaseView, ...]`: this customer's cases, newest first, at most five; with a
    number only that one (empty when it is not theirs)."""

    number: int | None = None


@dataclass(frozen=True, slots=True)
class SearchKnowledge:
    """Answered with `bot.knowledge.answer.Answer`, from articles for these audiences."""

    question: str
    lang: str
    audiences: frozenset[str] = frozenset({"public"})
    before: str = ""
    """What the same customer asked just before."""


Need = FindOpenLead | FindCases | SearchKnowledge | FindFreeTimes | FindVisits | FindOrder | CheckCode


@dataclass(frozen=True, slots=True)
class LeadView:
    """An open lead as the flow sees it. `slots` holds what is known: need, budget, authority, timeline;
    `opened_at` when it was opened."""

    id: str
    version: int
    status: str
    slots: Mapping[str, Any]
    opened_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case as its customer may see it. `status`: new, open, pending, resolved, closed."""

    id: str
    number: int
    subject: str
    status: str
    updated_at: datetime
    version: int


# --- what a plan may write -----------------------------------------------------------------------
# A write's result joins the values of the plan's texts: OpenCase gives {case_number} ("C-1042"),
# AddToCase too, SaveLead gives {lead_number}, BookVisit and MoveVisit {calendar_url}.


@dataclass(frozen=True, slots=True)
class SaveContact:
    """What the customer said of themselves; None leaves as is. The name overwrites only a name that
    the channel gave."""

    name: str | None = None
    lang: str | None = None


@dataclass(frozen=True, slots=True)
class AddIdentity:
    """A typed phone (E.164) or e-mail address: a claim, never verified."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class SaveLead:
    """Open the customer's lead, or add to the open one. Only the given slots change.

    Slots: need, budget (integer minor units), currency, authority, timeline; `qualified` once all of
    BANT is known. `lead_id` and `version` are those of the LeadView relied on, None to open one."""

    slots: Mapping[str, Any]
    qualified: bool = False
    lead_id: str | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class OpenCase:
    """Open a case of this conversation.

    `category`: warranty, return, feedback or complaint. `details` go into the description, a line each: the
    key of a line (`case.detail.order_number`) and its value. Without a subject the category and `about` are
    it."""

    subject: str
    description: str
    priority: str = "normal"
    category: str = ""
    about: str = ""
    details: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class AddToCase:
    """Add the customer's words to one of their cases; a resolved case reopens."""

    case_id: str
    text: str


@dataclass(frozen=True, slots=True)
class HandOff:
    """Give the conversation to a person. `reason`: asked, not_understood, policy, no_answer or failed."""

    reason: str
    summary: str
    slots: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RecordConsent:
    """STOP ("withdrawn") or START ("given") on this channel, with the words as proof."""

    state: str
    words: str


@dataclass(frozen=True, slots=True)
class NoteQuestion:
    """A question for the articles and what came of it: `answered` by an article, `unsure` between a few, one
    of them `chosen`, or `none`. `id`: what the buttons that ask whether it helped call it."""

    text: str
    outcome: str
    article_id: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class RateAnswer:
    """Whether the answer to a question helped."""

    question_id: str
    helped: bool


@dataclass(frozen=True, slots=True)
class NoteAbuse:
    """The customer swore: an event that a business can see, and make rules of."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Wake this conversation after `delay` with timer `kind`; one timer per kind and conversation."""

    kind: str
    delay: timedelta


@dataclass(frozen=True, slots=True)
class Unschedule:
    """Drop the timer of this kind, if any."""

    kind: str


Write = (
    SaveContact
    | AddIdentity
    | SaveLead
    | OpenCase
    | AddToCase
    | HandOff
    | RecordConsent
    | NoteQuestion
    | RateAnswer
    | NoteAbuse
    | Schedule
    | Unschedule
    | BookVisit
    | MoveVisit
    | CallOffVisit
    | BookCall
    | SendCode
    | CodeTried
    | KeepFeedback
    | DropLead
    | DropCase
)


@dataclass(frozen=True, slots=True)
class Choice:
    """A button to offer: its title is a key in `locales/`, or plain text (an article's title)."""

    id: str
    key: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Say:
    """One text to the customer: a key in `locales/` with its values, or `text` as is (an answer quoted
    from an article or checked by the guard)."""

    key: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""
    choices: tuple[Choice, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What a turn decided; committed once. `lang` is the language to speak from here on."""

    says: tuple[Say, ...] = ()
    writes: tuple[Write, ...] = ()
    state: Mapping[str, Any] = field(default_factory=dict)
    lang: str = "en"
    flow: str = ""
    """The flow that decided, for metrics."""
