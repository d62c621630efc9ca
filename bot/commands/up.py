"""`samvad up` and `samvad serve`."""

import asyncio
import secrets
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any

from bot.app import App, open_app
from bot.commands.people import first_admin
from bot.embedded import EmbeddedValkey, worker_child
from bot.records.actor import SYSTEM
from bot.settings import Settings
from bot.web.server import serve

FIRST_ADMIN = "admin@example.com"


async def run_serve(settings: Settings) -> int:
    """One serving process."""
    async with open_app(settings) as app:
        await serve(app, lambda port: print(f"Samvad serves on http://{settings.host}:{port}", flush=True))
    return 0


async def run_up(settings: Settings) -> int:
    """Everything: Valkey unless one is given, the web server here, a worker beside it."""
    async with AsyncExitStack() as stack:
        redis_url = settings.redis_url or await _valkey(settings, stack)
        app = await stack.enter_async_context(open_app(settings, redis_url=redis_url))
        worker = worker_child(settings, redis_url)
        worker.start()
        stack.callback(worker.stop)
        _keep(stack, worker.keep_running())
        password = secrets.token_urlsafe(9)
        made = await app.store.run(first_admin, SYSTEM, FIRST_ADMIN, password)
        await serve(app, lambda port: _welcome(app, port, password if made else None))
    return 0


async def _valkey(settings: Settings, stack: AsyncExitStack) -> str:
    valkey = EmbeddedValkey(settings.data_dir.resolve())
    valkey.start()  # in this thread: a child is told when the thread that made it ends
    stack.callback(valkey.stop)
    await valkey.wait_ready()
    _keep(stack, valkey.child.keep_running(valkey.end_left_behind))
    return valkey.url


def _keep(stack: AsyncExitStack, work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.create_task(work)
    stack.callback(task.cancel)


def _welcome(app: App, port: int, password: str | None) -> None:
    url = app.settings.base_url or f"http://{app.settings.host}:{port}"
    print(f"\n  {app.profile.name} is open: {url}", flush=True)
    print(f"  Console for staff:   {url}/console", flush=True)
    if password is not None:
        print(f"  First admin:         {FIRST_ADMIN}   password: {password}", flush=True)
        print("                       (shown once; `samvad user reset` makes a new one)", flush=True)
    print("  Ctrl+C ends it.\n", flush=True)
