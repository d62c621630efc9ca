"""Enters into the search index what it does not hold yet: records older than the index, and fields that
became searched. Step by step: it may be cut off and goes on where it was, and searching goes on meanwhile.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import sqlalchemy as sa

from bot.records.entity import Entity
from bot.records.search.index import enter, search_entries
from bot.records.tx import Tx
from bot.records.write import expanded
from bot.storage import Id, metadata
from bot.storage.upsert import insert

VERSION = 1
"""Raised whenever `fold.terms` gives other terms than before: everything is entered anew."""
STEP = 200

search_fills = sa.Table(
    "search_fills",
    metadata,
    sa.Column("entity", sa.String(40), primary_key=True),
    # What the entries were made by: the version and the searched fields.
    sa.Column("state", sa.String(64), nullable=False),
    sa.Column("after_id", Id),
    sa.Column("done", sa.Boolean, nullable=False),
)


def fill_step(tx: Tx) -> bool:
    """Enter the next records; False when the index holds all."""
    known = {row["entity"]: row for row in tx.rows(sa.select(search_fills))}
    for entity in tx.schema.entities.values():
        names = sorted(name for name, spec in entity.fields.items() if spec.search)
        state = sha256(f"{VERSION} {names}".encode()).hexdigest()
        row = known.get(entity.name)
        if names and (row is None or row["state"] != state or not row["done"]):
            same = row is not None and row["state"] == state
            if not same:  # what is searched no longer finds nothing: the documents are gathered without it
                gone = search_entries.c.field.not_in(names)
                tx.execute(search_entries.delete().where(search_entries.c.entity == entity.name, gone))
            last = _enter_next(tx, entity, row["after_id"] if row is not None and same else None)
            _keep(tx, {"entity": entity.name, "state": state, "after_id": last, "done": last is None})
            if last is not None:
                return True
    return False


def _enter_next(tx: Tx, entity: Entity, after: str | None) -> str | None:
    """Enter a step of a kind's records; returns the last one's id, None at the end."""
    table = entity.table
    statement = sa.select(table).order_by(table.c.id).limit(STEP)
    if after is not None:
        statement = statement.where(table.c.id > after)
    if entity.finds and "deleted_at" in table.c:  # deleted ones find nothing
        statement = statement.where(table.c.deleted_at.is_(None))
    # A record that is being changed is waited for: its older words must not come over the newer.
    rows = tx.rows(statement.with_for_update(read=True))
    for row in rows:
        enter(tx, entity, expanded(entity, row))
    return rows[-1]["id"] if len(rows) == STEP else None


def _keep(tx: Tx, row: Mapping[str, Any]) -> None:
    statement = insert(search_fills, tx.dialect).values(**row)
    changed = {name: statement.excluded[name] for name in ("state", "after_id", "done")}
    tx.execute(statement.on_conflict_do_update(index_elements=["entity"], set_=changed))
