"""The starter flows as customers meet them, over the whole program: visits, orders behind a code, claims,
returns, calls, feedback; in English, Hindi and romanised Hindi."""

import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import sqlalchemy as sa
from icalendar import Calendar

from bot import clock
from bot.conversations import gate
from bot.conversations.message import messages
from bot.conversations.outbox import outbox
from bot.crm import code, visit
from bot.crm.activity import ACTIVITY
from bot.crm.contact import add_contact
from bot.crm.notification import NOTIFICATION
from bot.crm.user import USER, add_user
from bot.ids import new_id
from bot.pipeline.timers import fire
from bot.records import timer
from bot.records.actor import BOT, SYSTEM
from bot.records.tx import Tx
from bot.records.write import create, get, update
from bot.testing import OrdersEmulator, TwilioEmulator
from tests.support.world import Visitor, World, samvad

OWNER = "+919876500077"


class Shop:
    """A Samvad with web chat, SMS and an order system."""

    def __init__(self, world: World, visitor: Visitor, sms: TwilioEmulator, orders: OrdersEmulator) -> None:
        self.world, self.visitor, self.sms, self.orders = world, visitor, sms, orders

    async def says(self, who: str, *texts: str) -> str:
        """A visitor writes, one text after the other; the last answer."""
        for text in texts:
            before = len(await self.visitor.replies(who))
            await self.visitor.say(text, sender=who)
            heard = await self.visitor.wait_reply(who, before + 1)
            await self.world.settled()
        return heard[-1]

    async def codes(self) -> list[str]:
        """The codes that went to the owner of the order."""
        await self.world.settled()
        found = [re.search(r"\b\d{6}\b", text) for text in await self.sms.replies(OWNER)]
        return [match.group() for match in found if match]

    async def rows(self, kind: str) -> list[dict[str, Any]]:
        return await self.world.api.rows(kind)


@pytest.fixture
async def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    monkeypatch.setattr(gate, "quiet_until", lambda now, zone: None)  # the suite also runs at night
    async with OrdersEmulator() as orders, TwilioEmulator() as sms, Visitor() as visitor:
        orders.add("ORD-1042", items=[{"name": "Mixer"}], expected_on="2026-12-24", phone=OWNER)
        settings: dict[str, Any] = {**orders.settings, **sms.settings}
        settings |= {"opening_hours": "mon-sun 00:00-23:59", "visit_lead_minutes": 0}
        async with samvad(tmp_path / "data", articles=False, **settings) as world:
            visitor.target = sms.target = sms.public_url = world.url
            yield Shop(world, visitor, sms, orders)
            await sms.settle()


async def fire_due(world: World, ahead: timedelta) -> list[str]:
    """What the dispatcher and a worker do, as if `ahead` had passed."""

    def due(tx: Tx) -> list[Any]:
        tx.now += ahead
        return timer.hand_out(tx)

    def at(tx: Tx, timer_id: str) -> None:
        tx.now += ahead
        fire(tx, world.app.runtime, timer_id)

    rows = await world.app.store.run(due, SYSTEM)
    for row in rows:
        await world.app.store.run(at, SYSTEM, row["id"])
    await world.settled()
    return sorted(row["kind"] for row in rows)


# --- visits ----------------------------------------------------------------------------------------


async def test_a_visit_is_booked_moved_and_called_off(shop: Shop) -> None:
    booked = await shop.says(
        "asha", "book an appointment for a dental checkup, tomorrow at 5 pm", "Asha Rao", "9876543210", "yes"
    )
    assert "5:00 pm" in booked
    (event,) = await shop.rows("activities")
    (contact,) = await shop.rows("contacts")
    assert (event["kind"], event["contact_id"], event["done_at"]) == ("event", contact["id"], None)
    assert contact["name"] == "Asha Rao" and contact["phones"] == ["+919876543210"]
    link = re.search(r"http\S+\.ics", booked)
    assert link is not None
    async with aiohttp.ClientSession() as session:
        async with session.get(link.group()) as answer:
            (entry,) = Calendar.from_ical(await answer.read()).walk("VEVENT")
            assert str(entry["UID"]) == event["id"] and str(entry["STATUS"]) == "CONFIRMED"
        async with session.get(link.group().replace(".ics", "x.ics")) as answer:
            assert answer.status == 404

    taken = await shop.says("bala", "book an appointment for a cleaning, tomorrow at 5 pm")
    assert "taken" in taken
    asked = await shop.says("bala", "tomorrow at 6 pm", "Bala", "9876543211")
    assert "6:00 pm" in asked
    assert "6:00 pm" in await shop.says("bala", "yes")

    assert "5:30 pm" in await shop.says(
        "asha", "I want to move my appointment", "another time", "tomorrow at 5:30 pm"
    )
    assert "5:30 pm" in await shop.says("asha", "yes")
    (moved,) = [row for row in await shop.rows("activities") if row["id"] == event["id"]]
    assert moved["starts_at"] > event["starts_at"]
    await shop.says("asha", "cancel my appointment")
    assert "cancelled" in await shop.says("asha", "yes")
    (gone,) = [row for row in await shop.rows("activities") if row["id"] == event["id"]]
    assert gone["outcome"] == "cancelled" and gone["done_at"]
    async with aiohttp.ClientSession() as session, session.get(link.group()) as answer:
        assert b"STATUS:CANCELLED" in await answer.read()


