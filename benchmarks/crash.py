"""`samvad bench crash`: a thousand messages, every webhook twice, the server killed three times.

A hundred customers write ten numbered messages each, sixteen webhooks in flight, each delivered twice and the
senders shuffled together. The serving process is killed with SIGKILL three times on the way and started
again; calls that fail are made again, as providers do. Then every message must be stored once, every
customer's replies be there in order, and replies sent twice are counted.

Nothing here is timed against a floor: the figures are counts.
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import aiohttp
import sqlalchemy as sa

from benchmarks.client import body_of
from bot.conversations.conversation import CONVERSATION
from bot.conversations.message import messages
from bot.storage import Database
from bot.testing import WhatsAppEmulator
from bot.testing.mail import free_port

SENDERS, EACH, IN_FLIGHT, KILLS = 100, 10, 16, 3
JUST_BEFORE_S = 0.5
"""A reply the provider accepted this close to a kill may have lost its receipt: it goes once more."""


class Server:
    """`samvad serve` as a process of its own, with a database and an emulator."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._env = {
            **os.environ,
            **env,
            "SAMVAD_PORT": str(self.port),
            "SAMVAD_DATA_DIR": str(folder),
            "SAMVAD_LOG_LEVEL": "warning",
            "SAMVAD_GATHER_MS": "0",
        }
        self._log = (folder / f"serve-{self.port}.log").open("ab")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; does not wait."""
        command = [sys.executable, "-m", "bot", "serve"]
        self.process = subprocess.Popen(command, env=self._env, stdout=self._log, stderr=self._log)

    async def ready(self, session: aiohttp.ClientSession) -> None:
        """Until it answers."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            with suppress(aiohttp.ClientError):
                async with session.get(f"{self.url}/health/ready") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.05)
        raise TimeoutError(f"{self.url} does not come up")

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(60)


def bench_crash(quick: bool = False, say: Callable[[str], Any] = print) -> dict[str, Any]:
    """Counts for SQLite with one process and for PostgreSQL with two."""
    from bot.testing.postgresql import postgres_server

    with ExitStack() as stack:
        server = stack.enter_context(postgres_server(durable=True))
        server.execute("CREATE DATABASE crash")
        return {
            "sqlite": asyncio.run(_one("sqlite, one process", "", 1, quick, say)),
            "postgresql": asyncio.run(_one("postgresql, two processes", server.url("crash"), 2, quick, say)),
        }


async def _one(
    name: str, database_url: str, processes: int, quick: bool, say: Callable[[str], Any]
) -> dict[str, Any]:
    each = 4 if quick else EACH
    with tempfile.TemporaryDirectory(prefix="samvad-crash-") as folder:
        async with WhatsAppEmulator() as provider, aiohttp.ClientSession() as session:
            provider.auto_status = False
            env = {f"SAMVAD_{key.upper()}": str(value) for key, value in provider.settings.items()}
            if database_url:
                env["SAMVAD_DATABASE_URL"] = database_url
            servers = [Server(Path(folder), env) for _ in range(processes)]
            for server in servers:
                server.start()
                await server.ready(session)
            start = time.monotonic()
            storm = _Storm(provider, session, servers, each, say)
            await storm.run()
            found = await storm.judge(database_url or f"sqlite:///{folder}/samvad.db")
            found["seconds"] = round(time.monotonic() - start, 1)
            found["exit_codes"] = [server.stop() for server in servers]
            say(f"{name}: {found}")
            return found


