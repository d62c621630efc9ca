"""From a request to the work of its route and back: one hop to the database, whatever the route."""

import hashlib
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from urllib.parse import unquote_to_bytes

from aiohttp import web

from bot.dialogs.understanding.review import review
from bot.errors import Conflict, InvalidInput, TooMany
from bot.records.actor import Actor
from bot.records.replies import claim, keep
from bot.records.tx import Tx
from bot.web.api.auth import KEYS, key_of
from bot.web.api.bodies import read_json, refuse_unknown
from bot.web.api.call import Answer, Call, Work
from bot.web.api.conditions import known
from bot.web.api.limits import Limiter
from bot.web.api.route import Route
from bot.web.keys import APP
from bot.web.pages.calendar import address_of

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
LIMITER: web.AppKey[Limiter] = web.AppKey("api_limiter", Limiter)
RUNNING: web.AppKey[set[tuple[str | None, str]]] = web.AppKey("api_running", set)
"""Keys of idempotent requests that this process is working on, by user."""
_LIMITS: web.RequestKey[dict[str, str]] = web.RequestKey("limits", dict)
_ALWAYS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_KEY = re.compile(r'"([\x20\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x7e]{1,255})')


def handler(route: Route) -> Handler:
    """What serves a route."""

    async def handle(request: web.Request) -> web.StreamResponse:
        app = request.app[APP]
        actor = await caller(request)
        given = parameters(request, route.parameters)
        raw, body = await _body(request, route)
        path = request.match_info
        call = Call(
            app.profile,
            app.runtime.features,
            path.get("id", "").lower(),
            path.get("sub_id", "").lower(),
            given,
            body,
            request.headers.get("If-Match", "") if route.guarded else "",
            lambda value: address_of(app.settings.public_url, app.sign(value)),
            lambda: review(app.understanding.model),
        )
        if route.method == "GET":
            answer = await app.store.read(_written, actor, route.work, call)
            return respond(request, answer)
        key = _idempotency_key(request)
        if not key:
            return respond(request, await app.store.run(_written, actor, route.work, call))
        mark = (actor.id, key)
        if mark in request.app[RUNNING]:
            raise Conflict("The request with this Idempotency-Key is still being worked on", retry_after=1)
        request.app[RUNNING].add(mark)
        try:
            asked = hashlib.sha256(f"{request.method} {request.raw_path}\n{_rights(actor)}\n".encode() + raw)
            answer, again = await app.store.run(_once, actor, route.work, call, key, asked.hexdigest())
        finally:
            request.app[RUNNING].discard(mark)
        return respond(request, answer, {"Idempotent-Replayed": "true"} if again else {})

    return handle


async def caller(request: web.Request) -> Actor:
    """Who calls; the request is counted. Raises NotSignedIn, TooMany."""
    digest, actor = await request.app[KEYS].actor(request.app[APP].store, key_of(request))
    _limit(request, digest)
    return actor


def _written(tx: Tx, work: Work, call: Call) -> Answer:
    return work(tx, call).written()


def _rights(actor: Actor) -> str:
    """What the caller may see by: with other rights, the same request has another answer."""
    scopes = None if actor.scopes is None else sorted(actor.scopes)
    return repr((actor.role, actor.team_id, sorted(actor.territory_ids), scopes))


def _once(tx: Tx, work: Work, call: Call, key: str, asked: str) -> tuple[Answer, bool]:
    """The answer, and whether it was given before."""
    if (stored := claim(tx, key, asked)) is not None:
        again = Answer(None, **stored)
        if again.once:
            raise Conflict(
                "This was done before, and what it made was shown once; make another", reason="shown_once"
            )
        return again, True
    answer = _written(tx, work, call)
    keep(
        tx,
        key,
        {
            "status": answer.status,
            "version": answer.version,
            "location": answer.location,
            "text": "" if answer.once else answer.text,
            "once": answer.once,
        },
    )
    return answer, False


def respond(request: web.Request, answer: Answer, more: Mapping[str, str] | None = None) -> web.Response:
    """A JSON answer that nobody on the way keeps; 304 where the client has it."""
    headers = {**_ALWAYS, **(more or {})}
    if answer.location:
        headers["Location"] = answer.location
    if not answer.text:
        return web.Response(status=answer.status, headers=headers)
    reading = request.method in ("GET", "HEAD")
    if reading or answer.version is not None:
        headers["ETag"] = etag = answer.etag
        if reading and known(request.headers.get("If-None-Match", ""), etag):
            return web.Response(status=304, headers=headers)
    return web.Response(
        body=answer.text.encode(), status=answer.status, content_type="application/json", headers=headers
    )


def _limit(request: web.Request, digest: str) -> None:
    """Count the request. Raises TooMany; what is left goes with every answer to it."""
    limiter = request.app[LIMITER]
    wait, headers = limiter.take(digest)
    request[_LIMITS] = headers
    if wait:
        raise TooMany(
            f"This key may send {limiter.rate} requests a minute; try again in {wait} s", retry_after=wait
        )


async def tell_limits(request: web.Request, response: web.StreamResponse) -> None:
    """Put what is left of the limit on every answer, refusals too."""
    response.headers.update(request.get(_LIMITS, {}))


async def _body(request: web.Request, route: Route) -> tuple[bytes, dict[str, object]]:
    """The body as it came, and checked as far as its description goes without the database."""
    if route.body is not None:
        raw, given = await read_json(request)
        return raw, route.body.read(given)
    if request.method != "GET" and request.can_read_body:
        raw, given = await read_json(request)
        refuse_unknown(given, {})
        return raw, given
    return b"", {}


def parameters(request: web.Request, known: Collection[str]) -> dict[str, str]:
    """The query string, each name once. Raises InvalidInput for names that do not exist."""
    raw = request.rel_url.raw_query_string
    if not raw:
        return {}
    try:
        unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidInput("The query string is no UTF-8") from None
    given: dict[str, str] = {}
    for name, value in request.query.items():
        if name not in known:
            text = f"It takes {', '.join(known)}." if known else "It takes none."
            raise InvalidInput(
                f"There is no parameter {name[:80]!r} here. {text}", field=name[:80], expected=[*known]
            )
        if name in given:
            raise InvalidInput(f"{name} is given twice", field=name)
        given[name] = value
    return given


def _idempotency_key(request: web.Request) -> str:
    """The key: a structured-field string (draft-ietf-httpapi-idempotency-key-header-07), or bare as many
    clients send it."""
    header = request.headers.get("Idempotency-Key")
    if header is None:
        return ""
    match = _KEY.fullmatch(header.strip())
    if match is None:
        raise InvalidInput(
            "Idempotency-Key is a text of 1 to 255 visible ASCII characters, as a UUID",
            field="Idempotency-Key",
        )
    return match[1] or match[2]
