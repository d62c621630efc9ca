"""What a record kind is: its table, fields and who may see its rows. One `Entity` a kind, made beside the
operations of that kind; `bot.conversations.entities` lists them all."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from bot.clock import to_iso
from bot.records.actor import Actor
from bot.storage import Id, Instant, Json, metadata

FieldType = Literal["text", "integer", "boolean", "instant", "id", "enum", "json"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field as the API, queries and forms see it. `values` are those of an enum; `only_for` hides it
    from other roles; `personal` values are sealed in the event log."""

    name: str
    type: FieldType
    column: sa.Column[Any]
    values: tuple[str, ...] = ()
    personal: bool = False
    only_for: tuple[str, ...] = ()
    internal: bool = False
    """Not shown by the API nor reachable by a query."""


@dataclass(frozen=True, slots=True)
class Entity:
    """A record kind. `scope`: "owned" rows have owner_column and team_id; "open" rows are for every role that
    may read the kind; "own" rows only for the user in owner_column; "parent" rows follow `parent(actor)`."""

    name: str
    table: sa.Table
    fields: Mapping[str, Field]
    scope: Literal["owned", "open", "own", "parent"] = "owned"
    owner_column: str = "owner_id"
    parent: Callable[[Actor], sa.ColumnElement[bool] | None] | None = None
    number_prefix: str = ""
    contact_column: str = "contact_id"
    """The column that says whose personal data the row holds; the event log's key follows it."""

    def personal(self, name: str) -> bool:
        """Whether a column's values are sealed in the event log."""
        spec = self.fields.get(name)
        return spec is not None and spec.personal


def _type_of(column: sa.Column[Any]) -> FieldType:
    kind = column.type
    if kind is Id:
        return "id"
    if kind is Instant:
        return "instant"
    if kind is Json:
        return "json"
    if isinstance(kind, sa.Boolean):
        return "boolean"
    if isinstance(kind, (sa.Integer, sa.BigInteger)):
        return "integer"
    return "text"


def entity(
    name: str,
    *columns: sa.Column[Any] | sa.Constraint | sa.Index,
    enums: Mapping[str, Sequence[str]] | None = None,
    personal: Sequence[str] = (),
    internal: Sequence[str] = (),
    only_for: Mapping[str, Sequence[str]] | None = None,
    **options: Any,
) -> Entity:
    """Define a record kind from its columns; id, created_at, updated_at, deleted_at and version are added."""
    table = sa.Table(
        name,
        metadata,
        sa.Column("id", Id, primary_key=True),
        *columns,
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sa.Column("deleted_at", Instant),
        sa.Column("version", sa.Integer, nullable=False, default=1),
    )
    return describe(
        name, table, enums=enums, personal=personal, internal=internal, only_for=only_for, **options
    )


def describe(
    name: str,
    table: sa.Table,
    *,
    enums: Mapping[str, Sequence[str]] | None = None,
    personal: Sequence[str] = (),
    internal: Sequence[str] = (),
    only_for: Mapping[str, Sequence[str]] | None = None,
    **options: Any,
) -> Entity:
    """An Entity over a table that is made elsewhere (messages, events: partitioned)."""
    enums, only_for = enums or {}, only_for or {}
    fields = {
        column.name: Field(
            name=column.name,
            type="enum" if column.name in enums else _type_of(column),
            column=column,
            values=tuple(enums.get(column.name, ())),
            personal=column.name in personal,
            internal=column.name in internal,
            only_for=tuple(only_for.get(column.name, ())),
        )
        for column in table.columns
    }
    return Entity(name=name, table=table, fields=fields, **options)


def to_json(value: Any) -> Any:
    """A column value as JSON writes it."""
    return to_iso(value) if isinstance(value, datetime) else value
