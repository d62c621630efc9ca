"""`/widget/ws`: what a page and we say to each other, one JSON object a frame.

The page says hello and gets its conversation; each message of the visitor is acknowledged once it is
stored; whatever leaves to the visitor, or was written in another tab, is pushed.
"""

import asyncio
import contextlib
import json
from typing import Any

from aiohttp import WSMsgType, web

from bot.channels.webchat import inbound_from_page
from bot.errors import InvalidInput, SamvadError
from bot.messages import Parsed
from bot.records.actor import SYSTEM
from bot.web.keys import APP
from bot.web.pages.site import direction
from bot.web.widget.hub import HUB, PER_S, Page
from bot.web.widget.script import texts
from bot.web.widget.thread import read_thread, to_page
from bot.web.widget.visitor import recognise

MAX_FRAME = 32 * 1024
HELLO_S = 15.0


async def socket(request: web.Request) -> web.WebSocketResponse:
    """Serve one page until it closes. It may be embedded in any site: nothing here reads a cookie."""
    link = web.WebSocketResponse(max_msg_size=MAX_FRAME, heartbeat=25.0, compress=False)
    await link.prepare(request)
    hub = request.app[HUB]
    page: Page | None = None
    pusher: asyncio.Task[None] | None = None
    try:
        page = await _welcome(request.app, link)
        if page is None:
            return link
        hub.pages.add(page)
        page.awake.set()  # what came between reading and listening
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
    """Wait for the hello, answer with the conversation so far; None when the page went away or babbles."""
    app = web_app[APP]
    try:
        first = await link.receive(HELLO_S)
    except TimeoutError:
        return None
    hello = _decode(first.data) if first.type is WSMsgType.TEXT else None
    if hello is None or hello.get("type") != "hello":
        return None
    visitor, token = recognise(app, hello.get("token"))
    lang = hello.get("lang")
    languages = app.profile.languages
    page = Page(link, visitor, lang if isinstance(lang, str) and lang in languages else languages[0])
    thread = await app.store.read(read_thread, SYSTEM, visitor)
    page.conversation_id, page.owner = thread.conversation_id, thread.owner
    page.seen = {row["id"] for row in thread.messages}
    after = hello.get("after")
    new = [row for row in thread.messages if not isinstance(after, str) or row["id"] > after]
    await link.send_json(
        {
            "type": "welcome",
            "token": token,
            "visitor": visitor,
            "business": app.profile.name,
            "lang": page.lang,
            "dir": direction(page.lang),
            "owner": page.owner,
            "texts": texts(app.words, page.lang, app.profile.name),
            "messages": [to_page(row, visitor, app) for row in new],
        }
    )
    return page


async def _read(web_app: web.Application, page: Page) -> None:
    """Take in the visitor's messages until the page closes."""
    async for frame in page.socket:
        if frame.type is not WSMsgType.TEXT:
            continue
        data = _decode(frame.data)
        reply = await _take(web_app, page, data)
        with contextlib.suppress(ConnectionError):
            await page.socket.send_json(reply)


async def _take(web_app: web.Application, page: Page, data: dict[str, Any] | None) -> dict[str, Any]:
    """Store one message; returns what to tell the page."""
    app = web_app[APP]
    client_id = data.get("id") if data else None
    if not web_app[HUB].may_send(page.visitor):
        text = app.words.say("widget.too_fast", page.lang)
        return {"type": "error", "id": client_id, "code": "too_fast", "text": text, "retry_after": PER_S}
    try:
        if data is None:
            raise InvalidInput("not a JSON object")
        message = inbound_from_page(data, page.visitor)
        web_app[HUB].expect(page.visitor)
        await app.receive(Parsed(messages=(message,)), "webchat")
    except SamvadError as error:
        text = app.words.say(error.locale_key, page.lang)
        return {"type": "error", "id": client_id, "code": error.code, "text": text}
    return {"type": "accepted", "id": client_id}


async def _push(web_app: web.Application, page: Page) -> None:
    """Send what is new each time the page is woken."""
    app = web_app[APP]
    while True:
        await page.awake.wait()
        page.awake.clear()
        try:
            thread = await app.store.read(read_thread, SYSTEM, page.visitor)
            page.conversation_id = thread.conversation_id
            if thread.owner != page.owner:
                page.owner = thread.owner
                await page.socket.send_json({"type": "owner", "owner": page.owner})
            for row in thread.messages:
                if row["id"] not in page.seen:
                    page.seen.add(row["id"])
                    await page.socket.send_json(
                        {"type": "message", "message": to_page(row, page.visitor, app)}
                    )
        except ConnectionError:
            return
        except SamvadError:
            await asyncio.sleep(1)  # the database is away for a moment: look again
            page.awake.set()


def _decode(data: str) -> dict[str, Any] | None:
    try:
        value = json.loads(data)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
