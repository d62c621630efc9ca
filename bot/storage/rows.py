"""Inserting a few rows at once.

psycopg opens a pipeline for an executemany, which costs more than a few rows do; one statement of several
VALUES, built once a table and count, does not.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

FEW = 8


def insert_rows(
    connection: sa.Connection, table: sa.Table, names: tuple[str, ...], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Insert rows that all give the same columns."""
    if connection.dialect.name == "sqlite" or not 1 < len(rows) <= FEW:
        connection.execute(_one(table, names), [{name: row.get(name) for name in names} for row in rows])
        return
    values = {f"{name}_{number}": row.get(name) for number, row in enumerate(rows) for name in names}
    connection.execute(_several(table, names, len(rows)), values)


@lru_cache(maxsize=64)
def _one(table: sa.Table, names: tuple[str, ...]) -> sa.Insert:
    return table.insert().values({name: sa.bindparam(name, type_=table.c[name].type) for name in names})


@lru_cache(maxsize=256)
def _several(table: sa.Table, names: tuple[str, ...], count: int) -> sa.TextClause:
    rows = (f"({', '.join(f':{name}_{number}' for name in names)})" for number in range(count))
    # Table and column names are our own; values are bound.
    text = sa.text(f"INSERT INTO {table.name} ({', '.join(names)}) VALUES {', '.join(rows)}")  # noqa: S608
    return text.bindparams(
        *(
            sa.bindparam(f"{name}_{number}", type_=table.c[name].type)
            for number in range(count)
            for name in names
        )
    )
