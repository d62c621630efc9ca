"""WhatsApp beside messages: calls nobody takes, and what the business writes in its own app."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.testing import WhatsAppEmulator
from tests.support.world import World, customer_of


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[tuple[World, WhatsAppEmulator, str]]:
    async with customer_of("whatsapp", tmp_path / "data") as (world, whatsapp, sender):
        yield world, whatsapp, sender


def _call(number: int, event: str, sender: str, **more: Any) -> Any:
    ends = {"from": sender, "to": "15550001"}
    call = {"id": f"wacid.{number}", "event": event, "timestamp": "1760000000", **ends}
    return {"calls": [call | {"direction": "USER_INITIATED"} | more]}


def _echo(text: str, to: str, number: int = 1, **content: Any) -> Any:
    body = content or {"type": "text", "text": {"body": text}}
    echo = {"from": "15550001", "to": to, "id": f"wamid.echo{number}", "timestamp": "1760000000", **body}
    return {"message_echoes": [echo]}


async def test_a_call_is_told_in_the_thread_and_answered_once(
    scene: tuple[World, WhatsAppEmulator, str],
) -> None:
    world, whatsapp, sender = scene
    for value in (
        _call(1, "connect", sender),
        _call(1, "connect", sender),
        _call(1, "terminate", sender, status="FAILED"),
        _call(2, "connect", "15550001", to=sender),  # Meta's examples have it this way round too
        _call(3, "connect", "15550001", to=sender, direction="BUSINESS_INITIATED"),
    ):
        assert await whatsapp.change("calls", value) == 200
    (told,) = await whatsapp.wait_reply(sender, 1)
    await world.settled()
    assert "no calls" in told and await whatsapp.replies(sender) == [told]
    shown = await world.api.rows("messages", where="direction = inbound")
    assert [row["text"] for row in shown] == ["", ""]
    (conversation,) = await world.api.rows("conversations")
    assert conversation["address"] == sender
    calls = await world.api.rows("activities", where="kind = call")
    assert {(row["outcome"], row["contact_id"]) for row in calls} == {("missed", conversation["contact_id"])}
    assert len(calls) == 2
    await whatsapp.say("What are your opening hours?", sender=sender)
    await whatsapp.wait_reply(sender, 2)
    assert await whatsapp.change("calls", {"calls": [{"id": "wacid.9", "event": "connect"}]}) == 200
    assert len(await world.api.rows("conversations")) == 1  # one without a caller is set aside


async def test_what_the_business_writes_in_its_app_takes_the_conversation_over(
    scene: tuple[World, WhatsAppEmulator, str],
) -> None:
    world, whatsapp, sender = scene
    await whatsapp.say("Do you have red bangles?", sender=sender)
    await whatsapp.wait_reply(sender, 1)
    await world.settled()
    for _ in range(2):
        assert await whatsapp.change("smb_message_echoes", _echo("Yes, come by!", f"+{sender}")) == 200
    await world.api.until("conversations", lambda rows: rows[0]["owner"] == "human")
    await world.settled()
    (echo,) = await world.api.rows("messages", where="author = agent")
    assert (echo["text"], echo["status"], echo["external_id"]) == ("Yes, come by!", "sent", "wamid.echo1")
    await whatsapp.status("wamid.echo1", "read")
    await world.api.until("messages", lambda rows: rows[0]["status"] == "read", where="author = agent")
    picture = {"type": "image", "image": {"id": "m1", "mime_type": "image/jpeg", "caption": "These"}}
    whatsapp.files["m1"] = b"\xff\xd8"
    assert await whatsapp.change("smb_message_echoes", _echo("", sender, 2, **picture)) == 200
    await whatsapp.say("Thank you, when do you open?", sender=sender)
    await world.api.until("messages", lambda rows: len(rows) == 5)
    await world.settled()
    assert len(await whatsapp.replies(sender)) == 1  # the bot does not talk over a person
    stranger = _echo("Hello", "919000000009", 3)
    assert await whatsapp.change("smb_message_echoes", stranger) == 200
    rows = await world.api.until("conversations", lambda rows: len(rows) == 2)
    await whatsapp.say("Hello, who is there?", sender="919000000009")
    await world.api.until("messages", lambda rows: len(rows) == 7)
    await world.settled()
    assert {row["owner"] for row in rows} == {"human"}
    assert await whatsapp.replies("919000000009") == []  # a person began this conversation
    assert len(await world.api.rows("conversations")) == 2
