"""The REST API, `/api/v1`: records read by the query language, messages sent. docs/api.md explains it."""

from aiohttp import web

from bot.web.api.auth import KEYS, KeyCache
from bot.web.api.routes import ROUTES

__all__ = ["ROUTES", "setup"]


def setup(web_app: web.Application) -> None:
    """Register every route of the table."""
    web_app[KEYS] = KeyCache()
    for route in ROUTES:
        web_app.router.add_route(route.method, route.path, route.handler)
