"""What is done to activities beside their values: completing, this and all later ones, one's own calendar."""

from typing import Any, Literal
from zoneinfo import ZoneInfo

from aiohttp import web

from bot.crm.activity import ACTIVITY, OUTCOMES
from bot.crm.feed import feed_value
from bot.crm.occurrence import FollowUp, change_future, complete, delete_future
from bot.errors import InvalidInput, NotFound
from bot.records.actor import Actor
from bot.records.change import read_values
from bot.records.given import read_value
from bot.records.query.values import is_id
from bot.records.tx import Tx
from bot.web.api.auth import Handler, answer, signed_in
from bot.web.api.bodies import Body, Text, read, read_object
from bot.web.api.records import parameters
from bot.web.keys import APP
from bot.web.pages.calendar import address_of

_MOMENT = "2026-03-02T04:30:00Z"
COMPLETION = Body(
    "Completion",
    {
        "outcome": Text("What came of it.", "interested", 20, required=False, values=OUTCOMES),
        "note": Text("A note beside the record it is about.", "Wants a quote", 100_000, required=False),
        "follow_up_subject": Text("The next task, where there is one.", "Send quote", 200, required=False),
        "follow_up_due": Text("When the next task is due.", _MOMENT, 40, required=False),
    },
)


async def post_complete(request: web.Request, actor: Actor) -> web.StreamResponse:
    """Done, with what came of it and what comes next."""
    activity_id = record_id(request)
    given = await read(request, COMPLETION)
    subject, due = given["follow_up_subject"], given["follow_up_due"]
    if bool(subject) != bool(due):
        missing = "follow_up_due" if subject else "follow_up_subject"
        raise InvalidInput("A follow-up has a subject and a due time", field=missing)
    app = request.app[APP]
    follow_up = None
    if subject:
        try:
            moment = read_value(ACTIVITY.fields["due_at"], due, ZoneInfo(app.profile.time_zone))
        except InvalidInput as error:
            raise InvalidInput(error.message, field="follow_up_due") from None
        follow_up = FollowUp(subject, moment)
    outcome = given["outcome"] or None
    next_id = await app.store.run(complete, actor, activity_id, outcome, given["note"], follow_up)
    return answer({"id": activity_id, "follow_up_id": next_id})


async def post_change_future(request: web.Request, actor: Actor) -> web.StreamResponse:
    """Change this occurrence and all later ones; the body holds fields of an activity."""
    activity_id = record_id(request)
    given = await read_object(request)
    app = request.app[APP]
    zone = ZoneInfo(app.profile.time_zone)
    series_id = await app.store.run(_change_future, actor, activity_id, given, zone)
    return answer({"id": activity_id, "series_id": series_id})


def _change_future(tx: Tx, activity_id: str, given: dict[str, Any], zone: ZoneInfo) -> str:
    return change_future(tx, activity_id, read_values(tx, ACTIVITY, given, zone=zone))


async def post_delete_future(request: web.Request, actor: Actor) -> web.StreamResponse:
    """Delete this occurrence and all later ones that are not done."""
    activity_id = record_id(request)
    deleted = await request.app[APP].store.run(delete_future, actor, activity_id)
    return answer({"id": activity_id, "deleted": deleted})


async def post_calendar(request: web.Request, actor: Actor) -> web.StreamResponse:
    """The address of the caller's own calendar."""
    return await _calendar(request, actor, anew=False)


async def post_new_calendar(request: web.Request, actor: Actor) -> web.StreamResponse:
    """Another address for the caller's calendar; the one before is dead."""
    return await _calendar(request, actor, anew=True)


async def _calendar(request: web.Request, actor: Actor, *, anew: bool) -> web.StreamResponse:
    parameters(request, ())
    app = request.app[APP]
    value = await app.store.run(feed_value, actor, anew=anew)
    return answer({"url": address_of(app.settings.public_url, app.sign(value))})


def record_id(request: web.Request) -> str:
    """The id in the address. Raises NotFound for what is none."""
    parameters(request, ())
    found = request.match_info["id"].lower()
    if not is_id(found):
        raise NotFound("There is no such record")
    return found


_ACTIVITIES, _MINE = "/api/v1/activities/{id}", "/api/v1/users/me/calendar"
_Row = tuple[Literal["POST"], str, Handler, str, str, str]
ROUTES: tuple[tuple[_Row, Body | None], ...] = (
    (
        (
            "POST",
            f"{_ACTIVITIES}/complete",
            signed_in(post_complete),
            "complete_activity",
            "An activity is done: what came of it, and the next task.",
            "anything",
        ),
        COMPLETION,
    ),
    (
        (
            "POST",
            f"{_ACTIVITIES}/change-future",
            signed_in(post_change_future),
            "change_future_activities",
            "Change this occurrence of a series and all later ones.",
            "anything",
        ),
        None,
    ),
    (
        (
            "POST",
            f"{_ACTIVITIES}/delete-future",
            signed_in(post_delete_future),
            "delete_future_activities",
            "Delete this occurrence of a series and all later ones.",
            "anything",
        ),
        None,
    ),
    (
        (
            "POST",
            _MINE,
            signed_in(post_calendar),
            "my_calendar",
            "The address of your calendar, for a calendar program.",
            "anything",
        ),
        None,
    ),
    (
        (
            "POST",
            f"{_MINE}/new-address",
            signed_in(post_new_calendar),
            "renew_my_calendar",
            "Another address for your calendar; the one before is dead.",
            "anything",
        ),
        None,
    ),
)
