"""`samvad bench rules`: ten thousand events over fifty rules, the workers killed on the way.

Contacts are made, one event each; every rule waits for those of its city, tags the contact and makes a task.
Real worker processes (`samvad worker`) carry the rules out and are killed with SIGKILL again and again.
Then each event must have been answered once: one run, one task, one tag. The rate is what the workers reach
with their deaths and new starts in it.
"""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bot.app import open_store
from bot.crm.activity import ACTIVITY
from bot.crm.contact import CONTACT
from bot.crm.rule import RULE, rule_runs
from bot.crm.user import add_user
from bot.dialogs.actions import ACTIONS
from bot.dialogs.flows import load_flows
from bot.dialogs.understanding.examples import examples
from bot.dialogs.understanding.shelf import make
from bot.embedded import EmbeddedValkey
from bot.records.actor import SYSTEM
from bot.records.change import create_record
from bot.records.store import Store
from bot.records.tx import Record, Tx
from bot.records.write import create
from bot.settings import load_settings

RULES, EVENTS, KILLS = 50, 10_000, 6
_AT_ONCE = 500


def bench_rules(quick: bool = False, say: Callable[[str], Any] = print) -> dict[str, Any]:
    """Counts and the rate for SQLite with one worker and for PostgreSQL with two."""
    from bot.testing.postgresql import postgres_server

    with ExitStack() as stack:
        server = stack.enter_context(postgres_server(durable=True))
        server.execute("CREATE DATABASE rules")
        return {
            "sqlite": asyncio.run(_one("sqlite, one worker", "", 1, quick, say)),
            "postgresql": asyncio.run(_one("postgresql, two workers", server.url("rules"), 2, quick, say)),
        }


async def _one(name: str, url: str, workers: int, quick: bool, say: Callable[[str], Any]) -> dict[str, Any]:
    events, kills = (EVENTS // 10, 2) if quick else (EVENTS, KILLS)
    with tempfile.TemporaryDirectory(prefix="samvad-rules-") as folder, ExitStack() as stack:
        valkey = EmbeddedValkey(Path(folder))
        valkey.start()
        stack.callback(valkey.stop)
        await valkey.wait_ready()
        store = open_store(load_settings(data_dir=Path(folder), database_url=url))
        stack.callback(store.close)
        await asyncio.to_thread(_fill, store, events)
        # Trained once, before the clock runs: a worker's start is none of the rules' work.
        await make(examples(load_flows(actions=ACTIONS)), Path(folder) / "models", "words")
        env = {"SAMVAD_DATA_DIR": folder, "SAMVAD_DATABASE_URL": url, "SAMVAD_REDIS_URL": valkey.url}
        env["SAMVAD_EMBEDDINGS"] = "false"
        crew = _Crew(workers, {**os.environ, **env, "SAMVAD_LOG_LEVEL": "error"}, Path(folder) / "worker.log")
        stack.callback(crew.stop)
        start = time.monotonic()
        for kill in range(1, kills + 1):
            await _until(store, events * kill // (kills + 1))
            crew.kill(kill % workers)
            say(f"{name}: killed a worker after {store.read_now(_done, SYSTEM)} runs")
        await _until(store, events)
        seconds = time.monotonic() - start
        found = await asyncio.to_thread(store.read_now, _judge, SYSTEM)
    found |= {"events": events, "rules": RULES, "kills": kills, "events_per_s": round(events / seconds, 1)}
    say(f"{name}: {found}")
    return found


class _Crew:
    """Worker processes; one that is killed is started again."""

    def __init__(self, count: int, env: dict[str, str], log: Path) -> None:
        self._env = env
        self._log = log.open("ab")
        self._processes = [self._start() for _ in range(count)]

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "bot", "worker"]
        return subprocess.Popen(command, env=self._env, stdout=self._log, stderr=self._log)

    def kill(self, number: int) -> None:
        """SIGKILL, and another takes its place."""
        self._processes[number].send_signal(signal.SIGKILL)
        self._processes[number].wait()
        self._processes[number] = self._start()

    def stop(self) -> None:
        """SIGTERM to all."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait(60)
        self._log.close()


def _fill(store: Store, events: int) -> None:
    boss = store.write_now(add_user, SYSTEM, "boss@example.com", "admin")
    for number in range(RULES):
        store.write_now(create_record, SYSTEM, RULE, _rule(number, boss))
    for first in range(0, events, _AT_ONCE):
        store.write_now(_contacts, SYSTEM, range(first, min(events, first + _AT_ONCE)))


def _rule(number: int, boss: str) -> dict[str, Any]:
    return {
        "name": f"Rule {number}",
        "entity": "contacts",
        "trigger": "created",
        "condition": f'city = "c{number}"',
        "actions": [
            {"action": "add_tags", "tags": [f"t{number}"]},
            {"action": "create_task", "subject": "Call {name}"},
        ],
        "position": number,
        "run_as_id": boss,
    }


def _contacts(tx: Tx, numbers: range) -> None:
    for number in numbers:
        create(tx, CONTACT, {"name": f"Contact {number}", "city": f"c{number % RULES}"})


def _done(tx: Tx) -> int:
    return int(tx.execute(sa.select(sa.func.count()).select_from(rule_runs)).scalar_one())


async def _until(store: Store, runs: int) -> None:
    """Until so many runs are logged. Raises TimeoutError where nothing moves for five minutes."""
    seen, since = -1, time.monotonic()
    while (now := await asyncio.to_thread(store.read_now, _done, SYSTEM)) < runs:
        if now != seen:
            seen, since = now, time.monotonic()
        elif time.monotonic() - since > 300:
            raise TimeoutError(f"The workers stopped at {now} of {runs} runs")
        await asyncio.sleep(0.05)


def _judge(tx: Tx) -> dict[str, Any]:
    """How many contacts were answered once, and what was missed or done twice."""
    contacts: list[Record] = tx.rows(
        sa.select(CONTACT.table.c.id, CONTACT.table.c.city, CONTACT.table.c.tags)
    )
    runs = Counter(tx.execute(sa.select(rule_runs.c.record_id).where(rule_runs.c.state == "done")).scalars())
    tasks = Counter(tx.execute(sa.select(ACTIVITY.table.c.about_id)).scalars())
    once = [
        row["id"]
        for row in contacts
        if runs[row["id"]] == tasks[row["id"]] == 1 and row["tags"] == [f"t{row['city'][1:]}"]
    ]
    return {
        "answered_once": len(once),
        "missed": sum(runs[row["id"]] == 0 or tasks[row["id"]] == 0 for row in contacts),
        "doubled": sum(runs[row["id"]] > 1 or tasks[row["id"]] > 1 for row in contacts),
        "not_done": _done(tx) - sum(runs.values()),
    }
