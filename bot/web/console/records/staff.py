"""Beside a user's fields: leaving with a hand-over of work, coming back, keys, a new password."""

from dataclasses import dataclass, field

from aiohttp import web

from bot.crm.api_key import keys_of, make_api_key, revoke_key
from bot.crm.leaving import deactivate, open_work, reactivate
from bot.crm.user import USER, set_password
from bot.errors import SamvadError
from bot.records.permissions import allowed
from bot.records.tx import Record, Tx
from bot.records.write import get
from bot.web.console.door import Viewer, room, show
from bot.web.console.records.common import reader_of


@dataclass(frozen=True, slots=True)
class Account:
    """A user's keys, and the open work that somebody takes over when they leave."""

    user: Record
    keys: list[Record]
    work: dict[str, int] = field(default_factory=dict)


def _read(tx: Tx, user_id: str) -> Account:
    user = get(tx, USER, user_id)
    work = open_work(tx, user_id) if allowed(tx.actor, "update", USER.name) else {}
    return Account(user, keys_of(tx, user_id), work)


async def _show(
    request: web.Request, viewer: Viewer, *, key: str = "", told: str = "", status: int = 200
) -> web.Response:
    user_id = request.match_info["id"]
    found: Account = await viewer.app.store.read(_read, viewer.actor, user_id)
    return show(
        request,
        viewer,
        "records/_account.html",
        status=status,
        found=found,
        reader=reader_of(viewer),
        made=key,
        told=told,
        may_manage=allowed(viewer.actor, "update", USER.name),
        here_path=f"/console/records/users/{user_id}",
    )


@room
async def account(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/records/users/{id}/account."""
    return await _show(request, viewer)


async def _told(request: web.Request, viewer: Viewer, error: SamvadError) -> web.Response:
    """What was refused, beside what was asked for."""
    reader = reader_of(viewer)
    own = f"users.wrong.{error.data.get('field', '')}"
    text = reader.say(own if reader.words.has(own) else error.locale_key)
    return await _show(request, viewer, told=text, status=error.status)


@room
async def leave(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST …/leave: they sign in no more; their open work goes to a colleague or a team."""
    posted = await request.post()
    to = {name: str(posted.get(name, "")) or None for name in ("to_user", "to_team")}
    try:
        await viewer.app.store.run(deactivate, viewer.actor, request.match_info["id"], **to)
    except SamvadError as error:
        return await _told(request, viewer, error)
    return web.Response(headers={"HX-Refresh": "true"})


@room
async def come_back(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST …/return."""
    await viewer.app.store.run(reactivate, viewer.actor, request.match_info["id"])
    return web.Response(headers={"HX-Refresh": "true"})


@room
async def make_key(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST …/keys: a new key, shown this once."""
    posted = await request.post()
    scopes = str(posted.get("scopes", "")).replace(",", " ").split()
    name = str(posted.get("name", ""))
    try:
        key = await viewer.app.store.run(
            make_api_key, viewer.actor, request.match_info["id"], name=name, scopes=scopes
        )
    except SamvadError as error:
        return await _told(request, viewer, error)
    return await _show(request, viewer, key=key)


@room
async def end_key(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST …/keys/{key}/end."""
    await viewer.app.store.run(revoke_key, viewer.actor, request.match_info["key"])
    return await _show(request, viewer)


@room
async def password(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST …/password: a new one, given by an admin; their sessions end."""
    posted = await request.post()
    given = str(posted.get("password", ""))
    try:
        await viewer.app.store.run(set_password, viewer.actor, request.match_info["id"], given)
    except SamvadError as error:
        return await _told(request, viewer, error)
    return await _show(request, viewer, told=reader_of(viewer).say("users.password_done"))
