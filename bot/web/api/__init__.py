"""The REST API, `/api/v1`: every kind of record read and written, messages sent. docs/api.md explains it."""

from aiohttp import web

from bot.records.schema import Schema
from bot.web.api.auth import KEYS, KeyCache
from bot.web.api.call import Answer
from bot.web.api.limits import Limiter
from bot.web.api.openapi import document
from bot.web.api.routes import ROOT, ROUTES
from bot.web.api.serve import LIMITER, RUNNING, Handler, handler, parameters, respond, tell_limits
from bot.web.keys import APP

__all__ = ["ROUTES", "setup"]

_DESCRIBED: web.AppKey[dict[Schema, Answer]] = web.AppKey("api_described", dict)
"""The document of the schema in force."""
# A record's id is never a word that stands in its place.
_ID = "{id:(?!(?:summary|bulk)$)[^/]+}"


def setup(web_app: web.Application) -> None:
    """Register every route of the table, with HEAD beside GET, and OPTIONS."""
    web_app[KEYS] = KeyCache()
    web_app[LIMITER] = Limiter(web_app[APP].settings.api_rate)
    web_app[RUNNING] = set()
    web_app[_DESCRIBED] = {}
    web_app.on_response_prepare.append(tell_limits)
    served: dict[str, dict[str, Handler]] = {f"{ROOT}/openapi.json": {"GET": _openapi}}
    for route in ROUTES:
        served.setdefault(route.path, {})[route.method] = handler(route)
    for path, methods in served.items():
        resource = web_app.router.add_resource(path.replace("{id}", _ID))
        if "GET" in methods:
            methods["HEAD"] = methods["GET"]
        methods["OPTIONS"] = _options(", ".join([*methods, "OPTIONS"]))
        for method, handle in methods.items():
            resource.add_route(method, handle)


def _options(allow: str) -> Handler:
    async def handle(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=204, headers={"Allow": allow})

    return handle


async def _openapi(request: web.Request) -> web.StreamResponse:
    parameters(request, ())
    schema, described = request.app[APP].store.schema, request.app[_DESCRIBED]
    if schema not in described:
        described.clear()
        described[schema] = Answer(document(schema, ROUTES)).written()
    return respond(request, described[schema])
