"""Asking whether an answer helped: on the answer itself, once, and only where nothing else is asked."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from bot.dialogs.commands import Affirm, Ask, Deny, Rate, StartFlow
from bot.dialogs.turn import NoteQuestion, RateAnswer
from bot.knowledge.answer import Answer, Option

Begin = Callable[..., Any]
FOUND = Answer("found", "We open at ten.", "a1", "Opening hours", "https://shop/help/en/hours")
ASKS = {"asks_helped": True, "question_id": "q1"}
BUTTONS = ["helped:yes:q1", "helped:no:q1"]


def test_buttons_stand_on_the_answer_and_carry_its_question(conversation: Begin) -> None:
    chat = conversation(answer=FOUND, options=dict(ASKS))
    assert "We open at ten" in chat.hears(Ask("when do you open?"))
    assert chat.buttons == BUTTONS
    assert chat.wrote(NoteQuestion) == [NoteQuestion("when do you open?", "answered", "a1", "q1")]
    assert "Good to hear" in chat.hears(Affirm())
    assert chat.wrote(RateAnswer) == [RateAnswer("q1", True)]


def test_no_offers_a_person(conversation: Begin) -> None:
    chat = conversation(answer=FOUND, options=dict(ASKS))
    chat.hears(Ask("when do you open?"))
    assert "call a person" in chat.hears(Deny())
    assert chat.wrote(RateAnswer) == [RateAnswer("q1", False)]
    assert chat.buttons == ["flow:talk_to_person"]


def test_it_is_not_asked_twice_within_minutes(conversation: Begin) -> None:
    chat = conversation(answer=FOUND, options=dict(ASKS))
    chat.hears(Ask("when do you open?"))
    chat.hears(Ask("and on Sunday?"))
    assert chat.buttons == [] and chat.wrote(NoteQuestion)[-1].id == ""
    chat.now += timedelta(minutes=11)
    chat.hears(Ask("and on Monday?"))
    assert chat.buttons == BUTTONS


def test_it_is_not_asked_where_something_else_is(conversation: Begin) -> None:
    chat = conversation(answer=FOUND, options=dict(ASKS))
    chat.hears(StartFlow("open_case"))
    chat.hears(Ask("when do you open?"))
    assert not set(BUTTONS) & set(chat.buttons), "a flow goes on"
    unsure = Answer("unsure", options=(Option("a1", "Hours"), Option("a2", "Delivery")))
    chat = conversation(answer=unsure, options=dict(ASKS))
    chat.hears(Ask("when?"))
    assert chat.buttons == ["article:a1", "article:a2"]
    assert conversation(answer=FOUND).hears(Ask("when?")) and not chat.wrote(RateAnswer)
    for more in ({"stopped": True}, {"asks_helped": False}):
        chat = conversation(answer=FOUND, options=ASKS | more)
        chat.hears(Ask("when do you open?"))
        assert chat.buttons == [], more


def test_a_choice_between_articles_is_told_from_a_question(conversation: Begin) -> None:
    unsure = Answer("unsure", options=(Option("a1", "Opening hours"), Option("a2", "Delivery")))
    chat = conversation(answer=unsure)
    chat.hears(Ask("when?"))
    assert chat.wrote(NoteQuestion) == [NoteQuestion("when?", "unsure")]
    chat.answer = FOUND
    chat.hears(Ask("Opening hours"))
    assert chat.wrote(NoteQuestion) == [NoteQuestion("Opening hours", "chosen", "a1")]


def test_with_a_person_there_the_customers_word_is_kept_in_silence(conversation: Begin) -> None:
    chat = conversation(options={"owner_is_human": True})
    assert chat.hears(Rate("q7", True)) == ""
    assert chat.wrote(RateAnswer) == [RateAnswer("q7", True)]
