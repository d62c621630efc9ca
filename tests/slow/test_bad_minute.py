"""A provider's bad minute in real time: 429 and 500 for sixty seconds, then slow. Nothing is lost, doubled or
out of order, and the provider is not beaten while it is down."""

import asyncio
from pathlib import Path

import pytest

from bot.testing import WhatsAppEmulator
from tests.pipeline.test_deliver import QUESTION, _rows
from tests.support.world import samvad

pytestmark = pytest.mark.slow
SENDERS = [f"9198765{number:05d}" for number in range(30)]
EACH = 4


@pytest.mark.timeout(300)
async def test_a_bad_minute_then_a_slow_one(tmp_path: Path) -> None:
    async with WhatsAppEmulator() as emulator, samvad(tmp_path / "data", **emulator.settings) as world:
        emulator.target = world.url
        for number in range(20_000):
            emulator.fail_next(1, status=(429, 500)[number % 2])
        for number in range(EACH):
            for sender in SENDERS:
                said = await emulator.say(
                    f"{QUESTION} {number}", sender=sender, message_id=f"wamid.{sender}.{number}"
                )
                assert said == 200
            await asyncio.sleep(60 / EACH)
        asked = 20_000 - len(emulator.faults)
        emulator.faults.clear()
        emulator.delay = 2.0
        for sender in SENDERS:
            await emulator.wait_reply(sender, EACH, timeout=180.0)
        await world.settled(60.0)
        rows = await _rows(world)
        told = [body["biz_opaque_callback_data"] for body in emulator.sent]
        print(f"{len(rows)} messages; {asked} calls in the bad minute; {len(told)} taken")
        assert [row["state"] for row in rows] == ["sent"] * len(SENDERS) * EACH
        assert len(told) == len(set(told)) == len(rows)
        assert asked < 120  # about two a second, whatever waits
        for conversation in {row["conversation_id"] for row in rows}:
            wanted = [row["id"] for row in rows if row["conversation_id"] == conversation]
            assert [id_ for id_ in told if id_ in wanted] == wanted
        await emulator.settle()
