"""Who may do what: one table, asked by every write path and compiled into every read.

Three questions, three functions: `require` (may this role do this to such records?), `row_filter`
(which rows?), `visible` (which fields?).
"""

from typing import TYPE_CHECKING, Literal

import sqlalchemy as sa

from bot.errors import Forbidden
from bot.records.actor import Actor

if TYPE_CHECKING:
    from bot.records.entity import Entity

Action = Literal["read", "create", "update", "delete"]
_ALL = frozenset({"read", "create", "update", "delete"})
_RW = frozenset({"read", "create", "update"})
_R = frozenset({"read"})
_NONE: frozenset[str] = frozenset()

# entity -> role -> actions. What is not here is forbidden. Admins may do everything.
_TABLE: dict[str, dict[str, frozenset[str]]] = {
    "contacts": {"agent": _RW, "rep": _RW, "manager": _ALL, "marketer": _R},
    "identities": {"agent": _RW, "rep": _RW, "manager": _ALL, "marketer": _R},
    "accounts": {"agent": _R, "rep": _RW, "manager": _ALL, "marketer": _R},
    "leads": {"agent": _RW, "rep": _RW, "manager": _ALL, "marketer": _R},
    "cases": {"agent": _RW, "rep": _R, "manager": _ALL},
    "activities": {"agent": _RW, "rep": _RW, "manager": _ALL},
    "conversations": {"agent": _RW, "rep": _RW, "manager": _ALL},
    "messages": {"agent": _RW, "rep": _RW, "manager": _RW},
    "articles": {"agent": _RW, "rep": _R, "manager": _ALL, "marketer": _RW},
    "consents": {"agent": _R, "rep": _R, "manager": _R, "marketer": _R},
    "events": {"agent": _R, "rep": _R, "manager": _R},
    "users": {"agent": _R, "rep": _R, "manager": _R, "marketer": _R},
    "teams": {"agent": _R, "rep": _R, "manager": _R, "marketer": _R},
    "channel_accounts": {"manager": _R},
    "templates": {"agent": _R, "rep": _R, "manager": _RW, "marketer": _R},
    "outbox": {"agent": _RW, "rep": _RW, "manager": _RW},
    "business": {"agent": _R, "rep": _R, "manager": _RW, "marketer": _R},
    "timers": {"manager": _R},
    "notifications": {"agent": _RW, "rep": _RW, "manager": _RW, "marketer": _RW},
}
# The bot serves one contact at a time and writes only these.
_BOT: frozenset[str] = frozenset(
    {
        *("contacts", "identities", "leads", "cases", "activities", "conversations", "messages"),
        *("consents", "timers", "outbox", "notifications"),
    }
)


def allowed(actor: Actor, action: Action, entity: str) -> bool:
    """Whether this actor may do this to records of this kind at all (rows are narrowed by `row_filter`)."""
    if actor.kind == "system":
        return True
    if actor.kind == "bot":
        return (entity in _BOT and action != "delete") or action == "read"
    if actor.role == "admin":
        return True
    return action in _TABLE.get(entity, {}).get(actor.role or "", _NONE)


def require(actor: Actor, action: Action, entity: str) -> None:
    """Raise Forbidden unless `allowed`."""
    if not allowed(actor, action, entity):
        role = actor.role or actor.kind
        raise Forbidden(f"A {role} may not {action} {entity}. Ask an admin for a role that may.")


def row_filter(actor: Actor, entity: "Entity") -> sa.ColumnElement[bool] | None:
    """The rows of `entity` this actor may see, as a condition; None: all of them.

    Reps see what they own, what their team owns and what nobody owns; agents their team's and nobody's.
    """
    if actor.sees_everything or entity.scope == "open":
        return None
    if entity.scope == "own":
        column = entity.table.c[entity.owner_column]
        return column == actor.id
    if entity.scope == "parent":
        assert entity.parent is not None
        return entity.parent(actor)
    table = entity.table
    owner = table.c[entity.owner_column]
    team = table.c["team_id"]
    mine: list[sa.ColumnElement[bool]] = [owner == actor.id]
    if actor.team_id is not None:
        mine.append(team == actor.team_id)
    nobody = sa.and_(owner.is_(None), team.is_(None))
    if actor.role == "agent":
        # Within a team an agent takes over whatever nobody has taken yet.
        nobody = team.is_(None)
    return sa.or_(*mine, nobody)


def visible(actor: Actor, entity: "Entity", field: str) -> bool:
    """Whether a field exists for this actor. A hidden field is an unknown field, on every path."""
    spec = entity.fields.get(field)
    if spec is None or spec.internal:
        return False
    return not spec.only_for or actor.kind == "system" or actor.role in spec.only_for
