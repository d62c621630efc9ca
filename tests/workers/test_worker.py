"""A real worker on a real Valkey: a timer fires; losing Valkey and all it held loses no timer."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.crm.rule import RULE
from bot.crm.user import USER
from bot.embedded import EmbeddedValkey, worker_child
from bot.records import timer
from bot.records.actor import SYSTEM
from bot.records.change import create_record
from bot.records.tx import Tx
from bot.testing import WhatsAppEmulator
from tests.support.world import World, samvad


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    made = EmbeddedValkey(tmp_path)
    made.start()
    yield made
    made.stop()


async def test_timers_survive_the_loss_of_valkey(tmp_path: Path, valkey: EmbeddedValkey) -> None:
    await valkey.wait_ready()
    async with (
        WhatsAppEmulator() as emulator,
        samvad(tmp_path / "data", redis_url=valkey.url, **emulator.settings) as world,
    ):
        emulator.target = world.url
        await world.app.store.run(_rule, SYSTEM)
        worker = worker_child(world.app.settings, valkey.url)
        worker.start()
        try:
            await _case_that_escalates_now(world, emulator, "919876500001")
            await _until_escalated(world, 1)
            # A rule of the business has seen the case too, a moment after it was opened.
            await world.api.until("cases", lambda rows: rows[0]["tags"] == ["ruled"], seconds=30)
            await _kill_and_empty(valkey, tmp_path)
            await _case_that_escalates_now(world, emulator, "919876500002")
            await asyncio.sleep(1)
            valkey.start()
            await valkey.wait_ready()
            await _until_escalated(world, 2)
            await asyncio.sleep(0.7)
            assert world.app.bus.connected
        finally:
            worker.stop()
        assert worker._process is not None and worker._process.returncode == 0  # asked, not killed
        await emulator.settle()


def _rule(tx: Tx) -> None:
    tag = {"action": "add_tags", "tags": ["ruled"]}
    boss = tx.execute(sa.select(USER.table.c.id)).scalar_one()
    create_record(
        tx, RULE, {"name": "R", "entity": "cases", "trigger": "created", "actions": [tag], "run_as_id": boss}
    )


async def _case_that_escalates_now(world: World, emulator: WhatsAppEmulator, sender: str) -> None:
    await emulator.say("My fridge is broken, I want to complain", sender=sender)
    await emulator.wait_reply(sender, 1)
    await world.settled()

    def due(tx: Tx) -> None:
        tx.execute(timer.timers.update().values(due_at=tx.now - timedelta(seconds=1)))

    await world.app.store.run(due, SYSTEM)


async def _kill_and_empty(valkey: EmbeddedValkey, folder: Path) -> None:
    await asyncio.to_thread(valkey.child.stop)
    for file in (folder / "valkey").rglob("*"):
        if file.is_file():
            file.unlink()


async def _until_escalated(world: World, cases: int) -> None:
    def check(rows: list[dict[str, object]]) -> bool:
        return len(rows) >= cases and all(row["escalation_level"] for row in rows)

    await world.api.until("cases", check, seconds=30)
