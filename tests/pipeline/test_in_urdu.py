"""A customer who writes Urdu, on WhatsApp and on the web chat, through the whole program."""

from pathlib import Path

import pytest

from tests.pipeline.test_ways_in import Story
from tests.support.world import WAYS_IN, customer_of


@pytest.mark.parametrize("way", ["whatsapp", "webchat"])
async def test_a_customer_is_served_in_urdu(way: str, tmp_path: Path) -> None:
    async with customer_of(way, tmp_path / "data", languages="en,hi,ur") as (world, customer, sender):
        story = Story(world, customer, sender, WAYS_IN[way][1])
        assert "خودکار اسسٹنٹ" in await story.say("السلام علیکم")
        await _becomes_a_lead(story)
        await _opens_a_case(story)
        answer = await story.say("فریج کی وارنٹی کتنی ہے؟")
        assert "کمپریسر 10 سال" in answer and "/help/ur/warranty" in answer
        await _chooses_a_language(story)
        await _says_stop(story)
        await _speaks_with_a_person(story)


async def _becomes_a_lead(story: Story) -> None:
    reply = await story.say("مجھے 300 لیٹر کا فریج لینا ہے")
    answers = {
        "نام": "عائشہ خان",
        "فون": "۹۸۷۶۵ ۴۳۲۱۰",
        "بجٹ": "۲۵ ہزار روپے",
        "کب تک": "اگلے ہفتے",
        "فیصلہ": "میں خود",
    }
    for _ in answers:
        line = next((line for mark, line in answers.items() if mark in reply), None)
        if line is None:
            break
        reply = await story.say(line)
    assert reply.startswith("شکریہ،")
    (lead,) = await story.world.api.rows("leads")
    assert "فریج" in lead["need"] and (lead["budget"], lead["currency"]) == (25_000, "INR")
    _, contact = await story.world.api.call("GET", f"contacts/{lead['contact_id']}")
    assert contact["phones"] or story.channel != "webchat"


async def _opens_a_case(story: Story) -> None:
    reply = await story.say("واشنگ مشین سے پانی ٹپک رہا ہے، شکایت درج کروانی ہے")
    (case,) = await story.world.api.rows("cases")
    assert f"کیس {case['number']}" in reply
    status = await story.say("میری شکایت کا کیا بنا؟")
    assert case["number"] in status and "موصول ہو گیا ہے" in status


async def _chooses_a_language(story: Story) -> None:
    asked = await story.say("زبان بدلیں")
    assert "کس زبان میں" in asked
    assert "हिंदी में बात करेंगे" in await story.say("2")
    assert "اردو میں بات کریں گے" in await story.say("اردو میں بات کریں")


async def _says_stop(story: Story) -> None:
    assert "پیغام نہیں بھیجیں گے" in await story.say("میسج بند کریں")
    (consent,) = await story.world.api.rows("consents")
    assert consent["state"] == "withdrawn"
    assert "دوبارہ خوش آمدید" in await story.say("شروع کریں")


async def _speaks_with_a_person(story: Story) -> None:
    assert "ٹیم" in await story.say("کسی انسان سے بات کروا دیں")
    conversation = await story.conversation()
    assert (conversation["owner"], conversation["lang"]) == ("human", "ur")
