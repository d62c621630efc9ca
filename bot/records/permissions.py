"""Who may do what: asked by every write path and compiled into every read.

Questions and functions: `require` (may this role do this to such records?), `row_filter` (which rows?),
`visible` (which fields?), `writable` (which of them may be changed?).
"""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from bot.errors import Forbidden
from bot.records.access import BOT_WRITES, Action
from bot.records.actor import Actor
from bot.records.entity import Entity
from bot.records.shares import shared_with
from bot.storage import Id

__all__ = ["Action", "allowed", "of_visible", "require", "row_filter", "through", "visible", "writable"]
MOST_WAYS = 5
"""Territories that are a way of seeing each."""


def allowed(actor: Actor, action: Action, entity: str) -> bool:
    """Whether this actor may do this to records of this kind at all (rows are narrowed by `row_filter`)."""
    if actor.kind == "system":
        return True
    if actor.kind == "bot":
        return (entity in BOT_WRITES and action != "delete") or action == "read"
    if actor.scopes is not None and not _in_scope(actor.scopes, action, entity):
        return False
    return actor.role is not None and action in actor.access.actions(actor.role, entity)


def _in_scope(scopes: frozenset[str], action: Action, entity: str) -> bool:
    wanted = "read" if action == "read" else "write"
    return any(f"{kind}:{wanted}" in scopes for kind in (entity, "*"))


def require(actor: Actor, action: Action, entity: str) -> None:
    """Raise Forbidden unless `allowed`."""
    if allowed(actor, action, entity):
        return
    role = actor.role or actor.kind
    if actor.scopes is not None and allowed(_without_scopes(actor), action, entity):
        wanted = "read" if action == "read" else "write"
        raise Forbidden(
            f"This key may not {action} {entity}: it lacks the scope {entity}:{wanted}",
            scope=f"{entity}:{wanted}",
        )
    raise Forbidden(f"A {role} may not {action} {entity}. Ask an admin for a role that may.")


def _without_scopes(actor: Actor) -> Actor:
    return Actor(actor.kind, actor.id, actor.role, access=actor.access)


def row_filter(actor: Actor, entity: Entity, *, writing: bool = False) -> sa.ColumnElement[bool] | None:
    """The rows of `entity` this actor may see, or with `writing` may change, as a condition; None: all.

    Reps see what they own, what their team owns and what nobody owns; agents their team's and what no team
    has; both what lies in their territories and what is shared with them. What is shared to be read is not
    theirs to change.
    """
    if actor.kind != "user" or entity.scope == "open":
        return None
    if entity.scope == "parent":
        assert entity.parent is not None
        return entity.parent(actor, writing)
    if entity.scope == "own":  # whoever sees all records of the business, these are theirs alone
        column = entity.table.c[entity.owner_column]
        return column == actor.id
    if actor.sees_everything:
        return None
    return sa.or_(*_ways(actor, entity, writing=writing))


def ways_of_seeing(actor: Actor, entity: Entity) -> tuple[sa.ColumnElement[bool], ...]:
    """The conditions any of which lets this actor see a row of an owned kind, each served by an index; none
    where `row_filter` is not made of such."""
    if actor.sees_everything or entity.scope != "owned":
        return ()
    return tuple(_ways(actor, entity, writing=False))


def _told(value: str | None) -> sa.BindParameter[str]:
    """An id that stands in the statement itself: whose records they are decides how the database should look
    for them, and a plan made for anybody reads the records of all."""
    return sa.bindparam(None, value, type_=Id, literal_execute=True)


def _ways(actor: Actor, entity: Entity, *, writing: bool) -> list[sa.ColumnElement[bool]]:
    table = entity.table
    owner = table.c[entity.owner_column]
    team = table.c["team_id"]
    mine: list[sa.ColumnElement[bool]] = [owner == _told(actor.id)]
    if actor.team_id is not None:
        mine.append(team == _told(actor.team_id))
    # Within a team an agent takes over whatever nobody has taken yet.
    mine.append(team.is_(None) if actor.role == "agent" else sa.and_(owner.is_(None), team.is_(None)))
    if entity.main:
        mine += _in_territories(actor, table.c.territory_id)
        mine.append(table.c.id.in_(shared_with(actor, entity.name, writing=writing)))
    return mine


def _in_territories(actor: Actor, column: sa.ColumnElement[Any]) -> list[sa.ColumnElement[bool]]:
    """A way for each territory; for many of them one, as each way is a search of its own."""
    if len(actor.territory_ids) <= MOST_WAYS:
        return [column == _told(territory) for territory in actor.territory_ids]
    ids = [*actor.territory_ids]
    return [column.in_(sa.bindparam(None, ids, type_=Id, expanding=True, literal_execute=True))]


def through(
    actor: Actor, entity: Entity, column: sa.ColumnElement[Any], *, writing: bool = False
) -> sa.ColumnElement[bool] | None:
    """The condition that rows hang, by the id in `column`, on a record of this kind that is not deleted and
    that this actor may see, or change; None: any."""
    if actor.kind != "user":
        return None
    if not allowed(actor, "update" if writing else "read", entity.name):
        return sa.false()
    mine = row_filter(actor, entity, writing=writing)
    if mine is None:
        # Who sees all records: looked up row by row, as a list of all live records would be long.
        gone = entity.table.alias()
        return ~sa.exists().where(gone.c.id == column, gone.c.deleted_at.is_not(None))
    return column.in_(sa.select(entity.table.c.id).where(mine, entity.table.c.deleted_at.is_(None)))


def of_visible(
    actor: Actor,
    entities: Iterable[Entity],
    kind: sa.ColumnElement[Any],
    record_id: sa.ColumnElement[Any],
    *,
    writing: bool = False,
    deleted: bool = False,
) -> sa.ColumnElement[bool] | None:
    """The condition that the record which two columns name is one that the actor sees, or may change, of one
    of these kinds, and with `deleted` perhaps a deleted one; None: any."""
    if actor.kind != "user":
        return None
    conditions: list[sa.ColumnElement[bool]] = []
    for entity in entities:
        if not allowed(actor, "update" if writing else "read", entity.name):
            continue
        if not deleted:
            theirs = through(actor, entity, record_id, writing=writing)
            assert theirs is not None
            conditions.append(sa.and_(kind == entity.name, theirs))
            continue
        mine = row_filter(actor, entity, writing=writing)
        if mine is None:
            conditions.append(kind == entity.name)
        else:
            seen: Any = sa.select(entity.table.c.id).where(mine)
            conditions.append(sa.and_(kind == entity.name, record_id.in_(seen)))
    return sa.or_(sa.false(), *conditions)


def visible(actor: Actor, entity: Entity, field: str) -> bool:
    """Whether a field exists for this actor. A hidden field is an unknown field, on every path."""
    spec = entity.fields.get(field)
    if spec is None:
        if entity.extras is None or field not in entity.extras.names:
            return False
    elif spec.internal:
        return False
    only_for = spec.only_for if spec is not None else ()
    if actor.kind != "user" or actor.role is None:
        return actor.kind == "system" or not only_for
    if only_for and actor.role not in only_for:
        return False
    return not actor.access.hides(actor.role, entity.name, field)


def writable(actor: Actor, entity: Entity, field: str) -> bool:
    """Whether this actor may change a field that they see."""
    if actor.kind != "user" or actor.role is None:
        return True
    return visible(actor, entity, field) and not actor.access.locks(actor.role, entity.name, field)
