"""Timers: a silent lead is nudged, then becomes a task; what nobody answers escalates; Redis may forget."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.conversations import gate
from bot.crm.user import add_user
from bot.pipeline.timers import fire
from bot.records import timer
from bot.records.actor import SYSTEM
from bot.records.tx import Record, Tx
from bot.testing import WhatsAppEmulator
from tests.support.world import World, samvad

SENDER = "919876500001"


@pytest.fixture
async def scene(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[World, WhatsAppEmulator]]:
    monkeypatch.setattr(gate, "quiet_until", lambda now, zone: None)  # the suite also runs at night
    async with WhatsAppEmulator() as emulator, samvad(tmp_path / "data", **emulator.settings) as world:
        emulator.target = world.url
        yield world, emulator
        await emulator.settle()


def _timers(tx: Tx) -> list[Record]:
    return tx.rows(sa.select(timer.timers).order_by(timer.timers.c.kind))


async def _fire_due(world: World, ahead: timedelta = timedelta(days=3)) -> list[str]:
    """What the dispatcher and a worker do, as if `ahead` had passed; returns the kinds fired."""

    def due(tx: Tx) -> list[Record]:
        tx.now += ahead
        return timer.hand_out(tx)

    fired = []
    for row in await world.app.store.run(due, SYSTEM):
        if await world.app.store.run(fire, SYSTEM, world.app.runtime, row["id"]):
            fired.append(row["kind"])
    return fired


async def test_a_silent_lead_is_nudged_once_then_becomes_a_task(
    scene: tuple[World, WhatsAppEmulator],
) -> None:
    world, emulator = scene
    await emulator.say("I want to buy a refrigerator", sender=SENDER, name="Asha")
    await emulator.wait_reply(SENDER, 1)
    await world.settled()
    assert [row["kind"] for row in await world.app.store.read(_timers, SYSTEM)] == ["followup"]
    assert await _fire_due(world) == ["followup"]
    heard = await emulator.wait_reply(SENDER, 2)
    assert "refrigerator" in heard[-1] and "Asha" in heard[-1]
    assert await _fire_due(world) == ["followup"]
    (task,) = await world.api.rows("activities", where="kind = task")
    (lead,) = await world.api.rows("leads")
    assert (task["about"], task["about_id"]) == ("leads", lead["id"])
    assert await _fire_due(world) == []
    await world.settled()
    assert len(await emulator.replies(SENDER)) == 2


async def test_after_stop_no_nudge_leaves(scene: tuple[World, WhatsAppEmulator]) -> None:
    world, emulator = scene
    await emulator.say("I want to buy a refrigerator", sender=SENDER)
    await emulator.wait_reply(SENDER, 1)
    await emulator.say("STOP", sender=SENDER)
    heard = await emulator.wait_reply(SENDER, 2)
    await world.settled()
    await _fire_due(world)
    await _fire_due(world)
    await world.settled()
    assert await emulator.replies(SENDER) == heard


async def test_a_handoff_nobody_answers_escalates_level_by_level(
    scene: tuple[World, WhatsAppEmulator],
) -> None:
    world, emulator = scene
    for email, role in (("a@example.com", "agent"), ("m@example.com", "manager")):
        await world.app.store.run(add_user, SYSTEM, email, role)  # type: ignore[arg-type]
    await emulator.say("I want to talk to a person", sender=SENDER)
    await emulator.wait_reply(SENDER, 1)
    await world.settled()
    users = {row["id"]: row["email"] for row in await world.api.rows("users")}
    told: list[list[str]] = []
    for _ in range(4):
        before = len(await _notifications(world))
        await _fire_due(world)
        told.append([users[row["user_id"]] for row in (await _notifications(world))[before:]])
    assert told == [["a@example.com"], ["m@example.com"], ["boss@example.com"], []]
    (conversation,) = await world.api.rows("conversations")
    assert conversation["escalation_level"] == 3


async def _notifications(world: World) -> list[Record]:
    from bot.crm.notification import NOTIFICATION

    def read(tx: Tx) -> list[Record]:
        return tx.rows(sa.select(NOTIFICATION.table).order_by(NOTIFICATION.table.c.id))

    return await world.app.store.read(read, SYSTEM)


async def test_an_answer_stops_the_escalation(scene: tuple[World, WhatsAppEmulator]) -> None:
    world, emulator = scene
    await emulator.say("I want to talk to a person", sender=SENDER)
    await emulator.wait_reply(SENDER, 1)
    await world.settled()
    (conversation,) = await world.api.rows("conversations")
    body = {"conversation_id": conversation["id"], "text": "Here I am"}
    await world.api.call("POST", "messages", body)
    await emulator.wait_reply(SENDER, 2)
    await world.settled()
    assert await _fire_due(world) == []
    assert await _notifications(world) == []


async def test_a_case_nobody_takes_up_escalates(scene: tuple[World, WhatsAppEmulator]) -> None:
    world, emulator = scene
    await emulator.say("My fridge is broken, I want to complain", sender=SENDER)
    await emulator.wait_reply(SENDER, 1)
    await world.settled()
    (case,) = await world.api.rows("cases")
    assert "case_escalation" in await _fire_due(world)
    assert [row["data"]["number"] for row in await _notifications(world)] == [case["number"]]


async def test_a_timer_handed_out_and_forgotten_is_handed_out_again(
    scene: tuple[World, WhatsAppEmulator],
) -> None:
    world, _ = scene

    def once(tx: Tx) -> list[Record]:
        timer.set_timer(tx, "followup", "01890a5d-ac96-774b-bcce-b302099a8057", tx.now)
        return timer.hand_out(tx)

    (first,) = await world.app.store.run(once, SYSTEM)
    assert await world.app.store.run(timer.hand_out, SYSTEM) == []

    def later(tx: Tx) -> list[Record]:
        tx.now += timer.HAND_LEASE + timedelta(seconds=1)
        return timer.hand_out(tx)

    (again,) = await world.app.store.run(later, SYSTEM)
    assert again["id"] == first["id"]
    assert await world.app.store.run(fire, SYSTEM, world.app.runtime, first["id"]) is True
    assert await world.app.store.run(fire, SYSTEM, world.app.runtime, first["id"]) is False
