"""Rows as JSON shows them: what the actor sees of them, money in major units, moments as ISO text."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache, lru_cache, partial
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from bot.clock import to_iso
from bot.records.actor import Actor
from bot.records.change import business_currency
from bot.records.entity import EXTRAS, OWN_PREFIX, Entity, Field, to_json
from bot.records.money import to_major
from bot.records.permissions import allowed, visible
from bot.records.query.fields import Found, find_field
from bot.records.tx import Record, Tx

Shown = dict[str, Any]
Write = Callable[[Record, Any], Any]


def showable(tx: Tx, entity: Entity) -> list[str]:
    """The fields and extras of a kind that exist for this actor."""
    return list(_showable(tx.actor, entity))


@lru_cache(maxsize=1024)
def _showable(actor: Actor, entity: Entity) -> tuple[str, ...]:
    extras = entity.extras.names if entity.extras is not None else ()
    return tuple(name for name in (*entity.fields, *extras) if visible(actor, entity, name))


def shown(tx: Tx, entity: Entity, rows: Iterable[Record], wanted: Sequence[str] = ()) -> list[Shown]:
    """Rows with the wanted fields, or with all that the actor sees; the id is always there. Wanted may be
    related fields too (`account.name`), under the paths by which a query read them."""
    entity, rows = tx.schema.of(entity), list(rows)
    known = showable(tx, entity)
    related = [name for name in wanted if "." in name]
    names = [name for name in dict.fromkeys(("id", *wanted)) if name in known] if wanted else known
    columns = {
        name: _writer(tx, entity, entity.fields[name], rows) for name in names if name in entity.fields
    }
    columns |= {found.path: _related(tx, found) for found in _found(tx, entity, related)}
    made = _chosen(rows, [name for name, write in columns.items() if write is None])
    for name, write in columns.items():
        if write is not None:
            for record, row in zip(made, rows, strict=True):
                record[name] = write(row, row.get(name))
    extra = [name for name in names if name not in columns]
    if extra and entity.extras is not None:
        for record, lists in zip(made, lists_of(tx, entity, rows), strict=True):
            record |= {name: lists[name] for name in extra}
    return made


def lists_of(tx: Tx, entity: Entity, rows: Sequence[Record]) -> list[Mapping[str, list[str]]]:
    """The kind's further lists of each row, read anew where the rows do not hold them."""
    assert entity.extras is not None
    found: Mapping[str, str | None] = {}
    if rows and EXTRAS not in rows[0] and (column := entity.extras.column(tx.actor)) is not None:
        chosen = sa.select(entity.table.c.id, column.label(EXTRAS))
        ids = [row["id"] for row in rows]
        found = {row["id"]: row[EXTRAS] for row in tx.rows(chosen.where(entity.table.c.id.in_(ids)))}
    return [entity.extras.read(row.get(EXTRAS, found.get(row["id"]))) for row in rows]


def _chosen(rows: Sequence[Record], names: Sequence[str]) -> list[Shown]:
    """Of each row the fields that JSON takes as they are; a page is a thousand of them."""
    if len(names) < 2 or not all(name in row for row in rows[:1] for name in names):
        return [{name: row.get(name) for name in names} for row in rows]
    values = itemgetter(*names)
    return [dict(zip(names, values(row), strict=True)) for row in rows]


def _found(tx: Tx, entity: Entity, paths: Iterable[str]) -> list[Found]:
    return [find_field(tx.schema, tx.actor, entity, path) for path in paths]


def _related(tx: Tx, found: Found) -> Write | None:
    """What turns a related record's field into JSON; its currency was read with an amount."""
    spec = found.spec
    if spec.type != "money":
        return _writer(tx, found.entity, spec, ())
    beside = f"{found.path.rpartition('.')[0]}.{spec.currency}"
    ours = cache(partial(business_currency, tx))  # read at most once a page

    def write(row: Record, value: Any) -> Any:
        if value is None:
            return None
        code = row.get(beside) if spec.currency in found.entity.fields else spec.currency
        return to_major(value, code or ours())

    return write


def _moment(_row: Record, value: Any) -> Any:
    return None if value is None else to_iso(value)


def _day(_row: Record, value: Any) -> Any:
    return to_json(value)


def _own_moment(_row: Record, value: Any) -> Any:
    return to_iso(datetime.fromisoformat(value)) if value else None


def _writer(tx: Tx, entity: Entity, spec: Field, rows: Sequence[Record]) -> Write | None:
    """What turns this field's column value into JSON; None where it is JSON already."""
    if spec.type == "money":
        currencies = currencies_of(tx, entity, spec, rows)
        return lambda row, value: None if value is None else to_major(value, currencies[row["id"]])
    if spec.type == "instant" and spec.custom:
        return _own_moment
    if spec.name == "number" and entity.number_prefix:
        return lambda _row, value: f"{entity.number_prefix}{value}"
    if entity.name == "events" and spec.name == "changes":
        return _changes(tx, rows)
    if entity.name == "rule_runs" and spec.name == "changes":
        return _run_changes(tx, entity, rows)
    return _moment if spec.type == "instant" else _day if spec.type == "date" else None


