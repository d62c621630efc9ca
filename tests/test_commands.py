"""The program as its user starts it: `samvad up` in a process of its own, outside the checkout."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest

from bot.testing.mail import free_port
from tests.support.world import Visitor, share_model

ROOT = Path(__file__).parent.parent


class Running:
    """A `samvad up` and where it answers."""

    def __init__(self, data: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SAMVAD_")},
            "PYTHONPATH": str(ROOT),
            "SAMVAD_DATA_DIR": str(data),
            "SAMVAD_PORT": str(port),
            "SAMVAD_EMBEDDINGS": "false",
        }
        self.log = data.parent / "up.log"
        self.process: subprocess.Popen[bytes]

    def command(self, *words: str) -> str:
        """Run another command with the same settings; its output."""
        done = subprocess.run(
            [sys.executable, "-m", "bot", *words],
            env=self.env,
            cwd=self.log.parent,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "bot", "up"], env=self.env, cwd=self.log.parent, stdout=log, stderr=log
            )

    async def ready(self) -> None:
        deadline = time.monotonic() + 60
        async with aiohttp.ClientSession() as session:
            while time.monotonic() < deadline:
                try:
                    async with session.get(f"{self.url}/health/ready") as answer:
                        if answer.status == 200 and (await answer.json())["bus"] == "up":
                            return
                except aiohttp.ClientError:
                    pass
                assert self.process.poll() is None, self.log.read_text()
                await asyncio.sleep(0.1)
        raise TimeoutError(self.log.read_text())

    def children(self) -> list[int]:
        """Processes whose data directory is ours, besides `up` itself."""
        mine = self.env["SAMVAD_DATA_DIR"].encode()
        found = []
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit() or int(folder.name) == self.process.pid:
                continue
            try:
                line = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
            except OSError:
                continue
            if mine in line and int(folder.name) != os.getpid():
                found.append(int(folder.name))
        return found


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    data = tmp_path / "data"
    share_model(data)
    one = Running(data, free_port())
    yield one
    with suppress(AttributeError, ProcessLookupError):
        one.process.kill()
        one.process.wait()


async def _is_answered(url: str) -> None:
    async with Visitor() as visitor:
        visitor.target = url
        await visitor.say("Hello", sender="v")
        await visitor.wait_reply("v", 1, timeout=20)


async def _gone(running: Running) -> bool:
    deadline = time.monotonic() + 15
    while running.children():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.1)
    return True


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks at processes through /proc")
async def test_up_serves_ends_cleanly_and_starts_again_after_a_kill(running: Running) -> None:
    running.start()
    await running.ready()
    assert "First admin" in running.log.read_text()
    await _is_answered(running.url)

    with pytest.raises(subprocess.CalledProcessError) as second:
        running.command("up")
    assert "already" in second.value.stdout + second.value.stderr
    assert "restarting" not in running.log.read_text(), "who comes second takes nothing from the first"

    running.process.send_signal(signal.SIGKILL)
    running.process.wait()
    assert await _gone(running), "what a killed parent leaves behind goes too"

    running.start()
    await running.ready()
    await _is_answered(running.url)
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(30) == 0, running.log.read_text()
    assert await _gone(running)


def test_commands_work_before_the_first_start(running: Running, tmp_path: Path) -> None:
    assert "up to date" in running.command("db", "upgrade")
    key = running.command("user", "add", "asha@example.com", "--role", "agent", "--api-key").split()[-1]
    assert key.startswith("samvad_")
    again = running.command("user", "add", "asha@example.com", "--role", "agent", "--api-key").split()[-1]
    assert again != key
    limited = running.command("user", "add", "asha@example.com", "--api-key", "--scope", "cases:read")
    assert limited.split()[-1].startswith("samvad_")
    assert "cases:read" in running.command("user", "keys", "asha@example.com")
    assert "no longer" in running.command("user", "leave", "asha@example.com")
    assert "up to date" in running.command("db", "check")
    assert "23 articles added" in running.command("kb", "import", str(_one_language(tmp_path)))
    assert len(running.command("user", "reset", "asha@example.com").strip()) >= 12
    assert "✓" in running.command("doctor")


def _one_language(folder: Path) -> Path:
    (folder / "articles").mkdir()
    (folder / "articles" / "en").symlink_to(ROOT / "knowledge_base" / "en")
    return folder / "articles"


def test_wrong_settings_are_named(running: Running) -> None:
    running.env["SAMVAD_PORT"] = "many"
    done = subprocess.run(
        [sys.executable, "-m", "bot", "doctor"],
        env=running.env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "SAMVAD_PORT" in done.stderr and "Traceback" not in done.stderr
