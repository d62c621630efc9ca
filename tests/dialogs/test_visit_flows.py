"""Visits, calls and codes as the engine leads through them: whose clock counts, and what is not said."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from bot.dialogs.commands import Affirm, SetSlot, StartFlow
from bot.dialogs.deeds import BookCall, BookVisit
from bot.dialogs.flows import Flows
from bot.dialogs.looks import FindFreeTimes, Times, VisitView
from bot.dialogs.turn import Business, Customer, Turn
from bot.dialogs.understanding.extract import extract, slots_for
from tests.dialogs.conftest import Conversation

Begin = Callable[..., Conversation]
INDIA = timezone(timedelta(hours=5, minutes=30))
EMIRATI = Customer(name="Asha", phones=("+971501234567",))


def test_a_visit_is_by_the_business_s_clock_a_call_by_the_customer_s(flows: Flows) -> None:
    business = Business("Sharma Electronics", "IN", "Asia/Kolkata", ("en",), "INR")
    turn = Turn(datetime(2026, 11, 21, 19, 0, tzinfo=UTC), "webchat", business, EMIRATI, ())
    for text, visit, call in (
        ("tomorrow at 5 pm", "2026-11-23T17:00+05:30", "2026-11-22T17:00+04:00"),  # 00:30 in India
        ("today at 5 pm", "2026-11-22T17:00+05:30", "2026-11-21T17:00+04:00"),
    ):
        found = extract(text, turn, "en")
        assert slots_for(flows["book_appointment"], found, text)["starts_at"] == visit
        assert slots_for(flows["change_appointment"], found, text)["starts_at"] == visit
        assert slots_for(flows["call_back"], found, text)["call_at"] == call
        assert slots_for(flows["book_appointment"], found, text)["day"] == visit[:10]


def test_a_visit_is_offered_confirmed_and_booked_by_the_business_s_clock(conversation: Begin) -> None:
    five = datetime(2026, 11, 22, 17, 0, tzinfo=INDIA)
    chat = conversation(customer=EMIRATI, times=Times(times=(five,)))
    chat.hears(StartFlow("book_appointment", {"service": "Check-up"}))
    offered = chat.hears(SetSlot("day", "tomorrow"))
    assert "time" in offered.lower()
    assert [choice for choice in chat.buttons if "T17:00+05:30" in choice]
    asked = chat.hears(SetSlot("starts_at", "5 pm"))
    assert "5:00 pm" in asked and "Gulf" not in asked
    chat.hears(Affirm())
    assert chat.wrote(BookVisit) == [BookVisit("Check-up", five)]


def test_a_call_names_the_clock_that_is_not_ours(conversation: Begin) -> None:
    for customer, named in ((EMIRATI, True), (replace(EMIRATI, phones=("+919876543210",)), False)):
        chat = conversation(customer=customer, times=Times())
        told = chat.hears(StartFlow("call_back", {"call_at": "tomorrow at 5 pm", "about": "a fridge"}))
        assert "5:00 pm" in told and ("Gulf Standard Time" in told) == named
        (call,) = chat.wrote(BookCall)
        assert call.call_at.isoformat() == f"2026-11-22T17:00:00{'+04:00' if named else '+05:30'}"


@pytest.mark.parametrize("said", ["31/12/9999 5 pm", "01/01/0001 5 pm", "9999-12-31T23:59-12:00"])
def test_a_day_at_the_end_of_the_calendar_is_answered(conversation: Begin, said: str) -> None:
    why: Any = "past" if said.startswith("01") else "too_far"
    for customer in (Customer(), EMIRATI):
        for flow, slot in (("book_appointment", "starts_at"), ("call_back", "call_at")):
            chat = conversation(customer=customer, times=Times(why))
            told = chat.hears(StartFlow(flow, {"service": "x", "phone": "9876543210", slot: said}))
            assert ("passed" if why == "past" else "too far") in told


def test_an_iso_time_without_an_offset_is_by_the_clock_that_counts(conversation: Begin) -> None:
    chat = conversation(customer=EMIRATI)
    chat.hears(StartFlow("book_appointment", {"service": "x", "starts_at": "2026-11-24T17:00"}))
    (need,) = [need for need in chat.needs if isinstance(need, FindFreeTimes)]
    assert need.wanted == datetime(2026, 11, 24, 17, 0, tzinfo=INDIA)


def test_a_day_that_cannot_be_booked_is_asked_anew(conversation: Begin) -> None:
    chat = conversation(times=Times("too_far", (datetime(2026, 11, 23, 10, 0, tzinfo=INDIA),)))
    chat.hears(StartFlow("book_appointment", {"service": "Check-up"}))
    assert "too far" in chat.hears(SetSlot("day", "31/12/9999"))
    chat.times = Times()
    assert "name" in chat.hears(SetSlot("starts_at", "2026-11-23T10:00+05:30"))


def test_who_has_three_visits_ahead_is_offered_a_person(conversation: Begin) -> None:
    visits = tuple(VisitView(f"v{n}", 1, "x", datetime(2026, 11, 23, 10, n, tzinfo=INDIA)) for n in range(3))
    chat = conversation(visits=visits)
    assert "3 visits" in chat.hears(StartFlow("book_appointment", {"service": "Check-up"}))
    assert "flow:talk_to_person" in chat.buttons
    chat = conversation(customer=EMIRATI, times=Times(), visits=visits[:2])
    given = {"service": "Check-up", "starts_at": "2026-11-24T17:00+05:30"}
    assert "Shall I book" in chat.hears(StartFlow("book_appointment", given))
    chat.visits = visits  # the third came from another conversation meanwhile
    assert "3 visits" in chat.hears(Affirm()) and not chat.wrote(BookVisit)