async def test_a_visit_in_two_languages_and_a_time_that_is_past(shop: Shop) -> None:
    answer = await shop.says(
        "आशा", "मुझे अपॉइंटमेंट बुक करना है", "दाँत दिखाने हैं", "कल शाम 5 बजे", "आशा", "9876543212", "हाँ"
    )
    assert "बुक हो गया" in answer
    days = await shop.says("ravi", "mujhe appointment book karna hai", "AC service ke liye")
    assert "Kaun sa din" in days
    assert "beet chuka" in await shop.says("ravi", "1/1/2024 shaam 5 baje")
    answer = await shop.says("ravi", "parso", "7 baje", "Ravi", "9876543213", "haan")
    assert "Book ho gaya" in answer and "7:00" in answer
    assert len(await shop.rows("activities")) == 2


async def test_a_time_that_goes_while_the_customer_thinks(shop: Shop) -> None:
    await shop.says("asha", "book an appointment for a check-up, tomorrow at 5 pm", "Asha", "9876543210")
    wanted = re.search(r"\w+ \d+ \w+, 5:00 pm", (await shop.visitor.replies("asha"))[-1])
    assert wanted is not None

    def book(tx: Tx) -> str:
        free = visit.free_times(tx, day=None, count=3)
        day = free.times[0].date() + timedelta(days=0)
        start = free.times[0].replace(hour=17, minute=0)
        if day == tx.now.astimezone(free.times[0].tzinfo).date():
            start += timedelta(days=1)
        return visit.book_visit(tx, add_contact(tx, "Quick"), contact_conversation, "Other", start)

    (conversation,) = await shop.rows("conversations")
    contact_conversation = conversation["id"]
    await shop.world.app.store.run(book, BOT)
    assert "taken" in await shop.says("asha", "yes")
    assert len(await shop.rows("activities")) == 1


async def test_a_visit_is_reminded_of_a_day_and_an_hour_before_but_not_after_stop(shop: Shop) -> None:
    await shop.world.app.store.run(add_user, SYSTEM, "agent@example.com", "agent")
    customers = {"+919876500001": "5 pm", "+919876500002": "7 pm"}
    for number, hour in customers.items():
        for text in (f"book an appointment for a demo, in 3 days at {hour}", "Asha", "yes"):
            before = len(await shop.sms.replies(number))
            await shop.sms.say(text, sender=number)
            await shop.sms.wait_reply(number, before + 1)
            await shop.world.settled()
    await shop.sms.say("STOP", sender="+919876500002")
    await shop.world.settled()
    before = {number: len(await shop.sms.replies(number)) for number in customers}
    last = max(datetime.fromisoformat(row["starts_at"]) for row in await shop.rows("activities"))
    fired = await fire_due(shop.world, last - clock.now() - timedelta(hours=21))
    assert fired.count("visit_day") == 2
    heard = await shop.sms.wait_reply("+919876500001", before["+919876500001"] + 1)
    assert "reminder" in heard[-1] and "5:00 pm" in heard[-1]
    await fire_due(shop.world, last - clock.now() - timedelta(hours=2.5))
    heard = await shop.sms.wait_reply("+919876500001", before["+919876500001"] + 2)  # no gap between the two
    assert "See you soon" in heard[-1]
    assert len(await shop.sms.replies("+919876500002")) == before["+919876500002"]
    told = await shop.world.app.store.read(lambda tx: tx.rows(sa.select(NOTIFICATION.table)), SYSTEM)
    (untold,) = [row for row in told if row["key"] == "notify.visit_not_reminded"]
    assert "7:00" in untold["data"]["time"]


