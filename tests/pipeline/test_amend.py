"""What customers change after they have written, through the real endpoint, read back over REST."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bot.crm.notification import NOTIFICATION
from bot.pipeline.amend import AMENDMENTS
from tests.support.world import World, customer_of


async def _customer_sends(world: World, meta: Any, sender: str, message_id: str, **content: Any) -> None:
    assert await meta.deliver(sender, message_id, **content) == 200
    await world.settled()


async def _message(world: World, external_id: str) -> dict[str, Any]:
    (found,) = await world.api.rows("messages", where=f'external_id = "{external_id}"')
    return found


async def test_reactions_edits_and_deletions_change_the_message_and_are_not_answered(tmp_path: Path) -> None:
    async with customer_of("whatsapp", tmp_path / "data") as (world, meta, sender):
        await meta.say("Hello", sender=sender, message_id="wamid.first")
        (greeting,) = await meta.wait_reply(sender, 1)
        assert greeting
        await world.settled()
        (ours,) = await world.api.rows("messages", where="direction = outbound")

        reaction = {"message_id": ours["external_id"], "emoji": "👍"}
        await _customer_sends(world, meta, sender, "wamid.r1", type="reaction", reaction=reaction)
        assert (await _message(world, ours["external_id"]))["extra"]["reaction"] == "👍"
        taken_back = {"message_id": ours["external_id"]}
        await _customer_sends(world, meta, sender, "wamid.r2", type="reaction", reaction=taken_back)
        assert "reaction" not in (await _message(world, ours["external_id"]))["extra"]

        new = {"type": "text", "text": {"body": "Hello there"}}
        edit = {"original_message_id": "wamid.first", "message": new}
        for _ in range(2):  # delivered twice, as providers do
            await _customer_sends(world, meta, sender, "wamid.e1", type="edit", edit=edit)
        edited = await _message(world, "wamid.first")
        assert (edited["text"], edited["extra"]["edited"], edited["extra"]["version"]) == (
            "Hello there",
            True,
            1,
        )

        gone = {"original_message_id": "wamid.first"}
        await _customer_sends(world, meta, sender, "wamid.d1", type="revoke", revoke=gone)
        deleted = await _message(world, "wamid.first")
        assert (deleted["text"], deleted["extra"]["deleted"]) == ("", True)

        # Ours are not theirs to take back.
        mine = {"original_message_id": ours["external_id"]}
        await _customer_sends(world, meta, sender, "wamid.d2", type="revoke", revoke=mine)
        assert (await _message(world, ours["external_id"]))["text"] == ours["text"]
        assert len(await meta.replies(sender)) == 1
        told = await world.api.rows("events", where=f'record_id = "{deleted["id"]}"')
        assert {"received", "edited", "deleted"} <= {event["action"] for event in told}


async def test_an_edit_of_what_never_came_is_the_message(tmp_path: Path) -> None:
    async with customer_of("whatsapp", tmp_path / "data") as (world, meta, sender):
        new = {"type": "text", "text": {"body": "How long is the warranty on refrigerators?"}}
        edit = {"original_message_id": "wamid.lost", "message": new}
        await _customer_sends(world, meta, sender, "wamid.e1", type="edit", edit=edit)
        (answer,) = await meta.wait_reply(sender, 1)
        assert "compressor" in answer


async def test_a_reaction_of_somebody_unknown_leaves_nothing(tmp_path: Path) -> None:
    async with customer_of("whatsapp", tmp_path / "data") as (world, meta, sender):
        reaction = {"message_id": "wamid.nobody", "emoji": "👍"}
        await _customer_sends(world, meta, sender, "wamid.r1", type="reaction", reaction=reaction)
        assert await world.api.rows("contacts") == []
        assert await meta.replies(sender) == []


async def test_a_new_number_is_the_same_customer(tmp_path: Path) -> None:
    async with customer_of("whatsapp", tmp_path / "data") as (world, meta, sender):
        await meta.say("Hello", sender=sender, name="Asha")
        await meta.wait_reply(sender, 1)
        system = {"type": "user_changed_number", "wa_id": "919800000000", "body": "changed"}
        await _customer_sends(world, meta, sender, "wamid.s1", type="system", system=system)
        await meta.say("Hello again", sender="919800000000")
        await meta.wait_reply("919800000000", 1)
        (contact,) = await world.api.rows("contacts")
        assert {"+919876543210", "+919800000000"} <= set(contact["phones"])
        conversations = await world.api.rows("conversations")
        assert {one["contact_id"] for one in conversations} == {contact["id"]}


async def test_what_cannot_be_read_is_shown_and_answered(tmp_path: Path) -> None:
    async with customer_of("whatsapp", tmp_path / "data") as (world, meta, sender):
        errors = [{"code": 131051, "title": "Message type unknown"}]
        await _customer_sends(world, meta, sender, "wamid.u1", type="unsupported", errors=errors)
        (answer,) = await meta.wait_reply(sender, 1)
        assert "write it as text" in answer
        assert (await _message(world, "wamid.u1"))["extra"] == {"unsupported": "unsupported"}


def test_every_amendment_is_carried_out() -> None:
    from typing import get_args

    from bot.messages import InboundKind

    elsewhere = {"message", "call", "answer"}
    assert set(AMENDMENTS) == set(get_args(InboundKind)) - elsewhere


async def test_marketing_stopped_in_the_app_is_a_stop(tmp_path: Path) -> None:
    async with customer_of("whatsapp", tmp_path / "data") as (world, meta, sender):
        await meta.say("Hello", sender=sender)
        await meta.wait_reply(sender, 1)

        async def prefers(value: str, at: int) -> None:
            item = {"wa_id": sender, "category": "marketing_messages", "value": value, "timestamp": at}
            for _ in range(2):
                assert await meta.change("user_preferences", {"user_preferences": [item]}) == 200
            await world.settled()

        await prefers("stop", 1731705721)
        (conversation,) = await world.api.rows("conversations")
        reply = {"conversation_id": conversation["id"], "text": "Are you still interested?"}
        assert (await world.api.call("POST", "messages", reply))[0] == 409
        await prefers("resume", 1731705722)
        assert (await world.api.call("POST", "messages", reply))[0] == 202
        states = [row["state"] for row in await world.api.rows("consents", order="id")]
        assert states == ["withdrawn", "given"]


async def test_what_meta_tells_of_the_account_reaches_the_admin_once(tmp_path: Path) -> None:
    async with customer_of("whatsapp", tmp_path / "data") as (world, meta, _):
        rejected = {
            "event": "REJECTED",
            "message_template_name": "late_cart",
            "message_template_language": "en",
            "reason": "INVALID_FORMAT",
            "rejection_info": {"reason": "Parameters stand together.", "recommendation": "Part them."},
        }
        for _ in range(2):
            assert await meta.change("message_template_status_update", rejected) == 200
        assert await meta.change("somebody_elses_field", {"x": 1}) == 200
        told = await world.app.store.read(lambda tx: tx.rows(sa.select(NOTIFICATION.table)))
        assert [row["data"]["text"] for row in told] == [
            "late_cart (en). REJECTED. Parameters stand together. Part them"
        ]
