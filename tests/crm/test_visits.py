"""The business's calendar: opening hours, free times, two customers who want the same one, one-time codes."""

import threading
from datetime import date, datetime, time, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from bot.crm import code, visit
from bot.crm.activity import ACTIVITY
from bot.crm.business import BUSINESS_PROFILE, seed_profile
from bot.crm.call import CALL_BACK, book_call_back, finish_call_backs
from bot.crm.contact import add_contact
from bot.crm.hours import OpeningHours, read_closed, read_week, write_closed, write_week
from bot.crm.reminders import VISIT_DAY, VISIT_HOUR
from bot.crm.territory import category_of
from bot.crm.user import USER, add_user
from bot.errors import InvalidInput, VersionConflict
from bot.ids import new_id
from bot.records import timer
from bot.records.actor import BOT, SYSTEM
from bot.records.store import Store
from bot.records.tx import Record, Tx
from bot.records.write import create, get, update
from bot.settings import load_settings

ZONE = ZoneInfo("Asia/Kolkata")
MONDAY = datetime(2026, 11, 23, 9, 0, tzinfo=ZONE)
CONVERSATION = new_id()


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """A time of the week that begins with MONDAY."""
    return MONDAY.replace(hour=hour, minute=minute) + timedelta(days=day)


@pytest.fixture
async def office(store: Store) -> Store:
    """Open from Monday to Saturday, 10 to 13 and 16 to 19; closed on Wednesday, a holiday."""
    await store.run(
        seed_profile,
        SYSTEM,
        load_settings(opening_hours="mon-sat 10:00-13:00 16:00-19:00", closed_days="2026-11-25"),
    )
    return store


def on_monday(tx: Tx) -> Tx:
    tx.now = MONDAY
    return tx


def free(tx: Tx, **given: Any) -> visit.FreeTimes:
    return visit.free_times(on_monday(tx), **given)


def customer(tx: Tx, name: str = "Asha") -> str:
    return add_contact(tx, name)


def book(tx: Tx, contact_id: str, starts_at: datetime, service: str = "Check-up") -> str:
    return visit.book_visit(on_monday(tx), contact_id, CONVERSATION, service, starts_at)


@pytest.mark.parametrize(
    ("text", "day", "spans"),
    [
        ("mon-fri 09:30-13:00 16:00-20:00; sat 10:00-14:00", 0, [(9, 30, 13, 0), (16, 0, 20, 0)]),
        ("mon-fri 09:30-13:00, 16:00-20:00; sat 10:00-14:00", 5, [(10, 0, 14, 0)]),
        ("Sat-Mon 10:00-18:00", 6, [(10, 0, 18, 0)]),
        ("mon, wed 10:00-18:00", 1, []),
        ("", 0, []),
    ],
)
def test_opening_hours_are_read(text: str, day: int, spans: list[tuple[int, int, int, int]]) -> None:
    found = read_week(text).get(day, ())
    assert [(begin, end) for begin, end in found] == [(time(a, b), time(c, d)) for a, b, c, d in spans]


@pytest.mark.parametrize(
    "text", ["always", "mon 18:00-10:00", "mon 25:00-26:00", "mon 10-18", "mon 10:00-14:00 13:00-18:00"]
)
def test_opening_hours_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as error:
        read_week(text)
    assert error.value.data["field"] == "opening_hours"


def test_a_holiday_is_closed() -> None:
    hours = OpeningHours(read_week("mon-sun 10:00-18:00"), read_closed("2026-11-25, 2026-12-25"), ZONE)
    assert hours.spans(date(2026, 11, 25)) == [] and len(hours.spans(date(2026, 11, 26))) == 1
    with pytest.raises(InvalidInput):
        read_closed("25 December")


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("", ""),
        (
            "sat 10:00-14:00; mon-fri 9:30-13:00,16:00-20:00",
            "mon-fri 09:30-13:00 16:00-20:00; sat 10:00-14:00",
        ),
        ("sat-mon 10:00-12:00", "mon 10:00-12:00; sat-sun 10:00-12:00"),
        ("mon,wed 10:00-12:00; tue 11:00-12:00", "mon 10:00-12:00; tue 11:00-12:00; wed 10:00-12:00"),
        ("mon,wed 10:00-12:00", "mon 10:00-12:00; wed 10:00-12:00"),
    ],
)
def test_a_week_is_written_as_it_is_read(given: str, written: str) -> None:
    assert write_week(read_week(given)) == written
    assert read_week(written) == read_week(given)


