"""What is done to activities beside their values: completing one, this and all later ones, one's calendar."""

from typing import Any

from bot.crm.activity import ACTIVITY, OUTCOMES
from bot.crm.feed import feed_value
from bot.crm.occurrence import FollowUp, change_future, complete, delete_future
from bot.errors import Forbidden, InvalidInput
from bot.records.change import read_values
from bot.records.given import read_value
from bot.records.tx import Tx
from bot.web.api.bodies import Body, Text
from bot.web.api.call import Answer, Call
from bot.web.api.describe import ID, Described

COMPLETION = Body(
    "Completion",
    {
        "outcome": Text("What came of it.", "interested", 20, required=False, values=OUTCOMES),
        "note": Text("A note beside the record it is about.", "Wants a quote", 100_000, required=False),
        "follow_up_subject": Text("The next task, where there is one.", "Send quote", 200, required=False),
        "follow_up_due": Text("When that is due.", "2026-03-02T04:30:00Z", 40, required=False),
    },
)

SCHEMAS: dict[str, Described] = {
    "completed": {
        "type": "object",
        "required": ["id", "follow_up_id"],
        "properties": {"id": ID, "follow_up_id": {"type": ["string", "null"], "format": "uuid"}},
    },
    "changed_series": {
        "type": "object",
        "required": ["id", "series_id"],
        "properties": {"id": ID, "series_id": {**ID, "description": "The series that goes on."}},
    },
    "deleted_series": {
        "type": "object",
        "required": ["id", "deleted"],
        "properties": {"id": ID, "deleted": {"type": "integer", "description": "How many went."}},
    },
    "calendar_address": {
        "type": "object",
        "required": ["url"],
        "properties": {"url": {"type": "string", "description": "Who has it reads your calendar."}},
    },
}
"""What these operations answer."""


def post_complete(tx: Tx, call: Call) -> Answer:
    """Done, with what came of it and what comes next."""
    given = call.body
    subject, due = given["follow_up_subject"].strip(), given["follow_up_due"].strip()
    if bool(subject) != bool(due):
        missing = "follow_up_due" if subject else "follow_up_subject"
        raise InvalidInput("A follow-up has a subject and a due time", field=missing)
    follow_up = FollowUp(subject, _moment(call, due)) if subject else None
    next_id = complete(tx, call.id, given["outcome"] or None, given["note"], follow_up)
    return Answer({"id": call.id, "follow_up_id": next_id})


def _moment(call: Call, text: str) -> Any:
    try:
        return read_value(ACTIVITY.fields["due_at"], text, call.zone)
    except InvalidInput as error:
        said = error.message.replace("due_at", "follow_up_due", 1)
        raise InvalidInput(said, field="follow_up_due") from None


def post_change_future(tx: Tx, call: Call) -> Answer:
    """Change this occurrence and all later ones; the body holds fields of an activity."""
    values = read_values(tx, ACTIVITY, call.body, zone=call.zone)
    return Answer({"id": call.id, "series_id": change_future(tx, call.id, values)})


def post_delete_future(tx: Tx, call: Call) -> Answer:
    """Delete this occurrence and all later ones that are not done."""
    return Answer({"id": call.id, "deleted": delete_future(tx, call.id)})


def post_calendar(tx: Tx, call: Call) -> Answer:
    """The address of the caller's own calendar."""
    return _address(tx, call, anew=False)


def post_new_calendar(tx: Tx, call: Call) -> Answer:
    """Another address for the caller's calendar; the one before is dead."""
    return _address(tx, call, anew=True)


def _address(tx: Tx, call: Call, *, anew: bool) -> Answer:
    """Who has the address sees all that its user sees, whatever the key was limited to."""
    if tx.actor.scopes is not None:
        raise Forbidden("A key that is limited is given no calendar address; sign in for that")
    return Answer({"url": call.calendar(feed_value(tx, anew=anew))})