class _Storm:
    """The customers' side: who says what when, and what came back."""

    def __init__(
        self,
        provider: WhatsAppEmulator,
        session: aiohttp.ClientSession,
        servers: list[Server],
        each: int,
        say: Callable[[str], Any],
    ) -> None:
        self._provider = provider
        self._session = session
        self._next = [0] * SENDERS
        self._busy: set[int] = set()
        self._kills: list[float] = []
        self._servers = servers
        self._each = each
        self._say = say
        self.sent = 0

    async def run(self) -> None:
        """Deliver everything twice, killing on the way."""
        # Each sender's messages in their order, the senders shuffled together, each delivery doubled.
        order = [sender for sender in range(SENDERS) for _ in range(self._each)]
        random.shuffle(order)
        kills = asyncio.create_task(self._kill_on_the_way(len(order)))
        await asyncio.gather(*(self._deliver(order) for _ in range(IN_FLIGHT)))
        await kills

    async def _deliver(self, order: list[int]) -> None:
        while order:
            sender = order.pop()
            if sender in self._busy:  # a customer's own messages leave their telephone one after another
                order.insert(random.randrange(len(order) + 1), sender)
                await asyncio.sleep(0.001)
                continue
            self._busy.add(sender)
            number = self._next[sender]
            self._next[sender] += 1
            await asyncio.gather(self._until_taken(sender, number), self._until_taken(sender, number))
            self.sent += 1
            self._busy.discard(sender)

    async def _until_taken(self, sender: int, number: int) -> None:
        """One delivery; a provider calls again until it is answered 200."""
        text = "How long is the warranty on refrigerators?"
        body = body_of(f"9199{sender:08d}", text, f"wamid.{sender}.{number}", self._provider.phone_number_id)
        headers = {"X-Hub-Signature-256": self._provider.sign(body)}
        while True:
            server = random.choice(self._servers)
            with suppress(aiohttp.ClientError, TimeoutError, OSError):
                url = f"{server.url}/channels/whatsapp"
                async with self._session.post(url, data=body, headers=headers) as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.1)

    async def _kill_on_the_way(self, total: int) -> None:
        for kill in range(1, KILLS + 1):
            while self.sent < total * kill / (KILLS + 1):
                await asyncio.sleep(0.01)
            server = self._servers[kill % len(self._servers)]
            server.kill()
            self._kills.append(time.time())
            self._say(f"killed after {self.sent} messages")
            server.start()
            await server.ready(self._session)

    async def judge(self, database_url: str) -> dict[str, Any]:
        """Wait until every reply has left (rows whose fate nobody knows wait a minute), then count."""
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:
            said = await asyncio.to_thread(_written, database_url)
            told = {body["biz_opaque_callback_data"] for body in self._provider.sent}
            written = {row for rows in said.values() for kind, row in rows if kind == "outbound"}
            inbound = [row for rows in said.values() for kind, row in rows if kind == "inbound"]
            if len(inbound) >= SENDERS * self._each and written <= told:
                break
            await asyncio.sleep(1)
        arrived: dict[str, list[str]] = {}
        accepted: dict[str, list[float]] = {}
        for body in self._provider.sent:
            arrived.setdefault(body["to"], []).append(body["biz_opaque_callback_data"])
            accepted.setdefault(body["biz_opaque_callback_data"], []).append(body["at"])
        # How long before the nearest kill the provider took each the first time; less than 0: the call was under
        # way when the process died, and the provider read it a moment later.
        left = {
            row: min((k - at[0] for k in self._kills), key=abs, default=9e9) for row, at in accepted.items()
        }
        excused = {row for row, seconds in left.items() if abs(seconds) < JUST_BEFORE_S}
        doubled = sorted(round(left[row], 3) for row, at in accepted.items() if len(at) > 1)
        found: dict[str, Any] = {"stored": len(inbound), "stored_once": len(set(inbound)), "unanswered": 0}
        found |= {"replies_missing": 0, "replies_doubled": 0, "senders_out_of_order": 0}
        found["doubled_but_accepted_just_before_a_kill"] = 0
        for address, rows in said.items():
            _judge_one(rows, arrived.get(address, []), excused, found)
        found["doubled_seconds_before_kill"] = doubled
        return {
            "messages": SENDERS * self._each,
            "deliveries": SENDERS * self._each * 2,
            "kills": KILLS,
        } | found


def _judge_one(
    rows: list[tuple[str, str]], arrived: list[str], excused: set[str], found: dict[str, Any]
) -> None:
    """One customer: what the log says was written against what reached the provider."""
    asked = [int(row.rsplit(".", 1)[1]) for kind, row in rows if kind == "inbound"]
    written = [row for kind, row in rows if kind == "outbound"]
    firsts = list(dict.fromkeys(arrived))
    found["replies_missing"] += len(set(written) - set(arrived))
    twice = {row for row in firsts if arrived.count(row) > 1}
    found["replies_doubled"] += len(arrived) - len(firsts)
    found["doubled_but_accepted_just_before_a_kill"] += len(twice & excused)
    found["senders_out_of_order"] += asked != sorted(asked) or firsts != [
        row for row in written if row in set(arrived)
    ]
    kinds = [kind for kind, _ in rows]
    found["unanswered"] += sum(
        kind == "inbound" and (at + 1 == len(kinds) or kinds[at + 1] == "inbound")
        for at, kind in enumerate(kinds)
    )


def _written(database_url: str) -> dict[str, list[tuple[str, str]]]:
    """{address: [(direction, external id of an inbound or id of an outbound message)]} in the log's order."""
    database = Database(database_url)
    try:
        with database.read() as connection:
            rows = connection.execute(
                sa.select(
                    CONVERSATION.table.c.address, messages.c.direction, messages.c.external_id, messages.c.id
                )
                .join(CONVERSATION.table, CONVERSATION.table.c.id == messages.c.conversation_id)
                .order_by(messages.c.id)
            ).all()
    finally:
        database.close()
    said: dict[str, list[tuple[str, str]]] = {}
    for address, direction, external_id, id_ in rows:
        said.setdefault(address, []).append((direction, external_id if direction == "inbound" else id_))
    return said
