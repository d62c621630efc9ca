"""What did not go through: listed with its reason, sent, tried or read again, discarded; nothing twice."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.clock import now
from bot.conversations.conversation import CONVERSATION
from bot.conversations.inbox import inbox
from bot.conversations.message import messages
from bot.conversations.outbox import outbox
from bot.crm.notification import NOTIFICATION
from bot.crm.user import add_user, team_id
from bot.pipeline.turn import Turns
from bot.records.actor import SYSTEM
from bot.records.tx import Tx
from bot.testing import TelegramEmulator, WhatsAppEmulator
from tests.support.world import World, samvad
from tests.web.conftest import PASSWORD, Staff
from tests.web.test_connect import signed_in

SENDER = "919876543210"


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[tuple[World, WhatsAppEmulator]]:
    """A Samvad with WhatsApp."""
    async with WhatsAppEmulator() as meta, samvad(tmp_path, articles=False, **meta.settings) as world:
        meta.target = world.url
        yield world, meta


async def refuse(world: World, meta: WhatsAppEmulator, *senders: str) -> None:
    """Each customer's answer is refused for good."""
    token, meta.access_token = meta.access_token, "another token by now"
    for sender in senders:
        assert await meta.say("hello", sender=sender) == 200
    await world.settled()
    meta.access_token = token


def listed(page: str) -> int:
    """How many things a page of the list shows."""
    return page.count('<li class="card" id="parked-')


async def test_refused_messages_are_explained_and_sent_again_together(shop: Any) -> None:
    world, meta = shop
    senders = [f"91987654321{number}" for number in range(3)]
    await refuse(world, meta, *senders)
    async with signed_in(world, "agent") as agent:
        assert ">3<" in await agent.text("/console/parked/count")
        page = await agent.text("/console/parked?kind=refused&channel=whatsapp")
        assert listed(page) == 3 and "The provider refused it" in page
        assert "Send all 3 again" in page
        assert listed(await agent.text("/console/parked?kind=unknown")) == 0
        assert meta.sent == []
        await agent.post("/console/parked/resend?kind=refused&channel=whatsapp")
        for sender in senders:
            await meta.wait_reply(sender)
        await world.settled()
        assert "Everything went through" in await agent.text("/console/parked")
        await agent.post("/console/parked/resend?kind=refused")
        await agent.post("/console/parked/resend?kind=message", 404)
        await world.settled()
        assert len(meta.sent) == 3


async def test_a_discarded_message_never_leaves(shop: Any) -> None:
    world, meta = shop
    await refuse(world, meta, SENDER)
    row = (await world.app.store.read(lambda tx: tx.rows(sa.select(outbox)), SYSTEM))[0]
    async with signed_in(world) as admin:
        await admin.post(f"/console/parked/messages/{row['id']}/discard")
        await admin.post(f"/console/parked/messages/{row['id']}/discard", 409)
        await admin.post(f"/console/parked/messages/{row['id']}/resend", 409)
    await world.settled()
    assert meta.sent == []


async def test_what_waits_for_a_channel_that_is_off(tmp_path: Path) -> None:
    async with (
        TelegramEmulator() as telegram,
        samvad(tmp_path, articles=False, telegram_api_url=telegram.url) as world,
        signed_in(world) as admin,
    ):
        form = {"telegram_bot_token": telegram.token, "telegram_mode": "polling"}
        await admin.post("/console/channels/telegram", 200, **form)
        await telegram.say("hello", sender="4001")
        await telegram.wait_reply("4001")
        await admin.post("/console/channels/telegram/remove")
        rows = await world.api.rows("conversations")
        sent = {"conversation_id": rows[0]["id"], "text": "We are back"}
        assert (await world.api.call("POST", "messages", sent))[0] < 300
        await world.settled()
        assert "Its channel was off" in await admin.text("/console/parked?kind=off")
        await admin.post("/console/channels/telegram", 200, **form)
        await admin.post("/console/parked/resend?kind=off")
        assert "We are back" in await telegram.wait_reply("4001", count=2)


