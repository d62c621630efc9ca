"""Requests over HTTP and the floor's statements, each four in flight."""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.crm_floor import PostgresFloor
from bot.app import App
from bot.records.query import Order, Query
from bot.records.query.keyset import write_cursor
from bot.web.server import make_web, served

_CLIENT = str(Path(__file__).with_name("crm_client.py"))
Question = tuple[str, ...]
Ask = Callable[[str], tuple[Question, Question]]
PATHS: dict[str, Callable[..., dict[str, Any]]] = {
    "list": lambda last: {"path": f"contacts?order=id desc&cursor={behind(last)}"},
    "filter": lambda whose: {"path": f"contacts?order=id desc&where=owner_id = {whose}"},
    "get": lambda which: {"path": f"contacts/{which}"},
    "search": lambda name: {"path": f'contacts?order=id desc&where=~ "{name}"'},
    "timeline": lambda which: {"path": f"contacts/{which}/timeline"},
    "create": lambda name, phone: {"path": "contacts", "body": {"name": name, "phones": [phone]}},
}


def behind(last: str) -> str:
    """The cursor of the page behind this contact."""
    return write_cursor(Query("contacts", order=(Order("id", descending=True),)), {"id": last})


async def rates(app: App, ask: Ask, key: str, floors: Sequence[PostgresFloor], count: int) -> dict[str, Any]:
    """Answers a second of each operation, and those of the floor; median of three rounds in turn."""
    found: dict[str, Any] = {}
    async with served(make_web(app)) as port:
        for name, request in PATHS.items():
            ours, theirs = [], []
            for _ in range(3):
                asked = [ask(name) for _ in range(count)]
                lines = [json.dumps(request(*question)) for question, _ in asked]
                ours.append(await _client(port, key, lines))
                theirs.append(await _together(name, floors, [question for _, question in asked]))
            found[name] = {"rate": round(sorted(ours)[1], 1), "floor_rate": round(sorted(theirs)[1], 1)}
    return found


async def _together(name: str, floors: Sequence[PostgresFloor], questions: list[Question]) -> float:
    count, start = len(questions), time.perf_counter()

    async def work(floor: PostgresFloor) -> None:
        while questions:
            await floor.run(name, *questions.pop())

    await asyncio.gather(*(work(floor) for floor in floors))
    return count / (time.perf_counter() - start)


async def _client(port: int, key: str, lines: Sequence[str]) -> float:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, _CLIENT, f"http://127.0.0.1:{port}/api/v1/", key),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate("\n".join(lines).encode())
    if process.returncode:
        raise RuntimeError("The client of the benchmark failed")
    return float(output)
