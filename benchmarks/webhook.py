"""`samvad bench webhook`: how long a provider waits for its 200, over HTTP, with the turns running behind it.

The floor is an aiohttp handler in the same process that does one hand-written insert on the raw driver. A
client in a process of its own sends signed WhatsApp webhooks at the same pace to both, in turn.
"""

import asyncio
import json
import sqlite3
import sys
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from statistics import median
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
from aiohttp import web

from benchmarks.client import CLIENT
from benchmarks.rig import databases, opened, percentile
from bot.app import App
from bot.web.server import make_web, served

_INSERT = (
    "INSERT INTO inbox (channel_account_id, event_key, lane_id, kind, payload, provider_at, received_at, state,"
    " attempts, correlation_id) VALUES ({}) ON CONFLICT DO NOTHING RETURNING seq"
)


def bench_webhook(quick: bool = False, say: Callable[[str], Any] = print) -> dict[str, Any]:
    """Figures for both databases; `p99_ratio` is our p99 over the floor's, median of rounds."""
    with databases(quick) as urls:
        return {name: asyncio.run(_one(name, url, quick, say)) for name, url in urls.items()}


async def _one(name: str, url: str, quick: bool, say: Callable[[str], Any]) -> dict[str, Any]:
    rounds, count, pace = (4, 300, 60) if quick else (8, 450, 60)
    ours: list[list[float]] = []
    floors: list[list[float]] = []
    async with opened(url) as (app, _):
        floor_app, close = await _floor(app)
        async with served(make_web(app)) as our_port, served(floor_app) as floor_port:
            await _client(our_port, 64, 16)  # senders become known, caches warm
            await _client(floor_port, 64, 16)
            for number in range(rounds):
                floors.append(await _client(floor_port, count, pace))
                ours.append(await _client(our_port, count, pace))
                await _drained(app)
                theirs, mine = percentile(floors[-1], 0.99), percentile(ours[-1], 0.99)
                say(f"{name} round {number + 1}: p99 {mine * 1000:.1f} ms, floor {theirs * 1000:.1f} ms")
        await close()
    ratios = [percentile(a, 0.99) / percentile(b, 0.99) for a, b in zip(ours, floors, strict=True)]
    took = [one for run in ours for one in run]
    floor = [one for run in floors for one in run]
    return {
        "rate": pace,
        "p50_ms": round(percentile(took, 0.5) * 1000, 2),
        "p99_ms": round(percentile(took, 0.99) * 1000, 2),
        "floor_p50_ms": round(percentile(floor, 0.5) * 1000, 2),
        "floor_p99_ms": round(percentile(floor, 0.99) * 1000, 2),
        "p99_ratio": round(median(ratios), 2),
    }


async def _drained(app: App) -> None:
    while app.pipe is not None and not app.pipe.idle:
        await asyncio.sleep(0.02)


async def _client(port: int, count: int, pace: int) -> list[float]:
    """Send from another process; seconds of each answer."""
    url = f"http://127.0.0.1:{port}/channels/whatsapp"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CLIENT, url, str(count), str(pace)),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    found = json.loads(output)
    if found["failed"]:
        raise RuntimeError(f"{found['failed']} webhooks were not answered with 200")
    seconds: list[float] = found["seconds"]
    return seconds


async def _floor(app: App) -> tuple[web.Application, Callable[[], Any]]:
    if app.store.database.dialect == "sqlite":
        insert, close = _sqlite_insert(app)
    else:
        insert, close = await _postgres_insert(app)
    application = web.Application()

    async def handle(request: web.Request) -> web.Response:
        await insert(json.dumps(json.loads(await request.read())))
        return web.Response()

    application.router.add_post("/channels/whatsapp", handle)
    return application, close


def _sqlite_insert(app: App) -> tuple[Callable[[str], Any], Callable[[], Any]]:
    db = sqlite3.connect(
        app.settings.sqlite_path(), isolation_level=None, timeout=15, check_same_thread=False
    )
    db.execute("PRAGMA synchronous=FULL")
    statement = _INSERT.format("?,?,NULL,'message',?,?,?,'done',0,'c'")
    pool = ThreadPoolExecutor(1)

    def insert(payload: str) -> None:
        now = datetime.now(UTC).isoformat()
        db.execute("BEGIN IMMEDIATE")
        db.execute(statement, (str(uuid.uuid4()), str(uuid.uuid4()), payload, now, now)).fetchone()
        db.execute("COMMIT")

    async def in_thread(payload: str) -> None:
        await asyncio.get_running_loop().run_in_executor(pool, insert, payload)

    async def close() -> None:
        pool.shutdown()
        db.close()

    return in_thread, close


async def _postgres_insert(app: App) -> tuple[Callable[[str], Any], Callable[[], Any]]:
    url = app.store.database.url
    host = parse_qs(urlsplit(str(url)).query)["host"][0]
    pool = await asyncpg.create_pool(
        host=host, database=url.database, user="samvad", min_size=16, max_size=16
    )
    statement = _INSERT.format("$1,$2,NULL,'message',$3,$4,$4,'done',0,'c'")

    async def insert(payload: str) -> None:
        async with pool.acquire() as db:
            await db.fetchval(statement, uuid.uuid4(), str(uuid.uuid4()), payload, datetime.now(UTC))

    return insert, pool.close
