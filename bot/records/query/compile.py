"""A Query to one SQL statement, in which the actor's rows and fields are part of the statement."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from bot.records.actor import Actor
from bot.records.entity import Entity
from bot.records.permissions import row_filter
from bot.records.query import keyset
from bot.records.query.conditions import bound, clause, sort_key
from bot.records.query.fields import Found, look_up, reachable
from bot.records.query.model import Query
from bot.records.query.scope import Ask, Clause, Scope
from bot.storage import Id


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the unchanging part of a statement depends on."""

    entity: Entity
    actor: Actor
    names: tuple[str, ...]
    deleted: bool = False


@lru_cache(maxsize=2048)
def _base(shape: _Shape) -> sa.Select[Any]:
    """These fields of the rows this actor may see, deleted ones left out."""
    table, fields = shape.entity.table, shape.entity.fields
    chosen = (
        fields[name].column.label(name) if fields[name].custom else table.c[name] for name in shape.names
    )
    return sa.select(*chosen).where(*visible_rows(shape.actor, shape.entity, shape.deleted))


@lru_cache(maxsize=2048)
def _by_id(shape: _Shape) -> sa.Select[Any]:
    return _base(shape).where(shape.entity.table.c.id == sa.bindparam("record", type_=Id))


@lru_cache(maxsize=2048)
def visible_rows(actor: Actor, entity: Entity, deleted: bool = False) -> tuple[Clause, ...]:
    """The conditions that leave the rows this actor may see, or the deleted ones among them."""
    conditions: list[Clause] = []
    if "deleted_at" in entity.table.c:
        gone = entity.table.c.deleted_at
        conditions.append(gone.is_not(None) if deleted else gone.is_(None))
    mine = row_filter(actor, entity)
    return tuple(conditions if mine is None else [*conditions, mine])


def compile_one(entity: Entity, ask: Ask, fields: tuple[str, ...] = ()) -> sa.Select[Any]:
    """The record whose id is bound as `record`."""
    scope = Scope(ask, entity)
    statement = _with(scope, _by_id(_Shape(entity, ask.actor, _own_names(scope, fields))), fields)
    return _joined(scope, statement)


def compile_holds(query: Query, entity: Entity, ask: Ask) -> sa.Select[Any]:
    """The id of the record bound as `record`, if the query selects it."""
    scope = Scope(ask, entity)
    conditions = [clause(scope, part) for part in query.where]
    statement = _by_id(_Shape(entity, ask.actor, ("id",))).where(*conditions)
    return _joined(scope, statement)


def _joined(scope: Scope, statement: sa.Select[Any]) -> sa.Select[Any]:
    return statement.select_from(scope.source()) if scope.joined else statement


def compile_query(query: Query, entity: Entity, ask: Ask) -> sa.Select[Any]:
    """The statement, with room for one row more than `limit`: it tells whether another page follows.

    Raises QueryInvalid for a field hidden from this actor, InvalidInput for a cursor of another list.
    """
    scope = Scope(ask, entity)
    conditions = [clause(scope, part) for part in query.where]
    keys = [(scope.find(key.field), key.descending) for key in query.order]
    own = (*_own_names(scope, query.fields), *(key.path for key, _ in keys if not key.steps))
    statement = _base(_Shape(entity, ask.actor, tuple(dict.fromkeys(own)), query.deleted))
    statement = _with(scope, statement, (*query.fields, *(key.path for key, _ in keys)))
    if query.cursor is not None:
        conditions.append(_behind(query, scope, keys))
    if conditions:
        statement = statement.where(*conditions)
    statement = statement.order_by(*(_ordered(scope, found, descending) for found, descending in keys))
    statement = _joined(scope, statement)
    return statement if query.limit is None else statement.limit(query.limit + 1)


def _own_names(scope: Scope, fields: tuple[str, ...]) -> tuple[str, ...]:
    """The kind's own among these fields and its id; all that the actor may see where none is asked for."""
    known = reachable(scope.ask.actor, scope.entity)
    if not fields:
        return tuple(known)
    own = (look_up(known, scope.entity, name).name for name in fields if "." not in name)
    return tuple(dict.fromkeys(("id", *own)))


def _with(scope: Scope, statement: sa.Select[Any], paths: tuple[str, ...]) -> sa.Select[Any]:
    """The statement with the related ones among these fields, each under its path."""
    related = [scope.find(path) for path in dict.fromkeys(paths) if "." in path]
    # An amount says little without its currency.
    amounts = [found for found in related if found.spec.currency in found.entity.fields]
    beside = [scope.find(f"{found.path.rpartition('.')[0]}.{found.spec.currency}") for found in amounts]
    related = list({found.path: found for found in (*related, *beside)}.values())
    columns = (scope.column(found).label(found.path) for found in related)
    return statement.add_columns(*columns) if related else statement


def _ordered(scope: Scope, found: Found, descending: bool) -> sa.ColumnElement[Any]:
    key = sort_key(found, scope.column(found), scope.ask.dialect)
    directed = key.desc() if descending else key.asc()
    return directed.nulls_last() if found.nullable else directed


def _behind(query: Query, scope: Scope, keys: list[tuple[Found, bool]]) -> Clause:
    parts: list[tuple[sa.ColumnElement[Any], sa.ColumnElement[Any] | None, bool, bool]] = []
    values = keyset.read_cursor(query, [found for found, _ in keys])
    for (found, descending), value in zip(keys, values, strict=True):
        spec = found.spec
        if value is not None and spec.type == "enum":
            rank = spec.values.index(value) if value in spec.values else len(spec.values)
            limit: sa.ColumnElement[Any] | None = sa.literal(rank, sa.Integer)
        else:
            limit = None if value is None else bound(spec, value)
        key = sort_key(found, scope.column(found), scope.ask.dialect)
        parts.append((key, limit, descending, found.nullable))
    return keyset.after(parts)
