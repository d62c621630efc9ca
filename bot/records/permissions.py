"""Who may do what: asked by every write path and compiled into every read.

Questions and functions: `require` (may this role do this to such records?), `row_filter` (which rows?),
`visible` (which fields?), `writable` (which of them may be changed?).
"""

import sqlalchemy as sa

from bot.errors import Forbidden
from bot.records.access import BOT_WRITES, Action
from bot.records.actor import Actor
from bot.records.entity import Entity
from bot.records.shares import shared_with

__all__ = ["Action", "allowed", "require", "row_filter", "visible", "writable"]


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
    if actor.sees_everything:
        return None
    if entity.scope == "own":
        column = entity.table.c[entity.owner_column]
        return column == actor.id
    table = entity.table
    owner = table.c[entity.owner_column]
    team = table.c["team_id"]
    mine: list[sa.ColumnElement[bool]] = [owner == actor.id]
    if actor.team_id is not None:
        mine.append(team == actor.team_id)
    # Within a team an agent takes over whatever nobody has taken yet.
    mine.append(team.is_(None) if actor.role == "agent" else sa.and_(owner.is_(None), team.is_(None)))
    if entity.main:
        if actor.territory_ids:
            mine.append(table.c.territory_id.in_(actor.territory_ids))
        mine.append(table.c.id.in_(shared_with(actor, entity.name, writing=writing)))
    return sa.or_(*mine)


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