def test_closed_days_keep_their_names() -> None:
    days = read_closed("2026-11-08 Diwali, the second day, 2026-01-26 Republic Day,2026-08-15, ")
    assert write_closed(days) == "2026-01-26 Republic Day, 2026-08-15, 2026-11-08 Diwali, the second day"
    assert read_closed(write_closed(days)) == days and read_closed(" ") == {}


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (at(1, 17), ""),
        (at(0, 8), "past"),
        (at(0, 9, 30), "closed"),
        (at(0, 14), "closed"),
        (at(2, 17), "closed"),
        (at(6, 17), "closed"),
        (at(0, 18, 45), "closed"),
        (at(70, 11), "too_far"),
    ],
)
async def test_a_wanted_time_is_looked_at(store: Store, office: Store, wanted: datetime, why: str) -> None:
    found = await store.read(free, BOT, wanted=wanted)
    assert found.why == why
    assert found.times == (wanted,) if not why else wanted not in found.times and len(found.times) == 3


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"wanted": datetime.max.replace(tzinfo=timezone(-timedelta(hours=12)))}, "too_far"),
        ({"wanted": datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))}, "past"),
        ({"day": date.max}, "too_far"),
        ({"day": date.min}, "past"),
    ],
)
async def test_no_day_is_too_far_to_be_answered(
    store: Store, office: Store, given: dict[str, Any], why: str
) -> None:
    for calls in (False, True):
        found = await store.read(free, BOT, **given, calls=calls)
        assert (found.why, len(found.times)) == (why, 3)


async def test_the_nearest_are_offered_and_what_is_taken_is_not(store: Store, office: Store) -> None:
    asha = await store.run(customer, BOT)
    await store.run(book, BOT, asha, at(1, 17))
    found = await store.read(free, BOT, wanted=at(1, 17))
    assert found.why == "taken"
    assert found.times == (at(1, 16), at(1, 16, 30), at(1, 17, 30))
    assert (await store.read(free, BOT, wanted=at(1, 16, 45))).why == "taken"  # half of it
    assert (await store.read(free, BOT, day=date(2026, 11, 24))).times == (
        at(1, 10),
        at(1, 12, 30),
        at(1, 18, 30),
    )
    assert (await store.read(free, BOT)).times == (at(0, 10), at(1, 10), at(3, 10))
    lunch = await store.read(free, BOT, wanted=at(1, 14), calls=True)
    assert lunch.why == "closed" and lunch.times == (at(1, 12, 15), at(1, 12, 30), at(1, 12, 45))


async def test_lead_time_and_places_are_the_business_s_own(store: Store, office: Store) -> None:
    def change(tx: Tx, **values: Any) -> None:
        row = tx.row(sa.select(BUSINESS_PROFILE.table))
        assert row is not None
        update(tx, BUSINESS_PROFILE, row, values)

    with pytest.raises(InvalidInput):
        await store.run(change, SYSTEM, visit_minutes=0)
    with pytest.raises(InvalidInput):
        await store.run(change, SYSTEM, opening_hours="whenever")
    await store.run(change, SYSTEM, visit_lead_minutes=120, visits_at_once=2)
    assert (await store.read(free, BOT, wanted=at(0, 10, 30))).why == "too_soon"
    asha = await store.run(customer, BOT)
    await store.run(book, BOT, asha, at(1, 11))
    await store.run(book, BOT, asha, at(1, 11))
    with pytest.raises(VersionConflict):
        await store.run(book, BOT, asha, at(1, 11))


async def test_people_who_can_be_booked_are_busy_with_what_is_theirs(store: Store, office: Store) -> None:
    def staff(tx: Tx) -> tuple[str, str]:
        ids = add_user(tx, "dr.rao@example.com", "agent"), add_user(tx, "dr.sen@example.com", "agent")
        for user_id in ids:
            update(tx, USER, get(tx, USER, user_id), {"bookable": True})
        busy = {"kind": "event", "subject": "Ward round", "starts_at": at(1, 10), "ends_at": at(1, 12)}
        create(tx, ACTIVITY, busy | {"owner_id": ids[0]})
        return ids

    rao, sen = await store.run(staff, SYSTEM)
    asha = await store.run(customer, BOT)
    first = await store.run(book, BOT, asha, at(1, 11))
    assert (await store.read(get, SYSTEM, ACTIVITY, first))["owner_id"] == sen
    assert (await store.read(free, BOT, wanted=at(1, 11))).why == "taken"
    second = await store.run(book, BOT, asha, at(1, 12))
    assert (await store.read(get, SYSTEM, ACTIVITY, second))["owner_id"] == rao


