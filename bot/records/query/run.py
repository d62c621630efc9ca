"""Queries at work: a page of records, or one record."""

from dataclasses import dataclass
from datetime import UTC, tzinfo

from bot.errors import NotFound
from bot.records.entity import Entity
from bot.records.query.compile import compile_one, compile_query
from bot.records.query.keyset import write_cursor
from bot.records.query.model import Query
from bot.records.query.values import is_id
from bot.records.tx import Record, Tx


@dataclass(frozen=True, slots=True)
class Page:
    """Records, and the cursor of the page after; None when this is the last."""

    rows: list[Record]
    next_cursor: str | None = None


def page(tx: Tx, entity: Entity, query: Query, zone: tzinfo = UTC) -> Page:
    """The records that match and that the actor may see, in one statement. A date is a day in `zone`.

    Raises Forbidden, QueryInvalid, InvalidInput.
    """
    tx.require("read", entity.name)
    rows = tx.rows(compile_query(query, entity, tx.actor, tx.dialect, zone))
    if query.limit is None or len(rows) <= query.limit:
        return Page(rows)
    kept = rows[: query.limit]
    return Page(kept, write_cursor(query, kept[-1]))


def one(tx: Tx, entity: Entity, record_id: str, fields: tuple[str, ...] = ()) -> Record:
    """The record of this id. Raises Forbidden, and NotFound also where the actor may not see it."""
    tx.require("read", entity.name)
    wanted = record_id.lower()
    row = tx.row(compile_one(entity, tx.actor, fields), {"record": wanted}) if is_id(wanted) else None
    if row is None:
        raise NotFound(f"There is no such record in {entity.name}", kind=entity.name)
    return row
