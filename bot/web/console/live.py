"""`/console/live`: server-sent events that say what to look at again. `Last-Event-ID` is a place in the
log, so that a console that was away catches up; while it is connected its user counts as present."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from time import monotonic

from aiohttp import web

from bot.bus import Bus
from bot.crm.user import actor_for_session, mark_seen
from bot.errors import NotSignedIn, SamvadError
from bot.records.actor import SYSTEM
from bot.web.console.door import SESSION, Viewer, room
from bot.web.console.news import Position, newest, read_news
from bot.web.keys import APP, VISITOR_TYPES
from bot.web.pages.site import secure

SEEN_EVERY_S = 45.0
BREATH_S = 0.15
"""Between two looks of one console: a burst is one look."""


class Console:
    """One connected console: what the bus spoke of since its last look."""

    def __init__(self) -> None:
        self.noticed: set[str] = set()
        self.typing: set[str] = set()
        self.awake = asyncio.Event()


class Consoles:
    """All consoles of this process, and the one listener that wakes them."""

    def __init__(self) -> None:
        self.open: set[Console] = set()
        self.closing = False

    async def listen(self, bus: Bus) -> None:
        """Wake the consoles for as long as the process serves."""
        async for notice in bus.listen():
            for console in self.open:
                if notice is not None and notice.topic in ("message", "conversation"):
                    console.noticed.add(notice.id)
                elif notice is not None and notice.topic == VISITOR_TYPES:
                    console.typing.add(notice.id)
                console.awake.set()

    def close(self) -> None:
        """Let every console go; they connect again."""
        self.closing = True
        for console in self.open:
            console.awake.set()


CONSOLES: web.AppKey[Consoles] = web.AppKey("consoles", Consoles)


async def run_consoles(web_app: web.Application) -> AsyncIterator[None]:
    """Listen while the web application runs."""
    task = asyncio.create_task(web_app[CONSOLES].listen(web_app[APP].bus))
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _position(text: str) -> Position | None:
    first, _, second = text.partition("-")
    return (int(first), int(second)) if first.isdigit() and second.isdigit() and len(text) < 40 else None


@room
async def live(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/live."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    secure(request, response)
    consoles, console = request.app[CONSOLES], Console()
    consoles.open.add(console)
    try:
        with suppress(ConnectionError):
            await response.prepare(request)
            await _serve(request, viewer, response, console)
    finally:
        consoles.open.discard(console)
    return response


async def _serve(
    request: web.Request, viewer: Viewer, response: web.StreamResponse, console: Console
) -> None:
    store = viewer.app.store
    consoles = request.app[CONSOLES]
    assert viewer.actor.id is not None
    start = _position(request.headers.get("Last-Event-ID", ""))
    position = await store.read(newest, viewer.actor) if start is None else start
    await response.write(
        f"retry: 2000\nid: {position[0]}-{position[1]}\nevent: ready\ndata: {{}}\n\n".encode()
    )
    if start:
        console.awake.set()
    seen_at = -SEEN_EVERY_S
    while not consoles.closing:
        if monotonic() - seen_at >= SEEN_EVERY_S:
            if not await _still_here(request, viewer):
                return
            seen_at = monotonic()
            await response.write(b": here\n\n")
        try:
            await asyncio.wait_for(console.awake.wait(), max(0.01, seen_at + SEEN_EVERY_S - monotonic()))
        except TimeoutError:
            continue
        await asyncio.sleep(BREATH_S)
        console.awake.clear()
        noticed, console.noticed = console.noticed, set()
        typing, console.typing = console.typing, set()
        try:
            news = await store.read(read_news, viewer.actor, position, list(noticed), list(typing))
        except SamvadError:
            console.noticed |= noticed
            await asyncio.sleep(1)
            console.awake.set()
            continue
        moved, position = news.position != position, news.position
        if news or moved:
            data = json.dumps(news.to_json(), separators=(",", ":"))
            await response.write(f"id: {position[0]}-{position[1]}\ndata: {data}\n\n".encode())


async def _still_here(request: web.Request, viewer: Viewer) -> bool:
    """Mark the viewer present; False when their session ended or their rights changed meanwhile."""
    store = viewer.app.store
    try:
        actor = await store.read(actor_for_session, SYSTEM, request.cookies.get(SESSION, ""))
        if actor != viewer.actor:
            return False
        await store.run(mark_seen, SYSTEM, actor.id or "")
    except NotSignedIn:
        return False
    except SamvadError:
        return True  # the database is away for a moment
    return True
