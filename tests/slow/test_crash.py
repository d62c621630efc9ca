"""Nothing is lost, doubled or reordered when the server is killed under load: `samvad bench crash`."""

from typing import Any

import pytest

from benchmarks.crash import bench_crash

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def counted() -> dict[str, Any]:
    """One storm over each database."""
    return bench_crash(quick=True, say=print)


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_storm_with_kills_loses_nothing(counted: dict[str, Any], database: str) -> None:
    found = counted[database]
    assert found["stored"] == found["stored_once"] == found["messages"], found
    assert found["replies_missing"] == found["senders_out_of_order"] == found["unanswered"] == 0, found
    assert found["replies_doubled"] == found["doubled_but_accepted_just_before_a_kill"], found
