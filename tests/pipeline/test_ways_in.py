"""One customer's story on every way in, through its real endpoint and signature, read back over REST."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.support.world import WAYS_IN, customer_of

ANSWERS = (
    ("budget", "25000 rupees"),
    ("e-mail", "+91 98765 43210"),
    ("number", "+91 98765 43210"),
    ("phone", "+91 98765 43210"),
    ("name", "Asha Rao"),
    ("decide", "I decide myself"),
    ("When", "next week"),
    ("looking for", "a 300 litre refrigerator"),
)


class Story:
    """Says a line and waits for what comes back."""

    def __init__(self, world: Any, customer: Any, sender: str, channel: str) -> None:
        self.world, self.customer, self.sender, self.channel = world, customer, sender, channel

    async def say(self, text: str, *, answered: bool = True) -> str:
        """The new replies, joined; waits for at least one when `answered`."""
        before = len(await self.customer.replies(self.sender))
        assert await self.customer.say(text, sender=self.sender, name="Asha Rao") in (200, 250)
        await self._taken_in(text)
        if answered:
            await self.customer.wait_reply(self.sender, before + 1)
        await self.world.settled()
        return "\n".join((await self.customer.replies(self.sender))[before:])

    async def _taken_in(self, text: str) -> None:
        await self.world.api.until("messages", lambda rows: any(row["text"] == text for row in rows))

    async def conversation(self) -> dict[str, Any]:
        (found,) = await self.world.api.rows("conversations", where=f"channel = {self.channel}")
        return found


@pytest.mark.parametrize("way", WAYS_IN)
async def test_a_customers_story(way: str, tmp_path: Path) -> None:
    async with customer_of(way, tmp_path / "data") as (world, customer, sender):
        story = Story(world, customer, sender, WAYS_IN[way][1])
        assert await story.say("Hello")
        await _becomes_a_lead(story)
        await _opens_a_case(story)
        answer = await story.say("How long is the warranty on refrigerators?")
        assert "compressor" in answer and "/help/en/warranty" in answer
        await _speaks_with_a_person(story)
        await _says_stop(story)
        await _statuses(story, way)


async def _becomes_a_lead(story: Story) -> None:
    reply = await story.say("I want to buy a 300 litre refrigerator")
    for _ in range(6):
        line = next((line for mark, line in ANSWERS if mark.lower() in reply.lower()), None)
        if line is None:
            break
        reply = await story.say(line)
    (lead,) = await story.world.api.rows("leads")
    assert "refrigerator" in lead["need"]
    assert (lead["budget"], lead["currency"]) == (25_000, "INR")
    assert lead["number"].startswith("L-")
    _, contact = await story.world.api.call("GET", f"contacts/{lead['contact_id']}")
    # These channels' own ids are a way back to the customer: no telephone number is asked for.
    own = ("telegram", "messenger", "instagram")
    assert contact["phones"] or contact["emails"] or story.channel in own


async def _opens_a_case(story: Story) -> None:
    reply = await story.say("My washing machine is leaking water, I want to complain")
    if "C-" not in reply:
        reply = await story.say("It leaks from below since yesterday")
    (case,) = await story.world.api.rows("cases")
    assert case["number"] in reply
    assert case["number"] in await story.say("What is the status of my case?")
    _, contact = await story.world.api.call("GET", f"contacts/{case['contact_id']}")
    assert contact["id"] == case["contact_id"]


async def _speaks_with_a_person(story: Story) -> None:
    api = story.world.api
    await story.say("I want to talk to a person")
    conversation = await story.conversation()
    assert (conversation["owner"], conversation["assignee_id"]) == ("human", None)
    assert await story.say("Is anybody there?", answered=False) == ""
    status, _ = await api.call("POST", f"conversations/{conversation['id']}/take-over")
    assert status == 200
    before = len(await story.customer.replies(story.sender))
    body = {"conversation_id": conversation["id"], "text": "Here is Boss. How can I help?"}
    status, sent = await api.call("POST", "messages", body)
    assert status == 202, sent
    heard = await story.customer.wait_reply(story.sender, before + 1)
    assert "Here is Boss. How can I help?" in heard[-1]
    assert await story.say("Thank you", answered=False) == ""
    status, _ = await api.call("POST", f"conversations/{conversation['id']}/hand-back")
    assert status == 200
    assert "/help/en/" in await story.say("How long is the warranty on refrigerators?")
    events = await api.rows("events", where="entity = conversations")
    assert {"handed_off", "taken_over", "handed_back"} <= {event["action"] for event in events}


async def _says_stop(story: Story) -> None:
    silent = story.channel == "sms"
    await story.say("STOP", answered=False)
    before = len(await story.customer.replies(story.sender))
    assert await story.say("ok thanks", answered=False) == ""
    conversation = await story.conversation()
    body = {"conversation_id": conversation["id"], "text": "One more thing"}
    status, problem = await story.world.api.call("POST", "messages", body)
    assert (status, problem["code"]) == (409, "gate_refused")
    question = await story.say("How long is the warranty on refrigerators?", answered=not silent)
    assert ("/help/en/warranty" in question) is not silent
    if silent:
        assert len(await story.customer.replies(story.sender)) == before
    consents = await story.world.api.rows("consents")
    assert [row["state"] for row in consents] == ["withdrawn"]
    await story.say("START", answered=False)
    assert "/help/en/" in await story.say("What are your opening hours?")


async def _statuses(story: Story, way: str) -> None:
    if way not in ("whatsapp", "twilio-sms", "twilio-whatsapp", "messenger", "instagram"):
        return
    await story.customer.settle()
    done = {"delivered", "read"}
    rows = await story.world.api.until(
        "messages",
        lambda rows: all(row["status"] in done for row in rows),
        where="direction = outbound",
    )
    assert rows and all(row["external_id"] for row in rows)


async def test_two_channels_of_one_person_are_one_contact(tmp_path: Path) -> None:
    """A WhatsApp number and the same number by SMS: the channel proves both."""
    from bot.testing import TwilioEmulator, WhatsAppEmulator

    async with WhatsAppEmulator() as whatsapp, TwilioEmulator() as sms:
        from tests.support.world import samvad

        async with samvad(tmp_path / "data", **whatsapp.settings, **sms.settings) as world:
            whatsapp.target = sms.target = world.url
            sms.public_url = world.url
            await whatsapp.say("Hello", sender="919876500011", name="Ravi")
            await whatsapp.wait_reply("919876500011")
            await sms.say("Hello", sender="+919876500011")
            await sms.wait_reply("+919876500011")
            (contact,) = await world.api.rows("contacts")
            assert contact["name"] == "Ravi"
            conversations = await world.api.rows("conversations")
            assert {row["contact_id"] for row in conversations} == {contact["id"]}
            await asyncio.gather(whatsapp.settle(), sms.settle())
