"""Buckets and sums: of one process, of several through a real Valkey, and when it goes away."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.bus.limits import Limits
from bot.embedded import EmbeddedValkey


@pytest.fixture
async def valkey(tmp_path: Path) -> AsyncIterator[EmbeddedValkey]:
    running = EmbeddedValkey(tmp_path)
    running.start()
    await running.wait_ready()
    yield running
    running.stop()


async def test_a_bucket_empties_and_fills() -> None:
    now = 0.0
    limits = Limits(clock=lambda: now)
    assert [await limits.take("a", 3, 60.0) for _ in range(4)] == [True, True, True, False]
    assert await limits.take("b", 3, 60.0), "another name"
    assert all([await limits.take("c", 0, 60.0) for _ in range(100)]), "0: any number"
    now = 20.0
    assert [await limits.take("a", 3, 60.0) for _ in range(2)] == [True, False]
    assert not await limits.take("d", 3, 60.0, 4) and await limits.take("d", 3, 60.0, 3), "all or nothing"


async def test_a_sum_is_forgotten() -> None:
    now = 0.0
    limits = Limits(clock=lambda: now)
    assert [await limits.add("a", 1.5, 10.0) for _ in range(2)] == [1.5, 3.0]
    now = 10.0
    assert await limits.add("a", 1.0, 10.0) == 1.0


async def test_processes_count_together_and_alone_without_valkey(valkey: EmbeddedValkey) -> None:
    one, two = Limits(valkey.url), Limits(valkey.url)
    try:
        taken = [await limits.take("a", 8, 3600.0) for _ in range(8) for limits in (one, two)]
        # Each gives a quarter without asking; what it gives then is shared.
        assert 8 <= sum(taken) <= 12
        assert not await one.take("a", 8, 3600.0) and not await two.take("a", 8, 3600.0)
        assert await one.add("s", 1.0, 60.0) == 1.0 and await two.add("s", 2.5, 60.0) == 3.5
        valkey.stop()
        assert await one.add("s", 1.0, 60.0) == 2.0, "its own count goes on"
        assert [await one.take("n", 2, 3600.0) for _ in range(3)] == [True, True, False]
    finally:
        await one.close()
        await two.close()
