"""What flows do about visits: offer free times, book, move, call off."""

from collections.abc import Generator
from datetime import date, datetime
from typing import Any

from bot.crm.visit import MOST_COMING
from bot.dialogs.actions.outcome import Context, Outcome, cut
from bot.dialogs.deeds import BookVisit, CallOffVisit, MoveVisit
from bot.dialogs.looks import FindFreeTimes, FindVisits, Times, VisitView
from bot.dialogs.slots import zone_of
from bot.dialogs.turn import Need, Say
from bot.i18n import day_words, moment_words

_SERVICE_LIMIT = 100


def offer_days(context: Context) -> Generator[Need, Any, Outcome]:
    """The next days on which there is a free time, as the slot `days`."""
    found: Times = yield FindFreeTimes(besides=str(context.slots.get("visit_id") or ""))
    days = dict.fromkeys(moment.date() for moment in found.times)
    return Outcome(slots={"days": [[day.isoformat(), day_words(day, context.lang)] for day in days]})


def offer_times(context: Context) -> Generator[Need, Any, Outcome]:
    """Free times to choose from, of the day that was said, as the slot `times`."""
    day = _day(context.slots.get("day"))
    if context.slots.get("starts_at") or day is None or context.slots.get("times_of") == day.isoformat():
        return Outcome()
    found: Times = yield FindFreeTimes(day=day, besides=str(context.slots.get("visit_id") or ""))
    slots: dict[str, Any] = {"times": as_choices(found.times, context), "times_of": day.isoformat()}
    if not found.why:
        return Outcome(slots=slots)
    says = (Say(f"visit.why.{found.why}", {"time": day_words(day, context.lang)}),)
    return Outcome(says, slots={**slots, "day": None})


def check_time(context: Context) -> Generator[Need, Any, Outcome]:
    """Whether the wanted time can be had (slot `time_free`); else why not, and the nearest as `times`."""
    outcome, _ = yield from look(context, "starts_at", besides=str(context.slots.get("visit_id") or ""))
    return outcome


def look(
    context: Context, slot: str, *, besides: str = "", calls: bool = False
) -> Generator[Need, Any, tuple[Outcome, datetime | None]]:
    """Look the time of a slot up: the outcome to say, and the moment where it can be had. A visit is told in
    the business's zone, where it takes place; with `calls` in the contact's, who is rung there."""
    wanted = _moment(context.slots.get(slot))
    if wanted is None:
        return Outcome(slots={"time_free": False}), None
    found: Times = yield FindFreeTimes(wanted=wanted, besides=besides, calls=calls)
    if not found.why:
        return Outcome(slots={"time_free": True, "time": _words(wanted, context, calls)}), wanted
    reason = "call" if calls and found.why == "closed" else found.why
    says = (Say(f"visit.why.{reason}", {"time": _words(wanted, context, calls)}),)
    of_day = _there(wanted, context, calls).date().isoformat()
    times = {"times": as_choices(found.times, context, calls), "times_of": of_day, "day": of_day}
    return Outcome(says, slots={"time_free": False, **times}), None


def book_visit(context: Context) -> Generator[Need, Any, Outcome]:
    """Book the visit, unless its time is gone by now (slot `booked`), or their number is reached (`full`)."""
    counted = yield from count_visits(context)
    if counted.slots["full"]:
        return counted
    outcome, moment = yield from look(context, "starts_at")
    if moment is None:
        return Outcome(outcome.says, slots={**outcome.slots, "booked": False})
    service = cut(str(context.slots.get("service") or ""), _SERVICE_LIMIT)
    return Outcome(writes=(BookVisit(service, moment),), slots={**outcome.slots, "booked": True})


def count_visits(context: Context) -> Generator[Need, Any, Outcome]:
    """Whether the customer has as many visits ahead as one may have (slot `full`)."""
    found: tuple[VisitView, ...] = yield FindVisits()
    return Outcome(slots={"full": len(found) >= MOST_COMING, "limit": MOST_COMING})


