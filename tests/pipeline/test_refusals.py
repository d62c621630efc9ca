"""What the webhooks refuse, and that a refusal leaves nothing behind but a log line."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.conversations.inbox import inbox
from bot.records.actor import SYSTEM
from bot.records.tx import Record, Tx
from bot.testing import MessengerEmulator, TelegramEmulator, TwilioEmulator, WhatsAppEmulator
from tests.support.world import World, samvad


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with (
        WhatsAppEmulator() as one,
        TwilioEmulator() as two,
        TelegramEmulator() as three,
        MessengerEmulator() as four,
        samvad(
            tmp_path / "data",
            articles=False,
            **one.settings,
            **two.settings,
            **three.settings,
            **four.settings,
        ) as opened,
    ):
        opened.whatsapp = one  # type: ignore[attr-defined]
        one.target = opened.url
        yield opened


def _rows(tx: Tx) -> list[Record]:
    return tx.rows(sa.select(inbox))


PATHS = ("whatsapp", "twilio/messages", "twilio/status", "telegram", "messenger")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("headers", [{}, {"X-Hub-Signature-256": "sha256=00", "X-Twilio-Signature": "x"}])
async def test_unsigned_is_403(world: World, path: str, headers: dict[str, str]) -> None:
    url = f"{world.url}/channels/{path}"
    async with world.api.session.post(url, data=b'{"a": 1}', headers=headers) as answer:
        assert answer.status == 403
    assert await world.app.store.read(_rows, SYSTEM) == []


@pytest.mark.parametrize("path", PATHS)
async def test_too_large_is_413(world: World, path: str) -> None:
    url = f"{world.url}/channels/{path}"
    async with world.api.session.post(url, data=b"x" * (2 * 1024 * 1024 + 1)) as answer:
        assert answer.status == 413
    assert await world.app.store.read(_rows, SYSTEM) == []


async def test_signed_but_unreadable_is_quarantined_and_200(world: World) -> None:
    for body in (b"not json", b'{"object": "whatsapp_business_account", "entry": 5}'):
        assert await world.whatsapp.post_raw(body) == 200  # type: ignore[attr-defined]
    rows = await world.app.store.read(_rows, SYSTEM)
    told = [row["kind"] for row in rows if row["state"] == "done"]
    assert told == ["notice"]  # admins hear of it once an hour
    rows = [row for row in rows if row["state"] == "quarantined"]
    assert len(rows) == 2
    assert rows[0]["payload"]["body"] == "not json"
    assert await world.api.rows("messages") == []
    assert await world.api.rows("contacts") == []


async def test_an_unhandled_kind_is_counted_and_200(world: World) -> None:
    from bot import metrics

    before = _count(metrics.UNHANDLED)
    entry = b'{"id":"1","changes":[{"field":"flows","value":{}}]}'
    body = b'{"object":"whatsapp_business_account","entry":[' + entry + b"]}"
    assert await world.whatsapp.post_raw(body) == 200  # type: ignore[attr-defined]
    assert _count(metrics.UNHANDLED) == before + 1
    assert await world.app.store.read(_rows, SYSTEM) == []


def _count(counter: object) -> float:
    return sum(
        sample.value
        for metric in counter.collect()  # type: ignore[attr-defined]
        for sample in metric.samples
        if sample.name.endswith("_total")
    )


async def test_a_channel_that_is_off_is_404(tmp_path: Path) -> None:
    async with samvad(tmp_path / "data", articles=False) as world:
        answer = await world.api.session.post(f"{world.url}/channels/whatsapp", data=b"{}")
        assert answer.status == 404


@pytest.mark.parametrize("path", ["whatsapp", "messenger"])
async def test_the_handshake_answers_only_to_the_right_token(world: World, path: str) -> None:
    token = getattr(world.app.settings, f"{path}_verify_token").get_secret_value()
    query = {"hub.mode": "subscribe", "hub.challenge": "42", "hub.verify_token": token}
    async with world.api.session.get(f"{world.url}/channels/{path}", params=query) as answer:
        assert (answer.status, await answer.text()) == (200, "42")
    query["hub.verify_token"] = "wrong"
    async with world.api.session.get(f"{world.url}/channels/{path}", params=query) as answer:
        assert answer.status == 403


async def test_a_redelivered_webhook_changes_nothing(world: World) -> None:
    emulator = world.whatsapp  # type: ignore[attr-defined]
    for _ in range(3):
        assert await emulator.say("Hello", sender="919876500001", message_id="wamid.same") == 200
    await emulator.wait_reply("919876500001")
    await world.settled()
    assert len(await emulator.replies("919876500001")) == 1
    assert len(await world.api.rows("messages", where="direction = inbound")) == 1
