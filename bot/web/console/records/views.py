"""Views of a list: those that come with Samvad, those people keep, and which one a list opens with."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from bot.crm.view import SHARED, VIEW, begin_with, beginning_of
from bot.errors import InvalidInput, NotFound
from bot.records.actor import Actor
from bot.records.change import change_record, create_record, delete_record
from bot.records.entity import Entity
from bot.records.query import Comparison, Order, Query, page, parse
from bot.records.tx import Record, Tx
from bot.web.console.door import Viewer, room
from bot.web.console.records.asked import Asked
from bot.web.console.records.common import ROOT, go, kind_of
from bot.web.console.records.reader import Reader

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A view that comes with Samvad; its words are `view.NAME`."""

    name: str
    where: str = ""
    order: str = "id desc"


_ALL, _MINE = BuiltIn("all"), BuiltIn("mine", "owner_id = me")
_RECENT = BuiltIn("recent", "", "updated_at desc")
BUILT_IN: dict[str, tuple[BuiltIn, ...]] = {
    "contacts": (_ALL, _MINE, _RECENT),
    "accounts": (_ALL, _MINE, BuiltIn("households", "kind = household", "name"), _RECENT),
    "leads": (
        _ALL,
        BuiltIn("my_open", "owner_id = me and status in (new, working, qualified)"),
        BuiltIn("unassigned_leads", "owner_id = null and status in (new, working, qualified)"),
        BuiltIn("qualified", "status = qualified"),
        _RECENT,
    ),
    "opportunities": (
        _ALL,
        BuiltIn("my_open_opportunities", "owner_id = me and status = open", "close_date"),
        BuiltIn("closing_this_month", "status = open and close_date = this month", "close_date"),
        BuiltIn("late", "status = open and close_date < today", "close_date"),
        BuiltIn("won_this_quarter", "status = won and closed_at = this quarter", "closed_at desc"),
        _RECENT,
    ),
    "cases": (
        _ALL,
        BuiltIn("my_open", "owner_id = me and status in (new, open, pending)"),
        BuiltIn("unassigned_cases", "owner_id = null and status in (new, open, pending)"),
        BuiltIn("urgent", "priority in (high, urgent) and status in (new, open, pending)", "priority desc"),
        _RECENT,
    ),
    "activities": (
        _ALL,
        BuiltIn("my_tasks", "owner_id = me and kind = task and done_at = null", "due_at"),
        BuiltIn("overdue", "done_at = null and due_at < today", "due_at"),
        BuiltIn("due_today", "done_at = null and due_at = today", "due_at"),
        BuiltIn("calls", "kind = call"),
        _RECENT,
    ),
}


@dataclass(frozen=True, slots=True)
class Saved:
    """A view as its list offers it: `key` stands in the address; `mine` may be changed by this reader."""

    key: str
    content: Mapping[str, Any]
    mine: bool = False
    default: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """A view in the menu."""

    key: str
    name: str
    chosen: bool
    mine: bool
    default: bool
    shared: str


def views_of(tx: Tx, entity: Entity) -> list[Saved]:
    """What the actor may choose from: Samvad's own first."""
    default = beginning_of(tx, entity.name)
    found = [
        Saved(
            one.name,
            {"name": one.name, "condition": one.where, "sort": one.order, "columns": (), "shared": ""},
        )
        for one in BUILT_IN.get(entity.name, (_ALL,))
    ]
    query = Query("views", (Comparison("entity", "=", entity.name),), (Order("name"), Order("id")), limit=200)
    for row in page(tx, VIEW, query).rows:
        if row["owner_id"] == tx.actor.id or row["shared"] != "me":
            mine = row["owner_id"] == tx.actor.id or tx.actor.role == "admin"
            found.append(Saved(row["id"], row, mine))
    return [Saved(one.key, one.content, one.mine, one.key == default) for one in found]


def chosen(saved: Sequence[Saved], key: str, *, changed: bool) -> Saved | None:
    """The view that the address names; where it says nothing at all, the one the list opens with."""
    if key or changed:
        return next((one for one in saved if one.key == key), None)
    return next((one for one in saved if one.default), saved[0])


def content(view: Saved) -> Mapping[str, Any]:
    """What a view shows."""
    return view.content


def choices(saved: Sequence[Saved], reader: Reader, key: str) -> list[Choice]:
    """The menu of views."""
    now = chosen(saved, key, changed=False)
    return [
        Choice(
            one.key,
            one.content["name"] if _ID.fullmatch(one.key) else reader.say(f"view.{one.content['name']}"),
            now is not None and one.key == now.key,
            one.mine,
            one.default,
            one.content["shared"],
        )
        for one in saved
    ]


def may_share(actor: Actor) -> tuple[str, ...]:
    """With whom this actor may share a view."""
    team = ("team",) if actor.team_id else ()
    return ("me", *team, *(("all",) if actor.role in ("admin", "manager") else ()))


def _keep(tx: Tx, entity: Entity, view: str, given: dict[str, Any], default: bool) -> str:
    """Keep a view under its name: a new one, or the one it began with."""
    parse(tx.schema, tx.schema.of(entity), tx.actor, where=given["condition"], order=given["sort"])
    if view:
        view = change_record(tx, VIEW, view, given)["id"]
    else:
        view = create_record(tx, VIEW, {**given, "entity": entity.name})["id"]
    if default:
        begin_with(tx, entity.name, view)
    return view


@room
async def save(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/records/{kind}/views: keep the list as it is now shown."""
    entity, form = kind_of(request, viewer), await request.post()
    asked = Asked("", str(form.get("where", "")).strip(), str(form.get("q", "")).strip())
    shared = str(form.get("shared", "me"))
    given: dict[str, Any] = {
        "name": str(form.get("name", "")).strip(),
        "condition": asked.condition,
        "sort": str(form.get("order", "")).strip(),
        "columns": [name for name in str(form.get("columns", "")).split(",") if name],
        "shared": shared if shared in SHARED else "me",
    }
    if not given["name"]:
        raise InvalidInput("A view needs a name", field="name")
    over = str(form.get("view", "")) if form.get("over") and _ID.fullmatch(str(form.get("view", ""))) else ""
    key = await viewer.app.store.run(_keep, viewer.actor, entity, over, given, bool(form.get("default")))
    return go(request, Asked(key).address(f"{ROOT}/{entity.name}"))


def _begin(tx: Tx, entity: Entity, view: str) -> None:
    tx.require("read", entity.name)
    if view not in {one.key for one in views_of(tx, entity)}:
        raise NotFound("There is no such view", kind="views")
    begin_with(tx, entity.name, view)


@room
async def make_default(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/records/{kind}/views/default: what this reader's list opens with."""
    entity, form = kind_of(request, viewer), await request.post()
    view = str(form.get("view", ""))
    await viewer.app.store.run(_begin, viewer.actor, entity, view)
    return go(request, Asked(view).address(f"{ROOT}/{entity.name}"))


def _drop(tx: Tx, view: str) -> Record | None:
    delete_record(tx, VIEW, view)
    return None


@room
async def remove(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/records/{kind}/views/{view}/remove."""
    entity = kind_of(request, viewer)
    await viewer.app.store.run(_drop, viewer.actor, request.match_info["view"])
    return go(request, f"{ROOT}/{entity.name}")