async def test_a_moved_visit_keeps_its_owner_and_its_length(store: Store, office: Store) -> None:
    def staff(tx: Tx) -> list[str]:
        ids = [add_user(tx, f"dr.{name}@example.com", "agent") for name in ("rao", "sen")]
        for user_id in ids:
            update(tx, USER, get(tx, USER, user_id), {"bookable": True})
        return ids

    def give(tx: Tx, visit_id: str, owner_id: str, ends_at: datetime) -> None:
        update(tx, ACTIVITY, get(tx, ACTIVITY, visit_id), {"owner_id": owner_id, "ends_at": ends_at})

    def move(tx: Tx, visit_id: str, starts_at: datetime) -> str | None:
        visit.move_visit(on_monday(tx), get(tx, ACTIVITY, visit_id), starts_at)
        return str(get(tx, ACTIVITY, visit_id)["owner_id"])

    first, second = await store.run(staff, SYSTEM)
    asha = await store.run(customer, BOT)
    booked = await store.run(book, BOT, asha, at(1, 10))
    await store.run(give, SYSTEM, booked, second, at(1, 11))  # an hour, of half of one
    assert await store.run(move, BOT, booked, at(1, 11)) == second
    other = await store.run(book, BOT, asha, at(1, 17))
    await store.run(give, SYSTEM, other, second, at(1, 17, 30))
    assert await store.run(move, BOT, booked, at(1, 16, 30)) == first
    assert (await store.read(free, BOT, wanted=at(1, 12, 30), besides=booked)).why == "closed"
    with pytest.raises(VersionConflict):
        await store.run(move, BOT, booked, at(1, 12, 30))


async def test_a_contact_has_three_visits_ahead_at_most(store: Store, office: Store) -> None:
    asha = await store.run(customer, BOT)
    for hour in range(visit.MOST_COMING):
        await store.run(book, BOT, asha, at(1, 10 + hour))
    with pytest.raises(VersionConflict):
        await store.run(book, BOT, asha, at(1, 17))


async def test_of_two_who_want_the_same_time_one_gets_it(store: Store, office: Store) -> None:
    people = [await store.run(customer, BOT, name) for name in ("Asha", "Bala")]
    ready, outcomes = threading.Barrier(2), []

    async def both() -> None:
        def race(tx: Tx, contact_id: str) -> str:
            if store.database.dialect == "postgresql":
                ready.wait(10)  # both transactions are open: neither sees what the other writes
            return book(tx, contact_id, at(1, 17))

        import asyncio

        found = await asyncio.gather(
            *(store.run(race, BOT, person) for person in people), return_exceptions=True
        )
        outcomes.extend(found)

    await both()
    assert sorted(type(one) is VersionConflict for one in outcomes) == [False, True], outcomes
    assert (await store.read(free, BOT, wanted=at(1, 17))).why == "taken"


async def test_a_visit_is_moved_and_called_off_and_its_reminders_follow(store: Store, office: Store) -> None:
    def timers(tx: Tx) -> dict[str, datetime]:
        rows = tx.rows(sa.select(timer.timers).where(timer.timers.c.kind.in_((VISIT_DAY, VISIT_HOUR))))
        return {row["kind"]: row["due_at"] for row in rows}

    def move(tx: Tx, visit_id: str, starts_at: datetime) -> None:
        row = visit.find_visit(on_monday(tx), visit_id)
        assert row is not None
        visit.move_visit(tx, row, starts_at)

    def drop(tx: Tx, visit_id: str) -> None:
        row = visit.find_visit(on_monday(tx), visit_id)
        assert row is not None
        visit.call_off(tx, row)

    def coming(tx: Tx, contact_id: str) -> list[Record]:
        return visit.visits_of(on_monday(tx), contact_id)

    asha = await store.run(customer, BOT)
    booked = await store.run(book, BOT, asha, at(3, 17))
    assert await store.read(timers, SYSTEM) == {VISIT_DAY: at(2, 17), VISIT_HOUR: at(3, 16)}
    await store.run(move, BOT, booked, at(3, 17, 30))  # its own time is free to it
    assert (await store.read(timers, SYSTEM))[VISIT_HOUR] == at(3, 16, 30)
    await store.run(move, BOT, booked, at(1, 10))
    assert (await store.read(timers, SYSTEM)) == {VISIT_DAY: at(0, 10), VISIT_HOUR: at(1, 9)}
    (row,) = await store.read(coming, BOT, asha)
    assert row["ends_at"] - row["starts_at"] == timedelta(minutes=30)
    await store.run(drop, BOT, booked)
    assert await store.read(timers, SYSTEM) == {} and await store.read(coming, BOT, asha) == []
    assert (await store.read(free, BOT, wanted=at(1, 10))).why == ""