async def test_who_loses_a_visit_by_its_move_is_told(shop: Shop) -> None:
    def staff(tx: Tx) -> None:
        for name in ("rao", "sen"):
            update(tx, USER, get(tx, USER, add_user(tx, f"{name}@example.com", "agent")), {"bookable": True})

    def busy(tx: Tx, owner_id: str, begin: datetime) -> None:
        row = {"kind": "event", "subject": "Ward round", "owner_id": owner_id, "starts_at": begin}
        create(tx, ACTIVITY, row)

    run = shop.world.app.store.run
    await run(staff, SYSTEM)
    await shop.says(
        "asha", "book an appointment for a check-up, in 3 days at 5 pm", "Asha", "9876543210", "yes"
    )
    (event,) = await shop.rows("activities")
    await run(
        busy, SYSTEM, event["owner_id"], datetime.fromisoformat(event["starts_at"]) + timedelta(hours=2)
    )
    await shop.says("asha", "I want to move my appointment", "another time", "in 3 days at 7 pm", "yes")
    told = await shop.world.app.store.read(lambda tx: tx.rows(sa.select(NOTIFICATION.table)), SYSTEM)
    keys = [(row["key"], row["user_id"] == event["owner_id"]) for row in told]
    assert ("notify.visit_passed_on", True) in keys and ("notify.visit_moved", False) in keys


# --- orders ----------------------------------------------------------------------------------------


async def test_an_order_is_told_after_the_code_that_its_owner_received(shop: Shop) -> None:
    asked = await shop.says("asha", "where is my order ORD-1042")
    assert "on the order" in asked and "00077" not in asked and "Mixer" not in asked
    (sent,) = await shop.codes()
    assert "Tries left: 4" in await shop.says("asha", "000000" if sent != "000000" else "111111")
    told = await shop.says("asha", sent)
    assert "on its way" in told and "Mixer" in told and "24 December" in told
    again = await shop.says("asha", "mera order kahan hai ORD-1042")
    assert "Mixer" in again and len(await shop.codes()) == 1
    known = await shop.world.api.rows("identities", where=f'value = "{OWNER}"')
    assert sorted(row["verified"] for row in known) == [False, True]  # the lane's claim, the proof

    def at_rest(tx: Tx) -> str:
        kept = tx.rows(sa.select(messages.c.text, messages.c.extra).where(messages.c.direction == "outbound"))
        rows = [*kept, *tx.rows(sa.select(outbox.c.payload)), *tx.rows(sa.select(code.codes))]
        return repr(rows)

    assert sent not in await shop.world.app.store.read(at_rest, SYSTEM)


async def test_an_order_that_is_not_there_looks_like_one_that_is(shop: Shop) -> None:
    there = await shop.says("asha", "where is my order ORD-1042")
    nowhere = await shop.says("bala", "where is my order ORD-9999")
    assert there == nowhere and "on the order" in nowhere
    for left in (4, 3, 2, 1):
        assert f"Tries left: {left}" in await shop.says("bala", "123456")
    assert "not valid" in await shop.says("bala", "123456")
    assert len(await shop.codes()) == 1


async def test_a_code_is_sent_again_as_often_as_the_hour_allows(shop: Shop) -> None:
    assert "on the order" in await shop.says("asha", "where is my order ORD-1042")
    (first,) = await shop.codes()
    assert "on the order" in await shop.says("asha", "send the code again")
    first, second = await shop.codes()
    assert "Tries left: 4" in await shop.says("asha", "000000" if first == second else first)
    assert "on the order" in await shop.says("asha", "1")
    told = await shop.says("asha", "Send the code again.")
    assert "a few codes" in told and "look at the code again" in told
    codes = await shop.codes()
    assert len(codes) == 3 and "Mixer" in await shop.says("asha", codes[-1])


async def test_three_codes_an_hour_go_to_one_address(shop: Shop) -> None:
    for who in ("a", "b", "c"):
        assert "on the order" in await shop.says(who, "where is my order ORD-1042")
    assert "a few codes" in await shop.says("d", "where is my order ORD-1042")
    assert len(await shop.codes()) == 3


async def test_five_codes_an_hour_are_sent_for_one_customer(shop: Shop) -> None:
    await shop.says("asha", "hello")
    (conversation,) = await shop.rows("conversations")

    def before(tx: Tx) -> None:
        for number in range(code.AN_HOURS_REQUESTS):
            code.keep_code(tx, conversation["id"], f"order {number}", f"address {number}", new_id(), "digest")

    await shop.world.app.store.run(before, BOT)
    assert "a few codes" in await shop.says("asha", "where is my order ORD-1042")
    assert await shop.codes() == []


