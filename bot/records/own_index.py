"""An index for each field that admins made, and for each value that must be unique: made when they are
defined, dropped with them.

On PostgreSQL they are built while people work (CONCURRENTLY), which no transaction may hold; one process
does it, the others pass by.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bot.records.entity import Entity, Field
from bot.records.schema import Schema
from bot.records.validate import folded
from bot.storage.database import Database

_OWN, _ONE = "ix_own_", "ix_one_"
_LOCK = 0x5A3B0015
_INDEXED = ("text", "integer", "number", "boolean", "instant", "date", "id", "enum", "money")


def wanted_indexes(schema: Schema, dialect: str) -> dict[str, str]:
    """name -> `ON table (expressions)` of the indexes that this schema's definitions ask for."""
    made = {}
    for entity in schema.entities.values():
        for spec in entity.fields.values():
            if spec.custom and spec.type in _INDEXED:
                made[_name(_OWN, entity, spec)] = _on(entity, spec.column, dialect)
        for rule in schema.rules.get(entity.name, ()):
            ruled = entity.fields.get(rule["field"])
            if rule["kind"] == "unique" and ruled is not None:
                what = folded(ruled) if ruled.type == "text" else ruled.column
                made[_name(_ONE, entity, ruled)] = _on(entity, what, dialect)
    return made


def _name(prefix: str, entity: Entity, spec: Field) -> str:
    return f"{prefix}{entity.name}_{spec.name}"[:63]


def _on(entity: Entity, column: sa.ColumnElement[Any], dialect: str) -> str:
    """The very expression that queries are compiled to, so that the planner knows it again."""
    chosen = postgresql.dialect() if dialect == "postgresql" else sqlite.dialect()  # type: ignore[no-untyped-call]
    text = str(column.compile(dialect=chosen)).replace(f"{entity.table.name}.", "")
    return f"ON {entity.table.name} (({text}), id)"


def index_own_fields(database: Database, schema: Schema) -> list[str]:
    """Make the indexes that are missing and drop those that nothing asks for; returns the names of both."""
    wanted = wanted_indexes(schema, database.dialect)
    if database.dialect == "sqlite":
        with database.read() as connection:
            known = set(connection.exec_driver_sql(_SQLITE_KNOWN).scalars())
        statements = _statements(known, wanted)
        if statements:
            with database.write() as connection:
                for statement in statements.values():
                    connection.exec_driver_sql(statement)
        return [*statements]
    with database.read() as connection:  # each statement of such a connection commits by itself
        run = connection.exec_driver_sql
        if not run(f"SELECT pg_try_advisory_lock({_LOCK})").scalar_one():
            return []
        try:
            for name in run(f"{_POSTGRESQL_KNOWN} AND NOT indisvalid").scalars().all():
                run(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")  # a build that broke off left it
            statements = _statements(set(run(_POSTGRESQL_KNOWN).scalars()), wanted, "CONCURRENTLY ")
            for statement in statements.values():
                run(statement)
        finally:
            run(f"SELECT pg_advisory_unlock({_LOCK})")
    return [*statements]


def _statements(known: set[str], wanted: dict[str, str], how: str = "") -> dict[str, str]:
    drop = {name: f"DROP INDEX {how}IF EXISTS {name}" for name in sorted(known - wanted.keys())}
    create = f"CREATE INDEX {how}IF NOT EXISTS"
    make = {name: f"{create} {name} {on}" for name, on in wanted.items() if name not in known}
    return drop | make


_SQLITE_KNOWN = f"SELECT name FROM sqlite_master WHERE name LIKE '{_OWN}%' OR name LIKE '{_ONE}%'"  # noqa: S608
_POSTGRESQL_KNOWN = (
    "SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid "  # noqa: S608
    f"WHERE (relname LIKE '{_OWN}%%' OR relname LIKE '{_ONE}%%')"
)
