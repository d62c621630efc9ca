"""A flood over the real pipe: answered once, kept up to a cap, STOP always heard; and what is too long."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot import metrics
from tests.support.world import customer_of

SENDER, OTHER = "919876500001", "919876500002"
TEXTS = (
    "I want to buy a fan",
    "Asha",
    "next week please",
    "what are your opening hours?",
    "a",
    "b",
    "c",
    "d",
)


@pytest.fixture
async def flooded(tmp_path: Path) -> AsyncIterator[Any]:
    limits = {"flood_sender": 3, "flood_kept": 6}
    async with customer_of("whatsapp", tmp_path / "data", **limits) as (world, customer, _):
        yield world, customer


async def test_a_flood(flooded: Any) -> None:
    world, customer = flooded
    for text in TEXTS:
        assert await customer.say(text, sender=SENDER) == 200, "the provider is not told to try again"
        await world.settled()
    rows = await world.api.rows("messages")
    inbound = [row["text"] for row in rows if row["direction"] == "inbound"]
    replies = await customer.replies(SENDER)
    assert sorted(inbound) == sorted(TEXTS[:6]), "kept beyond what is answered, up to the cap"
    assert sum("faster than I can answer" in reply for reply in replies) == 1
    assert "faster" in replies[-1], "and nothing after it"
    assert await customer.say("STOP", sender=SENDER) == 200
    await world.settled()
    [consent] = await world.api.rows("consents")
    assert consent["state"] == "withdrawn"
    assert await customer.say("hello", sender=OTHER) == 200
    await world.settled()
    assert await customer.replies(OTHER), "nobody else pays for it"


async def test_what_is_too_long_is_cut_and_told(tmp_path: Path) -> None:
    async with customer_of("whatsapp", tmp_path / "data", text_limit=1000) as (world, customer, _):
        await customer.say("my fridge leaks " * 200, sender=SENDER)
        await world.settled()
        [row] = [row for row in await world.api.rows("messages") if row["direction"] == "inbound"]
        assert len(row["text"]) == 1000
        assert "very long" in "\n".join(await customer.replies(SENDER))


async def test_many_senders_at_once_are_one_flood_of_the_account(tmp_path: Path) -> None:
    async with customer_of("whatsapp", tmp_path / "data", flood_account=3) as (world, customer, _):
        for number in range(5):
            await customer.say("hello", sender=f"91987650010{number}")
            await world.settled()
        replies = [await customer.replies(f"91987650010{number}") for number in range(5)]
        assert all("assistant" in one[0] for one in replies[:3]), replies
        assert all("assistant" not in one[0] and len(one) == 1 for one in replies[3:]), replies
        await customer.say("hello again", sender="919876500104")
        await world.settled()
        assert len(await customer.replies("919876500104")) == 1, "it was told once"


async def test_abuse_is_counted_once_a_turn(tmp_path: Path) -> None:
    async with customer_of("whatsapp", tmp_path / "data") as (world, customer, _):
        before = _abuse()
        await customer.say("you idiot", sender=SENDER)
        await customer.say("my fridge leaks", sender=OTHER)
        await world.settled()
        assert _abuse() == before + 1


def _abuse() -> float:
    return sum(
        sample.value for sample in metrics.ABUSE.collect()[0].samples if sample.name.endswith("_total")
    )
