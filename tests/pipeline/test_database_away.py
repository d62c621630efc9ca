"""PostgreSQL restarted while customers write: what was acknowledged is there, once and in order."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from bot.conversations import outbox
from bot.testing import WhatsAppEmulator
from bot.testing.postgresql import postgres_server
from tests.support.world import samvad

SENDERS, EACH = 8, 6


async def test_no_acknowledged_webhook_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What was on its way out when the database went is sent again once nobody can still be sending it.
    monkeypatch.setattr(outbox, "SEND_LEASE", timedelta(seconds=4))
    with postgres_server() as server:
        server.execute("CREATE DATABASE away")
        async with WhatsAppEmulator() as meta:
            given = {**meta.settings, "database_url": server.url("away")}
            async with samvad(tmp_path / "data", **given) as world:
                meta.target = world.url
                refused = 0

                async def customer(sender: str) -> None:
                    """Writes on; what is not taken, Meta brings again."""
                    nonlocal refused
                    for number in range(EACH):
                        text = f"How long is the warranty on refrigerators? {number}"
                        while (
                            await meta.say(text, sender=sender, message_id=f"wamid.{sender}.{number}") != 200
                        ):
                            refused += 1
                            await asyncio.sleep(0.2)
                        await asyncio.sleep(0.1)

                async def restart() -> None:
                    await asyncio.sleep(0.3)
                    for _ in range(2):
                        await asyncio.to_thread(server.stop)
                        await asyncio.sleep(0.5)
                        await asyncio.to_thread(server.start)
                        await asyncio.sleep(0.3)

                senders = [f"91987650000{number}" for number in range(SENDERS)]
                await asyncio.gather(restart(), *(customer(sender) for sender in senders))
                for sender in senders:
                    await meta.wait_reply(sender, EACH, timeout=150.0)
                await world.settled(60.0)
                rows = await world.api.rows("messages", where="direction = inbound", order="id")
                for sender in senders:
                    ids = [row["external_id"] for row in rows if f".{sender}." in row["external_id"]]
                    assert ids == [f"wamid.{sender}.{number}" for number in range(EACH)]
                assert refused > 0  # the database was away while they wrote
                told = [body["biz_opaque_callback_data"] for body in meta.sent]
                assert len(set(told)) == SENDERS * EACH
