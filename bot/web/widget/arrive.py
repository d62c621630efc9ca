"""A page's hello: who its visitor is, and which conversation it shows."""

from typing import Any

from aiohttp import web

from bot.app import App
from bot.channels.webchat import identified
from bot.errors import NotSignedIn
from bot.ids import new_id
from bot.messages import Parsed
from bot.records.actor import SYSTEM
from bot.web.keys import APP
from bot.web.pages.site import direction
from bot.web.widget.hub import Page
from bot.web.widget.identity import User, read_user, users_of, visitor_of
from bot.web.widget.script import texts
from bot.web.widget.thread import Thread, read_thread, to_page, unread_of
from bot.web.widget.visitor import Visitor, recognise, token_of


async def arrive(web_app: web.Application, link: web.WebSocketResponse, hello: dict[str, Any]) -> Page:
    """Answer a hello with the conversation so far; returns the page as it is known from here on."""
    app = web_app[APP]
    refused, user = "", None
    try:
        secret = app.settings.widget_secret.get_secret_value()
        user = read_user(hello.get("user"), secret, app.profile.country)
    except NotSignedIn as error:
        refused = str(error.data["reason"])
    shown = recognise(app, hello.get("token"))
    if user is not None and user.expired and (shown is None or shown.user != user.mark):
        refused, user = "expired", None  # it lets nobody in; whose visitor is bound to it is in already
    visitor, thread, same = await _settle(app, shown, user)
    page = Page(link, visitor, _language(hello, app.profile.languages))
    page.conversation_id, page.owner, page.away = thread.conversation_id, thread.owner, thread.away
    page.seen, page.unread = {row["id"] for row in thread.messages}, unread_of(thread)
    if user is not None:
        page.name = user.name
        claims = (user.as_visitor(visitor.id), *user.addresses)
        page.identities = (*await _known_as(app, user), *claims)
        if thread.conversation_id is not None and not user.expired:
            # The same claims again are the same event: told once, not at every page.
            told = identified(visitor.id, f"user:{user.mark}:{user.digest}", claims, user.name)
            await app.receive(Parsed(messages=(told,)), "webchat")
    after = hello.get("after") if shown is not None and shown.id == visitor.id else None
    rows = [row for row in thread.messages if not isinstance(after, str) or row["id"] > after]
    await link.send_json(
        {
            "type": "welcome",
            "token": token_of(app, visitor),
            "visitor": visitor.id,
            "same": same,
            "user": user.id if user is not None else None,
            **({"user_refused": refused} if refused else {}),
            "business": app.profile.name,
            "lang": page.lang,
            "dir": direction(page.lang),
            "owner": page.owner,
            "away": page.away,
            "texts": texts(app.words, page.lang, app.profile.name),
            "messages": [to_page(row, visitor.id, app.runtime.links) for row in rows],
        }
    )
    return page


def _language(hello: dict[str, Any], languages: tuple[str, ...]) -> str:
    wanted = hello.get("lang")
    return wanted if isinstance(wanted, str) and wanted in languages else languages[0]


async def _settle(app: App, shown: Visitor | None, user: User | None) -> tuple[Visitor, Thread, bool]:
    """Whose conversation this is, its thread, and whether what the browser kept may stay. An anonymous
    visitor who signs in keeps theirs; a signed-in user without one finds the one they had elsewhere; and
    nobody gets another user's."""
    mark = user.mark if user is not None else ""
    if shown is not None and not shown.user and await app.store.read(users_of, SYSTEM, shown.id) - {mark}:
        shown, same = None, False  # kept from before a user signed in as this visitor
    else:
        same = shown is None or shown.user in ("", mark)
    if shown is not None and shown.user == mark:
        return shown, await app.store.read(read_thread, SYSTEM, shown.id), same
    mine = shown if user is not None and shown is not None and not shown.user else None
    if mine is not None:
        thread = await app.store.read(read_thread, SYSTEM, mine.id)
        if thread.conversation_id is not None:
            return Visitor(mine.id, mark), thread, same
    known = await app.store.read(visitor_of, SYSTEM, user) if user is not None else None
    visitor = Visitor(known or (mine.id if mine is not None else new_id()), mark)
    return visitor, await app.store.read(read_thread, SYSTEM, visitor.id), same


async def _known_as(app: App, user: User) -> tuple[Any, ...]:
    """The user as an earlier visitor: finds their contact when they write from another browser."""
    known = await app.store.read(visitor_of, SYSTEM, user)
    return () if known is None else (user.as_visitor(known),)
