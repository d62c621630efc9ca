"""Visits that customers book: events of the calendar, at times when the business is open and somebody free.

Who is free: the users marked `bookable`, whose calendars count; where there are none, as many visits at once
as the business says.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa

from bot.crm.activity import ACTIVITY
from bot.crm.business import BUSINESS_PROFILE
from bot.crm.hours import OpeningHours, read_closed, read_week
from bot.crm.recurrence import zone_info
from bot.crm.user import USER
from bot.errors import VersionConflict
from bot.records.lock import lock
from bot.records.tx import Record, Tx
from bot.records.write import create, find, update

AHEAD = timedelta(days=60)
"""So far ahead a visit is booked at most."""
OFFERED_DAYS = 14
"""Days that are looked through for free times."""
CALLED_OFF = "cancelled"
MOST_COMING = 3
"""Visits that one contact may have ahead of them; who wants more talks to a person."""
_LOCK = "visits"
_table = ACTIVITY.table

Why = Literal["", "past", "too_soon", "too_far", "closed", "taken"]


@dataclass(frozen=True, slots=True)
class Rules:
    """What the business says of its visits."""

    hours: OpeningHours
    length: timedelta
    lead: timedelta
    at_once: int


@dataclass(frozen=True, slots=True)
class Calendar:
    """What stands in the calendar of some days: (owner, begin, end, whether a customer booked it)."""

    rules: Rules
    people: tuple[str, ...]
    busy: tuple[tuple[str | None, datetime, datetime, bool], ...]

    def who(self, start: datetime, rather: str | None = None) -> tuple[bool, str | None]:
        """Whether a visit may begin then, and with whom, `rather` where they are free; nobody by name where
        no users are bookable."""
        end = start + self.rules.length
        over = [one for one in self.busy if one[1] < end and start < one[2]]
        if not self.people:
            return len([one for one in over if one[3]]) < self.rules.at_once, None
        taken = {one[0] for one in over}
        free = [user for user in self.people if user not in taken]
        # A booked visit that has lost its owner still takes one of them.
        unowned = len([one for one in over if one[3] and one[0] not in self.people])
        return len(free) > unowned, rather if rather in free else free[0] if free else None


def read_rules(tx: Tx) -> Rules:
    """What the business profile says now."""
    row = tx.row(sa.select(BUSINESS_PROFILE.table))
    assert row is not None  # seeded at the first start
    hours = OpeningHours(
        read_week(row["opening_hours"]), read_closed(row["closed_days"]), zone_info(row["time_zone"])
    )
    length, lead = timedelta(minutes=row["visit_minutes"]), timedelta(minutes=row["visit_lead_minutes"])
    return Rules(hours, length, lead, row["visits_at_once"])


def read_calendar(tx: Tx, since: datetime, until: datetime, besides: str | None = None) -> Calendar:
    """The calendar between two moments, without the visit `besides`, whose length is then what is sought."""
    users = sa.select(USER.table.c.id).where(
        USER.table.c.bookable, USER.table.c.active, USER.table.c.deleted_at.is_(None)
    )
    people = tuple(tx.execute(users.order_by(USER.table.c.id)).scalars())
    booked = _table.c.conversation_id.is_not(None)
    counts = sa.or_(booked, _table.c.owner_id.in_(people)) if people else booked
    statement = sa.select(
        _table.c.id, _table.c.owner_id, _table.c.starts_at, _table.c.ends_at, booked.label("booked")
    ).where(
        _table.c.kind == "event",
        counts,
        _table.c.starts_at < until,
        _table.c.ends_at > since,
        _table.c.done_at.is_(None),
        _table.c.deleted_at.is_(None),
    )
    busy = tuple(
        (row["owner_id"], row["starts_at"], row["ends_at"], bool(row["booked"]))
        for row in tx.rows(statement)
        if row["id"] != besides
    )
    rules, moved = read_rules(tx), find_visit(tx, besides) if besides else None
    if moved is not None and moved["ends_at"] > moved["starts_at"]:
        rules = replace(rules, length=moved["ends_at"] - moved["starts_at"])
    return Calendar(rules, people, busy)


# --- free times ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FreeTimes:
    """`why` the wanted time or day cannot be had ("" where it can, or none was wanted); `times` that can."""

    why: Why
    times: tuple[datetime, ...]


def free_times(
    tx: Tx,
    *,
    wanted: datetime | None = None,
    day: date | None = None,
    besides: str | None = None,
    calls: bool = False,
    count: int = 3,
) -> FreeTimes:
    """Free times: the nearest to the wanted one where that cannot be had, else the first, of a day where one
    is named and has any. `calls`: the team rings somebody up, which takes no place in the calendar."""
    rules = read_rules(tx)
    today, end_of_all = (at.astimezone(rules.hours.zone).date() for at in (tx.now, tx.now + AHEAD))
    first = day if day is not None and today <= day <= end_of_all else today
    # What was said may be any day of any calendar: reckoned is from the nearest that can be booked.
    near = min(max(wanted, tx.now), tx.now + AHEAD) if wanted is not None else None
    if near is not None:
        around = near.astimezone(rules.hours.zone).date() - timedelta(days=OFFERED_DAYS // 2)
        first = max(first, min(around, end_of_all - timedelta(days=OFFERED_DAYS - 1)))
    begin = datetime.combine(first, datetime.min.time(), rules.hours.zone)
    end = begin + timedelta(days=OFFERED_DAYS)
    if calls:
        rules = Rules(rules.hours, timedelta(minutes=15), timedelta(minutes=10), 1)
        calendar = Calendar(rules, (), ())
    else:
        calendar = read_calendar(tx, begin, end, besides)
    why: Why = "past" if day is not None and day < today else ""
    why = "too_far" if day is not None and day > end_of_all else why
    if wanted is not None:
        why = _why_not(calendar, wanted, tx.now)
    if wanted is not None and not why:
        return FreeTimes("", (wanted,))
    free = list(_grid(calendar, first, tx.now))
    if near is not None:
        free = sorted(sorted(free, key=lambda moment: (abs(moment - near), moment))[:count])
    elif day is not None and (of_day := [moment for moment in free if moment.date() == day]):
        free = _spread(of_day, count)
    else:
        free = _spread_closed(free, count)
    return FreeTimes(why, tuple(free[:count]))


def coming_times(tx: Tx) -> list[datetime]:
    """Every free time of the days that are looked through."""
    calendar = read_calendar(tx, tx.now, tx.now + timedelta(days=OFFERED_DAYS + 1))
    return list(_grid(calendar, tx.now.astimezone(calendar.rules.hours.zone).date(), tx.now))


def _why_not(calendar: Calendar, wanted: datetime, now: datetime) -> Why:
    rules = calendar.rules
    if wanted <= now:
        return "past"
    if wanted > now + AHEAD:
        return "too_far"
    if not rules.hours.open_for(wanted, rules.length):
        return "closed"
    if wanted < now + rules.lead:
        return "too_soon"
    return "" if calendar.who(wanted)[0] else "taken"


def _grid(calendar: Calendar, first: date, now: datetime) -> Iterable[datetime]:
    """Every time that can be had, one visit after another from when it opens."""
    for step in range(OFFERED_DAYS):
        for begin, end in calendar.rules.hours.spans(first + timedelta(days=step)):
            moment = begin
            while moment + calendar.rules.length <= end:
                if not _why_not(calendar, moment, now):
                    yield moment
                moment += calendar.rules.length


def _spread(times: list[datetime], count: int) -> list[datetime]:
    """A few over the whole of a day: the first, the last, and between."""
    if len(times) <= count:
        return times
    return [times[round(at * (len(times) - 1) / (count - 1))] for at in range(count)]


def _spread_closed(times: list[datetime], count: int) -> list[datetime]:
    """The first of all, then the first of the days after it."""
    firsts: dict[date, datetime] = {}
    for moment in times:
        firsts.setdefault(moment.date(), moment)
    found = list(firsts.values())[:count]
    return found if len(found) == count else times


# --- booking ---------------------------------------------------------------------------------------


def book_visit(tx: Tx, contact_id: str, conversation_id: str, subject: str, starts_at: datetime) -> str:
    """Put a visit into the calendar; returns its id. Raises VersionConflict when the time is gone: of two
    who want the same, one waits here until the other has it. Nor has one contact more than MOST_COMING."""
    length, owner_id = _take(tx, starts_at)
    if len(visits_of(tx, contact_id)) >= MOST_COMING:
        raise VersionConflict("This contact has as many visits ahead as one may have")
    return create(
        tx,
        ACTIVITY,
        {
            "kind": "event",
            "subject": subject[:200],
            "about": "contacts",
            "about_id": contact_id,
            "contact_id": contact_id,
            "conversation_id": conversation_id,
            "starts_at": starts_at,
            "ends_at": starts_at + length,
            "owner_id": owner_id,
            "reminder_minutes": 15,
        },
    )


def _take(tx: Tx, starts_at: datetime, moved: Record | None = None) -> tuple[timedelta, str | None]:
    lock(tx, _LOCK)
    besides, owner_id = (moved["id"], moved["owner_id"]) if moved is not None else (None, None)
    calendar = read_calendar(tx, starts_at - timedelta(days=1), starts_at + timedelta(days=1), besides)
    if _why_not(calendar, starts_at, tx.now):
        raise VersionConflict("This time was taken meanwhile")
    return calendar.rules.length, calendar.who(starts_at, owner_id)[1]


def visits_of(tx: Tx, contact_id: str) -> list[Record]:
    """A contact's coming visits, the next first, at most five."""
    statement = sa.select(_table).where(
        _table.c.contact_id == contact_id,
        _table.c.conversation_id.is_not(None),
        _table.c.kind == "event",
        _table.c.starts_at > tx.now,
        _table.c.done_at.is_(None),
        _table.c.deleted_at.is_(None),
    )
    return tx.rows(statement.order_by(_table.c.starts_at).limit(5))


def move_visit(tx: Tx, visit: Record, starts_at: datetime) -> None:
    """To another time, with its owner, or where they are busy with somebody else. Raises VersionConflict
    when the time is gone."""
    _, owner_id = _take(tx, starts_at, moved=visit)
    kept = owner_id if owner_id is not None else visit["owner_id"]
    update(tx, ACTIVITY, visit, {"starts_at": starts_at, "owner_id": kept}, action="moved")


def call_off(tx: Tx, visit: Record) -> None:
    """The customer does not come: it stays to be seen, and its time is free."""
    values: dict[str, Any] = {"done_at": tx.now, "outcome": CALLED_OFF}
    update(tx, ACTIVITY, visit, values, action="called_off")


def find_visit(tx: Tx, visit_id: str) -> Record | None:
    """A visit that a customer booked."""
    found = find(tx, ACTIVITY, visit_id)
    return found if found is not None and found["conversation_id"] is not None else None
