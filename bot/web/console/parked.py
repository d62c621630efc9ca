"""`/console/parked`: what did not go through, why, and what to do about it."""

from urllib.parse import urlencode

from aiohttp import web

from bot.errors import Conflict, SignatureInvalid, Unreadable
from bot.pipeline import staff
from bot.pipeline.parked import (
    KINDS,
    LIMIT,
    SENDABLE,
    count_parked,
    discard_event,
    read_again,
    read_parked,
    resend_all,
    retry_event,
)
from bot.web.console.door import Viewer, room, show, wants_fragment


def _chosen(request: web.Request) -> dict[str, str]:
    """The filter, from the address or the form's own address."""
    return {name: request.query.get(name, "")[:20] for name in ("kind", "channel")}


async def _books(request: web.Request, viewer: Viewer, template: str) -> web.Response:
    chosen = _chosen(request)
    store = viewer.app.store
    waiting = await store.read(count_parked, viewer.actor)
    found = await store.read(read_parked, viewer.actor, **chosen)
    return show(
        request,
        viewer,
        template,
        books=found,
        waiting=waiting,
        chosen=chosen,
        kinds=KINDS,
        sendable=SENDABLE,
        limit=LIMIT,
        address=_address,
    )


def _address(**given: str) -> str:
    """The page with a filter."""
    query = urlencode({name: value for name, value in given.items() if value})
    return f"/console/parked?{query}" if query else "/console/parked"


@room
async def parked(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/parked."""
    part = wants_fragment(request)
    return await _books(request, viewer, "_parked.html" if part else "parked.html")


@room
async def count(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/parked/count: the number in the navigation."""
    waiting = await viewer.app.store.read(count_parked, viewer.actor)
    return show(request, viewer, "_parked_count.html", waiting=waiting)


async def _done(request: web.Request, viewer: Viewer) -> web.Response:
    if wants_fragment(request):
        response = await _books(request, viewer, "_parked.html")
        response.headers["HX-Trigger"] = "samvad:parked"
        return response
    return web.Response(status=303, headers={"Location": _address(**_chosen(request))})


@room
async def resend(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST …/messages/{id}/resend: one message again."""
    await viewer.app.store.run(staff.resend, viewer.actor, request.match_info["id"])
    return await _done(request, viewer)


@room
async def resend_kind(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST …/resend: all that the filter shows, if they are of one kind."""
    await viewer.app.store.run(resend_all, viewer.actor, **_chosen(request))
    return await _done(request, viewer)


@room
async def discard(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST …/messages/{id}/discard."""
    await viewer.app.store.run(staff.discard, viewer.actor, request.match_info["id"])
    return await _done(request, viewer)


@room
async def retry(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST …/events/{seq}/retry: a turn once more."""
    await viewer.app.store.run(retry_event, viewer.actor, int(request.match_info["seq"]))
    return await _done(request, viewer)


@room
async def discard_one(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST …/events/{seq}/discard."""
    await viewer.app.store.run(discard_event, viewer.actor, int(request.match_info["seq"]))
    return await _done(request, viewer)


@room
async def read(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST …/events/{seq}/read: a webhook that could not be read, by this version."""
    app = viewer.app
    assert app.pipe is not None
    try:
        await read_again(app.runtime, app.pipe.receiver, viewer.actor, int(request.match_info["seq"]))
    except Unreadable as error:
        raise Conflict("Still unreadable", reason="still_unreadable") from error
    except SignatureInvalid as error:
        raise Conflict("Signed with a secret we no longer have", reason="other_secret") from error
    return await _done(request, viewer)
