"""A Query to one SQL statement, in which the actor's rows and fields are part of the statement."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeAlias

import sqlalchemy as sa

from bot.records.actor import Actor
from bot.records.entity import EXTRAS, Entity, Field
from bot.records.permissions import row_filter, ways_of_seeing
from bot.records.query import keyset
from bot.records.query.conditions import bound_type, bound_value, clause, sort_key
from bot.records.query.fields import Found, find_field, look_up, reachable
from bot.records.query.model import Matches, Query, moving, weight
from bot.records.query.scope import Ask, Clause, Scope
from bot.storage import Id
from bot.storage.direct import KEPT

_NEVER = datetime.min.replace(tzinfo=UTC)
_LIGHT = 50
"""Statements of conditions up to this weight are kept; one with a thousand values takes megabytes."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the unchanging part of a statement depends on."""

    entity: Entity
    actor: Actor
    names: tuple[str, ...]
    deleted: bool = False
    extras: bool = False


@lru_cache(maxsize=2048)
def _columns(shape: _Shape) -> sa.Select[Any]:
    table, fields = shape.entity.table, shape.entity.fields
    own = {name: fields[name].column.label(name) for name in shape.names if fields[name].custom}
    columns = [own[name] if name in own else table.c[name] for name in shape.names]
    if shape.extras and shape.entity.extras is not None:
        lists = shape.entity.extras.column(shape.actor)
        columns += [lists.label(EXTRAS)] if lists is not None else []
    return sa.select(*columns)


@lru_cache(maxsize=2048)
def _base(shape: _Shape) -> sa.Select[Any]:
    """These fields of the rows this actor may see, deleted ones left out."""
    return _columns(shape).where(*visible_rows(shape.actor, shape.entity, shape.deleted))


@lru_cache(maxsize=2048)
def _by_id(shape: _Shape) -> sa.Select[Any]:
    return _base(shape).where(shape.entity.table.c.id == sa.bindparam("record", type_=Id))


@lru_cache(maxsize=2048)
def _kept_by_id(shape: _Shape) -> sa.Select[Any]:
    return _by_id(shape).execution_options(**{KEPT: True})


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
    shape = _Shape(entity, ask.actor, _own_names(scope, fields), extras=not fields)
    if not any("." in path for path in fields):
        return _kept_by_id(shape)
    return _joined(scope, _with(scope, _by_id(shape), fields))


def compile_holds(query: Query, entity: Entity, ask: Ask) -> sa.Select[Any]:
    """The id of the record bound as `record`, if the query selects it."""
    scope = Scope(ask, entity)
    conditions = [clause(scope, part) for part in query.where]
    statement = _by_id(_Shape(entity, ask.actor, ("id",))).where(*conditions)
    return _joined(scope, statement)


def _joined(scope: Scope, statement: sa.Select[Any]) -> sa.Select[Any]:
    return statement.select_from(scope.source()) if scope.joined else statement


def compile_query(query: Query, entity: Entity, ask: Ask) -> tuple[sa.Select[Any], dict[str, Any]]:
    """The statement and its parameters, with room for one row more than `limit`: it tells whether another
    page follows.

    Raises QueryInvalid for a field hidden from this actor, InvalidInput for a cursor of another list.
    """
    values: tuple[Any, ...] = ()
    if query.cursor is not None:
        values = _place(query, [find_field(ask.schema, ask.actor, entity, key.field) for key in query.order])
    shape = replace(query, cursor=None if query.cursor is None else "")
    empty = tuple(value is None for value in values)
    # Pages of one list are one statement, unless it looks at the clock.
    once = query.limit is None or weight(query.where) > _LIGHT or moving(query.where)
    build = _statement if once else _kept_statement
    parameters = {f"after_{place}": value for place, value in enumerate(values) if value is not None}
    return build(shape, empty, entity, ask if build is _statement else replace(ask, now=_NEVER)), parameters


