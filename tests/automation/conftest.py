"""A business with rules on each database."""

from pathlib import Path

import pytest

from bot.records.store import Store
from tests.support.rules import Scene


@pytest.fixture
def scene(store: Store, tmp_path: Path) -> Scene:
    return Scene.opened(store, tmp_path / "data")
