"""What a plan may write of visits, calls, codes and ratings."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class BookVisit:
    """Put a visit of the customer into the calendar. The time is looked at again: when it is gone, the turn
    runs again and finds others."""

    service: str
    starts_at: datetime


@dataclass(frozen=True, slots=True)
class MoveVisit:
    """Another time for a visit; `version` is that of the VisitView relied on."""

    visit_id: str
    version: int
    starts_at: datetime


@dataclass(frozen=True, slots=True)
class CallOffVisit:
    """The customer does not come."""

    visit_id: str
    version: int


@dataclass(frozen=True, slots=True)
class BookCall:
    """Somebody of the team is to ring the customer."""

    phone: str
    call_at: datetime
    about: str = ""


@dataclass(frozen=True, slots=True)
class DropLead:
    """The customer wants it no more."""

    lead_id: str
    version: int


@dataclass(frozen=True, slots=True)
class DropCase:
    """The customer takes back what they have just complained of."""

    case_id: str
    version: int


@dataclass(frozen=True, slots=True)
class SendCode:
    """Send a one-time code to the address on an order, if there is such an order."""

    order_number: str


@dataclass(frozen=True, slots=True)
class CodeTried:
    """A code was typed; a right one proves the address it went to. `tries` are those made before."""

    order_number: str
    code_id: str
    tries: int
    right: bool


@dataclass(frozen=True, slots=True)
class KeepFeedback:
    """A rating from 1 to 5 with the customer's words."""

    rating: int
    comment: str = ""
