"""Reading records: a page of a kind, one record, a summary."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from bot.errors import InvalidInput, QueryInvalid
from bot.records.actor import Actor
from bot.records.entity import Entity, to_json
from bot.records.money import to_major
from bot.records.query import (
    DEFAULT_LIMIT,
    Comparison,
    Query,
    Summary,
    SummaryResult,
    one,
    page,
    parse,
    parse_fields,
    parse_summary,
    summary,
)
from bot.records.query.fields import Step, relations, unknown
from bot.records.schema import Schema
from bot.records.show import shown
from bot.records.tx import Record, Tx
from bot.web.api.call import Answer, Call

MAX_LIMIT = 200
SHAPE = ("fields", "include")
SUMMARY_PARAMETERS = ("of", "by", "where", "order", "limit")
LIST_PARAMETERS = ("where", "order", *SHAPE, "limit", "cursor")
Shown = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a record shows: `own` fields (all where there are none), and of records it points to theirs."""

    own: tuple[str, ...]
    columns: tuple[str, ...]
    """What must be read for it; all where there are none."""
    steps: Mapping[str, tuple[Step, tuple[str, ...]]] = field(default_factory=dict)


def list_records(tx: Tx, call: Call, name: str) -> Answer:
    """A page of the records of a kind."""
    tx.require("read", name)
    entity, given = tx.schema.entity(name), call.given
    shape = _shape(tx, entity, given)
    query = replace(
        _parsed(tx.schema, entity, tx.actor, given.get("where", ""), given.get("order", "")),
        limit=limit_of(given),
        cursor=given.get("cursor"),
        fields=shape.columns,
        deleted=_deleted(given),
    )
    if query.deleted:
        tx.require("delete", name)
    found = page(tx, entity, query, call.zone, call.profile.currency)
    return Answer({"data": show(tx, entity, found.rows, shape), "next_cursor": found.next_cursor})


def get_record(tx: Tx, call: Call, name: str) -> Answer:
    """One record."""
    tx.require("read", name)
    entity = tx.schema.entity(name)
    shape = shape_of(tx.schema, entity, tx.actor, call.given.get("fields", ""), call.given.get("include", ""))
    row = one(tx, entity, call.id, shape.columns)
    return Answer(show(tx, entity, [row], shape)[0], version=row.get("version"))


def summarise(tx: Tx, call: Call, name: str) -> Answer:
    """Records counted and added up."""
    tx.require("read", name)
    entity, given = tx.schema.entity(name), call.given
    of, by = given.get("of") or "count", given.get("by", "")
    asked = _summary(tx.schema, entity, tx.actor, given, of, f"{of} by {by}" if by.strip() else of)
    found = summary(tx, entity, asked, call.zone, call.profile.currency)
    return Answer({"data": [_group(found, row) for row in found.rows], "more": found.more})


def _summary(
    schema: Schema, entity: Entity, actor: Actor, given: Mapping[str, str], of: str, text: str
) -> Summary:
    """The Summary of a request; an error says in which parameter it is."""
    limit = limit_of(given) if "limit" in given else None
    parts: dict[str, str] = {}
    asked: Summary | None = None
    for name, value in (("where", given.get("where", "")), ("of", text), ("order", given.get("order", ""))):
        parts["summarise" if name == "of" else name] = value
        try:
            asked = parse_summary(schema, entity, actor, limit=limit, **parts)
        except QueryInvalid as error:
            at = error.data.get("position", 0)
            if name == "of" and at > len(of):
                error.data["position"] = max(0, at - len(of) - len(" by "))
                name = "by"
            raise blame(error, name) from None
    assert asked is not None
    return asked


def _group(found: SummaryResult, row: Record) -> Shown:
    """A group as JSON holds it: amounts in major units of the currency beside them."""
    shown: Shown = {}
    for column in found.columns:
        value = row[column.name]
        if column.type == "money" and value is not None:
            value = to_major(value, row.get(column.currency) or column.currency)
        shown[column.name] = to_json(value)
    return shown


