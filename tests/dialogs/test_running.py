"""Flows that call, confirm, repair, repeat and wait: what is heard, what is said, what is left behind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.dialogs.commands import (
    Affirm,
    Ask,
    Cancel,
    Chitchat,
    Correct,
    Deny,
    Handoff,
    NotUnderstood,
    Resume,
    SetSlot,
    StartFlow,
)
from bot.dialogs.flows import Flows, load_flows
from bot.dialogs.turn import HandOff, OpenCase, Plan
from bot.dialogs.understanding import Model, Understanding
from bot.i18n import Words
from bot.knowledge.answer import Answer
from tests.dialogs.conftest import Conversation

FLOWS = load_flows(Path(__file__).parent / "flows")
FOUND = Answer("found", "We open at ten.", "a1", "Opening hours", "https://shop/help/en/hours")
TOMORROW = "2026-11-22T17:00+05:30"


@pytest.fixture
def begin() -> Callable[..., Conversation]:
    """A conversation over the test's flows; their own words are shown as their keys."""
    return lambda **given: Conversation(FLOWS, Words.load(), **given)


def _keys(plan: Plan) -> list[str]:
    return [say.key for say in plan.says]


def _to_confirm(chat: Conversation, people: str = "4") -> Conversation:
    chat.hears(StartFlow("book_table", {"people": people, "starts_at": TOMORROW}))
    chat.hears(SetSlot("phone", "9876543210"))
    return chat


def test_a_consequence_waits_for_a_yes_and_shows_what_was_said(begin: Any) -> None:
    chat = _to_confirm(begin())
    [say] = chat.plan.says
    assert say.key == "table.confirm" and chat.buttons == ["answer:yes", "answer:no"]
    assert say.values["starts_at"] == "Sunday, 22 November, 5:00 pm" and say.values["people"] == "4"
    assert not chat.wrote(OpenCase)
    chat.hears(NotUnderstood("hmm"))
    assert _keys(chat.plan) == ["invalid.yes_no"] and chat.buttons == ["answer:yes", "answer:no"]
    chat.hears(Affirm())
    assert chat.wrote(OpenCase) and "lead.thanks" in _keys(chat.plan) and not chat.plan.state.get("frames")


def test_no_asks_what_is_wrong_and_then_only_that(begin: Any) -> None:
    chat = _to_confirm(begin())
    chat.hears(Deny())
    assert _keys(chat.plan) == ["confirm.what_is_wrong"]
    assert chat.buttons == ["again:people", "again:starts_at", "again:phone", "answer:no"]
    chat.hears(Correct("starts_at", None))
    assert _keys(chat.plan) == ["call.ask_when"]
    chat.hears(SetSlot("starts_at", "2026-11-23T18:00+05:30"))
    assert _keys(chat.plan) == ["table.confirm"]
    # "Yes, but for six": the yes was to something else.
    chat.hears(Affirm(), Correct("people", "6"))
    assert _keys(chat.plan) == ["slot.corrected", "table.confirm"]
    assert chat.plan.says[1].values["people"] == "6" and not chat.wrote(OpenCase)


def test_a_correction_is_used_again_on_the_way_back(begin: Any) -> None:
    chat = _to_confirm(begin())
    chat.hears(Correct("people", "12"))
    # Twelve must prove who they are: the branch before the confirmation was taken anew.
    assert _keys(chat.plan) == ["slot.corrected", "prove.ask_code"]


def test_two_noes_leave_it_at_the_flows_own_step(begin: Any) -> None:
    chat = _to_confirm(begin())
    chat.hears(Deny())
    chat.hears(Deny())
    assert _keys(chat.plan) == ["call.ask_when"] and chat.plan.state["frames"][0]["slots"]["changed"] is True


