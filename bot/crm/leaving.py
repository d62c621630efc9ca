"""When staff leave: their keys and sessions end, and their open work goes to somebody else."""

from typing import Any

import sqlalchemy as sa

from bot.crm.api_key import revoke_keys_of
from bot.crm.case import CASE
from bot.crm.lead import LEAD, OPEN
from bot.crm.opportunity import OPPORTUNITY
from bot.crm.series import hand_over
from bot.crm.user import USER, console_sessions, require_admin_for, require_another_admin
from bot.errors import Conflict, InvalidInput, NoSuchTarget, NotFound
from bot.records.bulk import change_all
from bot.records.entity import Entity
from bot.records.tx import Record, Tx
from bot.records.write import update

_OPEN_CASES = ("new", "open", "pending")


def _work(tx: Tx) -> list[tuple[Entity, str, list[sa.ColumnElement[bool]]]]:
    """(kind, column of the owner, what is open) of all that somebody must see to."""
    activities, conversations = tx.schema.entity("activities"), tx.schema.entity("conversations")
    return [
        (tx.schema.entity("accounts"), "owner_id", []),
        (tx.schema.entity("contacts"), "owner_id", []),
        (LEAD, "owner_id", [LEAD.table.c.status.in_(OPEN)]),
        (OPPORTUNITY, "owner_id", [OPPORTUNITY.table.c.status == "open"]),
        (CASE, "owner_id", [CASE.table.c.status.in_(_OPEN_CASES)]),
        (activities, "owner_id", [activities.table.c.done_at.is_(None), activities.table.c.kind != "note"]),
        (conversations, "assignee_id", [conversations.table.c.status == "open"]),
    ]


def open_work(tx: Tx, user_id: str) -> dict[str, int]:
    """How many open records of each kind a user has. Raises Forbidden."""
    tx.require("update", USER.name)
    counts = {}
    for entity, column, still_open in _work(tx):
        mine = _mine(entity, column, user_id, still_open)
        counts[entity.name] = int(tx.execute(sa.select(sa.func.count()).where(mine)).scalar_one())
    return {name: count for name, count in counts.items() if count}


def _mine(
    entity: Entity, column: str, user_id: str, still_open: list[sa.ColumnElement[bool]]
) -> sa.ColumnElement[bool]:
    table = entity.table
    return sa.and_(table.c[column] == user_id, table.c.deleted_at.is_(None), *still_open)


def deactivate(
    tx: Tx, user_id: str, *, to_user: str | None = None, to_team: str | None = None
) -> dict[str, int]:
    """End a user's sessions and keys, and give their open work to a user or a team; returns how many records
    of each kind went over.

    Raises Forbidden, NotFound, Conflict for the last admin and where work is open and nobody takes it,
    InvalidInput.
    """
    tx.require("update", USER.name)
    user = _user(tx, user_id)
    require_admin_for(tx, user["role"])
    if not user["active"]:
        raise Conflict("This user is not active any more")
    if user["role"] == "admin":
        require_another_admin(tx, user_id)
    to = _heir(tx, user_id, to_user, to_team)
    if to is None and (left := open_work(tx, user_id)):
        raise Conflict(
            f"They still have {', '.join(f'{count} {name}' for name, count in left.items())}; "
            "say which user or team takes over",
            field="to_user",
            open=left,
        )
    moved = {}
    for entity, column, still_open in _work(tx) if to is not None else ():
        owner, team = to or (None, None)
        values = {column: owner, "team_id": team}
        where = _mine(entity, column, user_id, still_open)
        moved[entity.name] = change_all(tx, entity, where, values, reason="their owner left")
    if to is not None:
        hand_over(tx, user_id, *to)
    revoke_keys_of(tx, user_id)
    tx.execute(console_sessions.delete().where(console_sessions.c.user_id == user_id))
    update(tx, USER, user, {"active": False}, action="deactivated")
    return {name: count for name, count in moved.items() if count}


def reactivate(tx: Tx, user_id: str) -> None:
    """Let a user who left sign in again; keys and work stay where they went."""
    tx.require("update", USER.name)
    update(tx, USER, _user(tx, user_id), {"active": True}, action="reactivated")


def _user(tx: Tx, user_id: str) -> Record:
    row = tx.row(sa.select(USER.table).where(USER.table.c.id == user_id))
    if row is None:
        raise NotFound("There is no such user")
    return row


def _heir(
    tx: Tx, user_id: str, to_user: str | None, to_team: str | None
) -> tuple[str | None, str | None] | None:
    """(owner, team) of what is handed over."""
    if to_user and to_team:
        raise InvalidInput("Work goes to one user or to one team", field="to_team")
    if to_user:
        heir: Any = _user(tx, to_user)
        if not heir["active"] or to_user == user_id:
            raise NoSuchTarget("Work goes to another user who is active", field="to_user")
        return to_user, heir["team_id"]
    if to_team:
        table = tx.schema.entity("teams").table
        there = sa.select(table.c.id).where(table.c.id == to_team, table.c.deleted_at.is_(None))
        if tx.execute(there).scalar() is None:
            raise NoSuchTarget("There is no such team", field="to_team")
        return None, to_team
    return None
