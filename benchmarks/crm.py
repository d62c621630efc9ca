"""`samvad bench crm --contacts N`: the records' hot paths against the same reads and writes by hand, on
PostgreSQL at N contacts (measured at 100,000 on the way when N is more, and over HTTP there) and on SQLite at
a fifth of N.
"""

import asyncio
import gc
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import sqlalchemy as sa

from benchmarks.crm_client import IN_FLIGHT
from benchmarks.crm_data import BUSY_EVERY, NAMES, fill, record_id
from benchmarks.crm_data import CONTACT as CONTACT_ID
from benchmarks.crm_floor import PostgresFloor, SqliteFloor
from benchmarks.crm_http import behind, rates
from benchmarks.rig import databases, opened, percentile
from bot.app import App
from bot.crm.api_key import make_api_key
from bot.crm.contact import CONTACT
from bot.crm.opportunity import OPPORTUNITY
from bot.crm.timeline import timeline
from bot.crm.user import add_user
from bot.records.actor import SYSTEM, Actor
from bot.records.change import create_record
from bot.records.query import one, page, parse
from bot.records.query.parse_summary import parse_summary
from bot.records.query.summary import summary
from bot.records.search.fold import wanted
from bot.records.show import shown
from bot.records.tx import Tx

HALFWAY = 100_000
PIPELINE, PIPELINE_WHERE = "count, sum(amount) by stage", "status = open"
Say = Callable[[str], Any]
Question = tuple[str, ...]
Floor = PostgresFloor | SqliteFloor


@dataclass(slots=True)
class Business:
    """What is asked: an open program, its size, and who asks."""

    app: App
    contacts: int
    owners: list[str]
    actor: Actor
    made: int = 0

    def contact(self, dice: random.Random, every: int = 1) -> str:
        """One of the contacts, or of those whose number is a multiple of `every`."""
        return record_id(CONTACT_ID, dice.randrange(0, self.contacts, every))

    def ask(self, operation: str, dice: random.Random) -> Question:
        """A question of this kind: about anybody, about somebody busy, about what somebody owns."""
        if operation in ("list", "get"):
            return (self.contact(dice),)
        if operation == "filter":
            return (dice.choice(self.owners),)
        if operation == "search":
            return (dice.choice(NAMES),)
        if operation == "timeline":
            return (self.contact(dice, BUSY_EVERY),)
        if operation == "create":
            self.made += 1
            return dice.choice(NAMES), f"+91{8_000_000_000 + self.made}"
        return ()


OURS: dict[str, Callable[..., Any]] = {
    "list": lambda tx, last: _list(tx, "", behind(last)),
    "filter": lambda tx, whose: _list(tx, f'owner_id = "{whose}"'),
    "get": lambda tx, which: shown(tx, CONTACT, [one(tx, CONTACT, which)]),
    "search": lambda tx, name: _list(tx, f'~ "{name}"'),
    "timeline": lambda tx, which: timeline(tx, CONTACT, {"id": which}),
    "create": lambda tx, name, phone: create_record(tx, CONTACT, {"name": name, "phones": [phone]}),
    "pipeline": lambda tx: _pipeline(tx),
}


def _list(tx: Tx, where: str, cursor: str | None = None) -> list[dict[str, Any]]:
    query = replace(parse(tx.schema, CONTACT, tx.actor, where=where, order="id desc"), cursor=cursor)
    return shown(tx, CONTACT, page(tx, CONTACT, query).rows)


def _pipeline(tx: Tx) -> Any:
    asked = parse_summary(tx.schema, OPPORTUNITY, tx.actor, where=PIPELINE_WHERE, summarise=PIPELINE)
    return summary(tx, OPPORTUNITY, asked)


def _for_floor(dialect: str, operation: str, question: Question) -> Question:
    """The question as the floor takes it: of a search, the terms of the index."""
    if operation != "search":
        return question
    return ((_tsquery if dialect == "postgresql" else _match)(question[0]),)


def _tsquery(text: str) -> str:
    forms = [
        " | ".join(f"'{term[:-1]}':*" if term.endswith("*") else f"'{term}'" for term in word)
        for word in wanted(text)
    ]
    return " & ".join(f"({form})" for form in forms)


def _match(text: str) -> str:
    forms = [
        " OR ".join(f'"{term[:-1]}"*' if term.endswith("*") else f'"{term}"' for term in word)
        for word in wanted(text)
    ]
    return " AND ".join(f"({form})" for form in forms)


