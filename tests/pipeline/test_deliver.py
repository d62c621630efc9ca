"""Delivery on a provider's bad days: retried in order, sent once, parked with a reason, held back."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.conversations import outbox
from bot.conversations.conversation import CONVERSATION
from bot.conversations.lane import lanes
from bot.pipeline import deliver, pace
from bot.records.actor import SYSTEM
from bot.records.tx import Record, Tx
from bot.testing import WhatsAppEmulator
from tests.support.world import World, samvad

SENDER = "919876500001"
QUESTION = "How long is the warranty on refrigerators?"


@pytest.fixture
async def scene(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[World, WhatsAppEmulator]]:
    monkeypatch.setattr(deliver, "BACKOFF_S", (0.05, 0.1))
    async with WhatsAppEmulator() as emulator, samvad(tmp_path / "data", **emulator.settings) as world:
        emulator.target = world.url
        yield world, emulator
        await emulator.settle()


def _outbox(tx: Tx) -> list[Record]:
    return tx.rows(sa.select(outbox.outbox).order_by(outbox.outbox.c.id))


async def _rows(world: World) -> list[Record]:
    return await world.app.store.read(_outbox, SYSTEM)


async def test_a_busy_provider_gets_it_later_and_in_order(scene: tuple[World, WhatsAppEmulator]) -> None:
    world, emulator = scene
    emulator.fail_next(2, status=429)
    emulator.fail_next(1, status=500)
    for number in range(3):
        await emulator.say(f"{QUESTION} {number}", sender=SENDER, message_id=f"wamid.{number}")
    await emulator.wait_reply(SENDER, 3)
    await world.settled()
    rows = await _rows(world)
    assert [row["state"] for row in rows] == ["sent"] * 3
    assert rows[0]["attempts"] == 4
    assert [body["biz_opaque_callback_data"] for body in emulator.sent] == [row["id"] for row in rows]


async def test_after_a_bad_while_and_a_slow_one_everything_arrives_in_order(
    scene: tuple[World, WhatsAppEmulator], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Down with 429 and 500 for a while, then slow: nothing lost, nothing twice, no message's tries used up,
    and the provider is not beaten meanwhile."""
    world, emulator = scene
    monkeypatch.setattr(pace, "PAUSES_S", (0.1, 0.2, 0.3))
    for number in range(200):
        emulator.fail_next(1, status=(429, 500)[number % 2])
    senders = [f"9198765{number:05d}" for number in range(20)]
    for number in range(3):
        for sender in senders:
            message_id = f"wamid.{sender}.{number}"
            assert await emulator.say(f"{QUESTION} {number}", sender=sender, message_id=message_id) == 200
    await asyncio.sleep(3.0)
    calls = 200 - len(emulator.faults)
    assert 5 <= calls < 60  # twenty conversations' own retries would have made hundreds
    emulator.faults.clear()
    emulator.delay = 0.1
    for sender in senders:
        await emulator.wait_reply(sender, 3, timeout=30.0)
    await world.settled(30.0)
    rows = await _rows(world)
    assert [row["state"] for row in rows] == ["sent"] * 60
    told = [body["biz_opaque_callback_data"] for body in emulator.sent]
    assert len(told) == len(set(told)) == 60
    for conversation in {row["conversation_id"] for row in rows}:
        wanted = [row["id"] for row in rows if row["conversation_id"] == conversation]
        assert [id_ for id_ in told if id_ in wanted] == wanted


async def test_what_is_refused_for_good_is_parked_and_can_be_sent_again(
    scene: tuple[World, WhatsAppEmulator],
) -> None:
    world, emulator = scene
    token, emulator.access_token = emulator.access_token, "another"
    await emulator.say(QUESTION, sender=SENDER)
    (message,) = await world.api.until(
        "messages", lambda rows: rows and rows[0]["status"] == "failed", where="direction = outbound"
    )
    assert message["error"]
    assert await emulator.replies(SENDER) == []
    events = await world.api.rows("events", where=f'record_id = "{message["id"]}"')
    assert [event["action"] for event in events] == ["written", "failed"]
    from bot.pipeline.staff import resend

    emulator.access_token = token
    await world.app.store.run(resend, SYSTEM, message["id"])
    await emulator.wait_reply(SENDER, 1)


async def test_an_answer_lost_on_the_way_waits_for_proof_then_goes_once_more(
    scene: tuple[World, WhatsAppEmulator],
) -> None:
    world, emulator = scene
    emulator.cut_next(1)
    await emulator.say(QUESTION, sender=SENDER)
    await world.settled()
    (row,) = await _rows(world)
    assert (row["state"], row["resends"]) == ("sending", 0)
    await _expire(world)
    assert world.app.pipe is not None
    await world.app.pipe.recovery.once()
    await emulator.wait_reply(SENDER, 2)  # nobody could know: once more, and only once
    await world.settled()
    (row,) = await _rows(world)
    assert (row["state"], row["resends"]) == ("sent", 1)


