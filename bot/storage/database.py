"""One database: its pools, and how a transaction begins and ends on each dialect.

Storage is synchronous (docs/decisions/0002): measured on a six-statement turn, a thread hop and the
standard driver beat the asynchronous one 5.5 times on SQLite and equal it on PostgreSQL.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import orjson
import psycopg
import sqlalchemy as sa
from psycopg.types.json import set_json_dumps
from psycopg.types.string import TextLoader
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import QueuePool

from bot.errors import ConfigurationInvalid, Unavailable

BUSY_TIMEOUT_S = 15.0


class _Cursor(psycopg.Cursor[Any]):
    """Describes its columns by name and type alone, as much as SQLAlchemy asks for: psycopg's description
    takes as long as reading a row."""

    @property
    def description(self) -> list[Any] | None:
        """DB-API's seven items a column (PEP 249), five of them unknown."""
        found = self.pgresult
        if found is None or not found.nfields:
            return None
        return [
            ((found.fname(place) or b"").decode(), found.ftype(place), None, None, None, None, None)
            for place in range(found.nfields)
        ]


# Names of columns are texts of SQLAlchemy's own kind; moments and objects are turned into JSON before.
_AS_JSON = orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


def dump_json(value: Any) -> str:
    """Compact JSON, our scripts unescaped."""
    try:
        return orjson.dumps(value, option=_AS_JSON).decode()
    except TypeError:  # whole numbers beyond 64 bits, half of a pair of surrogates
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class Database:
    """Pools for one URL. `write` transactions take SQLite's write lock at once; `read` ones never do.

    Turns, reads and reports have pools of their own, so that none starves another.
    """

    def __init__(self, url: str, turn_threads: int = 4, read_threads: int = 4) -> None:
        """`url` is an SQLAlchemy URL of SQLite or PostgreSQL; opens nothing yet."""
        self.url = sa.make_url(url)
        self.dialect = self.url.get_backend_name()
        if self.dialect not in ("sqlite", "postgresql"):
            raise ConfigurationInvalid(
                f"SAMVAD_DATABASE_URL names {self.dialect!r}; Samvad runs on sqlite:///… or postgresql+psycopg://…"
            )
        if self.dialect == "postgresql":
            self.url = self.url.set(drivername="postgresql+psycopg")
        # SQLite has one writer at a time: a second thread would only wait for the lock.
        self.turn_threads = 1 if self.dialect == "sqlite" else turn_threads
        self.read_threads = read_threads
        self._write = self._engine("write", self.turn_threads + 2)
        self._read = self._engine("read", self.read_threads + 2)

    def _engine(self, mode: str, size: int) -> Engine:
        options: dict[str, Any] = {
            "poolclass": QueuePool,
            "pool_size": size,
            "max_overflow": 4,
            "json_serializer": dump_json,
            "hide_parameters": True,  # they are people's data, and errors are logged
            "pool_reset_on_return": None,  # every transaction below ends itself
        }
        if self.dialect == "sqlite":
            if self.url.database and self.url.database != ":memory:":
                Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
            options["connect_args"] = {"timeout": BUSY_TIMEOUT_S, "check_same_thread": False}
        else:
            options["connect_args"] = {
                # By the default, of turning disks, PostgreSQL would rather read a whole table in order than
                # look up the few records that a search found.
                "options": "-c TimeZone=UTC -c idle_in_transaction_session_timeout=60000"
                " -c random_page_cost=1.1",
                "cursor_factory": _Cursor,
            }
            options["pool_pre_ping"] = False
            # Each statement of a READ COMMITTED transaction sees its own snapshot anyway: reading without one
            # spares two round trips. A claim is one UPDATE, committed by itself, and the reads behind it.
            options["isolation_level"] = "READ COMMITTED" if mode == "write" else "AUTOCOMMIT"
            options["skip_autocommit_rollback"] = True
        engine = sa.create_engine(self.url, **options)
        if self.dialect == "sqlite":
            sa.event.listen(engine, "connect", _sqlite_connect)
            begin = "BEGIN IMMEDIATE" if mode == "write" else "BEGIN"
            sa.event.listen(engine, "begin", lambda connection: _driver(connection).execute(begin))
        else:
            sa.event.listen(engine, "connect", _postgresql_connect)
        return engine

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that may write. Commits at the end, rolls back on any exception."""
        with self._translated(), self._write.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """For reading; in SQLite one consistent state."""
        opened = self._read.begin() if self.dialect == "sqlite" else self._read.connect()
        with self._translated(), opened as connection:
            yield connection

    def step(self) -> AbstractContextManager[Connection]:
        """For what needs no transaction around it: in PostgreSQL each statement commits by itself, which
        spares the round trips of BEGIN and COMMIT."""
        return self.write() if self.dialect == "sqlite" else self.read()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.OperationalError as error:
            raise Unavailable(f"The database did not answer: {str(error.orig)[:200]}") from error
        except sa.exc.DBAPIError as error:
            if error.connection_invalidated:
                raise Unavailable("The database closed the connection") from error
            raise

    @property
    def engines(self) -> tuple[Engine, Engine]:
        """The write and the read engine, for counting statements in benchmarks and for migrations."""
        return self._write, self._read

    def close(self) -> None:
        """Close all connections."""
        self._write.dispose()
        self._read.dispose()


def _driver(connection: Connection) -> Any:
    """The driver's own connection, for statements that are not part of a turn's count."""
    return connection.connection.driver_connection


def _sqlite_connect(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun by us, see the "begin" listener
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={int(BUSY_TIMEOUT_S * 1000)}",
        "temp_store=MEMORY",
        "cache_size=-32000",
        "journal_size_limit=67108864",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _postgresql_connect(connection: Any, _record: Any) -> None:
    # The text in which an id came, sparing two conversions an id.
    connection.adapters.register_loader("uuid", TextLoader)
    set_json_dumps(dump_json, connection)
    connection.prepare_threshold = 2
