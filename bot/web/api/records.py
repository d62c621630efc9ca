"""Reading records: a page of a kind, or one record."""

from collections.abc import Collection
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web

from bot.errors import InvalidInput, QueryInvalid
from bot.records.actor import Actor
from bot.records.query import DEFAULT_LIMIT, Query, one, page, parse, parse_fields
from bot.records.schema import Schema
from bot.records.show import shown
from bot.records.tx import Tx
from bot.web.api.auth import Signed, answer
from bot.web.api.kinds import Kind
from bot.web.keys import APP

MAX_LIMIT = 200
LIST_PARAMETERS = ("where", "order", "fields", "limit", "cursor")
ONE_PARAMETERS = ("fields",)


def lister(kind: Kind) -> Signed:
    """The handler of `GET /api/v1/KIND`."""

    async def handle(request: web.Request, actor: Actor) -> web.StreamResponse:
        given = parameters(request, LIST_PARAMETERS)
        limit = _limit(given.get("limit"))
        app = request.app[APP]
        schema = app.store.schema
        wanted = _fields(given.get("fields"), schema, kind, actor)
        own = tuple(name for name in wanted if name not in kind.extra)
        query = _query(schema, kind, actor, given, own or (("id",) if wanted else ()), limit)
        zone, currency = ZoneInfo(app.profile.time_zone), app.profile.currency
        return answer(await app.store.read(_list, actor, kind, query, wanted, zone, currency))

    return handle


def _query(
    schema: Schema, kind: Kind, actor: Actor, given: dict[str, str], fields: tuple[str, ...], limit: int
) -> Query:
    """The Query of a request; an error says in which parameter it is."""
    parts: dict[str, Query] = {}
    for name in ("where", "order"):
        try:
            written = {name: given.get(name, "")}
            parts[name] = parse(schema, kind.entity, actor, **written)  # type: ignore[arg-type]
        except QueryInvalid as error:
            raise _blame(error, name) from None
    where, order = parts["where"].where, parts["order"].order
    return Query(kind.entity.name, where, order, limit, given.get("cursor"), fields)


def _blame(error: QueryInvalid, parameter: str) -> QueryInvalid:
    return QueryInvalid(error.message, **{**error.data, "parameter": parameter})


def _list(
    tx: Tx, kind: Kind, query: Query, wanted: tuple[str, ...], zone: ZoneInfo, currency: str
) -> dict[str, Any]:
    found = page(tx, kind.entity, query, zone, currency)
    return {"data": shown(tx, kind.entity, found.rows, wanted), "next_cursor": found.next_cursor}


def getter(kind: Kind) -> Signed:
    """The handler of `GET /api/v1/KIND/ID`."""

    async def handle(request: web.Request, actor: Actor) -> web.StreamResponse:
        store = request.app[APP].store
        given = parameters(request, ONE_PARAMETERS)
        wanted = _fields(given.get("fields"), store.schema, kind, actor)
        return answer(await store.read(_one, actor, kind, request.match_info["id"], wanted))

    return handle


def _one(tx: Tx, kind: Kind, record_id: str, wanted: tuple[str, ...]) -> dict[str, Any]:
    own = tuple(name for name in wanted if name not in kind.extra)
    row = one(tx, kind.entity, record_id, own or (("id",) if wanted else ()))
    return shown(tx, kind.entity, [row], wanted)[0]


def parameters(request: web.Request, known: Collection[str]) -> dict[str, str]:
    """The query string, each name once. Raises InvalidInput for names that do not exist."""
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


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= MAX_LIMIT):
        raise InvalidInput(f"limit is a whole number from 1 to {MAX_LIMIT}", field="limit")
    return int(text)


def _fields(text: str | None, schema: Schema, kind: Kind, actor: Actor) -> tuple[str, ...]:
    if text is None or not text.strip():
        return ()
    try:
        return parse_fields(text, schema, kind.entity, actor, also=kind.extra)
    except QueryInvalid as error:
        raise _blame(error, "fields") from None
