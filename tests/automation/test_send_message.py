"""A rule that writes to the customer, on WhatsApp's emulator: once, as the gate lets it, told in its log."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.automation.actions import MESSAGE
from bot.automation.consumer import advance
from bot.automation.timers import ALL_TIMERS
from bot.conversations import gate
from bot.conversations.conversation import CONVERSATION
from bot.crm.contact import set_blocked
from bot.crm.rule import consumers
from bot.pipeline.timers import fire
from bot.records import timer
from bot.records.actor import SYSTEM
from bot.records.tx import Record, Tx
from bot.testing import WhatsAppEmulator
from tests.support.world import World, samvad

SENDER = "919876500001"
NOTE = {"action": "add_note", "text": "Asked"}


class Shop:
    """A Samvad with a customer on WhatsApp, and the rules' worker by hand."""

    def __init__(self, world: World, emulator: WhatsAppEmulator) -> None:
        self.world, self.emulator = world, emulator
        self.contact = ""

    async def greet(self) -> None:
        """The customer writes, and is answered."""
        await self.emulator.say("Hello", sender=SENDER, name="Asha")
        await self.emulator.wait_reply(SENDER, 1)
        await self.world.settled()
        (conversation,) = await self.world.api.rows("conversations")
        self.contact = conversation["contact_id"]
        await self.work()

    async def work(self) -> None:
        """Read the log to its end, and let the pipe do what follows."""
        while await self.world.app.store.run(advance, SYSTEM, self.world.app.runtime):
            pass
        await self.world.settled()

    async def rule(self, text: str, **more: Any) -> str:
        """A rule that writes about each new lead, and notes it."""
        actions = [{"action": "send_message", "text": text}, NOTE]
        body = {"name": text, "entity": "leads", "trigger": "created", "actions": actions, **more}
        status, made = await self.world.api.call("POST", "rules", body)
        assert status == 201, made
        await self.work()
        return str(made["id"])

    async def lead(self, need: str, contact: str = "") -> None:
        """A new lead, not worked off yet."""
        body = {"contact_id": contact or self.contact, "need": need}
        status, made = await self.world.api.call("POST", "leads", body)
        assert status == 201, made

    async def told(self) -> list[dict[str, Any]]:
        """What the log says of each message, oldest first; the note beside it was made each time."""
        runs = await self.world.api.rows("rule-runs", order="id")
        assert all(run["state"] == "done" and run["error"] is None for run in runs), runs
        assert {run["changes"][1]["action"] for run in runs} <= {"add_note"}
        return [run["changes"][0] for run in runs]

    async def set(self, **values: Any) -> None:
        """Columns of the conversation, as time would make them."""
        await self.world.app.store.run(Tx.execute, SYSTEM, sa.update(CONVERSATION.table).values(**values))

    async def fire(self, ahead: timedelta) -> list[str]:
        """What falls due as if `ahead` had passed."""

        def due(tx: Tx) -> list[Record]:
            tx.now += ahead
            return timer.hand_out(tx)

        def fall(tx: Tx, timer_id: str) -> bool:
            tx.now += ahead
            return fire(tx, self.world.app.runtime, timer_id, ALL_TIMERS)

        store = self.world.app.store
        rows = await store.run(due, SYSTEM)
        fired = [row["kind"] for row in rows if await store.run(fall, SYSTEM, row["id"])]
        await self.world.settled()
        return [kind for kind in fired if kind == MESSAGE]

    async def heard(self) -> list[str]:
        """What reached the customer after the first answer."""
        return (await self.emulator.replies(SENDER))[1:]


@pytest.fixture
async def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    monkeypatch.setattr(gate, "quiet_until", lambda now, zone: None)  # the suite also runs at night
    async with (
        WhatsAppEmulator() as emulator,
        samvad(tmp_path / "data", articles=False, **emulator.settings) as world,
    ):
        emulator.target = world.url
        made = Shop(world, emulator)
        await made.greet()
        yield made
        await emulator.settle()