def bench_crm(quick: bool = False, say: Say = print, contacts: int = 100_000) -> dict[str, Any]:
    """p95 of each operation and of its floor in interleaved rounds, on PostgreSQL as `operations`; at its
    first size with the rate of requests over HTTP, four in flight, beside that of the floor's statements."""
    with databases(quick) as urls:
        grown = asyncio.run(_one(urls["postgresql"], contacts, quick, say))
        embedded = asyncio.run(_one(urls["sqlite"], contacts // 5, quick, say))
    return {"contacts": contacts, "operations": grown["operations"], "at_100000": grown["at_100000"]} | {
        "sqlite": {"contacts": contacts // 5, **embedded}
    }


async def _one(url: str, contacts: int, quick: bool, say: Say) -> dict[str, Any]:
    async with opened(url) as (app, _):
        floor = await _floor(app)
        business, key = await app.store.run(_found, SYSTEM, app)
        name, at_halfway, made = app.store.database.dialect, None, 0
        for size in sorted({min(HALFWAY, contacts), contacts}):
            say(f"{name}: writing {size - made:,} contacts, {(size - made) * 5:,} events")
            await asyncio.to_thread(_grow, app, made, size, business.owners)
            business.contacts = made = size
            figures = await _measure(business, floor, 40 if quick else 200)
            say(f"{name} at {size:,}: {_in_words(figures)}")
            if not at_halfway and name == "postgresql":
                await _over_http(business, key, figures, 100 if quick else 400, say)
            at_halfway = at_halfway or figures
        await floor.close()
    return {"operations": figures, "at_100000": at_halfway if contacts > HALFWAY else None}


async def _over_http(
    business: Business, key: str, figures: dict[str, dict[str, float]], count: int, say: Say
) -> None:
    """The rates of requests, beside the other figures of each operation."""
    floors = [await _postgres(business.app) for _ in range(IN_FLIGHT)]
    found = await rates(business.app, _asker(business), key, floors, count)
    await asyncio.gather(*(one.close() for one in floors))
    for operation, told in found.items():
        figures[operation] |= told
        say(f"over HTTP, {operation}: {told['rate']} a second, floor {told['floor_rate']}")


def _asker(business: Business) -> Callable[[str], tuple[Question, Question]]:
    """Questions over HTTP, each as we and as the floor are asked it."""
    dice, dialect = random.Random(13), business.app.store.database.dialect

    def ask(operation: str) -> tuple[Question, Question]:
        ours = business.ask(operation, dice)
        theirs = business.ask(operation, dice) if operation == "create" else ours
        return ours, _for_floor(dialect, operation, theirs)

    return ask


def _in_words(figures: dict[str, dict[str, float]]) -> str:
    return ", ".join(
        f"{name} {found['p95_ms']} ms (floor {found['floor_p95_ms']})" for name, found in figures.items()
    )


def _found(tx: Tx, app: App) -> tuple[Business, str]:
    admin = add_user(tx, "admin@bench.example", "admin", name="Admin")
    owners = [add_user(tx, f"rep{number}@bench.example", "rep") for number in range(10)]
    key = make_api_key(tx, admin)
    actor = Actor("user", admin, "admin", name="Admin")
    return Business(app, 0, owners, actor), key


def _grow(app: App, start: int, end: int, owners: Sequence[str]) -> None:
    with app.store.database.write() as connection:
        fill(connection, start, end, owners)
    with (
        app.store.database.engines[0].connect().execution_options(isolation_level="AUTOCOMMIT") as connection
    ):
        connection.execute(
            sa.text("VACUUM ANALYZE" if connection.dialect.name == "postgresql" else "ANALYZE")
        )


async def _measure(business: Business, floor: Floor, rounds: int) -> dict[str, dict[str, float]]:
    """Ours and the floor in turn, each question asked of both."""
    store, dice = business.app.store, random.Random(11)
    took: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in OURS}
    gc.collect()
    for number in range(rounds + 5):
        for name, operation in OURS.items():
            question = business.ask(name, dice)
            run = store.run if name == "create" else store.read
            start = time.perf_counter()
            await run(operation, business.actor, *question)
            ours = time.perf_counter() - start
            again = business.ask(name, dice) if name == "create" else question
            given = _for_floor(store.database.dialect, name, again)
            start = time.perf_counter()
            await floor.run(name, *given)
            if number >= 5:  # caches and plans are warm by then
                took[name][0].append(ours)
                took[name][1].append(time.perf_counter() - start)
    return {
        name: {
            "p95_ms": round(percentile(ours, 0.95) * 1000, 2),
            "floor_p95_ms": round(percentile(theirs, 0.95) * 1000, 2),
        }
        for name, (ours, theirs) in took.items()
    }


async def _floor(app: App) -> Floor:
    if app.store.database.dialect == "sqlite":
        return SqliteFloor(str(app.settings.sqlite_path()))
    return await _postgres(app)


async def _postgres(app: App) -> PostgresFloor:
    url = app.store.database.url
    return await PostgresFloor.open(parse_qs(urlsplit(str(url)).query)["host"][0], url.database or "")
