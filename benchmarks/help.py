"""`samvad bench help`: how long a page of the help centre takes, over HTTP, with the starter articles many times.

The floor is an aiohttp handler in the same process that reads the article by one statement on the raw driver
and sends its text as it is.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
from aiohttp import web

from benchmarks.rig import opened, percentile
from bot.app import App
from bot.crm.article import published, save_article
from bot.records.actor import SYSTEM
from bot.records.tx import Tx
from bot.web.server import make_web, served

COPIES = 10
"""How often each starter article is there: 690 in three languages."""
PAGES = {
    "article": "/help/en/warranty",
    "front": "/help/en",
    "search": "/help/en/search?q=how+long+is+the+warranty+of+a+fridge",
    "suggest": "/help/hi/suggest?q=fridge+warranty",
}
_FLOOR = "SELECT title, body FROM articles WHERE key = ? AND lang = ?"


def bench_help(quick: bool = False, say: Callable[[str], Any] = print) -> dict[str, Any]:
    """Figures of each page in milliseconds, and of the floor, on SQLite."""
    return asyncio.run(_measure(200 if quick else 1000, say))


async def _measure(count: int, say: Callable[[str], Any]) -> dict[str, Any]:
    async with opened("") as (app, _):
        await app.store.run(_copy, SYSTEM)
        await app.library.refresh()
        floor, close = _floor(app)
        took: dict[str, list[float]] = {name: [] for name in (*PAGES, "floor")}
        async with served(make_web(app)) as ours, served(floor) as bare, aiohttp.ClientSession() as client:
            asked = {name: f"http://127.0.0.1:{ours}{path}" for name, path in PAGES.items()}
            asked["floor"] = f"http://127.0.0.1:{bare}/"
            for number in range(count + 20):  # the first ones warm the caches
                for name, url in asked.items():
                    seconds = await _get(client, url)
                    if number >= 20:
                        took[name].append(seconds)
        close()
    found = {name: _figures(one) for name, one in took.items()}
    for name, figures in found.items():
        say(f"{name}: p50 {figures['p50_ms']} ms, p95 {figures['p95_ms']} ms")
    return found


def _copy(tx: Tx) -> None:
    for row in published(tx):
        for number in range(1, COPIES):
            save_article(tx, f"{row['key']}-{number}", row["lang"], f"{row['title']} {number}", row["body"])


async def _get(client: aiohttp.ClientSession, url: str) -> float:
    start = time.perf_counter()
    async with client.get(url) as answer:
        await answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{url} answered {answer.status}")
    return time.perf_counter() - start


def _floor(app: App) -> tuple[web.Application, Callable[[], None]]:
    db = sqlite3.connect(app.settings.sqlite_path(), check_same_thread=False)
    pool = ThreadPoolExecutor(1)

    def read() -> str:
        title, body = db.execute(_FLOOR, ("warranty", "en")).fetchone()
        return f"{title}\n{body}"

    async def handle(_request: web.Request) -> web.Response:
        return web.Response(text=await asyncio.get_running_loop().run_in_executor(pool, read))

    def close() -> None:
        pool.shutdown()
        db.close()

    application = web.Application()
    application.router.add_get("/", handle)
    return application, close


def _figures(took: list[float]) -> dict[str, float]:
    return {f"p{share}_ms": round(percentile(took, share / 100) * 1000, 2) for share in (50, 95)}
