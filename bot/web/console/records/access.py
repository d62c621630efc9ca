"""The table of roles, to be changed by admins: what each may do to each kind, and which fields it sees."""

from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from bot.errors import Forbidden, NotFound
from bot.records.access import ACTIONS, DEFAULT, TABLE, Access
from bot.records.actor import ROLES
from bot.records.defining import set_access
from bot.records.entity import Entity
from bot.records.tx import Tx
from bot.web.console.door import Viewer, room, show
from bot.web.console.records.common import go, reader_of
from bot.web.console.records.layout import LAYOUTS

PATH = "/console/admin/access"
CHANGEABLE: tuple[str, ...] = tuple(role for role in ROLES if role != "admin")
_FIELD_MAY = ("normal", "read_only", "hidden")


@dataclass(frozen=True, slots=True)
class Row:
    """A kind of record, or a field of one, with what each role may: (role, what)."""

    name: str
    label: str
    may: Sequence[tuple[str, frozenset[str]]]


def _admins_only(viewer: Viewer) -> None:
    if viewer.actor.role != "admin":
        raise Forbidden("Only admins change who may do what")


def _kinds(viewer: Viewer) -> list[str]:
    """Every kind of record that roles have rights to: those with pages in their order, then the others."""
    known = viewer.app.store.schema.entities
    return [name for name in dict.fromkeys((*LAYOUTS, *TABLE)) if name in TABLE and name in known]


def _kind(request: web.Request, viewer: Viewer) -> Entity:
    name = request.match_info["kind"]
    if name not in _kinds(viewer):
        raise NotFound(f"There is no kind {name[:40]!r}", kind=name[:40])
    return viewer.app.store.schema.entity(name)


@room
async def matrix(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/admin/access."""
    _admins_only(viewer)
    access, reader = viewer.app.store.schema.access, reader_of(viewer)
    rows = [
        Row(kind, reader.kind(kind), [(role, access.actions(role, kind)) for role in CHANGEABLE])
        for kind in _kinds(viewer)
    ]
    return show(
        request,
        viewer,
        "records/access.html",
        rows=rows,
        roles=CHANGEABLE,
        actions=ACTIONS,
        path=PATH,
    )


def _set(tx: Tx, kind: str, wanted: dict[str, frozenset[str]]) -> None:
    """Set the cells of a kind that differ; one that is as Samvad comes with needs no rule."""
    tx.require("update", "access_rules")
    for role, actions in wanted.items():
        if actions == tx.schema.access.actions(role, kind):
            continue
        usual = actions == DEFAULT.actions(role, kind)
        set_access(tx, role, kind, None if usual else " ".join(sorted(actions)) or "none")


@room
async def set_kind(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/admin/access/{kind}: what every role may do to it."""
    _admins_only(viewer)
    entity, posted = _kind(request, viewer), await request.post()
    wanted: dict[str, frozenset[str]] = {}
    for role in CHANGEABLE:
        chosen = frozenset(action for action in ACTIONS if posted.get(f"{role}.{action}"))
        # Who may change records must be able to see them.
        wanted[role] = chosen | {"read"} if chosen else chosen
    await viewer.app.store.run(_set, viewer.actor, entity.name, wanted)
    return go(request, f"{PATH}#{entity.name}")


@room
async def fields(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/admin/access/{kind}: its fields, as each role sees them."""
    _admins_only(viewer)
    entity, reader = _kind(request, viewer), reader_of(viewer)
    access = viewer.app.store.schema.access
    rows = [
        Row(
            name,
            reader.label(entity, name),
            [(role, frozenset({_state(access, role, entity.name, name)})) for role in CHANGEABLE],
        )
        for name in _names(entity)
    ]
    return show(
        request,
        viewer,
        "records/access_fields.html",
        rows=rows,
        roles=CHANGEABLE,
        states=_FIELD_MAY,
        kind=entity.name,
        title=reader.say("access.fields_of", kind=reader.kind(entity.name)),
        path=PATH,
    )


def _names(entity: Entity) -> list[str]:
    extras = entity.extras.names if entity.extras is not None else ()
    plain = [name for name, spec in entity.fields.items() if not spec.internal]
    return [name for name in (*plain, *extras) if name not in ("id", "deleted_at", "version")]


def _state(access: Access, role: str, kind: str, name: str) -> str:
    if access.hides(role, kind, name):
        return "hidden"
    return "read_only" if access.locks(role, kind, name) else "normal"


def _set_fields(tx: Tx, kind: str, wanted: dict[tuple[str, str], str]) -> None:
    tx.require("update", "access_rules")
    for (role, name), state in wanted.items():
        if state != _state(tx.schema.access, role, kind, name):
            set_access(tx, role, kind, None if state == "normal" else state, field=name)


@room
async def set_fields(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/admin/access/{kind}/fields."""
    _admins_only(viewer)
    entity, posted = _kind(request, viewer), await request.post()
    wanted = {
        (role, name): state
        for name in _names(entity)
        for role in CHANGEABLE
        if (state := str(posted.get(f"{role}.{name}", ""))) in _FIELD_MAY
    }
    await viewer.app.store.run(_set_fields, viewer.actor, entity.name, wanted)
    return go(request, f"{PATH}/{entity.name}")
