"""A Query to one SQL statement, in which the actor's rows and fields are part of the statement."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from operator import ge, gt, le, lt
from typing import Any, cast

import sqlalchemy as sa

from bot.errors import InvalidInput
from bot.records.actor import Actor
from bot.records.entity import Entity, Field
from bot.records.permissions import row_filter
from bot.records.query import keyset
from bot.records.query.fields import look_up, reachable
from bot.records.query.model import ME, Comparison, Operator, Query, Value
from bot.storage import Id

_COMPARE: dict[Operator, Callable[[Any, Any], Any]] = {"<": lt, ">": gt, "<=": le, ">=": ge}
Condition = sa.ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the unchanging part of a statement depends on."""

    table: sa.Table
    actor: Actor
    names: tuple[str, ...]
    entity: Entity = field(compare=False)


@lru_cache(maxsize=2048)
def _base(shape: _Shape) -> sa.Select[Any]:
    """These columns of the rows this actor may see, deleted ones left out."""
    table = shape.table
    statement = sa.select(*(table.c[name] for name in shape.names))
    if "deleted_at" in table.c:
        statement = statement.where(table.c.deleted_at.is_(None))
    mine = row_filter(shape.actor, shape.entity)
    return statement if mine is None else statement.where(mine)


@lru_cache(maxsize=2048)
def _by_id(shape: _Shape) -> sa.Select[Any]:
    return _base(shape).where(shape.table.c.id == sa.bindparam("record", type_=Id))


def compile_one(entity: Entity, actor: Actor, fields: tuple[str, ...] = ()) -> sa.Select[Any]:
    """The record whose id is bound as `record`."""
    return _by_id(_Shape(entity.table, actor, _selected(entity, actor, fields), entity))


def compile_query(
    query: Query, entity: Entity, actor: Actor, dialect: str, zone: tzinfo = UTC
) -> sa.Select[Any]:
    """The statement, with room for one row more than `limit`: it tells whether another page follows.

    `zone` says which day a date is. Raises QueryInvalid for a field hidden from this actor, InvalidInput
    for a cursor of another list.
    """
    known = reachable(actor, entity)
    for name in (*(part.field for part in query.where), *(key.field for key in query.order)):
        look_up(known, entity, name)
    names = _selected(entity, actor, query.fields)
    if query.fields:
        names = tuple(dict.fromkeys((*names, *(key.field for key in query.order))))
    statement = _base(_Shape(entity.table, actor, names, entity))
    conditions = [_condition(part, known[part.field], actor, dialect, zone) for part in query.where]
    keys = [(known[key.field], key.descending) for key in query.order]
    if query.cursor is not None:
        conditions.append(_behind(query, entity, keys, dialect))
    if conditions:
        statement = statement.where(*conditions)
    statement = statement.order_by(*(_ordered(spec, descending, dialect) for spec, descending in keys))
    return statement if query.limit is None else statement.limit(query.limit + 1)


def _selected(entity: Entity, actor: Actor, fields: tuple[str, ...]) -> tuple[str, ...]:
    known = reachable(actor, entity)
    if not fields:
        return tuple(known)
    return tuple(dict.fromkeys(("id", *(look_up(known, entity, name).name for name in fields))))


def _bound(spec: Field, value: Value) -> sa.ColumnElement[Any]:
    # Integers are bound wide: a number beyond a 32-bit column is a comparison, not an error.
    return sa.literal(value, sa.BigInteger() if spec.type == "integer" else spec.column.type)


def _sort_key(spec: Field, dialect: str) -> sa.ColumnElement[Any]:
    """What the field sorts and compares by: text by code point, enums as their values are listed."""
    if spec.type == "enum":
        ranks = {value: sa.literal(rank, sa.Integer) for rank, value in enumerate(spec.values)}
        unlisted: Any = sa.literal(len(ranks), sa.Integer)
        if spec.column.nullable:
            unlisted = sa.case((spec.column.is_not(None), unlisted))
        return sa.case(ranks, value=spec.column, else_=unlisted)
    if spec.type == "text" and dialect == "postgresql":
        return spec.column.collate("C")
    return spec.column


def _ordered(spec: Field, descending: bool, dialect: str) -> sa.ColumnElement[Any]:
    key = _sort_key(spec, dialect)
    directed = key.desc() if descending else key.asc()
    return directed.nulls_last() if spec.column.nullable else directed


def _behind(query: Query, entity: Entity, keys: list[tuple[Field, bool]], dialect: str) -> Condition:
    parts: list[tuple[sa.ColumnElement[Any], sa.ColumnElement[Any] | None, bool, bool]] = []
    for (spec, descending), value in zip(keys, keyset.read_cursor(query, entity), strict=True):
        if value is not None and spec.type == "enum":
            rank = spec.values.index(value) if value in spec.values else len(spec.values)
            bound: sa.ColumnElement[Any] | None = sa.literal(rank, sa.Integer)
        else:
            bound = None if value is None else _bound(spec, value)
        parts.append((_sort_key(spec, dialect), bound, descending, bool(spec.column.nullable)))
    return keyset.after(parts)


def _condition(part: Comparison, spec: Field, actor: Actor, dialect: str, zone: tzinfo) -> Condition:
    values = tuple(_mine(actor) if value is ME else value for value in part.values)
    if part.operator == "in":
        return _one_of(spec, values, zone)
    value = values[0]
    if part.operator == "=":
        return _equal(spec, value, zone)
    if part.operator == "!=":
        if value is None:
            return spec.column.is_not(None)
        different = sa.not_(_equal(spec, value, zone))
        return sa.or_(different, spec.column.is_(None)) if spec.column.nullable else different
    if spec.type == "enum":
        limit = spec.values.index(str(value))
        ranks = enumerate(spec.values)
        return spec.column.in_([name for rank, name in ranks if _COMPARE[part.operator](rank, limit)])
    if isinstance(value, date) and not isinstance(value, datetime):
        # A day is before what begins after it: `> day` and `<= day` look at its end.
        start, end = _day(value, zone)
        if part.operator in (">", "<="):
            return spec.column >= end if part.operator == ">" else spec.column < end
        value = start
    return cast(Condition, _COMPARE[part.operator](_sort_key(spec, dialect), _bound(spec, value)))


def _mine(actor: Actor) -> str:
    if actor.id is None:
        raise InvalidInput("`me` needs somebody who is signed in", field="where")
    return actor.id


def _one_of(spec: Field, values: tuple[Value, ...], zone: tzinfo) -> Condition:
    apart = [value for value in values if value is None or isinstance(value, date)]
    together = [value for value in values if value is not None and not isinstance(value, date)]
    choices = [_equal(spec, value, zone) for value in apart]
    if together:
        choices.append(spec.column.in_([_bound(spec, value) for value in together]))
    return sa.or_(*choices)


def _equal(spec: Field, value: Value, zone: tzinfo) -> Condition:
    if value is None:
        return spec.column.is_(None)
    if isinstance(value, date) and not isinstance(value, datetime):
        start, end = _day(value, zone)
        return sa.and_(spec.column >= start, spec.column < end)
    return spec.column == _bound(spec, value)


def _day(day: date, zone: tzinfo) -> tuple[datetime, datetime]:
    start = datetime.combine(day, time.min, zone)
    end = datetime.combine(day + timedelta(days=1), time.min, zone)
    return start.astimezone(UTC), end.astimezone(UTC)