@pytest.mark.parametrize(
    ("slot", "said", "key", "values"),
    [
        ("people", "25", "repair.quantity.too_much", {"limit": "20"}),
        ("people", "0", "repair.quantity.too_little", {"limit": "1"}),
        ("people", "many", "invalid.quantity", {}),
        (
            "starts_at",
            "2026-11-20T10:00+05:30",
            "repair.date.past",
            {"limit": "Saturday, 21 November, 3:30 pm"},
        ),
        ("phone", "98765 4321", "repair.phone.too_short", {"count": 1}),
        ("phone", "+91 98765 432", "repair.phone.too_short", {"count": 2}),
        ("phone", "98765 432101", "repair.phone.too_long", {"count": 1}),
        ("phone", "12", "invalid.phone", {}),
        ("phone", "call me", "invalid.phone", {}),
        ("code", "12345", "repair.digits.too_short", {"limit": 6, "count": 1}),
        ("code", "1234567", "repair.digits.too_long", {"limit": 6, "count": 1}),
        ("code", "what code", "invalid.text", {}),
        ("description", "no", "repair.text.too_short", {"count": 5}),
    ],
)
def test_what_does_not_fit_is_said_with_how_far_off_it_is(
    begin: Any, slot: str, said: str, key: str, values: dict[str, Any]
) -> None:
    name = {"code": "prove_it", "description": "open_case"}.get(slot, "book_table")
    given: dict[str, Any] = {"people": "2", "starts_at": TOMORROW}
    given.pop(slot, None)
    frame = {"flow": name, "version": 1, "step": slot, "slots": given}
    chat = begin(state={"frames": [frame]})
    chat.hears(SetSlot(slot, said))
    assert [(one.key, one.values) for one in chat.plan.says] == [(key, values)]
    chat.state = {"frames": [frame]}
    chat.hears(NotUnderstood(said))
    assert _keys(chat.plan) == [key]


def test_a_called_flow_takes_and_gives_and_goes_back_to_its_caller(begin: Any) -> None:
    chat = _to_confirm(begin(), people="12")
    assert [frame["flow"] for frame in chat.plan.state["frames"]] == ["book_table", "prove_it"]
    assert chat.plan.state["frames"][1]["slots"] == {"hint": "+919876543210"}
    chat.hears(SetSlot("code", "my code is 123 456"))
    assert _keys(chat.plan) == ["table.confirm"]
    assert chat.plan.state["frames"][0]["slots"]["proof"] == "123456"


def test_a_called_flow_given_up_leads_where_its_caller_says(begin: Any) -> None:
    chat = _to_confirm(begin(), people="12")
    for said in ("12", "34"):
        chat.hears(SetSlot("code", said))
        assert _keys(chat.plan) == ["repair.digits.too_short"]
    chat.hears(SetSlot("code", "56"))
    assert (
        _keys(chat.plan) == ["courtesy.fine"]
        and not chat.wrote(HandOff)
        and not chat.plan.state.get("frames")
    )
    refused = _to_confirm(begin(), people="12")
    refused.hears(Deny())
    assert _keys(refused.plan) == ["courtesy.fine"]


def test_nobody_starts_a_flow_that_is_only_called(begin: Any) -> None:
    chat = begin()
    chat.hears(StartFlow("prove_it"), text="prove")
    assert _keys(chat.plan) == ["not_understood"]


def test_digressions_come_back_to_the_open_question(begin: Any) -> None:
    chat = begin(answer=FOUND)
    chat.hears(StartFlow("book_table", {"people": "4"}))
    chat.hears(Ask("when do you open?"))
    assert _keys(chat.plan)[-2:] == ["back.to_it", "call.ask_when"]
    chat.hears(StartFlow("open_case"))
    assert _keys(chat.plan) == ["case.ask_description"]
    chat.hears(SetSlot("description", "the soup was cold"))
    assert _keys(chat.plan) == ["courtesy.fine", "back.to_it", "call.ask_when"]
    chat = _to_confirm(begin(answer=FOUND))
    chat.hears(Ask("when do you open?"))
    assert _keys(chat.plan)[-2:] == ["back.to_it", "table.confirm"]


def test_days_later_it_offers_to_go_on_or_to_start_anew(begin: Any) -> None:
    chat = begin()
    chat.hears(StartFlow("book_table", {"people": "4"}))
    chat.later(days=2)
    assert chat.hears(SetSlot("starts_at", "2026-11-24T17:00+05:30")), "it remembers for three days"
    assert _keys(chat.plan) == ["lead.ask_contact"]
    chat.later(days=4)
    chat.hears(NotUnderstood("9876543210 ok"), text="9876543210 ok")
    assert _keys(chat.plan) == ["resume.offer"] and chat.buttons == ["resume:on", "resume:anew"]
    waiting = chat.state
    chat.hears(Resume())
    # The time has passed meanwhile: it is asked again before the rest.
    assert _keys(chat.plan) == ["call.ask_when"]
    chat.hears(SetSlot("starts_at", "2026-11-30T17:00+05:30"))
    assert _keys(chat.plan) == ["lead.ask_contact"]
    for command, keys in (
        (Affirm(), ["call.ask_when"]),
        (Resume(anew=True), ["lead.ask_need"]),
        (Deny(), ["courtesy.fine"]),
        (StartFlow("open_case"), ["case.ask_description"]),
    ):
        chat.state = waiting
        chat.hears(command)
        assert _keys(chat.plan) == keys
    chat.state = {key: value for key, value in waiting.items() if key != "offered"}
    chat.hears(StartFlow("book_table"))
    assert _keys(chat.plan) == ["resume.offer"]
    chat.hears(Cancel())
    assert "paused" not in chat.plan.state