async def test_whoever_writes_from_the_number_on_the_order_needs_no_code(shop: Shop) -> None:
    await shop.sms.say("where is my order ORD-1042", sender=OWNER)
    (told,) = await shop.sms.wait_reply(OWNER, 1)
    assert "Mixer" in told


async def test_an_order_system_that_is_down_is_said_so(shop: Shop) -> None:
    shop.orders.fail_next(2, status=500)
    down = await shop.says("asha", "where is my order ORD-1042")
    assert "does not answer" in down
    assert "on the order" in await shop.says("asha", "where is my order ORD-1042")


# --- cases, calls, feedback ------------------------------------------------------------------------


async def test_claims_and_returns_become_cases_of_their_category(shop: Shop) -> None:
    claim = await shop.says(
        "asha",
        "I want to claim warranty",
        "Bajaj mixer",
        "12 March 2026",
        "it does not start",
        "skip",
        "Asha",
        "9876543210",
    )
    assert "C-" in claim
    await shop.says(
        "bala", "mera mixer kharab ho gaya, warranty me hai", "Bajaj mixer", "15 march 2026", "skip", "Bala"
    )
    assert "C-" in await shop.says("bala", "9876543211")
    back = await shop.says(
        "chand", "I want to return my order", "ORD-1042", "it came broken", "money back", "yes"
    )
    assert "C-" in back
    assert "C-" in await shop.says("देव", "मुझे सामान वापस करना है", "ORD-77", "टूटा हुआ था", "पैसे वापस", "हाँ")
    assert "C-" in await shop.says(
        "esha", "mujhe saman wapas karna hai", "ORD-78", "galat size", "badal do", "haan"
    )
    cases = await shop.rows("cases")
    names = {row["id"]: row["name"] for row in await shop.rows("categories")}
    assert sorted(names[row["category_id"]] for row in cases) == ["Return"] * 3 + ["Warranty"] * 2
    (first,) = [row for row in cases if "does not start" in row["description"]]
    assert "Product: Bajaj mixer" in first["description"] and "2026-03-12" in first["description"]
    (broken,) = [row for row in cases if "ORD-1042" in row["description"]]
    assert "Damaged" in broken["description"] and "Money back" in broken["description"]


async def test_a_call_is_noted_for_the_team_who_are_told_in_time(shop: Shop) -> None:
    await shop.world.app.store.run(add_user, SYSTEM, "agent@example.com", "agent")
    noted = await shop.says("asha", "please call me back", "9876543210", "tomorrow at 11", "about a fridge")
    assert "11:00 am" in noted
    (call,) = await shop.rows("activities")
    assert (call["kind"], call["direction"], call["body"]) == ("call", "outbound", "about a fridge")
    assert "call_back" in await fire_due(shop.world, timedelta(days=2))
    assert "11:00" in await shop.says("बाला", "मुझे फोन कीजिए", "9876543211", "कल 11 बजे", "छोड़ो")
    assert "11:00" in await shop.says("chand", "mujhe call karo", "9876543212", "kal subah 11 baje", "skip")


async def test_a_bad_rating_reaches_a_manager(shop: Shop) -> None:
    await shop.world.app.store.run(add_user, SYSTEM, "m@example.com", "manager")
    assert "C-" in await shop.says("asha", "I want to give feedback", "2", "very slow service")
    assert "धन्यवाद" in await shop.says("बाला", "मुझे फीडबैक देना है", "5", "छोड़ो")
    assert "Dhanyavaad" in await shop.says("chand", "mujhe feedback dena hai", "4", "sab accha tha")
    (case,) = await shop.rows("cases")
    assert case["priority"] == "high" and "very slow service" in case["description"]
    notes = sorted(row["subject"] for row in await shop.rows("activities"))
    assert notes == ["Rating: 2 of 5", "Rating: 4 of 5", "Rating: 5 of 5"]


async def test_without_an_order_system_it_says_so_and_offers_a_person(tmp_path: Path) -> None:
    async with Visitor() as visitor, samvad(tmp_path / "data", articles=False) as world:
        visitor.target = world.url
        await visitor.say("where is my order ORD-1042", sender="asha")
        (answer,) = await visitor.wait_reply("asha", 1)
        assert "person of our team" in answer
