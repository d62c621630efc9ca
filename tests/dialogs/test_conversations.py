"""Whole conversations as customers type them: understanding, engine and words together."""

from collections.abc import Callable
from typing import Any

import pytest

from bot.dialogs.turn import CaseView, Customer, HandOff, OpenCase, SaveLead
from bot.knowledge.answer import Answer

Talk = Callable[..., Any]


@pytest.fixture
def talk(conversation: Any, understanding: Any) -> Talk:
    async def lines(*texts: str, **given: Any) -> Any:
        """Play all texts; `.said` holds the replies."""
        chat = conversation(**given)
        chat.said = []
        chat.written = []
        for text in texts:
            turn = chat.turn(text)
            chat.said.append(chat.plays(turn, await understanding.understand(turn)))
            chat.written.extend(chat.plan.writes)
        return chat

    return lines


async def test_a_lead_in_english_on_web_chat(talk: Talk) -> None:
    chat = await talk("hi", "I want to buy a washing machine", "Ravi Kumar", "98765 43210", "around 30000")
    assert "Hello" in chat.said[0] and "name" in chat.said[1] and "phone" in chat.said[2]
    assert "budget" in chat.said[3] and "Thank you, Ravi Kumar" in chat.said[4]
    assert chat.lead.slots["budget"] == 3_000_000 and chat.lead.slots["need"]


async def test_a_lead_in_romanised_hindi_on_whatsapp(talk: Talk) -> None:
    asha = Customer("c", "Asha")
    lines = ("namaste", "naya fridge lena hai", "50 hazar", "agle mahine", "main khud")
    chat = await talk(*lines, channel="whatsapp", customer=asha)
    assert "Faisla" in chat.said[3] and "Dhanyavaad, Asha ji" in chat.said[4]
    saved = [write for write in chat.written if isinstance(write, SaveLead)]
    assert saved[-1].qualified
    assert chat.lead.slots["timeline"] == "later" and chat.lead.slots["authority"] == "self"


async def test_a_case_and_its_status_in_hindi(talk: Talk, conversation: Any) -> None:
    case = CaseView("i", 1042, "फ्रिज", "open", conversation().now, 1)
    chat = await talk("मेरा फ्रिज ठंडा नहीं कर रहा", "मेरी शिकायत का क्या हुआ", "धन्यवाद", cases=(case,))
    assert "केस C-1042" in chat.said[0] and "काम चल रहा है" in chat.said[1] and "स्वागत" in chat.said[2]
    assert [write.description for write in chat.written if isinstance(write, OpenCase)] == [
        "मेरा फ्रिज ठंडा नहीं कर रहा"
    ]


async def test_a_lead_in_urdu_on_whatsapp(talk: Talk) -> None:
    lines = ("السلام علیکم", "نیا فریج لینا ہے", "عائشہ خان", "۵۰ ہزار", "اگلے مہینے", "میں خود")
    chat = await talk(*lines, channel="whatsapp", lang="ur")
    assert "خودکار اسسٹنٹ" in chat.said[0] and "نام" in chat.said[1] and "بجٹ" in chat.said[2]
    assert chat.lead.slots["budget"] == 5_000_000
    assert chat.lead.slots["timeline"] == "later" and "شکریہ، عائشہ خان" in " ".join(chat.said)


async def test_a_bare_complaint_is_asked_about_first(talk: Talk) -> None:
    chat = await talk("I have a complaint", "the handle came off and water drips from it")
    assert "what happened" in chat.said[0] and "C-1042" in chat.said[1]


async def test_a_question_while_a_lead_is_taken(talk: Talk) -> None:
    found = Answer("found", "We open at ten.", "a", "Hours", "http://x/en/hours")
    chat = await talk("I need a fridge", "what time do you open?", "Ravi", answer=found)
    assert "We open at ten" in chat.said[1] and chat.said[1].endswith("May I know your name?")
    assert "phone number" in chat.said[2]


async def test_gibberish_twice_calls_a_person(talk: Talk) -> None:
    chat = await talk("asdf qwer", "zxcv poiu")
    assert [write.reason for write in chat.written if isinstance(write, HandOff)] == ["not_understood"]


async def test_a_message_with_everything(talk: Talk) -> None:
    chat = await talk("hi, I want to buy an AC, my name is Ravi, ravi@x.in, budget 45k, need it this week")
    assert "decide" in chat.said[0]
    assert chat.lead.slots["timeline"] == "now" and chat.lead.slots["budget"] == 4_500_000