def test_a_question_comes_round_only_so_often(begin: Any) -> None:
    chat = _to_confirm(begin())
    for _ in range(9):
        chat.hears(Deny())
        if chat.wrote(HandOff):
            break
        if chat.plan.says[0].key == "call.ask_when":
            chat.hears(SetSlot("starts_at", TOMORROW))
    assert chat.wrote(HandOff)


def test_a_circle_without_a_question_reaches_a_person(begin: Any) -> None:
    chat = begin()
    chat.hears(StartFlow("circle"))
    assert [one.reason for one in chat.wrote(HandOff)] == ["failed"] and not chat.plan.state.get("frames")


def test_cancel_and_a_person_are_a_turn_away_from_everywhere(begin: Any) -> None:
    for people in ("4", "12"):
        chat = _to_confirm(begin(), people)
        state = chat.state
        chat.hears(Cancel())
        assert _keys(chat.plan) == ["flow.cancelled"] and not chat.plan.state.get("frames")
        chat.state = state
        chat.hears(Handoff())
        assert chat.wrote(HandOff)


def test_a_conversation_ends_on_the_version_it_began(begin: Any) -> None:
    old = FLOWS["open_case"]
    new = load_flows(Path(__file__).parent / "flows" / "newer")["open_case"]
    chat = begin()
    chat.hears(StartFlow("open_case"))
    chat.flows = Flows({**FLOWS, "open_case": new}, {("open_case", 1): old})
    chat.hears(SetSlot("description", "the soup was cold"))
    assert _keys(chat.plan) == ["courtesy.fine"]
    chat.hears(StartFlow("open_case"))
    assert _keys(chat.plan) == ["lead.ask_name"] and chat.plan.state["frames"][0]["version"] == 2
    # A version that is kept no more goes on with the newest while its step is still there.
    chat.state = {"frames": [{"flow": "open_case", "version": 0, "step": "description"}]}
    chat.hears(Chitchat("greeting"))
    assert "frames" not in chat.plan.state or chat.plan.state["frames"][0]["version"] != 0


@pytest.fixture(scope="module")
def heard(model: Model) -> Understanding:
    return Understanding(FLOWS, Words.load(), model)


@pytest.mark.parametrize(
    ("said", "commands"),
    [
        ("yes", (Affirm(),)),
        ("haan ji", (Affirm(),)),
        ("no", (Deny(),)),
        ("नहीं", (Deny(),)),
        ("no, the date is wrong", (Correct("starts_at", None),)),
        ("number galat hai", (Correct("phone", None),)),
        ("तारीख गलत है", (Correct("starts_at", None),)),
        ("no, make it 6 pm", (Correct("starts_at", "2026-11-22T18:00+05:30"),)),
        ("24 november please", (Correct("starts_at", "2026-11-24T17:00+05:30"),)),
        ("my number is 98765 43211", (Correct("phone", "+919876543211"),)),
        ("cancel", (Cancel(),)),
        ("do you have parking?", (Ask("do you have parking?"),)),
    ],
)
async def test_what_is_said_to_a_confirmation(begin: Any, heard: Any, said: str, commands: Any) -> None:
    chat = _to_confirm(begin())
    assert (await heard.understand(chat.turn(said))).commands == commands


async def test_buttons_of_confirming_and_resuming(begin: Any, heard: Any) -> None:
    chat = _to_confirm(begin())
    for button, command in (
        ("answer:yes", Affirm()),
        ("answer:no", Deny()),
        ("again:phone", Correct("phone", None)),
        ("resume:on", Resume()),
        ("resume:anew", Resume(anew=True)),
    ):
        assert (await heard.understand(chat.turn("x", button=button))).commands == (command,)
    chat.hears(Deny())
    assert (await heard.understand(chat.turn("Date and time"))).commands == (Correct("starts_at", None),)
