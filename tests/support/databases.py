"""Real databases for tests: SQLite in a file, and a PostgreSQL server that the tests start themselves.

Each is migrated once; every test gets a copy.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bot.conversations.entities import ENTITIES
from bot.notices import Notice
from bot.records.keys import KeyRing
from bot.records.store import Store
from bot.storage import Database
from bot.storage.migrate import upgrade
from bot.testing.postgresql import PostgresServer as Server
from bot.testing.postgresql import postgres_server as start_postgres

SECRET = b"a secret for tests, long enough"
Announce = Callable[[list[Notice]], None]


def _silent(_notices: list[Notice]) -> None:
    """Nobody listens."""


def _store(url: str, keys_url: str, announce: Announce) -> tuple[Store, Database]:
    keys_database = Database(keys_url)
    return Store(Database(url), KeyRing(keys_database, SECRET), ENTITIES, announce), keys_database


def _migrate(url: str, keys_url: str) -> None:
    """Bring both databases to the present schema."""
    with closing(Database(url)) as database, closing(Database(keys_url)) as keys_database:
        upgrade(database)
        KeyRing(keys_database, SECRET).create_schema()


@cache
def sqlite_template() -> Path:
    """A folder with both files at the present schema, empty."""
    folder = tempfile.TemporaryDirectory(prefix="samvad-sqlite-")
    sqlite_template.folder = folder  # type: ignore[attr-defined]  # lives as long as the process
    path = Path(folder.name)
    _migrate(f"sqlite:///{path}/samvad.db", f"sqlite:///{path}/keys.db")
    return path


@contextmanager
def sqlite_store(folder: Path, announce: Announce = _silent) -> Iterator[Store]:
    """A Store on fresh SQLite files in `folder`."""
    shutil.copytree(sqlite_template(), folder, dirs_exist_ok=True)
    store, keys_database = _store(f"sqlite:///{folder}/samvad.db", f"sqlite:///{folder}/keys.db", announce)
    try:
        yield store
    finally:
        store.close()
        keys_database.close()


class PostgresServer(Server):
    """A running server; `fresh()` makes a database from the migrated template."""

    _names = count()
    _template = False

    def fresh(self) -> str:
        """The name of a new migrated database; its keys are in NAME_keys."""
        if not self._template:
            self.execute("CREATE DATABASE template", "CREATE DATABASE template_keys")
            _migrate(self.url("template"), self.url("template_keys"))
            self._template = True
        name = f"test_{next(self._names)}"
        self.execute(
            f"CREATE DATABASE {name} TEMPLATE template", f"CREATE DATABASE {name}_keys TEMPLATE template_keys"
        )
        return name

    def drop(self, name: str) -> None:
        """Drop what `fresh` made."""
        self.execute(f"DROP DATABASE {name} WITH (FORCE)", f"DROP DATABASE {name}_keys WITH (FORCE)")


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL of our own, with a template of the present schema."""
    with start_postgres() as server:
        yield PostgresServer(server.folder)


@contextmanager
def postgres_store(server: PostgresServer, announce: Announce = _silent) -> Iterator[Store]:
    """A Store on a fresh database of this server."""
    name = server.fresh()
    store, keys_database = _store(server.url(name), server.url(f"{name}_keys"), announce)
    try:
        yield store
    finally:
        store.close()
        keys_database.close()
        server.drop(name)


def plan(store: Store, statement: sa.Select[Any]) -> str:
    """How the database would find these rows, were there many."""
    with store.database.write() as connection:
        if store.database.dialect == "postgresql":
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        text = statement.compile(
            dialect=store.database.engines[0].dialect, compile_kwargs={"literal_binds": True}
        )
        how = "EXPLAIN QUERY PLAN" if store.database.dialect == "sqlite" else "EXPLAIN"
        return str(connection.exec_driver_sql(f"{how} {text}".replace("%", "%%")).all())
