"""The mailbox against a real IMAP server: news at once, and what happens when the server goes."""

import asyncio
import contextlib
import grp
import os
import pwd
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.channels.email import Email
from bot.channels.email.imap import Mailbox
from bot.settings import load_settings
from bot.testing.mail import free_port

OURS = "help@samvad.test"


DOVECOT = """\
protocols = imap
base_dir = {run}
log_path = {root}/log
ssl = no
disable_plaintext_auth = no
default_internal_user = {user}
default_login_user = {user}
default_internal_group = {group}
mail_location = maildir:{root}/mail
service imap-login {{
  chroot =
  inet_listener imap {{
    address = 127.0.0.1
    port = {port}
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={root}
}}
first_valid_uid = 1
first_valid_gid = 1
"""


def prepare_dovecot(port: int) -> Path:
    """A folder with an empty mailbox and the configuration of a server for it."""
    # Unix sockets have short paths only, and another user than root must reach them.
    root = Path(tempfile.mkdtemp(prefix="imap-"))
    owner = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
    mail = root / "mail"
    for folder in (root, root / "run", mail, mail / "new", mail / "cur", mail / "tmp"):
        folder.mkdir(exist_ok=True)
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    config = DOVECOT.format(
        root=root,
        run=root / "run",
        port=port,
        user=owner.pw_name,
        group=grp.getgrgid(owner.pw_gid).gr_name,
        uid=owner.pw_uid,
        gid=owner.pw_gid,
    )
    (root / "dovecot.conf").write_text(config)
    return root


