"""Every event is answered once while workers are killed: `samvad bench rules`."""

from typing import Any

import pytest

from benchmarks.rules import bench_rules

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def counted() -> dict[str, Any]:
    """Ten thousand events over each database."""
    return bench_rules(say=print)


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_ten_thousand_events_over_fifty_rules_are_answered_once(
    counted: dict[str, Any], database: str
) -> None:
    found = counted[database]
    assert found["kills"] >= 6 and found["events"] == 10_000 and found["rules"] == 50
    assert found["answered_once"] == found["events"], found
    assert found["missed"] == found["doubled"] == found["not_done"] == 0, found