async def test_who_asks_again_to_be_rung_names_another_time(store: Store, office: Store) -> None:
    def ask(tx: Tx, contact_id: str, call_at: datetime) -> str:
        return book_call_back(
            on_monday(tx), contact_id, CONVERSATION, call_at, "Call Asha back", "About the fridge"
        )

    def plan(tx: Tx, contact_id: str) -> str:
        ours = {"kind": "call", "direction": "outbound", "subject": "Renewal", "starts_at": at(2, 10)}
        return create(tx, ACTIVITY, {**ours, "contact_id": contact_id})

    asha = await store.run(customer, BOT)
    planned = await store.run(plan, SYSTEM, asha)
    first = await store.run(ask, BOT, asha, at(1, 11))
    assert first != planned
    assert await store.run(ask, BOT, asha, at(1, 12)) == first
    row = await store.read(get, SYSTEM, ACTIVITY, first)
    assert (row["kind"], row["direction"], row["starts_at"]) == ("call", "outbound", at(1, 12))

    def due(tx: Tx) -> Record | None:
        return tx.row(sa.select(timer.timers).where(timer.timers.c.kind == CALL_BACK))

    told = await store.read(due, SYSTEM)
    assert told is not None and told["due_at"] == at(1, 11, 50)
    await store.run(finish_call_backs, SYSTEM, asha)
    assert (await store.read(get, SYSTEM, ACTIVITY, first))["done_at"] is not None
    left = await store.read(get, SYSTEM, ACTIVITY, planned)
    assert (left["subject"], left["starts_at"], left["done_at"]) == ("Renewal", at(2, 10), None)


async def test_a_category_is_made_once_and_found_by_whatever_name(store: Store) -> None:
    first = await store.run(category_of, BOT, "cases", "warranty", "Warranty")
    assert await store.run(category_of, BOT, "cases", "warranty", "वारंटी") == first
    assert await store.run(category_of, BOT, "cases", "return", "Return") != first


async def test_codes_are_few_short_lived_and_used_once(store: Store) -> None:
    moment = MONDAY

    def keep(tx: Tx, address: str = "a") -> str:
        tx.now, code_id = moment, new_id()
        code.keep_code(tx, CONVERSATION, "matter", address, code_id, f"digest of {code_id}")
        return code_id

    def newest(tx: Tx) -> tuple[Record, bool]:
        tx.now = moment
        found = code.newest_code(tx, CONVERSATION, "matter")
        assert found is not None
        return found, code.is_over(tx, found)

    def tried(tx: Tx, row: Record, right: bool) -> bool:
        tx.now = moment
        code.note_try(tx, row, right=right)
        return code.is_proved(tx, CONVERSATION, "matter")

    await store.run(keep, BOT)
    row, over = await store.read(newest, BOT)
    assert not over
    assert not await store.run(tried, BOT, row, False)
    with pytest.raises(VersionConflict):  # of two tries at once one counts
        await store.run(tried, BOT, row, True)
    row, _ = await store.read(newest, BOT)
    assert await store.run(tried, BOT, row, True)
    assert (await store.read(newest, BOT))[1]
    for _ in range(2):
        moment += timedelta(seconds=1)
        await store.run(keep, BOT)
    with pytest.raises(VersionConflict):
        await store.run(keep, BOT)
    moment += timedelta(minutes=10)
    assert (await store.read(newest, BOT))[1]
    moment += timedelta(hours=1)
    await store.run(keep, BOT)
    row, _ = await store.read(newest, BOT)
    for _ in range(code.TRIES):
        await store.run(tried, BOT, row, False)
        row, over = await store.read(newest, BOT)
    assert over
    moment += timedelta(days=3)
    await store.run(lambda tx: code.forget_codes(_at(tx, moment)), SYSTEM)
    assert await store.read(lambda tx: tx.rows(sa.select(code.codes)), SYSTEM) == []


async def test_one_customer_has_few_codes_sent_to_however_many_addresses(store: Store) -> None:
    def keep(tx: Tx, address: str, conversation_id: str = CONVERSATION, hours: int = 0) -> int:
        tx.now = MONDAY + timedelta(hours=hours)
        code.keep_code(tx, conversation_id, address, address, new_id(), "digest")
        return code.asked_lately(tx, [conversation_id, new_id()])

    for count in range(code.AN_HOURS_REQUESTS):
        assert await store.run(keep, BOT, f"address {count}") == count + 1
    with pytest.raises(VersionConflict):
        await store.run(keep, BOT, "one more")
    assert await store.run(keep, BOT, "one more", new_id()) == 1
    assert await store.run(keep, BOT, "one more", CONVERSATION, 2) == 1


def _at(tx: Tx, moment: datetime) -> Tx:
    tx.now = moment
    return tx
