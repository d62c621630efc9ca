"""The order system's client against a system that speaks its contract, faults included."""

import time
from collections.abc import AsyncIterator
from datetime import date

import pytest

from bot import orders
from bot.breaker import FAILURES, PAUSES_S
from bot.errors import Unavailable
from bot.orders import Order, Orders
from bot.testing import OrdersEmulator


@pytest.fixture
async def system() -> AsyncIterator[OrdersEmulator]:
    async with OrdersEmulator() as emulator:
        emulator.add(
            "ORD-1042",
            items=[{"name": "Mixer grinder", "quantity": 2}, {"name": "Jar"}, "Spoon"],
            expected_on="2026-11-25",
            tracking_url="https://track.example/1",
            phone="+919876543210",
            email="Asha@Example.com",
        )
        yield emulator


@pytest.fixture
async def client(system: OrdersEmulator) -> AsyncIterator[Orders]:
    made = Orders(system.url, system.key, timeout_s=0.5)
    yield made
    await made.close()


async def test_an_order_is_found_and_one_that_is_not_there_is_none(client: Orders) -> None:
    assert await client.find("ORD-1042") == Order(
        "ORD-1042",
        "shipped",
        ("2 × Mixer grinder", "Jar", "Spoon"),
        date(2026, 11, 25),
        "https://track.example/1",
        "+919876543210",
        "asha@example.com",
    )
    assert await client.find("77") is None
    assert await client.find("../admin") is None


async def test_a_hiccup_is_tried_again_a_refusal_is_not(system: OrdersEmulator, client: Orders) -> None:
    system.fail_next(status=503)
    assert await client.find("ORD-1042") is not None
    system.cut_next()
    assert await client.find("ORD-1042") is not None
    assert len(system.asked) == 4
    wrong = Orders(system.url, "another key")
    with pytest.raises(Unavailable):
        await wrong.find("ORD-1042")
    await wrong.close()
    assert len(system.asked) == 5


async def test_nonsense_and_slowness_are_failures(system: OrdersEmulator, client: Orders) -> None:
    system.garbage = True
    with pytest.raises(Unavailable):
        await client.find("ORD-1042")
    system.garbage, system.delay = False, 5.0
    with pytest.raises(Unavailable):
        await client.find("ORD-1042")


async def test_what_fails_again_and_again_is_left_alone_and_asked_again_later(
    system: OrdersEmulator, client: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    system.fail_next(2 * FAILURES)
    for _ in range(FAILURES):
        with pytest.raises(Unavailable):
            await client.find("ORD-1042")
    asked = len(system.asked)
    with pytest.raises(Unavailable):
        await client.find("ORD-1042")
    assert len(system.asked) == asked
    later = time.monotonic() + PAUSES_S[0]
    monkeypatch.setattr("bot.breaker.time.monotonic", lambda: later)  # the rest is over
    assert await client.find("ORD-1042") is not None


async def test_an_answer_in_parts_is_read_to_its_end(system: OrdersEmulator, client: Orders) -> None:
    system.chunks = True
    found = await client.find("ORD-1042")
    assert found is not None and found.email == "asha@example.com"
    system.add("LONG", items=["x" * orders.MOST_BYTES])
    with pytest.raises(Unavailable):
        await client.find("LONG")


async def test_what_is_wrong_with_one_answer_shuts_nobody_out(system: OrdersEmulator, client: Orders) -> None:
    for _ in range(FAILURES):
        system.fail_next(status=400)
        with pytest.raises(Unavailable):
            await client.find("odd")
    system.garbage = True
    for _ in range(FAILURES):
        with pytest.raises(Unavailable):
            await client.find("ORD-1042")
    system.garbage = False
    assert await client.find("ORD-1042") is not None


@pytest.mark.parametrize(
    "told",
    [None, [], {"number": "1"}, {"status": "shipped"}, {"number": "1", "status": "x", "expected_on": "soon"}],
)
def test_what_is_no_order_is_refused(told: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        orders.read_order(told)


def test_a_link_that_is_none_is_left_out() -> None:
    assert (
        orders.read_order({"number": "1", "status": "x", "tracking_url": "javascript:x"}).tracking_url == ""
    )