class Dovecot:
    """A real IMAP server with one mailbox, which can be stopped and started again."""

    def __init__(self, program: str) -> None:
        self._program = program
        self.port = free_port()
        self.root = prepare_dovecot(self.port)
        self._process: asyncio.subprocess.Process | None = None
        self._count = 0

    @property
    def url(self) -> str:
        return f"imap://asha:secret@127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            self._program, "-F", "-c", str(self.root / "dovecot.conf"), start_new_session=True
        )
        for _ in range(600):
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.close()
                return
            await asyncio.sleep(0.05)
        raise AssertionError("dovecot does not start")

    async def stop(self) -> None:
        """All of it at once, as when a machine dies: by itself it lets those who are signed in stay."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()
            # Its children end a moment later: at their sockets the next one would believe this one alive.
            shutil.rmtree(self.root / "run")
            self._process = None

    def deliver(self, raw: bytes) -> None:
        """As mail servers do: written whole, then moved in."""
        self._count += 1
        name = f"{time.time():.6f}.{self._count}.host"
        (self.root / "mail" / "tmp" / name).write_bytes(raw)
        (self.root / "mail" / "tmp" / name).rename(self.root / "mail" / "new" / name)

    def unseen(self) -> int:
        files = [*(self.root / "mail" / "new").iterdir(), *(self.root / "mail" / "cur").iterdir()]
        return sum("S" not in file.name.rpartition(":2,")[2] or ":2," not in file.name for file in files)


@pytest.fixture
async def dovecot() -> AsyncIterator[Dovecot]:
    """A running one."""
    program = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        pytest.skip("dovecot is not installed")
    server = Dovecot(program)
    await server.start()
    yield server
    await server.stop()
    shutil.rmtree(server.root, ignore_errors=True)


def mail(number: int) -> bytes:
    return (
        f"From: asha@customer.test\nTo: {OURS}\nMessage-ID: <m{number}@customer.test>\n\nmail {number}\n"
    ).encode()


def make(**given: object) -> Email:
    return Email(load_settings(email_address=OURS, email_smtp_url="smtp://127.0.0.1:1", **given))


async def until(check, seconds: float = 10.0) -> float:
    """How long it took."""
    started = time.perf_counter()
    while not check():
        assert time.perf_counter() - started < seconds
        await asyncio.sleep(0.01)
    return time.perf_counter() - started


@contextlib.asynccontextmanager
async def running(box: Mailbox, inbox) -> AsyncIterator[None]:
    task = asyncio.create_task(box.run(inbox))
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()
        started = time.perf_counter()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert time.perf_counter() - started < 2


async def test_poll(dovecot, inbox):
    box = make(email_imap_url=dovecot.url).mailbox
    dovecot.deliver(mail(1))
    dovecot.deliver(mail(2))
    inbox.fails = 1
    with pytest.raises(RuntimeError):
        await box.poll(inbox)
    assert await box.poll(inbox) == 2
    assert inbox.texts == ["mail 1", "mail 2"]
    assert await box.poll(inbox) == 0


async def test_new_mail_within_a_second(dovecot, inbox):
    box = make(email_imap_url=dovecot.url).mailbox
    dovecot.deliver(mail(0))
    async with running(box, inbox):
        await until(lambda: len(inbox.texts) == 1)
        for number in range(1, 6):
            await asyncio.sleep(0.05 * number)
            dovecot.deliver(mail(number))
            assert await until(lambda wanted=number: len(inbox.texts) == wanted + 1) < 2
        assert box.connections == 1
        await until(lambda: dovecot.unseen() == 0)
    assert inbox.texts == [f"mail {number}" for number in range(6)]


async def test_many_at_once_are_each_taken_once(dovecot, inbox):
    for number in range(130):
        dovecot.deliver(mail(number))
    async with running(make(email_imap_url=dovecot.url).mailbox, inbox):
        await until(lambda: len(inbox.texts) == 130)
    assert sorted(inbox.texts) == sorted(f"mail {number}" for number in range(130))


async def test_a_restarted_server_loses_and_doubles_nothing(dovecot, inbox):
    box = make(email_imap_url=dovecot.url).mailbox
    async with running(box, inbox):
        for number in range(3):
            dovecot.deliver(mail(2 * number))
            await until(lambda wanted=2 * number: f"mail {wanted}" in inbox.texts)
            await dovecot.stop()
            dovecot.deliver(mail(2 * number + 1))
            await dovecot.start()
            await until(lambda wanted=2 * number + 1: f"mail {wanted}" in inbox.texts, 20)
        assert box.connections >= 4
    assert sorted(inbox.texts) == [f"mail {number}" for number in range(6)]


async def test_a_failing_database_loses_and_doubles_nothing(dovecot, inbox):
    async with running(make(email_imap_url=dovecot.url).mailbox, inbox):
        inbox.fails = 2
        for number in range(5):
            dovecot.deliver(mail(number))
        await until(lambda: len(inbox.texts) == 5, 20)
    assert sorted(inbox.texts) == [f"mail {number}" for number in range(5)]


class Wire:
    """A wire to the server that can be cut, and that can hide what the server can do."""

    def __init__(self, port: int, hide: bytes = b"") -> None:
        self._port, self._hide = port, hide
        self._writers: list[asyncio.StreamWriter] = []
        self.passed = 0

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        return f"imap://asha:secret@127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            writer.close()
            return
        self._writers += [writer, back]
        await asyncio.gather(self._pass(reader, back), self._pass(there, writer), return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4096):
            self.passed += len(data)
            writer.write(data.replace(self._hide, b"X" * len(self._hide)) if self._hide else data)
            await writer.drain()
        writer.close()


async def test_a_cut_connection_is_made_again(dovecot, inbox):
    wire = Wire(dovecot.port)
    async with wire as url:
        box = make(email_imap_url=url).mailbox
        async with running(box, inbox):
            for number in range(4):
                dovecot.deliver(mail(number))
                if number == 2:
                    # In the middle of the reading, too.
                    await asyncio.sleep(0.02)
                    wire.cut()
                await until(lambda wanted=number: f"mail {wanted}" in inbox.texts, 20)
                wire.cut()
    assert sorted(inbox.texts) == [f"mail {number}" for number in range(4)]


async def test_without_idle_the_server_is_asked(dovecot, inbox):
    async with Wire(dovecot.port, hide=b"IDLE") as url:
        box = Mailbox(url, OURS, every_seconds=0.1)
        async with running(box, inbox):
            for number in range(2):
                dovecot.deliver(mail(number))
                await until(lambda wanted=number: f"mail {wanted}" in inbox.texts)
        assert box.connections == 1


async def test_mailbox_listener_goes_on_when_the_server_is_away(inbox):
    channel = make(email_imap_url="imap://asha:secret@127.0.0.1:1")
    (listener,) = channel.listeners()
    assert listener.exclusive
    task = asyncio.create_task(listener.run(inbox))
    await asyncio.sleep(0.1)
    assert not task.done()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
