"""`/widget/ws`: what a page and we say to each other, one JSON object a frame.

The page says hello and gets its conversation; each message of the visitor is acknowledged once it is
stored; whatever leaves to the visitor, or was written in another tab, is pushed.
"""

import asyncio
import contextlib
import json
from typing import Any

from aiohttp import WSMsgType, web

from bot.errors import SamvadError
from bot.records.actor import SYSTEM
from bot.web.keys import APP
from bot.web.peer import caller_of
from bot.web.widget.arrive import arrive
from bot.web.widget.frames import take
from bot.web.widget.hub import HUB, Page
from bot.web.widget.identity import users_of
from bot.web.widget.origins import may_embed
from bot.web.widget.thread import read_thread, to_page, unread_of

MAX_FRAME = 32 * 1024
HELLO_S = 15.0
NOT_HERE = 4403
"""Close code for a site that may not embed the widget: the page must not come back."""


async def socket(request: web.Request) -> web.WebSocketResponse:
    """Serve one page until it closes. No cookie is read: an embedding site cannot borrow anybody's rights."""
    link = web.WebSocketResponse(max_msg_size=MAX_FRAME, heartbeat=25.0, compress=False)
    await link.prepare(request)
    hub = request.app[HUB]
    page: Page | None = None
    pusher: asyncio.Task[None] | None = None
    try:
        if not may_embed(request):
            await link.close(code=NOT_HERE, message=b"SAMVAD_WIDGET_ORIGINS")
            return link
        page = await _welcome(request.app, link)
        if page is None:
            return link
        forwarded = ",".join(request.headers.getall("X-Forwarded-For", ()))
        trusted = request.app[APP].settings.trusted_networks
        page.host = caller_of(request.remote or "", forwarded, trusted)
        hub.pages.add(page)
        page.look()  # what came between reading and listening
        pusher = asyncio.create_task(_push(request.app, page))
        await _read(request.app, page)
    finally:
        if page is not None:
            hub.leave(page)
        if pusher is not None:
            pusher.cancel()
            await asyncio.gather(pusher, return_exceptions=True)
        await link.close()
    return link


async def _welcome(web_app: web.Application, link: web.WebSocketResponse) -> Page | None:
    """Wait for the hello and answer it; None when the page went away or babbles."""
    try:
        first = await link.receive(HELLO_S)
    except TimeoutError:
        return None
    hello = _decode(first.data) if first.type is WSMsgType.TEXT else None
    if hello is None or hello.get("type") != "hello":
        return None
    return await arrive(web_app, link, hello)


async def _read(web_app: web.Application, page: Page) -> None:
    """Take in what the page says until it closes."""
    async for frame in page.socket:
        if frame.type is not WSMsgType.TEXT:
            continue
        reply = await take(web_app, page, _decode(frame.data))
        if reply is not None:
            with contextlib.suppress(ConnectionError):
                await page.socket.send_json(reply)


async def _push(web_app: web.Application, page: Page) -> None:
    """Send what is new each time the page is woken."""
    while True:
        await page.awake.wait()
        page.awake.clear()
        try:
            if page.agent_types:
                page.agent_types = False
                await page.socket.send_json({"type": "typing"})
            if page.news:
                page.news = False
                await _push_news(web_app, page)
        except ConnectionError:
            return
        except SamvadError:
            await asyncio.sleep(1)  # the database is away for a moment: look again
            page.look()


async def _push_news(web_app: web.Application, page: Page) -> None:
    app = web_app[APP]
    users = await app.store.read(users_of, SYSTEM, page.visitor)
    if users and not page.user:
        await page.socket.close()  # a user signed in as this visitor elsewhere: say hello again
        return
    thread = await app.store.read(read_thread, SYSTEM, page.visitor)
    page.conversation_id = thread.conversation_id
    page.unread = unread_of(thread)
    if (thread.owner, thread.away) != (page.owner, page.away):
        page.owner, page.away = thread.owner, thread.away
        await page.socket.send_json({"type": "owner", "owner": page.owner, "away": page.away})
    for row in thread.messages:
        if row["id"] not in page.seen:
            page.seen.add(row["id"])
            await page.socket.send_json(
                {"type": "message", "message": to_page(row, page.visitor, app.runtime.links)}
            )


def _decode(data: str) -> dict[str, Any] | None:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
