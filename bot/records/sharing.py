"""Sharing: who may change a record may let a user or a team read or change it."""

from typing import Any

import sqlalchemy as sa

from bot.errors import Conflict, Forbidden, InvalidInput, NotFound
from bot.records.entity import Entity
from bot.records.permissions import row_filter
from bot.records.shares import LEVELS, SHARE
from bot.records.tx import Record, Tx
from bot.records.write import create, update

_table = SHARE.table
_FIXED = frozenset({"entity", "record_id", "user_id", "team_id"})


def prepare_share(tx: Tx, before: Record | None, values: dict[str, Any]) -> None:
    """Asked whenever a share is made or changed: one user or one team, and a record the actor may change."""
    if before is not None and _FIXED & values.keys():
        raise InvalidInput("A share stays with its record and person; only its level changes", field="level")
    both = {**(before or {}), **values}
    kind = tx.schema.entities.get(both["entity"])
    if kind is None or not kind.main:
        kinds = [name for name, entity in tx.schema.entities.items() if entity.main]
        raise InvalidInput(f"Shared are {', '.join(kinds)}", field="entity", expected=kinds)
    if before is None and tx.actor.kind == "user" and both.get("user_id") == tx.actor.id:
        raise Conflict("Nobody shares a record with themselves", field="user_id")
    if (both.get("user_id") is None) == (both.get("team_id") is None):
        raise InvalidInput("A record is shared with one user or one team", field="user_id")
    _require(tx, kind, both["record_id"])
    if before is None:
        values["shared_by"] = tx.actor.id
        if _find(tx, kind.name, both["record_id"], both.get("user_id"), both.get("team_id")) is not None:
            raise Conflict("This record is shared with them already; change that share", field="record_id")


def guard_share(tx: Tx, row: Record) -> None:
    """Who made a share takes it back, and so does who may change the record."""
    if row["shared_by"] is None or row["shared_by"] != tx.actor.id:
        _require(tx, tx.schema.entity(row["entity"]), row["record_id"])


def revive_share(_tx: Tx, _row: Record) -> None:
    """What was taken back stays so: who has lost the record would give it to themselves again."""
    raise Conflict("A share that was taken back is not restored; share it anew")


def _require(tx: Tx, kind: Entity, record_id: str) -> None:
    tx.require("update", kind.name)
    table = kind.table
    there = sa.select(table.c.id).where(table.c.id == record_id, table.c.deleted_at.is_(None))
    for writing in (True, False):
        mine = row_filter(tx.actor, kind, writing=writing)
        if tx.execute(there if mine is None else there.where(mine)).scalar() is not None:
            if writing:
                return
            raise Forbidden("Only who may change a record may share it")
    raise NotFound(f"There is no such record in {kind.name}", kind=kind.name)


def _find(tx: Tx, kind: str, record_id: str, user_id: str | None, team_id: str | None) -> Record | None:
    whom = _table.c.user_id == user_id if user_id is not None else _table.c.team_id == team_id
    there = sa.select(_table).where(_table.c.entity == kind, _table.c.record_id == record_id, whom)
    return tx.row(there.where(_table.c.deleted_at.is_(None)))


def share_record(
    tx: Tx,
    kind: str,
    record_id: str,
    *,
    user_id: str | None = None,
    team_id: str | None = None,
    level: str = "read",
) -> str:
    """Share a record with a user or a team, or change how; returns the share's id.

    Raises Forbidden, NotFound, InvalidInput.
    """
    if level not in LEVELS:
        raise InvalidInput(f"A record is shared to {' or '.join(LEVELS)}", field="level", expected=[*LEVELS])
    known = _find(tx, kind, record_id, user_id, team_id) if bool(user_id) != bool(team_id) else None
    if known is not None:
        # One that came of taking part is now somebody's own.
        update(tx, SHARE, known, {"level": level, "shared_by": known["shared_by"] or tx.actor.id})
        return str(known["id"])
    given = {"entity": kind, "record_id": record_id, "user_id": user_id, "team_id": team_id, "level": level}
    return create(tx, SHARE, given)
