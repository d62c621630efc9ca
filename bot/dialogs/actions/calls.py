"""What flows do about calls to make, and about what customers think of us."""

from collections.abc import Generator
from typing import Any

from bot.dialogs.actions.cases import SUBJECT_LIMIT
from bot.dialogs.actions.outcome import Context, Outcome, cut
from bot.dialogs.actions.visits import as_choices, look
from bot.dialogs.deeds import BookCall, KeepFeedback
from bot.dialogs.looks import FindFreeTimes, Times
from bot.dialogs.turn import Need, OpenCase, Say, Write

_LOW = 2
"""A rating up to which a manager is to know."""


def offer_call_times(context: Context) -> Generator[Need, Any, Outcome]:
    """The next times at which somebody is there to ring, as the slot `times`."""
    found: Times = yield FindFreeTimes(calls=True)
    return Outcome(slots={"times": as_choices(found.times, context, calls=True)})


def check_call_time(context: Context) -> Generator[Need, Any, Outcome]:
    """Whether somebody is there to ring at the wanted time (slot `time_free`); else the nearest times."""
    outcome, _ = yield from look(context, "call_at", calls=True)
    return outcome


def book_call(context: Context) -> Generator[Need, Any, Outcome]:
    """Put the call into the team's calendar, unless its time has passed meanwhile (slot `booked`)."""
    outcome, moment = yield from look(context, "call_at", calls=True)
    if moment is None:
        return Outcome(outcome.says, slots={**outcome.slots, "booked": False})
    about = str(context.slots.get("about") or "")
    write = BookCall(str(context.slots.get("phone") or ""), moment, about)
    return Outcome(writes=(write,), slots={**outcome.slots, "booked": True})


def keep_feedback(context: Context) -> Generator[Need, Any, Outcome]:
    """Keep the rating; a low one opens a case, so that a manager sees to it."""
    yield from ()
    rating = int(context.slots.get("rating") or 0)
    if not 1 <= rating <= 5:
        return Outcome()
    comment = str(context.slots.get("comment") or "")
    writes: tuple[Write, ...] = (KeepFeedback(rating, comment),)
    if rating > _LOW:
        return Outcome((Say("feedback.thanks"),), writes)
    details = (("case.detail.rating", rating),)
    about = cut(comment, SUBJECT_LIMIT)
    case = OpenCase("", comment, "high", category="feedback", about=about, details=details)
    return Outcome((Say("feedback.sorry"),), (*writes, case))
