"""Every route of the API, once: the router, the OpenAPI document and the tests read this table."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from aiohttp import web

from bot.web.api import send
from bot.web.api.auth import answer, signed_in
from bot.web.api.bodies import Body
from bot.web.api.kinds import KINDS, Kind
from bot.web.api.openapi import document
from bot.web.api.records import LIST_PARAMETERS, ONE_PARAMETERS, getter, lister

ROOT = "/api/v1"


@dataclass(frozen=True, slots=True)
class Route:
    """One operation. `answers` names the schema it returns; `refuses` are the statuses it may end with."""

    method: Literal["GET", "POST"]
    path: str
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    name: str
    summary: str
    answers: str
    status: int = 200
    kind: Kind | None = None
    parameters: tuple[str, ...] = ()
    body: Body | None = None
    refuses: tuple[int, ...] = (400, 401, 403, 404, 500, 503)
    signed: bool = True


def _reading() -> Iterator[Route]:
    for path, kind in KINDS.items():
        words = path.replace("-", " ")
        name = kind.entity.name
        yield Route(
            "GET",
            f"{ROOT}/{path}",
            signed_in(lister(kind)),
            f"list_{name}",
            f"A page of {words}.",
            f"{name}_page",
            kind=kind,
            parameters=LIST_PARAMETERS,
            refuses=(400, 401, 403, 500, 503),
        )
        yield Route(
            "GET",
            f"{ROOT}/{path}/{{id}}",
            signed_in(getter(kind)),
            f"get_{name}",
            f"One of the {words}, by its id.",
            name,
            kind=kind,
            parameters=ONE_PARAMETERS,
        )


_WRITES = (400, 401, 403, 404, 409, 413, 415, 500, 503)
_WRITING = (
    Route(
        "POST",
        f"{ROOT}/messages",
        signed_in(send.post_message),
        "send_message",
        "Write to the customer of a conversation; a conversation the bot owns is taken over first.",
        "queued",
        202,
        body=send.MESSAGE,
        refuses=_WRITES,
    ),
    Route(
        "POST",
        f"{ROOT}/conversations",
        signed_in(send.post_conversation),
        "start_conversation",
        "Write to an address first, or go on with the conversation there is.",
        "queued",
        202,
        body=send.CONVERSATION,
        refuses=_WRITES,
    ),
    Route(
        "POST",
        f"{ROOT}/conversations/{{id}}/take-over",
        signed_in(send.take_over),
        "take_over",
        "Make the conversation yours: the bot falls silent at once.",
        "owned",
        refuses=_WRITES,
    ),
    Route(
        "POST",
        f"{ROOT}/conversations/{{id}}/hand-back",
        signed_in(send.hand_back),
        "hand_back",
        "Give the conversation back to the bot.",
        "owned",
        refuses=_WRITES,
    ),
)


@cache
def openapi() -> dict[str, Any]:
    """The OpenAPI document of this table."""
    return document(ROUTES, KINDS)


async def _openapi(_request: web.Request) -> web.StreamResponse:
    return answer(openapi())


ROUTES: tuple[Route, ...] = (
    *_reading(),
    *_WRITING,
    Route(
        "GET",
        f"{ROOT}/openapi.json",
        _openapi,
        "openapi",
        "This document.",
        "anything",
        refuses=(500,),
        signed=False,
    ),
)
