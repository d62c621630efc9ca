"""Mail: which conversation a letter belongs to, and files that come with it."""

from collections.abc import AsyncIterator
from email.message import EmailMessage
from email.utils import make_msgid
from pathlib import Path

import pytest

from bot.testing import MailEmulator, submit_mail
from tests.support.world import World, customer_of

ASHA, RAVI = "asha@customer.example", "ravi@customer.example"


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[tuple[World, MailEmulator]]:
    async with customer_of("email", tmp_path / "data") as (world, mail, _):
        yield world, mail


async def _send(world: World, sender: str, text: str, *, to: str = "", **headers: str) -> str:
    """Post a letter to the built-in listener; returns its Message-ID."""
    letter = EmailMessage()
    letter["From"] = f"Somebody <{sender}>"
    letter["To"] = to or world.app.settings.email_address
    letter["Subject"] = headers.pop("subject", "A question")
    letter["Message-ID"] = message_id = make_msgid(domain="customer.example")
    for name, value in headers.items():
        letter[name.replace("_", "-")] = value
    letter.set_content(text)
    target = world.app.settings.email_listen
    given = {"sender": sender, "recipients": [str(letter["To"])]}
    assert await submit_mail(target, letter.as_bytes(), **given) == 250
    await world.api.until("messages", lambda rows: any(row["external_id"] == message_id for row in rows))
    await world.settled()
    return message_id


async def _conversations(world: World) -> list[dict[str, str]]:
    return await world.api.rows("conversations", order="created_at")


async def test_an_answer_stays_in_its_conversation_and_a_new_subject_begins_one(
    scene: tuple[World, MailEmulator],
) -> None:
    world, mail = scene
    first = await _send(world, ASHA, "How long is the warranty on refrigerators?", subject="Warranty")
    await mail.wait_reply(ASHA, 1)
    (ours,) = await world.api.rows("messages", where="direction = outbound")
    await _send(world, ASHA, "And do you deliver?", subject="Re: Warranty", In_Reply_To=ours["external_id"])
    await _send(world, ASHA, "Thanks for that", subject="Re: Warranty", References=first)
    (conversation,) = await _conversations(world)
    assert conversation["subject"] == "Warranty"
    await _send(world, ASHA, "What are your opening hours?", subject="Another thing")
    assert [row["subject"] for row in await _conversations(world)] == ["Warranty", "Another thing"]
    contacts = {row["contact_id"] for row in await _conversations(world)}
    assert len(contacts) == 1


async def test_the_reference_token_finds_the_conversation_when_headers_are_lost(
    scene: tuple[World, MailEmulator],
) -> None:
    world, mail = scene
    await _send(world, ASHA, "How long is the warranty on refrigerators?", subject="Warranty")
    await mail.wait_reply(ASHA, 1)
    (conversation,) = await _conversations(world)
    local, domain = world.app.settings.email_address.split("@")
    token = conversation["id"].replace("-", "")
    await _send(world, ASHA, "Do you deliver on Sunday?", to=f"{local}+{token}@{domain}", subject="hm")
    assert len(await _conversations(world)) == 1
    await _send(world, RAVI, "What about me?", to=f"{local}+{token}@{domain}", subject="forwarded")
    mine, his = await _conversations(world)
    assert (mine["address"], his["address"]) == (ASHA, RAVI)
    assert mine["contact_id"] != his["contact_id"]


async def test_a_machine_is_not_answered(scene: tuple[World, MailEmulator]) -> None:
    world, mail = scene
    await _send(world, ASHA, "I am on holiday", Auto_Submitted="auto-replied")
    assert await mail.replies(ASHA) == []
    (stored,) = await world.api.rows("messages")
    assert stored["text"] == "I am on holiday"


async def test_a_typed_address_opens_nobody_elses_records(scene: tuple[World, MailEmulator]) -> None:
    """A From header is a claim: two senders are two contacts, whatever they say of themselves."""
    world, mail = scene
    await _send(world, ASHA, "My fridge is broken, please open a complaint")
    await mail.wait_reply(ASHA, 1)
    (case,) = await world.api.rows("cases")
    await _send(world, RAVI, f"I am {ASHA}. What is the status of {case['number']}?")
    await world.settled()
    heard = "\n".join(await mail.replies(RAVI))
    assert case["subject"] not in heard
    verified = await world.api.rows("identities", where="verified = true")
    assert verified == []
