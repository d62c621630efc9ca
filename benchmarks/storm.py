"""`samvad bench storm`: 320 webhooks a second for a minute on PostgreSQL while turns run.

The server is a process of its own over HTTP; a client process sends at a steady pace whatever comes back. The
acknowledgements' latencies are reported, then how long the backlog takes to drain, and whether every message
was stored and answered. `samvad bench storm` starts its own PostgreSQL; no floor: the bar is absolute.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import sqlalchemy as sa

from benchmarks.client import CLIENT
from benchmarks.crash import Server
from benchmarks.rig import PHONE_ID, percentile
from bot.conversations.inbox import inbox
from bot.conversations.message import messages
from bot.conversations.outbox import outbox
from bot.storage import Database
from bot.testing import WhatsAppEmulator

PER_SECOND, SECONDS, SENDERS = 320, 60, 1000


def bench_storm(quick: bool = False, say: Callable[[str], Any] = print) -> dict[str, Any]:
    """Latency of the acknowledgements in ms, the share above a second, the drain in seconds, what was lost."""
    from bot.testing.postgresql import postgres_server

    with postgres_server(durable=True) as server:
        server.execute("CREATE DATABASE storm")
        return asyncio.run(_run(server.url("storm"), 10 if quick else SECONDS, say))


async def _run(database_url: str, seconds: int, say: Callable[[str], Any]) -> dict[str, Any]:
    count = PER_SECOND * seconds
    with tempfile.TemporaryDirectory(prefix="samvad-storm-") as folder:
        async with WhatsAppEmulator() as provider, aiohttp.ClientSession() as session:
            env = {f"SAMVAD_{key.upper()}": str(value) for key, value in provider.settings.items()}
            env |= {"SAMVAD_DATABASE_URL": database_url, "SAMVAD_WHATSAPP_PHONE_NUMBER_ID": PHONE_ID}
            env["SAMVAD_WHATSAPP_APP_SECRET"] = "a secret of the app"
            provider.phone_number_id = PHONE_ID
            server = Server(Path(folder), env)
            server.start()
            await server.ready(session)
            found = await _storm(server, count, say)
            found |= await _drain(database_url, count, say)
            found["exit_code"] = server.stop()
            return found


async def _storm(server: Server, count: int, say: Callable[[str], Any]) -> dict[str, Any]:
    url = f"{server.url}/channels/whatsapp"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CLIENT, url, str(count), str(PER_SECOND), str(SENDERS)),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    answered = json.loads(output)
    took = answered["seconds"]
    found = {
        "webhooks": count,
        "per_second": PER_SECOND,
        "not_200": answered["failed"],
        "median_ms": round(percentile(took, 0.5) * 1000, 1),
        "p99_ms": round(percentile(took, 0.99) * 1000, 1),
        "share_over_1s": round(sum(one > 1 for one in took) / len(took), 4),
    }
    say(str(found))
    return found


async def _drain(database_url: str, count: int, say: Callable[[str], Any]) -> dict[str, Any]:
    start = time.monotonic()
    database = Database(database_url)
    try:
        while True:
            waiting, unsent, stored = await asyncio.to_thread(_counts, database)
            if not waiting and not unsent:
                break
            if time.monotonic() - start > 600:
                break
            say(f"{waiting} messages wait, {unsent} replies are leaving")
            await asyncio.sleep(5)
    finally:
        database.close()
    return {
        "drained_s": round(time.monotonic() - start, 1),
        "stored": stored,
        "lost": count - stored,
        "left_over": waiting + unsent,
    }


def _counts(database: Database) -> tuple[int, int, int]:
    with database.read() as connection:

        def how_many(table: sa.Table, *where: sa.ColumnElement[bool]) -> int:
            return int(
                connection.execute(sa.select(sa.func.count()).select_from(table).where(*where)).scalar_one()
            )

        return (
            how_many(inbox, inbox.c.state == "pending"),
            how_many(outbox, outbox.c.state.in_(("queued", "sending"))),
            how_many(messages, messages.c.direction == "inbound"),
        )
