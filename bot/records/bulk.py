"""One change to many records: one statement, and an event each."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from bot.records.entity import Entity
from bot.records.tx import Tx

_MOST_TOLD = 100
"""Beyond that many, open pages look again by themselves."""


def change_all(
    tx: Tx,
    entity: Entity,
    where: sa.ColumnElement[bool],
    values: Mapping[str, Any],
    *,
    reason: str = "",
) -> int:
    """Give every record for which the condition holds these values; returns how many. For values that no rule
    of the kind or of the admins speaks of: owners, teams, names of stages."""
    tx.require("update", entity.name)
    table = entity.table
    whose = table.c.id if entity.name == "contacts" else table.c.get(entity.contact_column)
    before = [table.c[name].label(f"old_{name}") for name in values]
    contact = sa.null() if whose is None else whose
    chosen = sa.select(table.c.id, contact.label("whose"), *before).where(where)
    if tx.dialect == "postgresql":
        chosen = chosen.with_for_update()
    rows = tx.rows(chosen)
    if not rows:
        return 0
    tx.execute(
        table.update()
        .where(where)
        .values(
            **values,
            version=table.c.version + 1,
            updated_at=sa.bindparam("now", tx.now, table.c.updated_at.type),
        )
    )
    for row in rows:
        pairs = {name: (row[f"old_{name}"], value) for name, value in values.items()}
        changes = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
        tx.event(entity, row["id"], "updated", changes, row["whose"], reason)
    if entity.notice and len(rows) <= _MOST_TOLD:
        for row in rows:
            tx.notify(entity.notice, row["id"])
    return len(rows)
