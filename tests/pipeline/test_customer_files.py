"""Files that customers send are fetched from the provider, kept, and asked for again after a bad day."""

import time
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.notices import Notice
from bot.pipeline.timers import fire
from bot.records import timer
from bot.records.actor import SYSTEM
from bot.records.tx import Record, Tx
from bot.testing import WhatsAppEmulator
from tests.support.world import World, samvad

SENDER = "919876500001"
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(200))


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[tuple[World, WhatsAppEmulator]]:
    async with WhatsAppEmulator() as emulator, samvad(tmp_path / "data", **emulator.settings) as world:
        emulator.target = world.url
        yield world, emulator
        await emulator.settle()


async def _send_picture(emulator: WhatsAppEmulator, media_id: str) -> None:
    item = {
        "from": SENDER,
        "id": f"wamid.{uuid.uuid4().hex}",
        "timestamp": str(int(time.time())),
        "type": "image",
        "image": {"id": media_id, "mime_type": "image/png", "caption": "Look at this dent"},
    }
    contact = {"profile": {"name": "Asha"}, "wa_id": SENDER}
    assert await emulator.post({"contacts": [contact], "messages": [item]}) == 200


def _timers(tx: Tx) -> list[Record]:
    return tx.rows(sa.select(timer.timers).where(timer.timers.c.kind == "fetch_media"))


async def test_a_picture_is_fetched_and_kept(scene: tuple[World, WhatsAppEmulator]) -> None:
    world, emulator = scene
    emulator.files["pic"] = PICTURE
    await _send_picture(emulator, "pic")
    (message,) = await world.api.until(
        "messages",
        lambda rows: rows and rows[0]["extra"]["media"][0]["ref"].startswith("media:"),
        where="direction = inbound",
    )
    (kept,) = message["extra"]["media"]
    assert world.app.media.path(kept["ref"]).read_bytes() == PICTURE
    assert (message["text"], kept["size"]) == ("Look at this dent", len(PICTURE))
    assert await world.app.store.read(_timers, SYSTEM) == []


async def test_a_file_that_proves_too_large_is_told_of_once(scene: tuple[World, WhatsAppEmulator]) -> None:
    world, emulator = scene
    emulator.files["pic"] = PICTURE + bytes(6 * 1024 * 1024)
    await _send_picture(emulator, "pic")
    (message,) = await world.api.until(
        "messages",
        lambda rows: rows and rows[0]["extra"]["media"][0].get("lost"),
        where="direction = inbound",
    )
    assert message["extra"]["media"][0]["too_large"]
    said = await emulator.wait_reply(SENDER, 2)
    assert sum("too large" in one for one in said) == 1
    version = message["extra"]["version"]
    world.app.bus.post([Notice("media", message["id"])])  # asked for again
    await world.api.until(
        "messages", lambda rows: rows[0]["extra"]["version"] > version, where="direction = inbound"
    )
    await world.settled()
    assert len(await emulator.replies(SENDER)) == len(said)


async def test_what_could_not_be_fetched_is_asked_for_again(scene: tuple[World, WhatsAppEmulator]) -> None:
    world, emulator = scene
    emulator.files["pic"] = PICTURE
    emulator.fail_next(4, status=500)
    await _send_picture(emulator, "pic")
    await world.api.until("messages", lambda rows: rows, where="direction = inbound")
    await world.settled()

    def due(tx: Tx) -> list[Record]:
        tx.now += timedelta(minutes=10)
        return [row for row in timer.hand_out(tx) if row["kind"] == "fetch_media"]

    def fetched(rows: list[dict[str, dict[str, list[dict[str, str]]]]]) -> bool:
        return rows[0]["extra"]["media"][0]["ref"].startswith("media:")

    for _ in range(6):
        for row in await world.app.store.run(due, SYSTEM):
            await world.app.store.run(fire, SYSTEM, world.app.runtime, row["id"])
        try:
            await world.api.until("messages", fetched, seconds=1, where="direction = inbound")
            break
        except AssertionError:
            continue
    await world.api.until("messages", fetched, seconds=5, where="direction = inbound")