async def test_a_status_proves_that_a_lost_answer_had_left(scene: tuple[World, WhatsAppEmulator]) -> None:
    world, emulator = scene
    emulator.cut_next(1)
    await emulator.say(QUESTION, sender=SENDER)
    await world.settled()
    (row,) = await _rows(world)
    assert await emulator.status("wamid.lost", "delivered", outbox_id=row["id"]) == 200
    await world.api.until("messages", lambda rows: rows[-1]["status"] == "delivered")
    await _expire(world)
    assert world.app.pipe is not None
    await world.app.pipe.recovery.once()
    await world.settled()
    (row,) = await _rows(world)
    assert row["state"] == "sent"
    assert len(await emulator.replies(SENDER)) == 1  # it had left, and was never sent again


async def _expire(world: World) -> None:

    def expire(tx: Tx) -> None:
        tx.execute(outbox.outbox.update().values(lease_until=tx.now - timedelta(seconds=1)))

    await world.app.store.run(expire, SYSTEM)


async def test_statuses_only_move_forward(scene: tuple[World, WhatsAppEmulator]) -> None:
    world, emulator = scene
    await emulator.say(QUESTION, sender=SENDER)
    await emulator.wait_reply(SENDER, 1)
    await world.settled()
    sent = emulator.sent[0]["id"]
    for status in ("read", "sent", "delivered", "read"):
        assert await emulator.status(sent, status) == 200
    (message,) = await world.api.until(
        "messages", lambda rows: rows[0]["status"] == "read", where="direction = outbound"
    )
    await asyncio.sleep(0.1)
    (message,) = await world.api.rows("messages", where="direction = outbound")
    assert (message["status"], message["external_id"]) == ("read", sent)


async def test_a_status_before_its_message_waits(scene: tuple[World, WhatsAppEmulator]) -> None:
    from bot.pipeline.statuses import apply_waiting

    world, emulator = scene
    assert await emulator.status("wamid.unknown", "delivered") == 200
    assert await world.app.store.run(apply_waiting, SYSTEM) is True

    def ten_minutes_on(tx: Tx) -> bool:
        tx.now += timedelta(minutes=11)
        return apply_waiting(tx)

    assert await world.app.store.run(ten_minutes_on, SYSTEM) is False


async def test_a_closed_window_holds_a_reply_until_the_customer_writes(
    scene: tuple[World, WhatsAppEmulator],
) -> None:
    world, emulator = scene
    await emulator.say(QUESTION, sender=SENDER)
    await emulator.wait_reply(SENDER, 1)
    await world.settled()

    def a_day_ago(tx: Tx) -> None:
        table = CONVERSATION.table
        tx.execute(table.update().values(last_inbound_at=tx.now - timedelta(hours=25)))

    await world.app.store.run(a_day_ago, SYSTEM)
    (conversation,) = await world.api.rows("conversations")
    body = {"conversation_id": conversation["id"], "text": "Your part has come"}
    status, sent = await world.api.call("POST", "messages", body)
    assert (status, sent["held"]) == (202, "window_closed")
    await world.settled()
    assert [row["state"] for row in await _rows(world)] == ["sent", "held"]
    assert len(await emulator.replies(SENDER)) == 1
    await emulator.say("Any news?", sender=SENDER)
    heard = await emulator.wait_reply(SENDER, 2)
    assert heard[-1] == "Your part has come"


async def test_a_takeover_stops_what_the_bot_has_queued(scene: tuple[World, WhatsAppEmulator]) -> None:
    world, emulator = scene
    emulator.fail_next(1, status=429, retry_after=2)
    await emulator.say(QUESTION, sender=SENDER)
    await world.api.until("messages", lambda rows: len(rows) == 2)
    await asyncio.sleep(0.2)
    (conversation,) = await world.api.rows("conversations")
    await world.api.call("POST", f"conversations/{conversation['id']}/take-over")
    assert [row["state"] for row in await _rows(world)] == ["cancelled"]
    await asyncio.sleep(2.5)
    assert await emulator.replies(SENDER) == []


async def test_a_blocked_sender_is_kept_and_not_answered(scene: tuple[World, WhatsAppEmulator]) -> None:
    from bot.crm.contact import set_blocked

    world, emulator = scene
    await emulator.say("Hello", sender=SENDER)
    await emulator.wait_reply(SENDER, 1)
    (contact,) = await world.api.rows("contacts")
    await world.app.store.run(set_blocked, SYSTEM, contact["id"], True)
    await emulator.say(QUESTION, sender=SENDER)
    await world.api.until("messages", lambda rows: any(row["text"] == QUESTION for row in rows))
    await world.settled()
    assert len(await emulator.replies(SENDER)) == 1


async def test_a_lane_of_a_dead_process_is_freed_at_once(scene: tuple[World, WhatsAppEmulator]) -> None:
    world, emulator = scene
    await emulator.say("Hello", sender=SENDER)
    await emulator.wait_reply(SENDER, 1)
    await world.settled()

    def held_by_the_dead(tx: Tx) -> None:
        from bot.pipeline.runtime import process_name

        host = process_name().split("/")[0]
        until = tx.now + timedelta(hours=1)
        tx.execute(lanes.update().values(lease_by=f"{host}/999999/1", lease_until=until))

    await world.app.store.run(held_by_the_dead, SYSTEM)
    await emulator.say(QUESTION, sender=SENDER)
    assert world.app.pipe is not None
    await asyncio.sleep(0.1)
    await world.app.pipe.recovery.once()
    await emulator.wait_reply(SENDER, 2)
