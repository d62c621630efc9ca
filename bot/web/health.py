"""For whoever operates it: `/health/live`, `/health/ready`, `/metrics`."""

import asyncio

import sqlalchemy as sa
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from bot.errors import SamvadError
from bot.records.actor import SYSTEM
from bot.records.tx import Tx
from bot.web.keys import APP


def setup(web_app: web.Application) -> None:
    """Register the routes."""
    web_app.router.add_get("/health/live", _live)
    web_app.router.add_get("/health/ready", _ready)
    web_app.router.add_get("/metrics", _metrics)


async def _live(_request: web.Request) -> web.Response:
    """The process runs and its loop turns."""
    return web.json_response({"status": "live"})


async def _ready(request: web.Request) -> web.Response:
    """Whether messages would be stored now. The bus may be away: everything works on without it, slower."""
    app = request.app[APP]
    try:
        async with asyncio.timeout(2):
            await app.store.read(_ping, SYSTEM)
        database = "up"
    except (SamvadError, TimeoutError):
        database = "down"
    body = {
        "status": "ready" if database == "up" else "unready",
        "database": database,
        "bus": "up" if app.bus.connected else "down",
        "channels": sorted(app.channels),
    }
    return web.json_response(body, status=200 if database == "up" else 503)


def _ping(tx: Tx) -> None:
    tx.execute(sa.text("SELECT 1"))


async def _metrics(_request: web.Request) -> web.Response:
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