def _place(query: Query, keys: Sequence[Found]) -> tuple[Any, ...]:
    """The values of the cursor as the order keys compare: enums by their rank."""
    return tuple(
        _rank(key.spec, value)
        if value is not None and key.spec.type == "enum"
        else bound_value(key.spec, value)
        for key, value in zip(keys, keyset.read_cursor(query, keys), strict=True)
    )


def _rank(spec: Field, value: str) -> int:
    return spec.values.index(value) if value in spec.values else len(spec.values)


def _statement(query: Query, empty: tuple[bool, ...], entity: Entity, ask: Ask) -> sa.Select[Any]:
    """The statement of a query; with a cursor, behind a place of which these values are empty."""
    scope = Scope(ask, entity)
    keys = [(scope.find(key.field), key.descending) for key in query.order]
    own = (*_own_names(scope, query.fields), *(key.path for key, _ in keys if not key.steps))
    shape = _Shape(entity, ask.actor, tuple(dict.fromkeys(own)), query.deleted, not query.fields)
    # Several words are looked up in the search index once, not once for each way of seeing.
    looked_up = any(isinstance(part, Matches) and " " in part.text.strip() for part in query.where)
    ways = ways_of_seeing(ask.actor, entity) if query.limit is not None and not looked_up else ()
    if ways:
        # Any of several ways to see a row is one condition that no index serves: to a list of few records
        # the database would read all. So each way gives its own first rows, and the page is chosen of them.
        found = sa.union_all(*(_first_ids(query, empty, scope, way) for way in ways)).subquery(scope.names())
        statement = _columns(shape).where(entity.table.c.id.in_(sa.select(found.c.id)))
    else:
        statement = _base(shape).where(*_chosen(query, empty, scope, keys))
    statement = _with(scope, statement, (*query.fields, *(key.path for key, _ in keys)))
    return _joined(scope, _sorted(query, scope, keys, statement))


@lru_cache(maxsize=512)
def _kept_statement(query: Query, empty: tuple[bool, ...], entity: Entity, ask: Ask) -> sa.Select[Any]:
    return _statement(query, empty, entity, ask).execution_options(**{KEPT: True})


def _first_ids(query: Query, empty: tuple[bool, ...], outer: Scope, way: Clause) -> sa.Select[Any]:
    """The ids of the first rows that are seen in one way."""
    entity = outer.entity
    scope = Scope(outer.ask, entity, names=outer.names)
    keys = [(scope.find(key.field), key.descending) for key in query.order]
    chosen = sa.select(entity.table.c.id).where(way, *_chosen(query, empty, scope, keys))
    if "deleted_at" in entity.table.c:
        gone = entity.table.c.deleted_at
        chosen = chosen.where(gone.is_not(None) if query.deleted else gone.is_(None))
    rows = _joined(scope, _sorted(query, scope, keys, chosen)).subquery(outer.names())
    return sa.select(rows.c.id)


Keys: TypeAlias = list[tuple[Found, bool]]


def _chosen(query: Query, empty: tuple[bool, ...], scope: Scope, keys: Keys) -> list[Clause]:
    """The query's conditions, and that the rows stand behind its cursor."""
    conditions = [clause(scope, part) for part in query.where]
    return conditions if query.cursor is None else [*conditions, _behind(empty, scope, keys)]


def _sorted(query: Query, scope: Scope, keys: Keys, statement: sa.Select[Any]) -> sa.Select[Any]:
    statement = statement.order_by(*(_ordered(scope, found, descending) for found, descending in keys))
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


def _behind(empty: tuple[bool, ...], scope: Scope, keys: Keys) -> Clause:
    parts: list[tuple[sa.ColumnElement[Any], sa.ColumnElement[Any] | None, bool, bool]] = []
    for place, ((found, descending), nothing) in enumerate(zip(keys, empty, strict=True)):
        key = sort_key(found, scope.column(found), scope.ask.dialect)
        kind = sa.Integer() if found.spec.type == "enum" else bound_type(found.spec)
        limit = None if nothing else sa.bindparam(f"after_{place}", type_=kind)
        parts.append((key, limit, descending, found.nullable))
    return keyset.after(parts)
