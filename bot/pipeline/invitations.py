"""Invitations by mail: those that are due leave, and guests' answers come back (RFC 5546).

An answer is written to the guest's record; it is no message of a customer's, so that nobody is answered.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot.conversations import gate, inbox, lane
from bot.conversations.lane import NewLane, lanes
from bot.crm import calendar_file as calendar
from bot.crm import invitation, series
from bot.crm.activity import ACTIVITY, ATTENDEE
from bot.crm.calendar_reply import Reply, read_reply
from bot.crm.contact import CONTACT
from bot.crm.feed import entry_of
from bot.crm.guests import guests_of
from bot.crm.notification import notify_user
from bot.crm.recurrence import zone_info
from bot.crm.recurrence_words import say_rule
from bot.crm.user import USER
from bot.errors import ChannelError, ChannelRetryable
from bot.ids import new_id
from bot.logs import logger
from bot.messages import InboundMessage, OutboundMessage
from bot.pipeline.commit import Committed
from bot.pipeline.load import LaneState
from bot.pipeline.reminders import link_to, say_moment
from bot.pipeline.runtime import Runtime
from bot.records.actor import SYSTEM
from bot.records.tx import Record, Tx
from bot.records.write import create, find, update

_log = logger("invitations")
_ANSWERS = {
    "ACCEPTED": "accepted",
    "DECLINED": "declined",
    "TENTATIVE": "tentative",
    "NEEDS-ACTION": "needs_action",
}


# --- out -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Refused:
    """Why an invitation may not leave."""

    why: str


async def send_due(runtime: Runtime) -> int:
    """Send the invitations that are due; how many left. What cannot leave says why and is let be."""
    store = runtime.store
    channel = runtime.channels.get("email")
    rows = await store.read(invitation.due, SYSTEM) if channel is not None else []
    sent = 0
    for row in rows:
        mail = await store.read(_mail_of, SYSTEM, runtime, row)
        try:
            if isinstance(mail, _Refused):
                await store.run(invitation.refused, SYSTEM, row, mail.why)
                continue
            assert channel is not None
            await channel.send(mail)
        except ChannelRetryable as error:
            _log.warning("invitation_waits", invitation=row["id"], error=str(error))
            continue
        except ChannelError as error:
            await store.run(invitation.refused, SYSTEM, row, str(error))
            continue
        await store.run(invitation.mailed, SYSTEM, row)
        sent += 1
    return sent


def _mail_of(tx: Tx, runtime: Runtime, row: Record) -> OutboundMessage | _Refused:
    table = ACTIVITY.table
    activity = tx.row(sa.select(table).where(table.c.id == row["activity_id"]))
    guest = tx.row(sa.select(ATTENDEE.table).where(ATTENDEE.table.c.id == row["attendee_id"]))
    ours = next((parts for parts in runtime.accounts if parts[1] == "email" and parts[0] == "email"), None)
    if activity is None or guest is None or ours is None:
        return _Refused("nothing is left to invite to")
    contact = find(tx, CONTACT, guest["contact_id"]) if guest["contact_id"] else None
    reason = _gate(tx, runtime, row["email"], contact, runtime.accounts[ours])
    if reason is not None:
        return _Refused(reason)
    found = series.find_series(tx, activity["series_id"]) if activity["series_id"] else None
    whole = found if row["occurrence"] == "" else None
    entry = entry_of(activity, found, whole=whole is not None, uid=row["uid"], sequence=row["sequence"])
    owner = find(tx, USER, activity["owner_id"]) if activity["owner_id"] else None
    organiser = calendar.Guest(ours[2], owner["name"] if owner is not None else runtime.profile.name)
    others = [] if row["method"] == "CANCEL" else guests_of(tx, activity)
    guests = [_guest(one) for one in others if one["email"] and one["email"] != row["email"]]
    document = calendar.invitation(entry, organiser, [_guest(guest), *guests], row["method"], tx.now)
    lang = (contact["lang"] if contact is not None else None) or runtime.profile.languages[0]
    subject, text = _words(runtime, row, entry, organiser.name, lang)
    return OutboundMessage(
        # The same for every try, so that a mail sent twice arrives as one.
        id=f"{row['id']}-{row['sequence']}-{row['method'].lower()}",
        channel="email",
        account=ours[2],
        address=row["email"],
        text=text,
        subject=subject,
        automatic=False,
        calendar=(row["method"], document),
    )


def _gate(tx: Tx, runtime: Runtime, address: str, contact: Record | None, account_id: str) -> str | None:
    """A person of ours invites them: the gate decides as for anything that staff write."""
    where = sa.select(lanes.c.stopped_at).where(lanes.c.id == NewLane(account_id, address).id)
    recipient = gate.Recipient(
        blocked=contact is not None and contact["blocked"],
        stopped=tx.execute(where).scalar() is not None,
        last_inbound_at=None,
        last_business_at=None,
        time_zone=runtime.profile.time_zone,
    )
    return gate.check("staff", recipient, runtime.features(account_id), tx.now).reason


def _guest(row: Record) -> calendar.Guest:
    return calendar.Guest(row["email"], row["name"] or "", row["answer"].replace("_", "-").upper())


def _words(
    runtime: Runtime, row: Record, entry: calendar.Entry, organiser: str, lang: str
) -> tuple[str, str]:
    """Subject and text, for a mail program that shows no calendar."""
    key = (
        "cancelled"
        if row["method"] == "CANCEL"
        else "changed"
        if row["mailed_sequence"] is not None
        else "new"
    )
    assert entry.start is not None
    time: Any = say_moment(entry.start, entry.zone, lang)
    values = {"subject": entry.summary, "organiser": organiser, "business": runtime.profile.name}
    lines = [runtime.words.say(f"invitation.text.{key}", lang, time=time, **values)]
    if entry.rrule:
        rule = say_rule(entry.rrule, entry.start, entry.zone, lang)
        lines.append(runtime.words.say("invitation.recurs", lang, rule=rule))
    if entry.location:
        lines.append(runtime.words.say("invitation.place", lang, place=entry.location))
    if key != "cancelled":
        lines.append(runtime.words.say("invitation.answer", lang))
    subject = runtime.words.say(f"invitation.subject.{key}", lang, time=time, **values)
    return subject, "\n\n".join(lines)


# --- in --------------------------------------------------------------------------------------------


def is_known(tx: Tx, said: InboundMessage) -> bool:
    """Whether a mail answers an invitation of ours, by whoever was invited."""
    reply = read_reply(said.calendar.encode())
    return reply is not None and _find(tx, reply, said.address) is not None


def commit_answer(
    tx: Tx, runtime: Runtime, state: LaneState, event: Record, said: InboundMessage, more: bool
) -> Committed:
    """The lane's turn for an answer: write it to the guest's record; nothing is said in the conversation."""
    reply = read_reply(said.calendar.encode())
    found = _find(tx, reply, said.address) if reply is not None else None
    if reply is not None and found is not None:
        _answer(tx, reply, *found)
    inbox.mark_done(tx, [event["seq"]])
    held = {name: state.lane[name] for name in ("contact_id", "conversation_id", "stopped_at")}
    lane.commit_claim(tx, state.lane["id"], state.lane["epoch"], more=more, **held)
    owner = state.conversation["owner"] if state.conversation is not None else "bot"
    return Committed((), {**state.lane, **held}, owner == "human", held["conversation_id"] or "")


def _find(tx: Tx, reply: Reply, sender: str) -> tuple[Record, Record] | None:
    """(guest, activity) that an answer speaks of; who answers for somebody else is not heard."""
    if reply.attendee != sender.lower():
        return None
    row = _activity_of(tx, reply)
    if row is None:
        return None
    guest = next((one for one in guests_of(tx, row) if one["email"] == reply.attendee), None)
    return None if guest is None else (guest, row)


def _activity_of(tx: Tx, reply: Reply) -> Record | None:
    table = ACTIVITY.table
    if len(reply.uid) != 36:
        return None
    newest = sa.select(series.series).where(series.series.c.uid == reply.uid.lower())
    of = tx.row(newest.order_by(series.series.c.created_at.desc()).limit(1))
    live = sa.select(table).where(table.c.deleted_at.is_(None))
    if of is None:
        return tx.row(live.where(table.c.id == reply.uid.lower()))
    mine = live.where(table.c.series_id == of["id"]).order_by(table.c.occurs_at)
    if reply.recurrence_id is None:
        return tx.row(mine.limit(1))
    begins, ends = _span(reply.recurrence_id, of["zone"])
    return tx.row(mine.where(table.c.occurs_at >= begins, table.c.occurs_at < ends).limit(1))


def _span(moment: date, zone: str) -> tuple[datetime, datetime]:
    """When the occurrence is that an answer names: a moment, or a day where the series is."""
    if isinstance(moment, datetime):
        return moment, moment + timedelta(seconds=1)
    begins = datetime.combine(moment, datetime.min.time(), zone_info(zone))
    return begins, begins + timedelta(days=1)


def _answer(tx: Tx, reply: Reply, guest: Record, row: Record) -> None:
    """An answer to an older version of it is none to this one."""
    answer = _ANSWERS.get(reply.answer)
    whole = guest["series_id"] is not None and reply.recurrence_id is None
    found = series.find_series(tx, guest["series_id"]) if whole else None
    if answer is None or reply.sequence < (row if found is None else found)["sequence"]:
        return
    values: Mapping[str, Any] = {"answer": answer, "comment": reply.comment[:500] or None}
    if guest["series_id"] is not None and reply.recurrence_id is not None:
        who = {name: guest[name] for name in ("contact_id", "user_id", "email", "name", "required")}
        own = {"id": new_id(), "activity_id": row["id"], "series_id": None, "answered_at": tx.now}
        create(tx, ATTENDEE, {**who, **own, **values}, reason="answered")
    elif not update(tx, ATTENDEE, guest, values, action="answered"):
        return
    if row["owner_id"] is not None:
        data = {"name": guest["name"] or guest["email"], "subject": row["subject"]}
        notify_user(tx, row["owner_id"], f"notify.answer.{answer}", data, link_to(ACTIVITY.name, row["id"]))
