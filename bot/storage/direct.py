"""Reading from PostgreSQL without a detour: statements that are kept are compiled once, then go straight to
the driver. What SQLAlchemy does around each execution takes longer than the answer of a record or a page.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import psycopg
import sqlalchemy as sa

from bot.errors import Unavailable

KEPT = "kept"
"""The execution option of statements that are built once and used often."""


@dataclass(frozen=True, slots=True)
class _Direct:
    """A statement as the driver takes it, the values that stand in it, and the names of its columns."""

    text: str
    values: Mapping[str, Any]
    names: tuple[str, ...]


def rows(
    connection: sa.Connection, statement: sa.Executable, parameters: Mapping[str, Any] | None
) -> list[dict[str, Any]] | None:
    """All rows of a kept statement; None where it has to be executed by SQLAlchemy.

    For connections that commit by themselves, whose reads may be repeated: whatever fails here is asked for
    once more by SQLAlchemy, which knows how to say it and what to do with the connection.
    """
    if not statement.get_execution_options().get(KEPT):
        return None
    given = parameters or {}
    direct = _direct(statement, connection.dialect, tuple(given))
    if direct is None:
        return None
    driver = connection.connection.driver_connection
    assert driver is not None
    values = {**direct.values, **given}
    # Who counts statements counts these too.
    connection.dispatch.before_cursor_execute(connection, None, direct.text, values, None, False)
    try:
        found = driver.execute(direct.text, values).fetchall()
    except psycopg.errors.QueryCanceled as error:  # who stopped it does not want it begun again
        raise Unavailable("The database was told to stop a query") from error
    except psycopg.Error:
        return None
    return [dict(zip(direct.names, row, strict=True)) for row in found]


@lru_cache(maxsize=2048)
def _direct(statement: Any, dialect: sa.Dialect, given: tuple[str, ...]) -> _Direct | None:
    """None where a value is more than the driver's own, going in or coming out."""
    if dialect.name != "postgresql":
        return None
    compiled = statement.compile(dialect=dialect)
    columns = tuple(statement.selected_columns)
    going_in = (bind.type.dialect_impl(dialect).bind_processor(dialect) for bind in compiled.binds.values())
    if any(going_in) or not all(_as_it_comes(column.type, dialect) for column in columns):
        return None
    names = tuple(column.name for column in columns)
    # Values that come later stand open; those of the statement itself are written into it where it says so.
    written = compiled.construct_expanded_state(dict.fromkeys(given))
    return _Direct(written.statement, dict(written.parameters), names)


def _as_it_comes(kind: Any, dialect: sa.Dialect) -> bool:
    """Whether the driver's value is ours."""
    if isinstance(kind, sa.Float):
        return True  # asked about, SQLAlchemy wants to know how PostgreSQL holds it: as a float
    if isinstance(kind, sa.Numeric):
        return False
    return kind.dialect_impl(dialect).result_processor(dialect, None) is None
