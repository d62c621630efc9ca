"""The web server: every room of `bot/web` put together over one App."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from aiohttp import web

from bot.app import App
from bot.errors import ConfigurationInvalid
from bot.logs import logger
from bot.web import api, console, errors, health, pages, webhooks, widget
from bot.web.keys import APP

_log = logger("web")


SWITCH_SECONDS = 0.0005
"""How long a thread may keep the interpreter while others wait for it. By Python's own 5 ms the loop, which
has little to do for each request, waits longer for a transaction's thread than the transaction takes."""


async def _take_turns(_: web.Application) -> AsyncIterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    yield
    sys.setswitchinterval(before)


def make_web(app: App) -> web.Application:
    """The aiohttp application; the caller runs it and closes the App."""
    web_app = web.Application(middlewares=[errors.middleware], client_max_size=30 * 1024 * 1024)
    web_app[APP] = app
    for room in (webhooks, health, api, widget, pages, console):
        room.setup(web_app)
    web_app.cleanup_ctx.append(_take_turns)
    return web_app


@asynccontextmanager
async def served(web_app: web.Application, port: int = 0) -> AsyncIterator[int]:
    """Serve on the loopback while the block runs; yields the port. For evaluations, benchmarks and tests."""
    runner = web.AppRunner(web_app, access_log=None, shutdown_timeout=2)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        bound: int = runner.addresses[0][1]
        yield bound
    finally:
        await runner.cleanup()


async def serve(app: App, ready: Callable[[int], None]) -> None:
    """Serve until SIGTERM or SIGINT, then let requests finish. `ready` is told the port that was bound."""
    runner = web.AppRunner(make_web(app), access_log=None, shutdown_timeout=10)
    await runner.setup()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):
            loop.add_signal_handler(number, stop.set)
    site = web.TCPSite(runner, app.settings.host, app.settings.port, reuse_port=False)
    try:
        await site.start()
    except OSError as error:
        await runner.cleanup()
        where = f"{app.settings.host}:{app.settings.port}"
        raise ConfigurationInvalid(
            f"{where} cannot be listened on ({error.strerror}). Set SAMVAD_PORT to a free port."
        ) from error
    port: int = runner.addresses[0][1]
    _log.info("serving", host=app.settings.host, port=port)
    ready(port)
    try:
        await stop.wait()
    finally:
        await runner.cleanup()
