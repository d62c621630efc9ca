"""What a record kind is: its table, fields and who may see its rows. One `Entity` a kind, made beside the
operations of that kind; `bot.conversations.entities` lists them all, and `bot.records.schema` adds the
fields of the admins' own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa

from bot.clock import to_iso
from bot.records.actor import Actor
from bot.storage import Id, Instant, Json, metadata
from bot.storage.own_value import own_value

if TYPE_CHECKING:
    from bot.records.tx import Record, Tx

FieldType = Literal[
    "text", "integer", "number", "boolean", "instant", "date", "id", "enum", "money", "tags", "json"
]
Scope = Literal["owned", "open", "own", "parent"]
Prepare = Callable[["Tx", "Record | None", dict[str, Any]], None]
Guard = Callable[["Tx", "Record"], None]
After = Callable[["Tx", "Record | None", "Record | None"], None]
Parent = Callable[[Actor, bool], sa.ColumnElement[bool] | None]
EVERYTHING = frozenset({"create", "update", "delete"})
OWN_PREFIX = "x_"
"""Names of the admins' own fields begin so: they never meet a field that a later version brings."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field as the API, queries and forms see it. Money is held in minor units, its currency in the
    field that `currency` names."""

    name: str
    type: FieldType
    column: sa.ColumnElement[Any]
    """What a statement reads: a column, or a part of the `custom` one."""
    nullable: bool = True
    values: tuple[str, ...] = ()
    """Those of an enum, in their order."""
    to: str = ""
    """The record kind that an id points to."""
    currency: str = ""
    """Of money: the field that holds its currency, or a fixed one (ISO 4217)."""
    personal: bool = False
    """Values are sealed in the event log."""
    only_for: tuple[str, ...] = ()
    """Hidden from other roles."""
    internal: bool = False
    """Not shown by the API nor reachable by a query."""
    computed: bool = False
    """Kept by the program: shown and asked for, never written from outside."""
    required: bool = False
    """A new record must have it."""
    search: int = 0
    """Weight in search; 0: not searched, and `~` does not know it."""
    long: bool = False
    """Text of several lines."""
    length: int = 0
    """The most characters of a text; 0: no limit of its own."""
    texts: bool = False
    """Of json: a list of texts, which may be written from outside; other json may not."""
    structure: bool = False
    """Of json: written from outside as a whole; the kind's `prepare` reads what it means."""

    @property
    def custom(self) -> bool:
        """Whether admins made it."""
        return self.name.startswith(OWN_PREFIX)

    @property
    def relation(self) -> str:
        """How a query names the record this id points to: `account` for `account_id`; else nothing."""
        return self.name.removesuffix("_id") if self.to else ""

    def on(self, table: sa.FromClause) -> sa.ColumnElement[Any]:
        """What reads this field from an alias of its table."""
        return own_value(table.c.custom, self.name, self.type) if self.custom else table.c[self.name]


@dataclass(frozen=True, slots=True)
class Extras:
    """Lists of texts that a kind shows and takes as if they were fields, and that other records hold."""

    names: tuple[str, ...]
    column: Callable[[Actor], sa.ColumnElement[Any] | None]
    """What reads all of a record's lists as one text, beside its own columns; None where this actor sees
    nothing of them."""
    read: Callable[[str | None], Mapping[str, list[str]]]
    """The lists that such a text holds, by name."""
    save: Callable[["Tx", str, Mapping[str, list[str]]], None]
    """Makes one record's lists these. Raises InvalidInput, Conflict."""


EXTRAS = "+extras"
"""Where a row holds the text of its lists."""


@dataclass(frozen=True, slots=True, eq=False)
class Entity:
    """A record kind. `scope`: "owned" rows have owner_column and team_id; "open" rows are for every role that
    may read the kind; "own" rows only for the user in owner_column; "parent" rows follow
    `parent(actor, writing)`."""

    name: str
    table: sa.Table
    fields: Mapping[str, Field]
    scope: Scope = "owned"
    owner_column: str = "owner_id"
    parent: Parent | None = None
    number_prefix: str = ""
    contact_column: str = "contact_id"
    """The column that says whose personal data the row holds; the event log's key follows it."""
    title: str = "id"
    """The field by which people know a record."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """What a new record has where nothing is said."""
    prepare: Prepare | None = None
    """Asked on every way a record is made (before: None) or changed: completes or refuses the new values."""
    guard: Guard | None = None
    """Asked before a record is deleted: raises Conflict where something still needs it."""
    revive: Guard | None = None
    """Asked before a deleted record is restored: raises Forbidden, Conflict where it must stay away."""
    after: After | None = None
    """Told of every change once it is written: (tx, row before, row now). Without a row before it was made or
    restored, without a row now it was deleted."""
    takes: frozenset[str] = frozenset()
    """What may be done from outside by values alone (`bot.records.change`); the rest only by operations of
    the kind's own."""
    extras: Extras | None = None
    notice: str = ""
    """The topic of the notice after each change; none where nobody listens."""
    finds: str = ""
    """The field pointing to the record that search finds by this one: a contact by its addresses."""
    about: tuple[str, str] | None = None
    """The fields that say which record of which kind, any main one, this is about: (kind, id)."""

    @property
    def main(self) -> bool:
        """Whether records carry tags, a category, a territory and the admins' own fields."""
        return "custom" in self.table.c

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
    if isinstance(kind, sa.Date):
        return "date"
    if isinstance(kind, sa.Boolean):
        return "boolean"
    if isinstance(kind, sa.Float):
        return "number"
    if isinstance(kind, (sa.Integer, sa.BigInteger)):
        return "integer"
    return "text"