def currencies_of(tx: Tx, entity: Entity, spec: Field, rows: Sequence[Record]) -> Mapping[str, str]:
    """The currency of an amount in each of these rows, read anew where the rows do not hold it."""
    beside = entity.fields.get(spec.currency)
    if beside is None:
        return {row["id"]: spec.currency for row in rows}
    if all(spec.currency in row for row in rows):
        codes = {row["id"]: row[spec.currency] for row in rows}
    else:
        table = entity.table
        statement = sa.select(table.c.id, table.c[spec.currency]).where(
            table.c.id.in_([row["id"] for row in rows])
        )
        codes = {row["id"]: row[spec.currency] for row in tx.rows(statement)}
    if all(codes.values()):
        return codes
    ours = business_currency(tx)
    return {id_: code or ours for id_, code in codes.items()}


def _changes(tx: Tx, rows: Sequence[Record]) -> Write:
    """Events' changes without what is hidden from this actor in the records; money as elsewhere."""
    told = _about(tx, rows)
    currencies = _event_currencies(tx, told.values())

    def write(row: Record, changes: Any) -> Any:
        entity = tx.schema.entities.get(told[row["id"]]["entity"])
        if not changes or entity is None:
            return changes if entity is not None else None
        seen = {name: pair for name, pair in changes.items() if _may_see(tx, entity, name)}
        for name, spec in entity.fields.items():
            if spec.type == "money" and name in seen:
                record = currencies.get(told[row["id"]]["record_id"])
                codes = changes.get(spec.currency) or [record, record]
                seen[name] = [
                    None if value is None else to_major(value, _code(spec, code, record, currencies))
                    for value, code in zip(seen[name], codes, strict=False)
                ]
        return seen

    return write


def _run_changes(tx: Tx, runs: Entity, rows: Sequence[Record]) -> Write:
    """What rules did, without what is hidden from this actor in the records."""
    if not all("entity" in row for row in rows):
        chosen = sa.select(runs.table.c.id, runs.table.c.entity)
        rows = tx.rows(chosen.where(runs.table.c.id.in_([row["id"] for row in rows])))
    kinds = {row["id"]: tx.schema.entities.get(row["entity"]) for row in rows}

    def write(row: Record, steps: Any) -> Any:
        entity = kinds[row["id"]]
        if not steps or entity is None or not allowed(tx.actor, "read", entity.name):
            return None
        return [_run_step(tx, entity, step) for step in steps]

    return write


def _run_step(tx: Tx, entity: Entity, step: Mapping[str, Any]) -> Shown:
    seen = {name: pair for name, pair in step["changes"].items() if visible(tx.actor, entity, name)}
    personal = [name for name in step.get("personal", ()) if visible(tx.actor, entity, name)]
    plain = {name: value for name, value in step.items() if name != "personal"}
    return {**plain, "changes": seen, **({"personal": personal} if personal else {})}


def _code(spec: Field, code: str | None, record: str | None, currencies: Mapping[str, str]) -> str:
    fixed = spec.currency if spec.currency.isupper() else ""
    return fixed or code or record or currencies[""]


def _may_see(tx: Tx, entity: Entity, name: str) -> bool:
    if name in entity.fields:
        return visible(tx.actor, entity, name)
    return not name.startswith(OWN_PREFIX)  # a field that admins removed; other names are the event's own


def _about(tx: Tx, rows: Sequence[Record]) -> dict[str, Record]:
    """What each event speaks of: `entity` and `record_id`, read anew where a row does not hold them."""
    if not all("entity" in row and "record_id" in row for row in rows):
        table = tx.schema.entity("events").table
        chosen = sa.select(table.c.id, table.c.entity, table.c.record_id, table.c.changes)
        rows = tx.rows(chosen.where(table.c.id.in_([row["id"] for row in rows])))
    return {row["id"]: row for row in rows}


def _event_currencies(tx: Tx, events: Iterable[Record]) -> dict[str, str]:
    """The currencies of records whose events tell amounts, by record; under "" the business's own."""
    wanted: dict[str, set[str]] = {}
    beside: dict[str, str] = {}
    for event in events:
        entity = tx.schema.entities.get(event["entity"])
        for name in event.get("changes") or () if entity is not None else ():
            spec = entity.fields.get(name) if entity is not None else None
            if spec is not None and spec.type == "money" and entity is not None:
                ids = wanted.setdefault(entity.name, set())
                if spec.currency in entity.fields:
                    ids.add(event["record_id"])
                    beside[entity.name] = spec.currency
    found: dict[str, str] = {}
    for kind, ids in wanted.items():
        if ids:
            table = tx.schema.entity(kind).table
            chosen = sa.select(table.c.id, table.c[beside[kind]].label("code")).where(table.c.id.in_(ids))
            found |= {row["id"]: row["code"] for row in tx.rows(chosen) if row["code"]}
    return found | {"": business_currency(tx)} if wanted else found
