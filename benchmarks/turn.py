"""`samvad bench turn`: from a parsed webhook to the recorded receipt, sixteen in flight, one process."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import sqlalchemy as sa

from benchmarks.floor import PostgresFloor, SqliteFloor
from benchmarks.rig import IN_FLIGHT, PHONE_ID, Counters, databases, in_flight, opened, percentile
from benchmarks.script import line
from bot.app import App
from bot.conversations.conversation import CONVERSATION
from bot.ids import new_id
from bot.messages import Identity, InboundMessage, Parsed
from bot.records.tx import Record, Tx

SENDERS = 64


class _Customers:
    """Senders who write their next line and wait until its reply's receipt is recorded."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._said = [0] * SENDERS
        self._conversations: dict[int, str] = {}
        self._answered: dict[str, asyncio.Event] = {}
        deliverer: Any = app.pipe.deliverer if app.pipe else None
        self._record = deliverer._record
        deliverer._record = self._recorded

    async def _recorded(self, outcome: Any) -> None:
        await self._record(outcome)
        if (event := self._answered.get(outcome.conversation)) is not None:
            event.set()

    async def write(self, sender: int) -> None:
        """Say the next line and wait for the answer."""
        text = line(self._said[sender])
        self._said[sender] += 1
        address = f"9198{sender:08d}"
        message = InboundMessage(
            event_key=new_id(),
            channel="whatsapp",
            account=PHONE_ID,
            address=address,
            external_id=f"wamid.{new_id()}",
            text=text,
            sender_name=f"Customer {sender}",
            identities=(Identity("whatsapp", address, True), Identity("phone", f"+{address}", True)),
        )
        key = self._conversations.get(sender)
        event = self._answered[key] if key else None
        if event is not None:
            event.clear()
        await self._app.receive(Parsed(messages=(message,)), "whatsapp")
        if event is None:
            await self._settled()
        else:
            await asyncio.wait_for(event.wait(), 60)

    async def _settled(self) -> None:
        pipe = self._app.pipe
        assert pipe is not None
        while True:
            await asyncio.sleep(0.002)
            if pipe.idle:
                return

    async def introduce(self) -> None:
        """Everyone's first message, not measured: contacts, conversations and keys are made."""
        for start in range(0, SENDERS, IN_FLIGHT):
            await asyncio.gather(*(self.write(sender) for sender in range(start, start + IN_FLIGHT)))
        rows = await self._app.store.read(_conversations)
        self._conversations = {int(row["address"][4:]): row["id"] for row in rows}
        self._answered = {id_: asyncio.Event() for id_ in self._conversations.values()}


def _conversations(tx: Tx) -> list[Record]:
    table = CONVERSATION.table
    return tx.rows(sa.select(table.c.id, table.c.address))


def bench_turn(quick: bool = False, say: Callable[[str], Any] = print) -> dict[str, Any]:
    """Figures for both databases; `ratio` is our turns per second over the floor's, median of rounds."""
    with databases(quick) as urls:
        return {name: asyncio.run(_one(name, url, quick, say)) for name, url in urls.items()}


async def _one(name: str, url: str, quick: bool, say: Callable[[str], Any]) -> dict[str, Any]:
    rounds, turns = (2, 320) if quick else (4, 960)
    async with opened(url) as (app, counters):
        customers = _Customers(app)
        await customers.introduce()
        floor, close = await _floor(app)
        rates, floors, took = [], [], []
        stages: dict[str, float] = {}
        statements = commits = 0
        for number in range(rounds):
            floors.append(await _rate(floor, turns))
            counters.reset()
            cpu = time.process_time()
            start = time.perf_counter()
            jobs = [_job(customers, index % SENDERS) for index in range(turns)]
            took += await in_flight(IN_FLIGHT, jobs)
            rates.append(turns / (time.perf_counter() - start))
            statements, commits = statements + counters.statements, commits + counters.commits
            _add_stages(stages, counters, time.process_time() - cpu)
            say(
                f"{name} round {number + 1}: {rates[-1]:.0f} turns/s, floor {floors[-1]:.0f}, ratio {rates[-1] / floors[-1]:.3f}"
            )
        await close()
    total = rounds * turns
    ratios = sorted(rate / floor_rate for rate, floor_rate in zip(rates, floors, strict=True))
    return {
        "rate": round(percentile(rates, 0.5), 1),
        "floor_rate": round(percentile(floors, 0.5), 1),
        "ratio": round((ratios[(len(ratios) - 1) // 2] + ratios[len(ratios) // 2]) / 2, 3),
        "p50_ms": round(percentile(took, 0.5) * 1000, 1),
        "p99_ms": round(percentile(took, 0.99) * 1000, 1),
        "commits": round(commits / total, 2),
        "statements": round(statements / total, 2),
        "cpu_ms_by_stage": {stage: round(seconds / total * 1000, 2) for stage, seconds in stages.items()},
    }


def _job(customers: _Customers, sender: int) -> Callable[[], Awaitable[None]]:
    return lambda: customers.write(sender)


def _add_stages(stages: dict[str, float], counters: Counters, cpu: float) -> None:
    for stage, seconds in counters.by_operation.items():
        stages[stage] = stages.get(stage, 0.0) + seconds
    thinking = cpu - sum(counters.by_operation.values())
    stages["event loop, understanding, deciding"] = (
        stages.get("event loop, understanding, deciding", 0.0) + thinking
    )


async def _floor(app: App) -> tuple[Callable[[int], Any], Callable[[], Awaitable[None]]]:
    url = app.store.database.url
    if app.store.database.dialect == "sqlite":
        sqlite = SqliteFloor(app.settings.sqlite_path())

        async def close_sqlite() -> None:
            sqlite.close()

        return sqlite.turn, close_sqlite
    host = parse_qs(urlsplit(str(url)).query)["host"][0]
    postgres = PostgresFloor(host, url.database or "", IN_FLIGHT)
    await postgres.open()
    return postgres.turn, postgres.close


async def _rate(turn: Callable[[int], Any], count: int) -> float:
    """The floor's turns per second; SQLite's in a thread, PostgreSQL's sixteen at a time."""
    start = time.perf_counter()
    if asyncio.iscoroutinefunction(turn):
        await in_flight(IN_FLIGHT, [lambda number=number: turn(number) for number in range(count)])
    else:
        await asyncio.to_thread(lambda: [turn(number) for number in range(count)])
    return count / (time.perf_counter() - start)
