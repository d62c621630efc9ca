"""What only Messenger and Instagram do, through the real endpoint, read back over REST."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.world import World, customer_of

PICTURE = b"\xff\xd8\xff\xe0" + bytes(range(200))


async def _sends(world: World, meta: Any, sender: str, **content: Any) -> None:
    assert await meta.deliver(sender, **content) == 200
    await world.settled()


async def _message(world: World, external_id: str) -> dict[str, Any]:
    (found,) = await world.api.rows("messages", where=f'external_id = "{external_id}"')
    return found


@pytest.mark.parametrize("way", ["messenger", "instagram"])
async def test_what_is_amended_is_not_answered(way: str, tmp_path: Path) -> None:
    async with customer_of(way, tmp_path / "data") as (world, meta, sender):
        await meta.say("Hello", sender=sender, message_id="m_first")
        await meta.wait_reply(sender)
        await world.settled()
        (ours,) = await world.api.rows("messages", where="direction = outbound")
        reaction = {"mid": ours["external_id"], "action": "react", "reaction": "love", "emoji": "❤️"}
        await _sends(world, meta, sender, reaction=reaction)
        assert (await _message(world, ours["external_id"]))["extra"]["reaction"] == "❤️"
        await _sends(world, meta, sender, reaction={"mid": ours["external_id"], "action": "unreact"})
        assert "reaction" not in (await _message(world, ours["external_id"]))["extra"]
        if way == "messenger":
            edit = {"mid": "m_first", "text": "Hello there", "num_edit": 1}
            await _sends(world, meta, sender, message_edit=edit)
            assert (await _message(world, "m_first"))["text"] == "Hello there"
        await _sends(world, meta, sender, message={"mid": "m_first", "is_deleted": True})
        assert (await _message(world, "m_first"))["text"] == ""
        assert len(await meta.replies(sender)) == 1


async def test_a_picture_is_fetched_and_kept(tmp_path: Path) -> None:
    async with customer_of("messenger", tmp_path / "data") as (world, meta, sender):
        meta.files["receipt.jpg"] = PICTURE
        attachment = {"type": "image", "payload": {"url": f"{meta.url}/file/receipt.jpg?key=1"}}
        await _sends(world, meta, sender, message={"mid": "m_1", "attachments": [attachment]})
        (message,) = await world.api.until(
            "messages",
            lambda rows: rows and rows[0]["extra"]["media"][0]["ref"].startswith("media:"),
            where="direction = inbound",
        )
        (kept,) = message["extra"]["media"]
        assert world.app.media.path(kept["ref"]).read_bytes() == PICTURE
        assert kept["mime"] == "image/jpeg"


async def test_the_echo_proves_what_was_sent_when_the_answer_is_lost(tmp_path: Path) -> None:
    async with customer_of("messenger", tmp_path / "data") as (world, meta, sender):
        meta.cut_next()
        await meta.say("Hello", sender=sender)
        rows = await world.api.until(
            "messages",
            lambda rows: rows and rows[0]["status"] == "delivered",
            where="direction = outbound",
        )
        assert rows[0]["external_id"] == meta.sent[0]["mid"]
        assert len(meta.sent) == 1


async def test_what_instagram_withholds_is_shown_and_answered(tmp_path: Path) -> None:
    async with customer_of("instagram", tmp_path / "data") as (world, meta, sender):
        await _sends(world, meta, sender, message={"mid": "m_1", "is_unsupported": True})
        (answer,) = await meta.wait_reply(sender)
        assert "cannot read this kind of message" in answer
        assert (await _message(world, "m_1"))["extra"]["unsupported"] == "unsupported"


async def test_a_long_answer_in_hindi_fits_instagram(tmp_path: Path) -> None:
    """Every part is within Instagram's bytes: the emulator refuses what is not."""
    async with customer_of("instagram", tmp_path / "data") as (world, meta, sender):
        await meta.say("फ्रिज की वारंटी कितने साल की है?", sender=sender)
        await meta.wait_reply(sender)
        await world.settled()
        rows = await world.api.rows("messages", where="direction = outbound")
        assert rows and all(row["status"] != "failed" for row in rows)
        assert all(len(text.encode()) <= 1000 for text in await meta.replies(sender))
