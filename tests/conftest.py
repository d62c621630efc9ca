"""Fixtures that every folder of tests may use."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

from bot.records.store import Store
from tests.support.databases import PostgresServer, postgres_server, postgres_store, sqlite_store
from tests.support.world import MODELS

if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
    # What tests start are many processes of the same modules: they are compiled once, beside the checkout.
    os.environ["PYTHONPYCACHEPREFIX"] = f"{MODELS}-compiled"

# How long an example takes says how busy the machine is: no test is timed.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# A traceback in colours with all its values takes half a second, and tests of faults make hundreds.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresServer]:
    """One PostgreSQL server for all tests of this process, started when the first asks for it."""
    with postgres_server() as server:
        yield server


@pytest.fixture
def shared_data() -> Callable[[str], Path]:
    """A folder of real payloads beside the checkout, or SAMVAD_TEST_DATA; skips where there is none."""

    def find(name: str) -> Path:
        root = os.environ.get("SAMVAD_TEST_DATA")
        folder = (Path(root) if root else Path(__file__).parents[2] / "shared" / "data") / name
        if not folder.exists():
            pytest.skip(f"no real payloads at hand: {name} (set SAMVAD_TEST_DATA)")
        return folder

    return find


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A Store on a fresh migrated database, once for each kind of database."""
    if request.param == "sqlite":
        with sqlite_store(tmp_path / "database") as made:
            yield made
    else:
        with postgres_store(request.getfixturevalue("postgresql")) as made:
            yield made


@pytest.fixture
def postgres(postgresql: PostgresServer) -> Iterator[Store]:
    """A Store on a fresh migrated PostgreSQL database, for what only PostgreSQL has."""
    with postgres_store(postgresql) as made:
        yield made
