"""One value inside a JSON column, written so that an index over the very same expression serves it: the name
stands in the statement, it is not bound.
"""

import re
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


class _OwnValue(FunctionElement[Any]):
    inherit_cache = True
    read_as = ""


class _Text(_OwnValue):
    inherit_cache = True
    name = "own_text"
    type = sa.Text()


class _Integer(_OwnValue):
    inherit_cache = True
    name = "own_integer"
    type = sa.BigInteger()
    read_as = "bigint"


class _Number(_OwnValue):
    inherit_cache = True
    name = "own_number"
    type = sa.Float()
    read_as = "double precision"


class _Boolean(_OwnValue):
    inherit_cache = True
    name = "own_boolean"
    type = sa.Boolean()
    read_as = "boolean"


_KINDS: dict[str, type[_OwnValue]] = {
    "integer": _Integer,
    "money": _Integer,
    "number": _Number,
    "boolean": _Boolean,
}


def own_value(column: sa.ColumnElement[Any], name: str, kind: str) -> sa.ColumnElement[Any]:
    """The value called `name` in a JSON object column, as this kind of field. Raises ValueError for a name
    that could be more than one."""
    if not _NAME.fullmatch(name):
        raise ValueError(name)
    return _KINDS.get(kind, _Text)(column, sa.literal_column(f"'{name}'"))


@compiles(_OwnValue, "postgresql")
def _on_postgresql(element: _OwnValue, compiler: SQLCompiler, **options: Any) -> str:
    column, name = (compiler.process(part, **options) for part in element.clauses)
    part = f"({column} ->> {name})"
    # By code point, as in SQLite: one index serves equality and order.
    return f"({part}::{element.read_as})" if element.read_as else f'({part} COLLATE "C")'


@compiles(_OwnValue, "sqlite")
def _on_sqlite(element: _OwnValue, compiler: SQLCompiler, **options: Any) -> str:
    column, name = (compiler.process(part, **options) for part in element.clauses)
    return f"json_extract({column}, '$.{name[1:-1]}')"
