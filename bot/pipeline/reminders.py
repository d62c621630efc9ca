"""What the timers of activities and files do: remind, tell of what is overdue, warn of a file's end."""

from collections.abc import Callable
from datetime import datetime, timedelta

from babel.dates import format_datetime

from bot.crm.activity import ACTIVITY
from bot.crm.call import CALL_BACK
from bot.crm.contact import CONTACT
from bot.crm.file import EXPIRY, FILE, remind
from bot.crm.notification import notify_user
from bot.crm.recurrence import zone_info
from bot.crm.reminders import AHEAD as VISIT_AHEAD
from bot.crm.reminders import OVERDUE, REMINDER, VISIT_DAY, VISIT_HOUR, moment_of
from bot.crm.user import USER, staff_to_tell
from bot.i18n import locale_of, moment_words
from bot.pipeline.business import ask_gate, write_first
from bot.pipeline.load import read_conversation
from bot.pipeline.runtime import Runtime
from bot.records.timer import set_timer
from bot.records.tx import Record, Tx
from bot.records.write import find


def say_moment(moment: datetime, zone: str, lang: str) -> str:
    """`Monday, 2 March 2026, 10:00 am`, where `zone` is."""
    return str(
        format_datetime(moment, "EEEE, d MMMM y, h:mm a", tzinfo=zone_info(zone), locale=locale_of(lang))
    )


def link_to(kind: str, record_id: str) -> str:
    """The console's page of a record."""
    return f"/console/records/{kind}/{record_id}"


def owner_or_all(tx: Tx, owner_id: str | None) -> list[str]:
    """Whose it is, else everybody who takes customers on."""
    return [owner_id] if owner_id else [user["id"] for user in staff_to_tell(tx, ("agent", "rep"))]


def _open(tx: Tx, row: Record) -> Record | None:
    """The activity of a timer, if somebody still has it to do."""
    found = find(tx, ACTIVITY, row["subject_id"])
    if found is None or found["done_at"] is not None or found["owner_id"] is None:
        return None
    return found


def _data(runtime: Runtime, row: Record, moment: datetime) -> dict[str, object]:
    zone, lang = row["zone"] or runtime.profile.time_zone, runtime.profile.languages[0]
    return {"subject": row["subject"], "time": say_moment(moment, zone, lang)}


def _remind(tx: Tx, runtime: Runtime, row: Record) -> None:
    """An activity is near: its owner is told."""
    found = _open(tx, row)
    moment = moment_of(found) if found is not None else None
    if found is None or moment is None or found["reminder_minutes"] is None:
        return
    wanted = moment - timedelta(minutes=found["reminder_minutes"])
    if wanted > tx.now:
        set_timer(tx, REMINDER, found["id"], wanted)
        return
    data = _data(runtime, found, moment)
    notify_user(tx, found["owner_id"], "notify.reminder", data, link_to(ACTIVITY.name, found["id"]))


def _overdue(tx: Tx, runtime: Runtime, row: Record) -> None:
    """A task is due and not done: its owner is told at once, their managers once after a while."""
    found = _open(tx, row)
    if found is None or found["kind"] != "task" or found["due_at"] is None:
        return
    later = found["due_at"] + timedelta(hours=runtime.settings.overdue_hours)
    if found["due_at"] > tx.now:
        set_timer(tx, OVERDUE, found["id"], found["due_at"])
        return
    data, link = _data(runtime, found, found["due_at"]), link_to(ACTIVITY.name, found["id"])
    if not row["data"].get("owner_told"):
        notify_user(tx, found["owner_id"], "notify.due", data, link)
        set_timer(tx, OVERDUE, found["id"], max(later, tx.now), {"owner_told": True})
        return
    owner = find(tx, USER, found["owner_id"])
    data |= {"name": owner["name"] if owner is not None else "?"}
    for manager in managers_of(tx, owner):
        notify_user(tx, manager["id"], "notify.overdue", data, link)


