"""Web chat for any site: one script tag, one WebSocket."""

from aiohttp import web

from bot.web.widget.files import preflight, upload
from bot.web.widget.hub import HUB, Hub, run_hub
from bot.web.widget.script import script
from bot.web.widget.socket import socket


def setup(web_app: web.Application) -> None:
    """Add `/widget.js`, `/widget/ws`, `/widget/files` and the listener behind them."""
    web_app[HUB] = Hub()
    web_app.cleanup_ctx.append(run_hub)
    web_app.on_shutdown.append(_close)
    web_app.router.add_get("/widget.js", script)
    web_app.router.add_get("/widget/ws", socket)
    web_app.router.add_post("/widget/files", upload)
    web_app.router.add_options("/widget/files", preflight)


async def _close(web_app: web.Application) -> None:
    await web_app[HUB].close()
