"""Activities over a database: links, series, reminders, what is overdue, completing, guests, feeds."""

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from icalendar import Calendar

from bot.crm import invitation, series
from bot.crm.activity import ACTIVITY, ACTIVITY_LINK, ATTENDEE, add_task
from bot.crm.business import BUSINESS_PROFILE
from bot.crm.case import open_case
from bot.crm.contact import CONTACT, add_contact, add_identity
from bot.crm.feed import feed_value, read_feed, user_of_feed
from bot.crm.links import around
from bot.crm.notification import NOTIFICATION
from bot.crm.occurrence import FollowUp, change_future, complete, delete_future
from bot.crm.reminders import OVERDUE, REMINDER
from bot.crm.timeline import newest_activities, timeline
from bot.crm.user import actor_by_id, add_user
from bot.errors import Conflict, Forbidden, InvalidInput, NotFound
from bot.ids import new_id
from bot.pipeline.timers import fire
from bot.records import timer
from bot.records.actor import SYSTEM, Actor
from bot.records.change import change_record, create_record, delete_record
from bot.records.shares import SHARE
from bot.records.store import Store
from bot.records.tx import Record, Tx
from bot.records.write import get
from tests.support.databases import plan

NOON = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)  # a Monday, 12:00 in India
KOLKATA, LONDON = "Asia/Kolkata", "Europe/London"
RUNTIME: Any = SimpleNamespace(
    settings=SimpleNamespace(overdue_hours=24.0),
    profile=SimpleNamespace(time_zone=KOLKATA, languages=("en",)),
)


@pytest.fixture(autouse=True)
def _at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.clock.now", lambda: NOON)


def user(store: Store, name: str, role: str = "rep", team: str | None = None) -> Actor:
    def make(tx: Tx) -> Actor:
        made = actor_by_id(tx, add_user(tx, f"{name}@example.com", role, team=team))  # type: ignore[arg-type]
        assert made is not None
        return made

    return store.write_now(make, SYSTEM)


def make(store: Store, actor: Actor, **values: Any) -> Record:
    given = {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()
    }
    return store.write_now(create_record, actor, ACTIVITY, {"subject": "Meet", **given})


def change(store: Store, actor: Actor, row: Record, **values: Any) -> Record:
    given = {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()
    }
    return store.write_now(change_record, actor, ACTIVITY, row["id"], given)


def rows(store: Store, entity: Any, *where: Any, order: str = "id") -> list[Record]:
    table = getattr(entity, "table", entity)
    return store.read_now(
        lambda tx: [dict(row) for row in tx.rows(sa.select(table).where(*where).order_by(table.c[order]))],
        SYSTEM,
    )


def live(store: Store, series_id: str) -> list[Record]:
    table = ACTIVITY.table
    return rows(
        store, ACTIVITY, table.c.series_id == series_id, table.c.deleted_at.is_(None), order="occurs_at"
    )


def timers(store: Store) -> dict[tuple[str, str], datetime]:
    return {(row["kind"], row["subject_id"]): row["due_at"] for row in rows(store, timer.timers)}