def managers_of(tx: Tx, user: Record | None) -> list[Record]:
    """Who answers for a user: the managers of their team, else all managers, else the admins."""
    user_id = user["id"] if user is not None else None
    managers = [one for one in staff_to_tell(tx, ("manager",)) if one["id"] != user_id]
    team = user["team_id"] if user is not None else None
    own = [one for one in managers if team is not None and one["team_id"] == team]
    admins = [one for one in staff_to_tell(tx, ("admin",)) if one["id"] != user_id]
    return own or managers or admins


def _expires(tx: Tx, runtime: Runtime, row: Record) -> None:
    """A file's time ends soon: its owner is told, and told again a week before."""
    found = find(tx, FILE, row["subject_id"])
    if found is None or found["expires_on"] is None or found["owner_id"] is None:
        return
    days = (found["expires_on"] - tx.now.date()).days
    data = {"name": found["name"], "count": max(days, 0), "date": found["expires_on"].isoformat()}
    notify_user(
        tx, found["owner_id"], "notify.file_expires", data, link_to(found["entity"], found["record_id"])
    )
    remind(tx, found["id"], found["expires_on"])


def _visit(tx: Tx, runtime: Runtime, row: Record) -> None:
    """A visit is near: its customer is told where they booked it; where the gate does not let us, whoever
    they come to is told that they do not know."""
    found = find(tx, ACTIVITY, row["subject_id"])
    if found is None or found["done_at"] is not None or found["starts_at"] <= tx.now:
        return
    conversation = read_conversation(tx, found["conversation_id"])
    if conversation is None:
        return
    ahead = VISIT_AHEAD[row["kind"]]
    if found["starts_at"] - ahead > tx.now:  # moved meanwhile
        set_timer(tx, row["kind"], found["id"], found["starts_at"] - ahead)
        return
    verdict = ask_gate(tx, runtime, conversation, "reminder")
    if verdict.until is not None and verdict.until < found["starts_at"]:
        set_timer(tx, row["kind"], found["id"], verdict.until)
    elif verdict.open:
        lang = conversation["lang"] or runtime.profile.languages[0]
        moment = found["starts_at"].astimezone(zone_info(runtime.profile.time_zone))
        values = {"service": found["subject"], "time": moment_words(moment, lang)}
        key = f"visit.reminder.{'day' if row['kind'] == VISIT_DAY else 'hour'}"
        text = runtime.words.say(key, lang, conversation["channel"], **values)
        write_first(tx, conversation, text, "reminder")
    else:
        _not_reminded(tx, runtime, found)


def _not_reminded(tx: Tx, runtime: Runtime, row: Record) -> None:
    contact = find(tx, CONTACT, row["contact_id"])
    data = _data(runtime, row, row["starts_at"]) | {"name": (contact["name"] if contact else "") or "?"}
    for user_id in owner_or_all(tx, row["owner_id"]):
        notify_user(tx, user_id, "notify.visit_not_reminded", data, link_to(ACTIVITY.name, row["id"]))


def _call_back(tx: Tx, runtime: Runtime, row: Record) -> None:
    """A customer waits to be rung: whoever owns the call is told, else everybody who takes customers on."""
    found = find(tx, ACTIVITY, row["subject_id"])
    if found is None or found["done_at"] is not None:
        return
    data = _data(runtime, found, found["starts_at"])
    for user_id in owner_or_all(tx, found["owner_id"]):
        notify_user(tx, user_id, "notify.reminder", data, link_to(ACTIVITY.name, found["id"]))


TIMERS: dict[str, Callable[[Tx, Runtime, Record], None]] = {
    REMINDER: _remind,
    OVERDUE: _overdue,
    EXPIRY: _expires,
    VISIT_DAY: _visit,
    VISIT_HOUR: _visit,
    CALL_BACK: _call_back,
}
"""Those of the kinds of timer that speak of activities and files."""