def find_visits(context: Context) -> Generator[Need, Any, Outcome]:
    """The customer's coming visits as the slot `visits`; the only one is chosen."""
    found: tuple[VisitView, ...] = yield FindVisits()
    slots: dict[str, Any] = {
        "visit_count": len(found),
        "visits": [[visit.id, _words(visit.starts_at, context)] for visit in found],
    }
    if len(found) == 1:
        slots |= {"visit_id": found[0].id, "service": found[0].service}
        slots["old_time"] = _words(found[0].starts_at, context)
    chosen = next((visit for visit in found if visit.id == slots.get("visit_id", _id(context))), None)
    slots |= {"old_day": False, "old_hour": False}
    if chosen is not None:
        # "I cannot come tomorrow at 11" says when the visit was to be, not when it is to be now.
        slots["old_hour"] = _moment(context.slots.get("starts_at")) == chosen.starts_at
        day = chosen.starts_at.astimezone(zone_of(context.turn)).date()
        slots["old_day"] = _day(context.slots.get("day")) == day
    return Outcome(slots=slots)


def _id(context: Context) -> Any:
    return context.slots.get("visit_id")


def find_own_visit(context: Context) -> Generator[Need, Any, Outcome]:
    """Whether the customer has a visit at the time they name already (slot `own_visit`)."""
    wanted = _moment(context.slots.get("starts_at"))
    if wanted is None:
        return Outcome(slots={"own_visit": False})
    found: tuple[VisitView, ...] = yield FindVisits()
    return Outcome(slots={"own_visit": any(visit.starts_at == wanted for visit in found)})


def _chosen(context: Context) -> Generator[Need, Any, VisitView | None]:
    found: tuple[VisitView, ...] = yield FindVisits()
    return next((visit for visit in found if visit.id == context.slots.get("visit_id")), None)


def move_visit(context: Context) -> Generator[Need, Any, Outcome]:
    """Move the chosen visit to the wanted time, unless that is gone by now (slot `booked`)."""
    visit = yield from _chosen(context)
    if visit is None:
        return Outcome((Say("visit.none"),), slots={"booked": False, "visit_count": 0})
    outcome, moment = yield from look(context, "starts_at", besides=visit.id)
    if moment is None:
        return Outcome(outcome.says, slots={**outcome.slots, "booked": False})
    write = MoveVisit(visit.id, visit.version, moment)
    return Outcome(writes=(write,), slots={**outcome.slots, "booked": True, "service": visit.service})


def call_off_visit(context: Context) -> Generator[Need, Any, Outcome]:
    """Call the chosen visit off."""
    visit = yield from _chosen(context)
    if visit is None:
        return Outcome((Say("visit.none"),))
    said = Say("visit.called_off", {"time": _words(visit.starts_at, context), "service": visit.service})
    return Outcome((said,), (CallOffVisit(visit.id, visit.version),))


def as_choices(times: tuple[datetime, ...], context: Context, calls: bool = False) -> list[list[str]]:
    """Moments as `choices_from` takes them: (value, title), too short to name the zone."""
    local = [_there(moment, context, calls) for moment in times]
    return [[moment.isoformat(timespec="minutes"), moment_words(moment, context.lang)] for moment in local]


def _words(moment: datetime, context: Context, calls: bool = False) -> str:
    abroad = calls and zone_of(context.turn) != zone_of(context.turn, ours=True)
    return moment_words(_there(moment, context, calls), context.lang, zone=abroad)


def _there(moment: datetime, context: Context, calls: bool) -> datetime:
    """By the clock that counts: ours, or for a call the contact's. The first and last days of the calendar
    have no time in other zones; they stay as they were said."""
    try:
        return moment.astimezone(zone_of(context.turn, ours=not calls))
    except OverflowError:
        return moment


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _day(value: Any) -> date | None:
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        return None
