"""What the engine may ask the calendar and the order system for, and the answers."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

Why = Literal["", "past", "too_soon", "too_far", "closed", "taken"]


@dataclass(frozen=True, slots=True)
class FindFreeTimes:
    """Answered with `Times`: times for a visit, or with `calls` to be rung up. `besides`: a visit that is to
    be moved takes no place."""

    wanted: datetime | None = None
    day: date | None = None
    besides: str = ""
    calls: bool = False


@dataclass(frozen=True, slots=True)
class Times:
    """`why` the wanted time or day cannot be had, "" where it can; `times`: it alone, or a few free ones."""

    why: Why = ""
    times: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class FindVisits:
    """Answered with `tuple[VisitView, ...]`: the visits this customer has booked, the next first."""


@dataclass(frozen=True, slots=True)
class VisitView:
    """A booked visit as its customer sees it."""

    id: str
    version: int
    service: str
    starts_at: datetime


@dataclass(frozen=True, slots=True)
class FindOrder:
    """Answered with `OrderAnswer`. An empty number asks only whether orders can be looked up."""

    number: str


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order as its customer sees it."""

    number: str
    status: str
    items: tuple[str, ...] = ()
    expected_on: date | None = None
    tracking_url: str = ""


@dataclass(frozen=True, slots=True)
class OrderAnswer:
    """What may be said of an order.

    off: there is no order system; on: there is (an empty number was asked for); down: it does not answer;
    hidden: nobody proved that it is theirs, or there is no such order: the two look the same; shown: `order`.
    `codes_left` that may be sent within this hour; `reachable`: whether codes can be sent at all."""

    state: Literal["off", "on", "down", "hidden", "shown"]
    order: OrderView | None = None
    codes_left: int = 0
    reachable: bool = True


@dataclass(frozen=True, slots=True)
class CheckCode:
    """Answered with `CodeAnswer`: whether this is the code that was sent for the order."""

    number: str
    code: str


@dataclass(frozen=True, slots=True)
class CodeAnswer:
    """over: it is too old, was tried too often, or none was sent."""

    state: Literal["right", "wrong", "over"]
    code_id: str = ""
    tries: int = 0
    """Tries that were made before this one."""
    tries_left: int = 0