def fire_due(store: Store, at: datetime, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the dispatcher and a worker do at a moment; returns the kinds fired."""
    monkeypatch.setattr("bot.clock.now", lambda: at)
    handed = store.write_now(timer.hand_out, SYSTEM)
    return [row["kind"] for row in handed if store.write_now(fire, SYSTEM, RUNTIME, row["id"])]


def told(store: Store) -> list[tuple[str, str]]:
    """(key, user) of every notification, oldest first."""
    return [(row["key"], row["user_id"]) for row in rows(store, NOTIFICATION)]


# --- what an activity is about -------------------------------------------------------------------


def test_links_go_to_records_that_the_maker_sees(store: Store) -> None:
    rep, other = user(store, "asha", team="north"), user(store, "ravi", team="south")
    contact = store.write_now(lambda tx: add_contact(tx, "Meena", owner_id=rep.id), rep)
    case_id, _ = store.write_now(lambda tx: open_case(tx, contact, "Leak", "", origin="staff"), SYSTEM)
    free = make(store, rep, due_at=NOON)
    assert (free["about"], free["owner_id"]) == (None, rep.id)
    task = make(store, rep, about="contacts", about_id=contact)
    assert task["contact_id"] == contact
    link = {"activity_id": task["id"], "entity": "cases", "record_id": case_id}
    made = store.write_now(create_record, rep, ACTIVITY_LINK, link)
    with pytest.raises(Conflict):
        store.write_now(create_record, rep, ACTIVITY_LINK, link)
    assert [(row["entity"], row["first"]) for row in rows(store, ACTIVITY_LINK)] == [
        ("contacts", True),
        ("cases", False),
    ]
    # It comes to be about the case: the first link follows, and the link there was is that.
    change(store, rep, task, about="cases", about_id=case_id)
    assert [(row["entity"], row["first"]) for row in rows(store, ACTIVITY_LINK)] == [("cases", True)]
    with pytest.raises(Conflict, match="about"):
        store.write_now(delete_record, rep, ACTIVITY_LINK, made["id"])
    for wrong in (
        {"about": "contacts", "about_id": contact},
        {"about": "teams", "about_id": contact},
        {"about": "contacts"},
    ):
        with pytest.raises(InvalidInput):
            make(store, other, **wrong)
    with pytest.raises(InvalidInput):
        store.write_now(create_record, other, ACTIVITY_LINK, link)
    seen = store.read_now(lambda tx: tx.rows(sa.select(ACTIVITY_LINK.table).where(_mine(other))), other)
    assert seen == []


def _mine(actor: Actor) -> Any:
    from bot.records.permissions import row_filter

    return row_filter(actor, ACTIVITY_LINK)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"kind": "event"}, "starts_at"),
    ({"kind": "event", "starts_at": NOON, "ends_at": NOON - timedelta(hours=1)}, "ends_at"),
    ({"reminder_minutes": -1}, "reminder_minutes"),
    ({"reminder_minutes": 10**6}, "reminder_minutes"),
    ({"zone": "Mars/Base"}, "zone"),
    ({"rrule": "FREQ=DAILY"}, "due_at"),
    ({"rrule": "FREQ=SOMETIMES", "due_at": NOON}, "rrule"),
    ({"kind": "note", "rrule": "FREQ=DAILY", "due_at": NOON}, "rrule"),
    ({"rrule": "FREQ=WEEKLY;BYDAY=TU", "due_at": NOON}, "due_at"),
    ({"series_id": "01890a5d-ac96-774b-bcce-b302099a8057"}, "series_id"),
]


def test_what_cannot_be_is_refused_by_its_field(store: Store) -> None:
    rep = user(store, "asha")
    for values, field in WRONG:
        with pytest.raises(InvalidInput) as refused:
            make(store, rep, **values)
        assert refused.value.data["field"] == field


# --- series ----------------------------------------------------------------------------------------


def test_a_series_is_written_out_ahead_and_on(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    rep = user(store, "asha")
    row = make(store, rep, rrule="FREQ=WEEKLY", due_at=NOON, zone=KOLKATA, reminder_minutes=30)
    found = live(store, row["series_id"])
    assert [one["due_at"] for one in found] == [NOON + timedelta(weeks=week) for week in range(9)]
    assert {(REMINDER, one["id"]) for one in found} <= set(timers(store))
    # Yearly: never fewer than the next two.
    yearly = make(store, rep, rrule="FREQ=YEARLY", due_at=NOON, zone=KOLKATA)
    assert len(live(store, yearly["series_id"])) == 2
    # Housekeeping a month later writes on, and a second time nothing.
    month = NOON + timedelta(days=31)
    monkeypatch.setattr("bot.clock.now", lambda: month)
    assert store.write_now(series.fill_some, SYSTEM) == 2
    assert store.write_now(series.fill_some, SYSTEM) == 0
    assert live(store, row["series_id"])[-1]["due_at"] == NOON + timedelta(weeks=12)
    assert len(live(store, yearly["series_id"])) == 3
    # Completing one writes on too; what was done stays its own.
    monkeypatch.setattr("bot.clock.now", lambda: month + timedelta(days=31))
    store.write_now(complete, rep, row["id"])
    assert live(store, row["series_id"])[-1]["due_at"] == NOON + timedelta(weeks=17)
    assert [one["done_at"] is not None for one in live(store, row["series_id"])[:2]] == [True, False]


def test_a_series_keeps_its_wall_clock_and_its_count(store: Store) -> None:
    rep = user(store, "asha")
    ten = datetime(2026, 3, 9, 10, tzinfo=UTC)  # London: clocks go forward on 29 March
    row = make(
        store,
        rep,
        kind="event",
        starts_at=ten,
        ends_at=ten + timedelta(minutes=90),
        rrule="FREQ=WEEKLY;COUNT=4",
        zone=LONDON,
    )
    found = live(store, row["series_id"])
    assert [one["starts_at"].hour for one in found] == [10, 10, 10, 9]
    assert all(one["ends_at"] - one["starts_at"] == timedelta(minutes=90) for one in found)
    store.write_now(series.fill_some, SYSTEM)
    assert len(live(store, row["series_id"])) == 4
    until = make(store, rep, due_at=NOON, rrule="FREQ=DAILY;UNTIL=20260305", zone=KOLKATA)
    assert [one["due_at"].day for one in live(store, until["series_id"])] == [2, 3, 4, 5]


def test_one_occurrence_is_changed_or_deleted_alone(store: Store) -> None:
    rep, boss = user(store, "asha"), user(store, "boss", "manager")
    row = make(store, rep, rrule="FREQ=DAILY;COUNT=5", due_at=NOON, zone=KOLKATA)
    first, second, third, *_ = live(store, row["series_id"])
    change(store, rep, second, subject="Another", due_at=NOON + timedelta(days=1, hours=3))
    store.write_now(delete_record, boss, ACTIVITY, third["id"])
    store.write_now(series.fill_some, SYSTEM)
    found = live(store, row["series_id"])
    assert [(one["subject"], one["detached"]) for one in found] == [
        ("Meet", False),
        ("Another", True),
        ("Meet", False),
        ("Meet", False),
    ]
    assert (REMINDER, third["id"]) not in timers(store) and (OVERDUE, third["id"]) not in timers(store)
    with pytest.raises(InvalidInput, match="change-future"):
        change(store, rep, first, rrule="FREQ=WEEKLY")
    # Two who write a series out at once make nothing twice: the moment names the occurrence.
    with pytest.raises(Conflict):
        store.write_now(lambda tx: _again(tx, row["series_id"], first["occurs_at"]), SYSTEM)


def _again(tx: Tx, series_id: str, moment: datetime) -> None:
    from bot.records.write import create

    create(tx, ACTIVITY, {"subject": "Twice", "series_id": series_id, "occurs_at": moment})


def test_this_and_all_later_ones_are_changed(store: Store) -> None:
    rep = user(store, "asha")
    row = make(store, rep, rrule="FREQ=WEEKLY;COUNT=6", due_at=NOON, zone=KOLKATA, body="Agenda")
    old = live(store, row["series_id"])
    later = NOON + timedelta(weeks=2, hours=1)
    new = store.write_now(change_future, rep, old[2]["id"], {"subject": "Later", "due_at": later})
    kept, gone_on = live(store, row["series_id"]), live(store, new)
    assert [one["subject"] for one in kept] == ["Meet", "Meet"]
    assert {one["rrule"] for one in kept} == {"FREQ=WEEKLY;COUNT=2"}
    assert [(one["id"], one["due_at"]) for one in gone_on] == [
        (one["id"], later + timedelta(weeks=week)) for week, one in enumerate(old[2:])
    ]
    assert {(one["subject"], one["body"], one["rrule"]) for one in gone_on} == {
        ("Later", "Agenda", "FREQ=WEEKLY;COUNT=4")
    }
    # Another rhythm, from the first: all of it goes over, what is too much goes.
    fewer = {"rrule": "FREQ=WEEKLY;COUNT=2"}
    with pytest.raises(Forbidden):
        store.write_now(change_future, rep, gone_on[0]["id"], fewer)
    again = store.write_now(change_future, user(store, "boss", "manager"), gone_on[0]["id"], fewer)
    assert live(store, new) == [] and [one["id"] for one in live(store, again)] == [
        one["id"] for one in old[2:4]
    ]
    with pytest.raises(InvalidInput, match="one occurrence"):
        store.write_now(change_future, rep, old[2]["id"], {"done_at": NOON})
    with pytest.raises(Conflict):
        store.write_now(change_future, rep, make(store, rep)["id"], {"subject": "x"})


def test_this_and_all_later_ones_are_deleted(store: Store) -> None:
    rep, boss = user(store, "asha"), user(store, "boss", "manager")
    row = make(store, rep, rrule="FREQ=DAILY", due_at=NOON, zone=KOLKATA)
    found = live(store, row["series_id"])
    with pytest.raises(Forbidden):
        store.write_now(delete_future, rep, found[3]["id"])
    store.write_now(complete, rep, found[5]["id"])
    assert store.write_now(delete_future, boss, found[3]["id"]) == len(found) - 4
    store.write_now(series.fill_some, SYSTEM)
    assert [one["id"] for one in live(store, row["series_id"])] == [found[n]["id"] for n in (0, 1, 2, 5)]
    assert store.write_now(delete_future, boss, found[0]["id"]) == 3


def test_later_ones_of_somebody_else_stay(store: Store) -> None:
    rep, other = user(store, "asha", team="north"), user(store, "ravi", team="south")
    found = live(store, make(store, rep, rrule="FREQ=DAILY;COUNT=3", due_at=NOON, zone=KOLKATA)["series_id"])
    table = ACTIVITY.table
    theirs = table.update().where(table.c.id == found[2]["id"])
    values = {"owner_id": other.id, "team_id": other.team_id}
    store.write_now(lambda tx: tx.execute(theirs.values(**values)) and None, SYSTEM)
    with pytest.raises(Forbidden, match="not yours"):
        store.write_now(change_future, rep, found[1]["id"], {"subject": "Mine"})
    assert {one["subject"] for one in live(store, found[0]["series_id"])} == {"Meet"}


def test_a_share_that_somebody_gave_outlives_taking_part(store: Store) -> None:
    rep, other = user(store, "asha", team="north"), user(store, "ravi", team="south")
    event = make(store, rep, kind="event", starts_at=NOON)
    for given, left in ((False, []), (True, [rep.id])):
        coming = guest(store, rep, event, user_id=other.id)
        mine = (SHARE.table.c.user_id == other.id, SHARE.table.c.deleted_at.is_(None))
        (share,) = rows(store, SHARE, *mine)
        assert share["shared_by"] is None
        if given:
            own = SHARE.table.update().values(shared_by=rep.id)
            store.write_now(lambda tx, own=own: tx.execute(own) and None, SYSTEM)
        store.write_now(delete_record, rep, ATTENDEE, coming["id"])
        assert [one["shared_by"] for one in rows(store, SHARE, *mine)] == left


def test_links_and_further_occurrences(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    rep = user(store, "asha")
    contact = store.write_now(lambda tx: add_contact(tx, "Meena", owner_id=rep.id), rep)
    row = make(store, rep, rrule="FREQ=MONTHLY", due_at=NOON, zone=KOLKATA)
    link = {"activity_id": row["id"], "entity": "contacts", "record_id": contact}
    store.write_now(create_record, rep, ACTIVITY_LINK, link)
    monkeypatch.setattr("bot.clock.now", lambda: NOON + timedelta(days=60))
    store.write_now(series.fill_some, SYSTEM)
    found = {one["id"] for one in live(store, row["series_id"])}
    assert {one["activity_id"] for one in rows(store, ACTIVITY_LINK)} == found and len(found) >= 4


# --- reminders, what is overdue, completing --------------------------------------------------------


def test_reminders_follow_the_activity(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    rep = user(store, "asha")
    event = make(store, rep, kind="event", starts_at=NOON + timedelta(hours=2), reminder_minutes=30)
    assert timers(store) == {(REMINDER, event["id"]): NOON + timedelta(minutes=90)}
    event = change(store, rep, event, starts_at=NOON + timedelta(hours=5))
    assert timers(store) == {(REMINDER, event["id"]): NOON + timedelta(hours=4, minutes=30)}
    event = change(store, rep, event, subject="Same time")
    assert len(timers(store)) == 1
    assert fire_due(store, NOON + timedelta(hours=4, minutes=30), monkeypatch) == [REMINDER]
    assert told(store) == [("notify.reminder", rep.id)]
    assert fire_due(store, NOON + timedelta(hours=9), monkeypatch) == []
    monkeypatch.setattr("bot.clock.now", lambda: NOON)
    for done in ({"done_at": NOON}, {"reminder_minutes": None}, {"owner_id": None}):
        task = make(store, rep, due_at=NOON + timedelta(hours=2), reminder_minutes=10)
        change(store, rep, task, **done)
        assert (REMINDER, task["id"]) not in timers(store)


def test_who_is_told_of_what_is_overdue(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    rep = user(store, "asha", team="north")
    boss = user(store, "boss", "manager", "north")
    user(store, "else", "manager", "south")
    due = NOON + timedelta(hours=1)
    task = make(store, rep, due_at=due)
    assert fire_due(store, due, monkeypatch) == [OVERDUE]
    assert told(store) == [("notify.due", rep.id)]
    assert fire_due(store, due + timedelta(hours=23), monkeypatch) == []
    assert fire_due(store, due + timedelta(hours=24), monkeypatch) == [OVERDUE]
    assert told(store)[1:] == [("notify.overdue", boss.id)]
    assert fire_due(store, due + timedelta(days=9), monkeypatch) == []
    # Moved to a later time, it begins anew; done, nobody hears of it.
    change(store, rep, task, due_at=due + timedelta(days=10))
    store.write_now(complete, rep, task["id"], "interested", "Liked it", FollowUp("Send quote", due))
    assert (OVERDUE, task["id"]) not in timers(store)
    assert fire_due(store, due + timedelta(days=12), monkeypatch) == [OVERDUE]  # that of the follow-up
    with pytest.raises(Conflict):
        store.write_now(complete, rep, task["id"])


def test_completing_asks_what_comes_next(store: Store) -> None:
    rep = user(store, "asha")
    contact = store.write_now(lambda tx: add_contact(tx, "Meena", owner_id=rep.id), rep)
    case_id, _ = store.write_now(lambda tx: open_case(tx, contact, "Leak", "", origin="staff"), SYSTEM)
    call = make(store, rep, kind="call", about="contacts", about_id=contact, subject="Call her")
    link = {"activity_id": call["id"], "entity": "cases", "record_id": case_id}
    store.write_now(create_record, rep, ACTIVITY_LINK, link)
    next_one = FollowUp("Send quote", NOON + timedelta(days=1))
    task_id = store.write_now(complete, rep, call["id"], "interested", "Wants blue", next_one)
    table = ACTIVITY.table
    (done,) = rows(store, ACTIVITY, table.c.id == call["id"])
    (task,) = rows(store, ACTIVITY, table.c.id == task_id)
    (note,) = rows(store, ACTIVITY, table.c.kind == "note")
    assert (done["outcome"], done["done_at"]) == ("interested", NOON)
    assert (task["subject"], task["about_id"], task["owner_id"]) == ("Send quote", contact, rep.id)
    links = rows(store, ACTIVITY_LINK, ACTIVITY_LINK.table.c.activity_id == task_id)
    assert {row["record_id"] for row in links} == {contact, case_id}
    assert (note["body"], note["about_id"]) == ("Wants blue", contact)
    with pytest.raises(InvalidInput, match="outcome"):
        store.write_now(complete, rep, task_id, "great")
    with pytest.raises(NotFound):
        store.write_now(complete, user(store, "ravi"), task_id)


# --- guests, and what they are to be told --------------------------------------------------------


def due(store: Store) -> list[tuple[str, str, str, int]]:
    """(occurrence, address, method, sequence) of what is to leave."""
    found = rows(store, invitation.invitations, invitation.invitations.c.due)
    return sorted((row["occurrence"], row["email"], row["method"], row["sequence"]) for row in found)


def entries(store: Store) -> set[tuple[str, str, str]]:
    """(uid, occurrence, method) of what is to leave."""
    found = rows(store, invitation.invitations, invitation.invitations.c.due)
    return {(row["uid"], row["occurrence"], row["method"]) for row in found}


def mail_all(store: Store) -> None:
    for row in store.read_now(invitation.due, SYSTEM):
        store.write_now(invitation.mailed, SYSTEM, row)


def guest(store: Store, actor: Actor, row: Record, **who: Any) -> Record:
    return store.write_now(create_record, actor, ATTENDEE, {"activity_id": row["id"], **who})


def test_guests_are_told_of_each_change_once(store: Store) -> None:
    rep, boss = user(store, "asha"), user(store, "boss", "manager")
    contact = store.write_now(lambda tx: add_contact(tx, "Meena", owner_id=rep.id), rep)
    store.write_now(lambda tx: add_identity(tx, contact, "email", "meena@home.test", verified=True), SYSTEM)
    event = make(store, rep, kind="event", starts_at=NOON + timedelta(days=1), invite=True)
    guest(store, rep, event, contact_id=contact)
    guest(store, rep, event, email="Ravi@Shop.Test", required=False)
    bare = store.write_now(lambda tx: add_contact(tx, "No address", owner_id=rep.id), rep)
    guest(store, rep, event, contact_id=bare)
    both = ["meena@home.test", "ravi@shop.test"]
    assert due(store) == [("", one, "REQUEST", 0) for one in both]
    for wrong in ({"email": "ravi@shop.test"}, {"contact_id": contact}):
        with pytest.raises(Conflict):
            guest(store, rep, event, **wrong)
    for bad in ({}, {"email": "nobody"}, {"contact_id": contact, "user_id": boss.id}):
        with pytest.raises(InvalidInput):
            guest(store, rep, event, **bad)
    # Changed before anything left: the newest leaves once. What does not concern them, not at all.
    event = change(store, rep, event, location="Office")
    assert due(store) == [("", one, "REQUEST", 1) for one in both]
    mail_all(store)
    event = change(store, rep, event, priority="high", reminder_minutes=5)
    assert due(store) == []
    answered = rows(store, ATTENDEE)[0]
    store.write_now(change_record, rep, ATTENDEE, answered["id"], {"answer": "accepted"})
    event = change(
        store, rep, event, starts_at=NOON + timedelta(days=2), ends_at=NOON + timedelta(days=2, hours=1)
    )
    assert due(store) == [("", one, "REQUEST", 2) for one in both]
    assert rows(store, ATTENDEE)[0]["answer"] == "needs_action"  # it was another time
    # Uninvited before it left: those who heard nothing hear nothing.
    late = guest(store, rep, event, email="late@shop.test")
    store.write_now(delete_record, rep, ATTENDEE, late["id"])
    assert {one for _, one, _, _ in due(store)} == {*both}
    mail_all(store)
    store.write_now(delete_record, boss, ACTIVITY, event["id"])
    assert due(store) == [("", one, "CANCEL", 3) for one in both]


def test_a_series_is_told_as_a_whole_and_an_occurrence_by_itself(store: Store) -> None:
    rep, boss = user(store, "asha"), user(store, "boss", "manager")
    start = NOON + timedelta(days=1)
    row = make(
        store, rep, kind="event", starts_at=start, rrule="FREQ=WEEKLY;COUNT=5", zone=KOLKATA, invite=True
    )
    guest(store, rep, row, email="ravi@shop.test")
    mate = user(store, "mate", team="east")
    guest(store, rep, row, user_id=mate.id)
    assert due(store) == [("", "mate@example.com", "REQUEST", 0), ("", "ravi@shop.test", "REQUEST", 0)]
    found = live(store, row["series_id"])
    # A colleague who takes part sees all of it, from another team too.
    seen = store.read_now(lambda tx: [bool(_find(tx, one["id"])) for one in found], mate)
    assert seen == [True] * 5
    mail_all(store)
    moved = change(store, rep, found[1], starts_at=start + timedelta(days=8))
    key = invitation.occurrence_key(found[1]["occurs_at"])
    assert due(store) == [(key, one, "REQUEST", 1) for one in ("mate@example.com", "ravi@shop.test")]
    mail_all(store)
    store.write_now(delete_record, boss, ACTIVITY, moved["id"])
    assert {(one, method) for one, _, method, _ in due(store)} == {(key, "CANCEL")}
    mail_all(store)
    new = store.write_now(change_future, rep, found[2]["id"], {"location": "Office"})
    told_now = {
        (row["uid"], row["occurrence"], row["method"])
        for row in rows(store, invitation.invitations)
        if row["due"]
    }
    assert told_now == {(row["series_id"], "", "REQUEST"), (new, "", "REQUEST")}
    mail_all(store)
    store.write_now(delete_future, boss, live(store, new)[0]["id"])
    assert entries(store) == {(new, "", "CANCEL")}


def _find(tx: Tx, activity_id: str) -> Record | None:
    from bot.records.write import find

    return find(tx, ACTIVITY, activity_id)


# --- the calendar feed ---------------------------------------------------------------------------


def test_a_feed_holds_what_is_theirs(store: Store) -> None:
    store.write_now(_profile, SYSTEM)
    rep, mate = user(store, "asha", team="north"), user(store, "mate", team="south")
    event = make(store, rep, kind="event", starts_at=NOON, body="Secret plan")
    guest(store, rep, event, user_id=mate.id)
    weekly = make(
        store, rep, kind="event", starts_at=NOON, rrule="FREQ=WEEKLY", zone=KOLKATA, subject="Weekly"
    )
    found = live(store, weekly["series_id"])
    change(store, rep, found[1], starts_at=NOON + timedelta(days=8))
    change(store, rep, found[2], owner_id=mate.id)
    make(store, rep, due_at=NOON, subject="Task")
    make(store, rep, due_at=NOON - timedelta(days=31), subject="Long ago")
    store.write_now(lambda tx: add_task(tx, None, None, "Nobody's", due_at=NOON), SYSTEM)
    value = store.write_now(lambda tx: feed_value(tx, anew=False), rep)
    assert store.write_now(lambda tx: feed_value(tx, anew=False), rep) == value
    assert store.read_now(lambda tx: user_of_feed(tx, value), SYSTEM) == rep.id
    data = store.read_now(lambda tx: read_feed(tx, rep.id, "Samvad"), SYSTEM)  # type: ignore[arg-type]
    assert data == store.read_now(lambda tx: read_feed(tx, rep.id, "Samvad"), SYSTEM)  # type: ignore[arg-type]
    parts = [part for part in Calendar.from_ical(data or b"").walk() if part.name in ("VEVENT", "VTODO")]
    shown = sorted((str(part["SUMMARY"]), "RRULE" in part, "RECURRENCE-ID" in part) for part in parts)
    assert shown == [
        ("Meet", False, False),
        ("Task", False, False),
        ("Weekly", False, True),
        ("Weekly", True, False),
    ]
    (master,) = [part for part in parts if "RRULE" in part]
    off = master["EXDATE"].dts[0].dt
    assert off.date() == date(2026, 3, 16)
    theirs = Calendar.from_ical(store.read_now(lambda tx: read_feed(tx, mate.id, "x"), SYSTEM) or b"")  # type: ignore[arg-type]
    assert sorted(str(part["SUMMARY"]) for part in theirs.walk("VEVENT")) == ["Meet", "Weekly"]
    store.write_now(lambda tx: feed_value(tx, anew=True), rep)
    for dead in (value, "calendar:x:y", "", None):
        assert store.read_now(lambda tx, one=dead: user_of_feed(tx, one), SYSTEM) is None
    with pytest.raises(Forbidden):
        store.write_now(lambda tx: feed_value(tx, anew=False), SYSTEM)


def _profile(tx: Tx) -> None:
    from bot.records.write import create

    own = {"country": "IN", "time_zone": KOLKATA, "languages": ["en"], "currency": "INR"}
    create(tx, BUSINESS_PROFILE, {"name": "Samvad", **own})


def test_the_timeline_tells_what_is_linked_once_and_reads_by_index(store: Store) -> None:
    rep, other = user(store, "asha", team="North"), user(store, "ravi", team="South")
    asha, ravi = (store.write_now(add_contact, rep, name) for name in ("Asha", "Ravi"))
    about = {"kind": "note", "about": "contacts", "about_id": asha, "contact_id": asha}
    theirs = {"kind": "note", "about": "contacts", "about_id": ravi, "contact_id": ravi}
    notes = [make(store, rep, **(about if number % 2 else theirs)) for number in range(7)]
    for note in notes:
        if note["about_id"] == ravi:
            link = {"activity_id": note["id"], "entity": "contacts", "record_id": asha}
            made = store.write_now(create_record, rep, ACTIVITY_LINK, link)
            store.write_now(delete_record, rep, ACTIVITY_LINK, made["id"])
            store.write_now(create_record, rep, ACTIVITY_LINK, link)  # taken away, and made again
            with pytest.raises(Conflict):
                store.write_now(create_record, rep, ACTIVITY_LINK, link)
    store.write_now(delete_record, SYSTEM, ACTIVITY, notes[3]["id"])
    wanted = [note["id"] for note in reversed(notes) if note is not notes[3]]

    def read(tx: Tx, cursor: str | None) -> tuple[list[str], str | None]:
        found = timeline(tx, CONTACT, get(tx, CONTACT, asha), limit=4, cursor=cursor)
        return [entry.row["id"] for entry in found.entries if entry.kind == "activity"], found.next_cursor

    told, cursor = store.read_now(read, rep, None)
    while cursor is not None:
        more, cursor = store.read_now(read, rep, cursor)
        told += more
    assert told == wanted
    pages, before = [], None
    while page := store.read_now(
        lambda tx, last: newest_activities(tx, CONTACT, asha, limit=4, before=last), rep, before
    ):
        pages.append(page)
        before = page[-1]
    assert pages == [wanted[:4], wanted[4:]]
    assert store.read_now(lambda tx: newest_activities(tx, CONTACT, asha, limit=9), other) == []

    def fill(tx: Tx) -> None:
        """What other records have: a plan shows only where there is much to be passed over."""
        (row,), (link,) = (tx.rows(sa.select(entity.table).limit(1)) for entity in (ACTIVITY, ACTIVITY_LINK))
        ids = [new_id() for _ in range(2000)]
        kept = {name: value for name, value in row.items() if name in ACTIVITY.table.c}
        activities = [{**kept, "id": one, "about_id": one, "contact_id": None} for one in ids]
        tx.execute(ACTIVITY.table.insert(), activities)
        beside = [{**link, "id": one, "activity_id": one, "record_id": one} for one in ids]
        tx.execute(ACTIVITY_LINK.table.insert(), beside)
        tx.execute(sa.text("ANALYZE"))

    store.write_now(fill, SYSTEM)

    def bound(tx: Tx) -> Any:
        statement = around(tx.schema, tx.actor, "contacts", [asha])
        assert statement is not None
        return statement.params(record=asha, before=new_id(), most=5)

    found = plan(store, store.read_now(bound, rep))
    for index in ("ix_activities_about", "ix_activities_contact_id", "ix_activity_links_record"):
        assert index in found, found