async def test_a_message_no_turn_could_take_is_tried_again_and_kept_once(
    shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, meta = shop
    monkeypatch.setattr("bot.conversations.inbox.MAX_FAILURES", 1)

    async def broken(*_: object) -> None:
        raise ValueError("a defect")

    with monkeypatch.context() as defect:
        defect.setattr(Turns, "_turn", broken)
        assert await meta.say("I want to buy a fridge", sender=SENDER) == 200
        await world.api.until("conversations", lambda rows: rows and rows[0]["owner"] == "human")
        await world.settled()
    async with signed_in(world, "manager") as manager:
        page = await manager.text("/console/parked")
        assert "I want to buy a fridge" in page and "Five tries" in page and "a defect" in page
        row = (await world.app.store.read(lambda tx: tx.rows(_of_state("parked")), SYSTEM))[0]
        conversation = (await world.api.rows("conversations"))[0]["id"]
        await manager.post(f"/console/conversations/{conversation}/hand-back")
        await world.settled()
        sent = len(meta.sent)
        await manager.post(f"/console/parked/events/{row['seq']}/retry")
        await world.settled()
        assert len(meta.sent) > sent  # the bot has read it and answers
        await manager.post(f"/console/parked/events/{row['seq']}/retry", 404)
        assert "Everything went through" in await manager.text("/console/parked")
    said = await world.app.store.read(
        lambda tx: tx.rows(sa.select(messages.c.text).where(messages.c.direction == "inbound")), SYSTEM
    )
    assert [one["text"] for one in said] == ["I want to buy a fridge"]


def _of_state(state: str) -> sa.Select[Any]:
    return sa.select(inbox).where(inbox.c.state == state)


async def test_an_unreadable_webhook_is_read_by_a_later_version(
    shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, meta = shop
    from bot.channels.whatsapp import channel
    from bot.errors import Unreadable

    def older(*_: object) -> None:
        raise Unreadable("messages[0] is of a kind we do not know")

    await world.app.store.run(add_user, SYSTEM, "told@shop.example", "admin", password=PASSWORD)
    with monkeypatch.context() as before:
        before.setattr(channel, "parse_payload", older)
        assert await meta.say("From the future", sender=SENDER) == 200
    row = (await world.app.store.read(lambda tx: tx.rows(_of_state("quarantined")), SYSTEM))[0]
    assert "sha256=" not in json.dumps(row["payload"])  # what proves it is sealed
    told = await world.app.store.read(lambda tx: tx.rows(sa.select(NOTIFICATION.table)), SYSTEM)
    assert {one["key"] for one in told} == {"notify.unreadable"}
    async with signed_in(world) as admin:
        assert "Could not be read: 1" in await admin.text("/console/channels")
        page = await admin.text("/console/parked?kind=unreadable")
        assert "of a kind we do not know" in page and "From the future" in page
        with monkeypatch.context() as still:
            still.setattr(channel, "parse_payload", older)
            assert "cannot read it either" in await admin.post(
                f"/console/parked/events/{row['seq']}/read", 409
            )
        await admin.post(f"/console/parked/events/{row['seq']}/read")
        await meta.wait_reply(SENDER)
        await admin.post(f"/console/parked/events/{row['seq']}/read", 404)
        await world.settled()
        assert "Everything went through" in await admin.text("/console/parked")
    assert len(meta.sent) == 1


async def test_junk_can_be_discarded_and_stays_unreadable(shop: Any) -> None:
    world, meta = shop
    assert await meta.post_raw(b'{"object": 5}') == 200
    row = (await world.app.store.read(lambda tx: tx.rows(_of_state("quarantined")), SYSTEM))[0]
    async with signed_in(world) as admin:
        await admin.post(f"/console/parked/events/{row['seq']}/read", 409)
        await admin.post(f"/console/parked/events/{row['seq']}/discard")
        assert "Everything went through" in await admin.text("/console/parked")


async def test_agents_see_what_lies_in_their_conversations(shop: Any) -> None:
    world, meta = shop
    await refuse(world, meta, SENDER)
    assert await meta.post_raw(b'{"object": 5}') == 200

    def to_south(tx: Tx) -> None:
        tx.execute(CONVERSATION.table.update().values(team_id=team_id(tx, "south")))

    await world.app.store.run(to_south, SYSTEM)
    row = (await world.app.store.read(lambda tx: tx.rows(sa.select(outbox)), SYSTEM))[0]
    for email, role, team, sees in (
        ("n@shop.example", "agent", "north", 0),
        ("s@shop.example", "agent", "south", 1),
        ("m@shop.example", "manager", None, 2),
    ):
        await world.app.store.run(add_user, SYSTEM, email, role, password=PASSWORD, team=team)  # type: ignore[arg-type]
        one = Staff(world)  # type: ignore[arg-type]
        try:
            await one.sign_in(email)
            assert listed(await one.text("/console/parked")) == sees, email
            assert (f">{sees}<" in await one.text("/console/parked/count")) == bool(sees)
            if not sees:
                await one.post(f"/console/parked/messages/{row['id']}/resend", 404)
                await one.post(f"/console/parked/messages/{row['id']}/discard", 404)
        finally:
            await one.http.close()
    async with signed_in(world, "marketer") as marketer:
        await marketer.text("/console/parked", 403)
        await marketer.text("/console/parked/count", 403)


async def test_an_open_thread_is_told_when_the_channels_window_closes(shop: Any) -> None:
    world, meta = shop
    assert await meta.say("hello", sender=SENDER) == 200
    await world.settled()
    table = CONVERSATION.table
    which = await world.app.store.read(lambda tx: tx.execute(sa.select(table.c.id)).scalar(), SYSTEM)
    async with signed_in(world) as admin:
        path = f"/console/conversations/{which}/messages"
        fresh = await admin.text(path)
        assert 'id="window" hx-swap-oob="true"></div>' in fresh

        def age(tx: Tx) -> None:
            tx.execute(table.update().values(last_inbound_at=now() - timedelta(days=2)))

        await world.app.store.run(age, SYSTEM)
        assert 'id="window" hx-swap-oob="true"><p class="notice">' in await admin.text(path)
        assert 'id="window"><p class="notice">' in await admin.text(f"/console/conversations/{which}")