def _main_columns(name: str) -> tuple[sa.Column[Any] | sa.Index, ...]:
    """What every main record carries: whose it is, where it belongs, and the admins' own fields."""
    return (
        sa.Column("owner_id", Id, sa.ForeignKey("users.id")),
        sa.Column("team_id", Id, sa.ForeignKey("teams.id")),
        sa.Column("territory_id", Id, sa.ForeignKey("territories.id")),
        sa.Column("category_id", Id, sa.ForeignKey("categories.id")),
        sa.Column("tags", Json),
        sa.Column("custom", Json),
        # Whose a record is decides what a list shows: each way of seeing it is an index in the list's order.
        sa.Index(f"ix_{name}_owner", "owner_id", "id"),
        sa.Index(f"ix_{name}_team", "team_id", "id"),
        sa.Index(f"ix_{name}_territory", "territory_id", "id"),
        sa.Index(f"ix_{name}_category", "category_id", "id"),
    )


def entity(
    name: str, *columns: sa.Column[Any] | sa.Constraint | sa.Index, main: bool = False, **options: Any
) -> Entity:
    """Define a record kind from its columns; id, created_at, updated_at, deleted_at and version are added.

    `main` records have owner, team, territory, category, tags and custom fields too. Options: those of
    `describe`.
    """
    table = sa.Table(
        name,
        metadata,
        sa.Column("id", Id, primary_key=True),
        *columns,
        *(_main_columns(name) if main else ()),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sa.Column("deleted_at", Instant),
        sa.Column("version", sa.Integer, nullable=False, default=1),
    )
    if main:
        sa.Index(f"ix_{name}_updated", table.c.updated_at, table.c.id)  # what changed last, in a list's order
        options["internal"] = (*options.get("internal", ()), "custom")
        options = {"takes": EVERYTHING, "notice": name, **options}
    return describe(name, table, **options)


_KEPT = frozenset({"id", "created_at", "updated_at", "deleted_at", "version", "number"})
"""Fields that the program keeps in every kind."""


def describe(
    name: str,
    table: sa.Table,
    *,
    enums: Mapping[str, Sequence[str]] | None = None,
    personal: Sequence[str] = (),
    internal: Sequence[str] = (),
    computed: Sequence[str] = (),
    money: Mapping[str, str] | None = None,
    search: Mapping[str, int] | None = None,
    long: Sequence[str] = (),
    texts: Sequence[str] = (),
    structures: Sequence[str] = (),
    to: Mapping[str, str] | None = None,
    only_for: Mapping[str, Sequence[str]] | None = None,
    defaults: Mapping[str, Any] | None = None,
    **options: Any,
) -> Entity:
    """An Entity over a table. `money` names the currency field of each amount, `to` the kind an id points to
    where no foreign key says it."""
    enums, money, to, only_for = enums or {}, money or {}, to or {}, only_for or {}
    search, defaults = search or {}, defaults or {}

    def made(column: sa.Column[Any]) -> Field:
        by_hand = column.name in computed or column.name in _KEPT
        kind: FieldType = _type_of(column)
        if column.name in enums:
            kind = "enum"
        elif column.name in money:
            kind = "money"
        elif column.name == "tags":
            kind = "tags"
        target = to.get(column.name) or next(
            (key.target_fullname.split(".")[0] for key in column.foreign_keys), ""
        )
        return Field(
            name=column.name,
            type=kind,
            column=column,
            nullable=bool(column.nullable),
            values=tuple(enums.get(column.name, ())),
            to=target if kind == "id" else "",
            currency=money.get(column.name, ""),
            personal=column.name in personal,
            only_for=tuple(only_for.get(column.name, ())),
            internal=column.name in internal,
            computed=by_hand,
            required=not column.nullable and not by_hand and column.name not in defaults,
            search=search.get(column.name, 0),
            long=column.name in long,
            length=(column.type.length or 0) if isinstance(column.type, sa.String) else 0,
            texts=column.name in texts,
            structure=column.name in structures,
        )

    fields = {column.name: made(column) for column in table.columns}
    return Entity(name=name, table=table, fields=fields, defaults=defaults, **options)


def to_json(value: Any) -> Any:
    """A column value as JSON writes it."""
    if isinstance(value, datetime):
        return to_iso(value)
    return value.isoformat() if isinstance(value, date) else value
