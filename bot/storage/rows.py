"""Writing many rows, and many writes, in one statement each where the database is across a network.

A turn's commit is six writes, and to PostgreSQL each costs Python and the socket more than the database.
There, rows travel as one JSON value, and writes that wait for the end of a transaction go together as
`WITH … AS (UPDATE …), … AS (INSERT …) SELECT …`. SQLite has no network: it runs them one by one.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any, cast

import sqlalchemy as sa

from bot.storage.upsert import insert

Build = Callable[[Callable[[str], Any]], sa.Update]
Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Write:
    """A prebuilt statement and its parameters; `lost` is raised unless it changed exactly one row."""

    statement: sa.UpdateBase
    parameters: Parameters
    lost: Exception | None = None


def inserting(
    dialect: str, table: sa.Table, names: tuple[str, ...], rows: Sequence[Mapping[str, Any]]
) -> Write:
    """The write that inserts these rows."""
    chosen = [{name: row.get(name) for name in names} for row in rows]
    if dialect == "sqlite":
        return Write(_insert(table, names), chosen)
    return Write(_insert_json(table, names), {f"{table.name}_rows": _sent(chosen)})


def upserting(
    dialect: str,
    table: sa.Table,
    names: tuple[str, ...],
    key: tuple[str, ...],
    rows: Sequence[Mapping[str, Any]],
) -> Write:
    """The write that inserts these rows, or changes those that have their key already. No two rows have the
    same key."""
    chosen = [{name: row.get(name) for name in names} for row in rows]
    if dialect == "sqlite":
        return Write(_upsert(dialect, table, names, key), chosen)
    return Write(_upsert(dialect, table, names, key), {f"{table.name}_rows": _sent(chosen)})


@dataclass(frozen=True)
class RowUpdate:
    """An update of many rows, each by values of its own.

    `build` makes the statement of values it asks for by name: a row's parameters, or the columns of all rows
    sent as one. No two rows may update the same record.
    """

    name: str
    values: Mapping[str, Any]
    """The type of each value."""
    build: Build

    def of(self, dialect: str, rows: Sequence[Mapping[str, Any]]) -> Write:
        """The write that updates by these rows."""
        if dialect == "sqlite":
            return Write(self._one, rows)
        return Write(self._all, {f"{self.name}_rows": _sent(rows)})

    @cached_property
    def _one(self) -> sa.Update:
        return self.build(lambda name: sa.bindparam(name, type_=self.values[name]))

    @cached_property
    def _all(self) -> sa.Update:
        sent = sa.cast(sa.bindparam(f"{self.name}_rows", type_=sa.Text), sa.JSON)
        columns = (sa.column(name, type_) for name, type_ in self.values.items())
        rows = sa.func.json_to_recordset(sent).table_valued(*columns, name="given")
        given = rows.render_derived(with_types=True)
        return self.build(lambda name: given.c[name])


def write_all(connection: sa.Connection, writes: Sequence[Write]) -> None:
    """Carry writes out. They may come in any order and see nothing of each other: none touches a row that
    another does."""
    if connection.dialect.name == "sqlite" or len(writes) == 1:
        for write in writes:
            _alone(connection, write)
        return
    joined: dict[sa.UpdateBase, Write] = {}
    for write in writes:
        if write.statement in joined:  # its parameters have the same names: it goes by itself
            _alone(connection, write)
        else:
            joined[write.statement] = write
    parameters: dict[str, Any] = {}
    for write in joined.values():
        parameters.update(write.parameters)  # type: ignore[arg-type]
    guarded = tuple(write.lost is not None for write in joined.values())
    counts = connection.execute(_together(tuple(joined), guarded), parameters).one()
    for count, lost in zip(counts, (write.lost for write in joined.values() if write.lost), strict=False):
        if count != 1:
            raise lost


def _alone(connection: sa.Connection, write: Write) -> None:
    done = connection.execute(write.statement, write.parameters)
    if write.lost is not None and done.rowcount != 1:
        raise write.lost


@lru_cache(maxsize=256)
def _together(statements: tuple[sa.UpdateBase, ...], guarded: tuple[bool, ...]) -> Any:
    """The statements as one; its row holds how many rows each guarded one changed."""
    parts = []
    counts: list[sa.ColumnElement[int]] = []
    for number, (statement, guard) in enumerate(zip(statements, guarded, strict=True)):
        if guard:
            part = statement.returning(sa.literal_column("1").label("one")).cte(f"w{number}")
            counts.append(sa.select(sa.func.count()).select_from(part).scalar_subquery())
        else:
            part = statement.cte(f"w{number}")
        parts.append(part)
    return sa.select(*(counts or [sa.literal_column("0")])).add_cte(*parts)


@lru_cache(maxsize=64)
def _insert(table: sa.Table, names: tuple[str, ...]) -> sa.Insert:
    return table.insert().values({name: sa.bindparam(name, type_=table.c[name].type) for name in names})


@lru_cache(maxsize=64)
def _upsert(dialect: str, table: sa.Table, names: tuple[str, ...], key: tuple[str, ...]) -> sa.Insert:
    statement = insert(table, dialect)
    if dialect == "sqlite":
        statement = statement.values({name: sa.bindparam(name, type_=table.c[name].type) for name in names})
    else:
        statement = statement.from_select(list(names), _sent_rows(table, names))
    others = {name: statement.excluded[name] for name in names if name not in key}
    return cast(sa.Insert, statement.on_conflict_do_update(index_elements=list(key), set_=others))


@lru_cache(maxsize=64)
def _insert_json(table: sa.Table, names: tuple[str, ...]) -> sa.Insert:
    return table.insert().from_select(list(names), _sent_rows(table, names))


def _sent_rows(table: sa.Table, names: tuple[str, ...]) -> Any:
    columns, rows = ", ".join(names), f"{table.name}_rows"
    # Table and column names are our own; the rows are bound.
    chosen = sa.text(
        f"SELECT {columns} FROM json_populate_recordset(NULL::{table.name}, CAST(:{rows} AS JSON))"  # noqa: S608
    )
    source = chosen.bindparams(sa.bindparam(rows, type_=sa.Text))
    return source.columns(*map(sa.column, names))


def _sent(rows: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be sent as JSON")
