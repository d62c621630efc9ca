"""With whom a record is shared, on its page: shown, shared further, taken back."""

from dataclasses import dataclass

from aiohttp import web

from bot.errors import Conflict, InvalidInput, NotFound
from bot.records.change import delete_record
from bot.records.entity import Entity
from bot.records.permissions import allowed
from bot.records.query import Comparison, Order, Query, page
from bot.records.shares import LEVELS, SHARE
from bot.records.sharing import share_record
from bot.records.tx import Tx
from bot.web.console.door import Viewer, room, show
from bot.web.console.records.common import kind_of, may, reader_of
from bot.web.console.records.control import sentence
from bot.web.console.records.lookup import find
from bot.web.console.records.names import names_of
from bot.web.console.records.panel import panel, read_live
from bot.web.console.records.reader import Reader
from bot.web.console.records.record import writes

MOST = 100
_WHOM = {"users": "user_id", "teams": "team_id"}


@dataclass(frozen=True, slots=True)
class Shared:
    """One who sees the record by a share: what they may, who gave it, whether this reader may end it."""

    id: str
    icon: str
    name: str
    level: str
    by: str
    may_end: bool


@dataclass(frozen=True, slots=True)
class Shares:
    """All of a record, and whether this reader may share it."""

    shares: list[Shared]
    may_share: bool


def _read(tx: Tx, reader: Reader, entity: Entity, record_id: str) -> Shares:
    """One statement, and one for each kind that it is shared with."""
    if not entity.main:
        raise NotFound("Such records are not shared", kind=entity.name)
    read_live(tx, entity, record_id)
    if not allowed(tx.actor, "read", SHARE.name):
        raise NotFound("There are no shares that you see", kind=SHARE.name)
    where = (Comparison("entity", "=", entity.name), Comparison("record_id", "=", record_id))
    rows = page(tx, SHARE, Query(SHARE.name, where, (Order("id"),), limit=MOST)).rows
    links = {("users", row[name]) for row in rows for name in ("user_id", "shared_by") if row.get(name)}
    names = names_of(tx, reader, links | {("teams", row["team_id"]) for row in rows if row.get("team_id")})
    mine = writes(tx, entity, record_id)
    ends = allowed(tx.actor, "delete", SHARE.name)
    shares = [
        Shared(
            row["id"],
            "people" if row.get("team_id") else "person",
            names.get(("teams", row.get("team_id") or ""))
            or names.get(("users", row.get("user_id") or ""), ""),
            row.get("level") or "",
            names.get(("users", row.get("shared_by") or ""), ""),
            ends and (mine or (row.get("shared_by") is not None and row["shared_by"] == tx.actor.id)),
        )
        for row in rows
    ]
    return Shares(shares, mine and allowed(tx.actor, "create", SHARE.name))


async def _show(request: web.Request, viewer: Viewer, wrong: str = "") -> web.Response:
    entity, record_id, reader = kind_of(request, viewer), request.match_info["id"], reader_of(viewer)
    found: Shares = await viewer.app.store.read(_read, viewer.actor, reader, entity, record_id)
    return panel(
        request,
        viewer,
        "records/_shares.html",
        entity,
        record_id,
        wrong=wrong,
        found=found,
        levels=LEVELS,
        may_end=may(viewer, "delete", SHARE),
    )


@room
async def shares(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/records/{kind}/{id}/shares."""
    return await _show(request, viewer)


@room
async def share(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/records/{kind}/{id}/shares: show it to a colleague or a team, given as KIND/ID."""
    entity, posted, reader = kind_of(request, viewer), await request.post(), reader_of(viewer)
    kind, _, who = str(posted.get("who", "")).partition("/")
    if kind not in _WHOM or not who:
        return await _show(request, viewer, reader.say("records.wrong.share_with"))
    given = {_WHOM[kind]: who, "level": str(posted.get("level", "read"))}
    try:
        record_id = request.match_info["id"]
        await viewer.app.store.run(share_record, viewer.actor, entity.name, record_id, **given)
    except (InvalidInput, Conflict) as error:
        return await _show(request, viewer, sentence(error, SHARE, reader))
    return await _show(request, viewer)


def _take_back(tx: Tx, entity: Entity, record_id: str, share_id: str) -> None:
    where = [("id", share_id), ("entity", entity.name), ("record_id", record_id)]
    query = Query(SHARE.name, tuple(Comparison(name, "=", value) for name, value in where))
    if not page(tx, SHARE, query).rows:
        raise NotFound("This record has no such share", kind=SHARE.name)
    delete_record(tx, SHARE, share_id)


@room
async def take_back(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/records/{kind}/{id}/shares/{share}/remove."""
    entity, record_id = kind_of(request, viewer), request.match_info["id"]
    share_id = request.match_info["share"]
    await viewer.app.store.run(_take_back, viewer.actor, entity, record_id, share_id)
    return await _show(request, viewer)


def _find(tx: Tx, reader: Reader, text: str) -> list[tuple[str, str, str]]:
    """(KIND/ID, name, what they are) of colleagues and teams that may be meant."""
    found = []
    for kind in _WHOM:
        if allowed(tx.actor, "read", kind):
            some = find(tx, reader, tx.schema.entity(kind), text)
            word = reader.kind(kind, one=True)
            found += [(f"{kind}/{one}", name, beside or word) for one, name, beside in some]
    return found


@room
async def sharers(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/search/staff?q=…: colleagues and teams."""
    text = request.query.get("q", "").strip()[:100]
    found = await viewer.app.store.read(_find, viewer.actor, reader_of(viewer), text)
    return show(request, viewer, "records/_options.html", found=found)