def show(tx: Tx, entity: Entity, rows: list[Record], shape: Shape) -> list[Shown]:
    """Rows as JSON holds them, with the records they point to inside: one statement for each relation."""
    made = shown(tx, entity, rows, shape.own)
    for name, (step, fields) in shape.steps.items():
        ids = {row[step.spec.name] for row in rows} - {None}
        inner: dict[str, Shown] = {}
        if ids:
            where = (Comparison("id", "in", tuple(sorted(ids))),)
            columns = tuple(name for name in fields if name in step.target.fields)
            query = Query(step.target.name, where, limit=None, fields=columns)
            others = page(tx, step.target, query).rows
            inner = {other["id"]: other for other in shown(tx, step.target, others, fields)}
        for record, row in zip(made, rows, strict=True):
            record[name] = inner.get(row[step.spec.name])
    return made


def _shape(tx: Tx, entity: Entity, given: Mapping[str, str]) -> Shape:
    for name in SHAPE:
        if not given.get(name, name).strip(" ,"):
            raise InvalidInput(
                f"{name} names at least one; leave it out for what is shown anyway", field=name
            )
    return shape_of(tx.schema, entity, tx.actor, given.get("fields", ""), given.get("include", ""))


@lru_cache(maxsize=1024)
def shape_of(schema: Schema, entity: Entity, actor: Actor, fields: str, include: str) -> Shape:
    """What `fields` and `include` ask for. Raises QueryInvalid that says which is at fault, and where."""
    known = relations(schema, actor, entity)
    asked: dict[str, tuple[str, ...]] = {}
    own: list[str] = []
    for path in _fields(schema, entity, actor, fields):
        relation, _, name = path.rpartition(".")
        if "." in relation:
            raise QueryInvalid(
                f"{path} is two relations away; include shows records one away", parameter="fields"
            )
        if relation:
            asked[relation] = (*asked.get(relation, ()), name)
        else:
            own.append(path)
    for name in dict.fromkeys(part.strip() for part in include.split(",") if part.strip()):
        if name not in known:
            error = unknown("relation", name, known, include.index(name), of=entity.name)
            raise blame(error, "include")
        asked[name] = ()
    steps = {name: (known[name], names) for name, names in asked.items()}
    if not fields.strip():
        return Shape((), (), steps)
    own = own or ["id"]
    needed = [name for name in own if name in entity.fields]
    needed += [step.spec.name for step, _ in steps.values()]
    needed += ["version"] if "version" in entity.fields else []
    return Shape(tuple(own), tuple(dict.fromkeys(needed)) or ("id",), steps)


def _fields(schema: Schema, entity: Entity, actor: Actor, text: str) -> tuple[str, ...]:
    if not text.strip():
        return ()
    extras = [*_extras(entity)]
    for name, step in relations(schema, actor, entity).items():
        extras += [f"{name}.{extra}" for extra in _extras(step.target)]
    try:
        return parse_fields(text, schema, entity, actor, also=extras)
    except QueryInvalid as error:
        raise blame(error, "fields") from None


def _extras(entity: Entity) -> tuple[str, ...]:
    return entity.extras.names if entity.extras is not None else ()


def _parsed(schema: Schema, entity: Entity, actor: Actor, where: str, order: str) -> Query:
    """The Query of a request; an error says in which parameter it is."""
    parts: dict[str, Query] = {}
    for name, text in (("where", where), ("order", order)):
        try:
            parts[name] = parse(schema, entity, actor, **{name: text})  # type: ignore[arg-type]
        except QueryInvalid as error:
            raise blame(error, name) from None
    return replace(parts["where"], order=parts["order"].order)


def blame(error: QueryInvalid, parameter: str) -> QueryInvalid:
    """The error, which says in which parameter it is."""
    return QueryInvalid(error.message, **{**error.data, "parameter": parameter})


def limit_of(given: Mapping[str, str]) -> int:
    """How many records a page has. Raises InvalidInput."""
    text = given.get("limit")
    if text is None:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= MAX_LIMIT):
        raise InvalidInput(f"limit is a whole number from 1 to {MAX_LIMIT}", field="limit")
    return int(text)


def _deleted(given: Mapping[str, str]) -> bool:
    text = given.get("deleted", "false")
    if text not in ("true", "false"):
        raise InvalidInput("deleted is true or false", field="deleted")
    return text == "true"
