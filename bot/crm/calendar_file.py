"""Calendar documents (RFC 5545): a person's feed, and invitations by mail (RFC 5546).

icalendar takes 0.3 s to import, so that only who writes a document imports it.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Literal

from bot.crm.recurrence import parts_of, utc_until, zone_info
from bot.errors import InvalidInput

if TYPE_CHECKING:
    from icalendar import Calendar, Component, vCalAddress

PRODUCT = "-//Samvad//Samvad//EN"
HOUR = timedelta(hours=1)
ANSWERS = ("NEEDS-ACTION", "ACCEPTED", "DECLINED", "TENTATIVE", "DELEGATED", "COMPLETED", "IN-PROCESS")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Entry:
    """One activity as a calendar shows it. Instants are aware; `zone` is where a wall-clock time stays.

    A changed occurrence of a series has the series' `uid` and in `recurrence_id` when it would have been.
    `sequence` grows with each change that guests are told of.
    """

    uid: str
    kind: Literal["event", "call", "task"]
    summary: str
    start: datetime | None = None
    end: datetime | None = None
    due: datetime | None = None
    done_at: datetime | None = None
    all_day: bool = False
    zone: str = "UTC"
    rrule: str = ""
    excluded: tuple[datetime, ...] = ()
    recurrence_id: datetime | None = None
    sequence: int = 0
    status: Literal["confirmed", "tentative", "cancelled"] = "confirmed"
    description: str = ""
    location: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Guest:
    """Who is invited, or who invites; `answer` is one of ANSWERS."""

    email: str
    name: str = ""
    answer: str = "NEEDS-ACTION"


def feed(name: str, entries: Iterable[Entry], now: datetime) -> bytes:
    """A person's calendar, for their calendar program to fetch again and again."""
    calendar = _calendar()
    for label in ("name", "x-wr-calname"):  # RFC 7986, and what was there before it
        calendar.add(label, _line(name))
    calendar.add("refresh-interval", HOUR, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", "PT1H")
    for entry in entries:
        calendar.add_component(_component(entry, now))
    return _bytes(calendar)


def invitation(
    entry: Entry,
    organiser: Guest,
    guests: Sequence[Guest],
    method: Literal["REQUEST", "CANCEL"],
    now: datetime,
) -> bytes:
    """What a mail to the guests carries as `text/calendar; method=…`; a CANCEL calls the entry off."""
    if not guests:
        raise InvalidInput("An invitation needs somebody who is invited", field="guests")
    calendar = _calendar()
    calendar.add("method", method)
    component = _component(entry, now)
    if method == "CANCEL":
        component.pop("status", None)
        component.add("status", "CANCELLED")
    component.add("organizer", _address(organiser))
    for guest in guests:
        address = _address(guest)
        address.params["ROLE"] = "REQ-PARTICIPANT"
        address.params["PARTSTAT"] = guest.answer
        if method == "REQUEST":
            address.params["RSVP"] = "TRUE"
        component.add("attendee", address)
    calendar.add_component(component)
    return _bytes(calendar)


# --- writing ---------------------------------------------------------------------------------------


def _calendar() -> "Calendar":
    from icalendar import Calendar

    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    return calendar


def _bytes(calendar: "Calendar") -> bytes:
    """With the time zones that its entries name: guests' programs need not know them."""
    calendar.add_missing_timezones()
    return bytes(calendar.to_ical())


def _component(entry: Entry, now: datetime) -> "Component":
    from icalendar import Event, Todo, vRecur

    task = entry.kind == "task"
    component: Component = Todo() if task else Event()
    component.add("uid", _line(entry.uid))
    component.add("dtstamp", now.astimezone(UTC).replace(microsecond=0))
    component.add("sequence", entry.sequence)
    component.add("summary", _line(entry.summary))
    for name, text in (("description", _plain(entry.description)), ("location", _line(entry.location))):
        if text:
            component.add(name, text)
    if entry.url:
        component.add("url", _line(entry.url))
    (_add_task if task else _add_times)(component, entry)
    if entry.rrule:
        component.add("rrule", vRecur.from_ical(_rule(entry)))
    for moment in entry.excluded:
        component.add("exdate", _when(entry, moment))
    if entry.recurrence_id:
        component.add("recurrence-id", _when(entry, entry.recurrence_id))
    return component


def _add_times(component: "Component", entry: Entry) -> None:
    if entry.start is None:
        raise InvalidInput("What stands in a calendar needs a start", field="start")
    component.add("dtstart", _when(entry, entry.start))
    if entry.end and entry.end > entry.start:
        component.add("dtend", _end(entry, entry.end))
    component.add("status", entry.status.upper())


def _add_task(component: "Component", entry: Entry) -> None:
    start = entry.start or (entry.due if entry.rrule or entry.recurrence_id else None)
    if start:
        component.add("dtstart", _when(entry, start))
    # RFC 5545, 3.8.2.3: DUE is later than DTSTART.
    due = _when(entry, entry.due) if entry.due else None
    if due and not (start and due <= _when(entry, start)):
        component.add("due", due)
    if entry.done_at:
        component.add("completed", entry.done_at.astimezone(UTC).replace(microsecond=0))
        component.add("percent-complete", 100)
    open_or_not = "COMPLETED" if entry.done_at else "NEEDS-ACTION"
    component.add("status", "CANCELLED" if entry.status == "cancelled" else open_or_not)


def _when(entry: Entry, moment: datetime) -> date:
    """A day; in a series the wall-clock time, which a change of clocks must not move; else UTC."""
    local = moment.astimezone(zone_info(entry.zone)).replace(microsecond=0)
    if entry.all_day:
        return local.date()
    return local if entry.rrule or entry.recurrence_id else local.astimezone(UTC)


def _end(entry: Entry, moment: datetime) -> date:
    """DTEND of days is the first day after: a moment within a day still belongs to that day."""
    end = _when(entry, moment)
    midnight = moment.astimezone(zone_info(entry.zone)).time() == time()
    return end + timedelta(days=1) if entry.all_day and not midnight else end


def _rule(entry: Entry) -> str:
    """UNTIL is of the kind of DTSTART: a date in a series of days (RFC 5545, 3.3.10)."""
    last = parts_of(entry.rrule).get("UNTIL")
    if not entry.all_day or last is None:
        return entry.rrule
    day = utc_until(last).astimezone(zone_info(entry.zone)).date()
    return entry.rrule.replace(last, f"{day:%Y%m%d}")


def _address(guest: Guest) -> "vCalAddress":
    from icalendar import vCalAddress

    address = vCalAddress(f"mailto:{_line(guest.email)}")
    if guest.name:
        address.params["CN"] = _line(guest.name)
    return address


def _plain(text: str) -> str:
    """Without what RFC 5545 forbids in a text: control characters, and halves of letters."""
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def _line(text: str) -> str:
    return " ".join(_plain(text).split())
