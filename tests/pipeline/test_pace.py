"""The pace of one account: its rate, and the breaker."""

import pytest

from bot.pipeline import pace
from bot.pipeline.pace import FAILURES, LONGEST_WAIT_S, PAUSES_S, Pace


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic time as a list of one, to be set."""
    now = [1000.0]
    monkeypatch.setattr(pace.time, "monotonic", lambda: now[0])
    return now


def test_failures_in_a_row_pause_it_and_one_tries_for_all(clock: list[float]) -> None:
    one = Pace("whatsapp", "1", 0.0)
    for _ in range(FAILURES - 1):
        one.failed()
        assert one.closed_for() == 0.0
    one.failed()
    assert one.closed_for() == PAUSES_S[0]
    clock[0] += PAUSES_S[0]
    assert one.closed_for() == 0.0  # this one tries
    assert one.closed_for() > 0.0  # the others wait for what becomes of it
    one.failed()
    assert one.closed_for() == PAUSES_S[1]
    clock[0] += PAUSES_S[1]
    assert one.closed_for() == 0.0
    one.taken()
    assert one.closed_for() == 0.0
    assert one.closed_for() == 0.0


def test_a_success_between_failures_keeps_it_open(clock: list[float]) -> None:
    one = Pace("whatsapp", "1", 0.0)
    for _ in range(10 * FAILURES):
        one.failed()
        one.failed()
        one.taken()
    assert one.closed_for() == 0.0


def test_pauses_grow_to_the_longest(clock: list[float]) -> None:
    one = Pace("whatsapp", "1", 0.0)
    for _ in range(FAILURES + 20):
        one.failed()
    assert one.closed_for() == PAUSES_S[-1]


async def test_the_rate_is_kept(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(round(seconds, 3))

    monkeypatch.setattr(pace.asyncio, "sleep", sleep)
    one = Pace("whatsapp", "1", 10.0)
    for _ in range(4):
        await one.slot()
    assert slept == [0.1, 0.2, 0.3]
    for _ in range(int(LONGEST_WAIT_S * 10)):
        await one.slot()
    assert one.closed_for() > LONGEST_WAIT_S  # back to the queue, before the lease runs out
    clock[0] += 60
    assert one.closed_for() == 0.0
