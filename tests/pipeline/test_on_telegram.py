"""Telegram's own ways: links that start the bot, groups, blocking, the menu, and showing that we write."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.dialogs.commands import Understood
from bot.testing import TelegramEmulator
from tests.support.world import World, customer_of

GROUP = -1001234


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[tuple[World, TelegramEmulator, str]]:
    async with customer_of("telegram", tmp_path / "data") as (world, telegram, sender):
        yield world, telegram, sender


def _in_group(update: int, text: str = "/help@samvad_bot", chat: int = GROUP, lang: str = "en") -> Any:
    person = {"id": 4001, "is_bot": False, "first_name": "Asha", "language_code": lang}
    where = {"id": chat, "type": "supergroup", "title": "Neighbours"}
    message = {"message_id": update, "date": 1_760_000_000, "chat": where, "from": person, "text": text}
    return {"update_id": update, "message": message}


def _block(update: int, status: str, chat: int = 4001) -> Any:
    person = {"id": chat, "is_bot": False, "first_name": "Asha"}
    bot = {"id": 4242, "is_bot": True, "first_name": "Bot", "username": "samvad_bot"}
    return {
        "update_id": update,
        "my_chat_member": {
            "chat": {"id": chat, "type": "private", "first_name": "Asha"},
            "from": person,
            "date": 1_760_000_000,
            "old_chat_member": {"user": bot, "status": "member"},
            "new_chat_member": {"user": bot, "status": status, "until_date": 0},
        },
    }


async def test_a_link_starts_its_flow_and_names_the_leads_source(
    scene: tuple[World, TelegramEmulator, str],
) -> None:
    world, telegram, sender = scene
    await telegram.say("/start capture_lead-diwali", sender=sender)
    (asked,) = await telegram.wait_reply(sender, 1)
    assert asked.endswith("?")
    await telegram.say("A refrigerator", sender=sender)
    await telegram.wait_reply(sender, 2)
    await world.settled()
    (lead,) = await world.api.rows("leads")
    assert (lead["source"], lead["need"]) == ("capture_lead-diwali", "A refrigerator")
    shown = await world.api.rows("messages", where="direction = inbound", order="created_at")
    assert shown[0]["text"] == "/start"


@pytest.mark.parametrize("payload", ["", " web-home", " stop", " nonsense", " bad payload!", " " + "a" * 65])
async def test_any_other_link_greets(scene: tuple[World, TelegramEmulator, str], payload: str) -> None:
    world, telegram, sender = scene
    await telegram.say(f"/start{payload}", sender=sender)
    await telegram.wait_reply(sender, 1)
    await world.settled()
    assert "inline_keyboard" in str(telegram.sent[-1].get("reply_markup"))
    (conversation,) = await world.api.rows("conversations")
    assert conversation["owner"] == "bot"
    assert await world.api.rows("consents") == []


async def test_a_long_source_is_cut_where_the_lead_keeps_it(
    scene: tuple[World, TelegramEmulator, str],
) -> None:
    world, telegram, sender = scene
    await telegram.say("/start web-2026-spring-sale-banner", sender=sender)
    await telegram.wait_reply(sender, 1)
    await telegram.say("I want to buy a refrigerator", sender=sender)
    await telegram.wait_reply(sender, 2)
    await world.settled()
    (lead,) = await world.api.rows("leads")
    assert lead["source"] == "web-2026-spring-sale"


async def test_a_group_is_told_once_a_day_and_leaves_no_trace(
    scene: tuple[World, TelegramEmulator, str],
) -> None:
    world, telegram, _ = scene
    for update in (1, 2, 2, 3):
        assert await telegram.post(_in_group(update)) == 200
    assert await telegram.post(_in_group(4, lang="hi", chat=GROUP - 1)) == 200
    told = await telegram.wait_reply(str(GROUP), 1)
    other = await telegram.wait_reply(str(GROUP - 1), 1)
    await world.settled()
    assert told == await telegram.replies(str(GROUP)) and len(told) == 1
    assert "https://t.me/samvad_bot" in told[0] and "private" in told[0]
    assert "निजी" in other[0] and "https://t.me/samvad_bot" in other[0]
    assert await world.api.rows("conversations") == [] and await world.api.rows("contacts") == []


async def test_blocking_the_bot_is_a_stop_that_unblocking_undoes(
    scene: tuple[World, TelegramEmulator, str],
) -> None:
    world, telegram, sender = scene
    await telegram.say("What are your opening hours?", sender=sender)
    await telegram.wait_reply(sender, 1)
    await world.settled()
    (conversation,) = await world.api.rows("conversations")
    for _ in range(2):
        assert await telegram.post(_block(901, "kicked")) == 200
    await world.api.until("consents", bool)
    await world.settled()
    (consent,) = await world.api.rows("consents")
    assert (consent["state"], consent["how"]) == ("withdrawn", "blocked")
    body = {"conversation_id": conversation["id"], "text": "Hello?"}
    status, refused = await world.api.call("POST", "messages", body)
    assert (status, refused["reason"]) == (409, "stopped")
    assert len(telegram.sent) == 1
    assert await telegram.post(_block(902, "member")) == 200
    await world.api.until("consents", lambda rows: len(rows) == 2)
    await world.settled()
    status, _ = await world.api.call("POST", "messages", body)
    assert status == 202
    await telegram.wait_reply(sender, 2)


async def test_unblocking_does_not_undo_a_stop_in_words(scene: tuple[World, TelegramEmulator, str]) -> None:
    world, telegram, sender = scene
    await telegram.say("STOP", sender=sender)
    await telegram.wait_reply(sender, 1)
    for update, status in ((901, "kicked"), (902, "member"), (903, "member")):
        assert await telegram.post(_block(update, status)) == 200
    assert await telegram.post(_block(904, "kicked", chat=5005)) == 200  # somebody we do not know
    await asyncio.sleep(0.3)
    await world.settled()
    (consent,) = await world.api.rows("consents")
    assert (consent["state"], consent["how"]) == ("withdrawn", "message")
    assert len(await world.api.rows("conversations")) == 1


async def test_the_menu_speaks_every_language_telegram_knows(
    scene: tuple[World, TelegramEmulator, str],
) -> None:
    _, telegram, _ = scene
    for _ in range(200):
        if "hi" in telegram.commands:
            break
        await asyncio.sleep(0.02)
    assert set(telegram.commands) == {"", "en", "hi"}
    for count, command in enumerate(telegram.commands["hi"], 1):
        await telegram.say(f"/{command['command']}@samvad_bot", sender=str(5000 + count))
        await telegram.wait_reply(str(5000 + count), 1)
    assert {"command": "stop", "description": "संदेश बंद करें"} in telegram.commands["hi"]


@pytest.mark.parametrize("way", ["telegram", "whatsapp"])
async def test_a_slow_answer_shows_that_we_write(way: str, tmp_path: Path) -> None:
    async with customer_of(way, tmp_path / "data") as (world, provider, sender):
        understand = world.app.runtime.understand

        async def slowly(turn: Any) -> Understood:
            await asyncio.sleep(1.4)
            return await understand(turn)

        await provider.say("What are your opening hours?", sender=sender)
        await provider.wait_reply(sender, 1)
        assert provider.typing == []  # at once: nothing to show
        world.app.runtime.understand = slowly
        await provider.say("And on Sunday?", sender=sender)
        await provider.wait_reply(sender, 2)
        await world.settled()
        assert len(provider.typing) == 1
        await provider.say("STOP", sender=sender)
        await provider.wait_reply(sender, 3)
        await provider.say("ok thanks", sender=sender)
        await world.settled()
        await asyncio.sleep(1.6)
        assert len(provider.typing) <= 2  # what is not answered shows nothing
