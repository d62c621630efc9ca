"""What the database refuses, in words: a value that only one record may have, an id that points nowhere."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from bot.errors import Conflict
from bot.records.entity import Entity

_SQLITE = "UNIQUE constraint failed: "


@contextmanager
def unique(entity: Entity) -> Iterator[None]:
    """Raises Conflict, with the fields named, where a write meets a record that has the value already."""
    try:
        yield
    except IntegrityError as error:
        names = _fields(entity.table, error)
        if names is None:
            raise Conflict(f"A record that one of the {entity.name} points to is not there") from error
        shown = [name for name in names if name in entity.fields] or [*names]
        raise Conflict(
            f"One of the {entity.name} has this {' and '.join(shown)} already, perhaps a deleted one",
            field=shown[-1],
            fields=shown,
            reason="not_unique",
        ) from error


def _fields(table: sa.Table, error: IntegrityError) -> list[str] | None:
    """The columns that must be unique together; None for another breach."""
    said = str(error.orig)
    if _SQLITE in said:
        return [part.strip().rpartition(".")[2] for part in said.partition(_SQLITE)[2].split(",")]
    name = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
    for rule in (*table.constraints, *table.indexes):
        if isinstance(rule, (sa.UniqueConstraint, sa.Index, sa.PrimaryKeyConstraint)) and rule.name == name:
            return [column.name for column in rule.columns]
    return None
