"""Queries at work: a page of records, one record, or whether a record is selected."""

from dataclasses import dataclass
from datetime import UTC, tzinfo

from bot.errors import NotFound
from bot.records.entity import Entity
from bot.records.query.compile import compile_holds, compile_one, compile_query
from bot.records.query.keyset import write_cursor
from bot.records.query.model import Query
from bot.records.query.scope import Ask
from bot.records.query.values import is_id
from bot.records.tx import Record, Tx

DEFAULT_CURRENCY = "INR"


@dataclass(frozen=True, slots=True)
class Page:
    """Records, and the cursor of the page after; None when this is the last."""

    rows: list[Record]
    next_cursor: str | None = None


def asking(tx: Tx, zone: tzinfo, currency: str) -> Ask:
    """The actor of this transaction, now."""
    return Ask(tx.schema, tx.actor, tx.dialect, tx.now, zone, currency)


def page(tx: Tx, entity: Entity, query: Query, zone: tzinfo = UTC, currency: str = DEFAULT_CURRENCY) -> Page:
    """The records that match and that the actor may see, in one statement. A date is a day in `zone`, an
    amount without a currency is in `currency`.

    Raises Forbidden, QueryInvalid, InvalidInput.
    """
    tx.require("read", entity.name)
    rows = tx.rows(compile_query(query, tx.schema.of(entity), asking(tx, zone, currency)))
    if query.limit is None or len(rows) <= query.limit:
        return Page(rows)
    kept = rows[: query.limit]
    return Page(kept, write_cursor(query, kept[-1]))


def one(tx: Tx, entity: Entity, record_id: str, fields: tuple[str, ...] = ()) -> Record:
    """The record of this id. Raises Forbidden, and NotFound also where the actor may not see it."""
    tx.require("read", entity.name)
    wanted = record_id.lower()
    statement = compile_one(tx.schema.of(entity), asking(tx, UTC, DEFAULT_CURRENCY), fields)
    row = tx.row(statement, {"record": wanted}) if is_id(wanted) else None
    if row is None:
        raise NotFound(f"There is no such record in {entity.name}", kind=entity.name)
    return row


def holds(
    tx: Tx,
    entity: Entity,
    query: Query,
    record_id: str,
    zone: tzinfo = UTC,
    currency: str = DEFAULT_CURRENCY,
) -> bool:
    """Whether the query selects this record, as this actor. Raises Forbidden, QueryInvalid, InvalidInput."""
    tx.require("read", entity.name)
    statement = compile_holds(query, tx.schema.of(entity), asking(tx, zone, currency))
    return tx.row(statement, {"record": record_id}) is not None
