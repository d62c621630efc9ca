"""The running API holds to its own description: schemathesis, every check on, all phases.

The whole of it by hand: `make conformance`.
"""

import re
from pathlib import Path

import pytest

from tests.support.conformance import run

SHAPES = (
    "list_territories",
    "summarise_stages",
    "get_contacts",
    "create_categories",
    "change_categories",
    "delete_categories",
    "restore_categories",
    "bulk_categories",
    "timeline_of_opportunities",
    "take_over",
    "try_rules",
    "save_flow",
    "check_flow",
    "publish_flow",
    "review_flows",
    "search",
)
"""One operation of each shape: kinds differ by their fields alone."""


async def test_each_shape_of_operation(tmp_path: Path) -> None:
    chosen = [f"--include-operation-id={name}" for name in SHAPES]
    status, said = await run(tmp_path / "business", "--max-examples=3", "--seed=1", *chosen)
    assert status == 0, said
    assert int(re.findall(r"(\d+) generated", said)[0]) > 200


@pytest.mark.slow
async def test_every_operation(tmp_path: Path) -> None:
    status, said = await run(
        tmp_path / "business", "--max-examples=25", "--continue-on-failure", "--workers=2"
    )
    assert status == 0, said