async def test_it_leaves_once_whatever_breaks_in_between(shop: Shop) -> None:
    await shop.rule("About {need}: we call you.")
    where = await shop.world.app.store.read(Tx.row, SYSTEM, sa.select(consumers))
    await shop.lead("a sofa")

    def killed(tx: Tx) -> None:
        advance(tx, shop.world.app.runtime)
        tx.flush()
        raise RuntimeError("the worker dies before the commit")

    for _ in range(2):
        with pytest.raises(RuntimeError):
            await shop.world.app.store.run(killed, SYSTEM)
    await shop.world.settled()
    assert await shop.heard() == [] and await shop.told() == []
    await shop.work()
    assert await shop.heard() == ["About a sofa: we call you."]
    (told,) = await shop.told()
    (message,) = await shop.world.api.rows("messages", where=f"id = {told['message_id']}")
    assert (message["text"], message["author"]) == ("About a sofa: we call you.", "bot")
    # Somebody sets the cursor back: what was answered is not answered again.
    back = consumers.update().values(xid=where["xid"], seq=where["seq"])
    await shop.world.app.store.run(Tx.execute, SYSTEM, back)
    await shop.work()
    assert len(await shop.heard()) == 1 and len(await shop.told()) == 1
    assert len(await shop.world.api.rows("activities", where="kind = note")) == 1


async def test_whom_we_may_not_write_to_is_not_written_to(shop: Shop) -> None:
    await shop.rule("Namaste")
    store = shop.world.app.store
    (conversation,) = await shop.world.api.rows("conversations")
    inbound = await store.read(Tx.row, SYSTEM, sa.select(CONVERSATION.table.c.last_inbound_at))
    await shop.set(last_inbound_at=inbound["last_inbound_at"] - timedelta(hours=25))
    await shop.lead("late")
    await shop.work()
    await shop.set(last_inbound_at=inbound["last_inbound_at"])
    await store.run(set_blocked, SYSTEM, conversation["contact_id"], True)
    await shop.lead("blocked")
    await shop.work()
    await store.run(set_blocked, SYSTEM, conversation["contact_id"], False)
    status, stranger = await shop.world.api.call("POST", "contacts", {"name": "Nobody yet"})
    assert status == 201
    await shop.lead("unknown", stranger["id"])
    await shop.work()
    await shop.emulator.say("STOP", sender=SENDER)
    await shop.emulator.wait_reply(SENDER, 2)
    await shop.lead("stopped")
    await shop.work()
    reasons = ["window_closed", "blocked", "no_conversation", "stopped"]
    assert [one["refused"] for one in await shop.told()] == reasons
    assert "Namaste" not in await shop.heard()
    # The rest of the rule was done each time.
    assert len(await shop.world.api.rows("activities", where="kind = note")) == len(reasons)


async def test_it_waits_for_the_morning_and_asks_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = await shop.rule("Good morning, {need}")
    hours = timedelta(hours=3)
    for need, then in (("off", "switched_off"), ("blocked", "blocked"), ("on", "")):
        monkeypatch.setattr(gate, "quiet_until", lambda now, zone: now + hours)
        await shop.lead(need)
        await shop.work()
        waits = (await shop.told())[-1]
        assert waits["waits_for"] == "quiet_hours" and waits["until"] and await shop.fire(timedelta()) == []
        monkeypatch.setattr(gate, "quiet_until", lambda now, zone: None)
        if then == "switched_off":
            await shop.world.api.call("PATCH", f"rules/{rule}", {"active": False})
        await shop.world.app.store.run(set_blocked, SYSTEM, shop.contact, then == "blocked")
        assert await shop.fire(hours) == [MESSAGE] and await shop.fire(hours) == []
        became = (await shop.told())[-1]
        await shop.world.app.store.run(set_blocked, SYSTEM, shop.contact, False)
        assert "waits_for" not in became and became.get("refused", "") == then
        if then == "switched_off":
            await shop.world.api.call("PATCH", f"rules/{rule}", {"active": True})
    assert await shop.heard() == ["Good morning, on"] and (await shop.told())[-1]["message_id"]


async def test_two_rules_do_not_both_write_at_once(shop: Shop) -> None:
    await shop.rule("First")
    await shop.rule("Second", position=1)
    await shop.lead("a table")
    await shop.work()
    assert await shop.heard() == ["First"]
    first, second = await shop.told()
    assert first["message_id"] and second["waits_for"] == "too_often"
    before = await shop.world.app.store.read(Tx.row, SYSTEM, sa.select(CONVERSATION.table.c.last_business_at))
    await shop.set(last_business_at=before["last_business_at"] - gate.BUSINESS_GAP)
    assert await shop.fire(gate.BUSINESS_GAP) == [MESSAGE]
    assert await shop.heard() == ["First", "Second"]
    assert [sorted(one) for one in await shop.told()][1] == [
        "action",
        "changes",
        "conversation_id",
        "message_id",
    ]
