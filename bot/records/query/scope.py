"""The tables of one statement: a record's own, and those its paths lead to, each with the rows of it that the
actor may see and no others. What they may not see stands there as nothing, so it cannot be told by a filter
or an order.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import lru_cache
from itertools import count
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.sql.visitors import replacement_traverse

from bot.records.actor import Actor
from bot.records.entity import Entity, Field
from bot.records.permissions import row_filter
from bot.records.query.fields import Found, Step, find_field, find_searched
from bot.records.schema import Schema
from bot.storage import Id

Clause: TypeAlias = sa.ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class Ask:
    """Who asks, when and where, in which currency, of which database."""

    schema: Schema
    actor: Actor
    dialect: str
    now: datetime
    zone: tzinfo
    currency: str


@lru_cache(maxsize=4096)
def seen(actor: Actor, entity: Entity, alias: str) -> tuple[sa.FromClause, tuple[Clause, ...]]:
    """The kind's table under another name, and the conditions on its rows."""
    table = entity.table.alias(alias)
    conditions: list[Clause] = []
    if "deleted_at" in entity.table.c:
        conditions.append(table.c.deleted_at.is_(None))
    mine = row_filter(actor, entity)
    if mine is not None:

        def renamed(element: Any, **_: Any) -> Any:
            same = isinstance(element, sa.Column) and element.table is entity.table
            return table.c[element.name] if same else None

        conditions.append(replacement_traverse(mine, {}, renamed))
    return table, tuple(conditions)


def points_to(spec: Field, table: sa.FromClause, target: sa.FromClause, dialect: str) -> Clause:
    """Whether the id in this field is that of the target's row. Own fields hold ids as text, and an index on
    such a field is over that text."""
    column = spec.on(table)
    if spec.custom and dialect == "postgresql":
        return column == sa.cast(target.c.id, sa.Text)
    return column == target.c.id


class Scope:
    """One kind's rows, and the related ones that conditions, orders and fields ask for."""

    def __init__(
        self,
        ask: Ask,
        entity: Entity,
        table: sa.FromClause | None = None,
        names: Callable[[], str] | None = None,
    ) -> None:
        """`table` is an alias of the kind's; `names` gives each further table of the statement its own."""
        self.ask = ask
        self.entity = entity
        self.table: sa.FromClause = entity.table if table is None else table
        numbers = count(1)
        self.names = names or (lambda: f"r{next(numbers)}")
        self._joined: dict[tuple[str, ...], tuple[sa.FromClause, Clause]] = {}

    def find(self, path: str) -> Found:
        """The field of this path. Raises QueryInvalid where it does not exist for the actor."""
        return find_field(self.ask.schema, self.ask.actor, self.entity, path)

    def column(self, found: Found) -> sa.ColumnElement[Any]:
        """What reads a found field."""
        return found.spec.on(self.at(found.steps))

    def searched(self, path: str) -> tuple[sa.FromClause, Entity, Field | None]:
        """The table in which `~` looks, its kind, and the field, or None for all of them."""
        steps, entity, spec = find_searched(self.ask.schema, self.ask.actor, self.entity, path)
        return self.at(steps), entity, spec

    def at(self, steps: tuple[Step, ...]) -> sa.FromClause:
        """The table that these steps lead to, joined once however often it is asked for."""
        table = self.table
        path: tuple[str, ...] = ()
        for step in steps:
            path = (*path, step.name)
            if path not in self._joined:
                target, conditions = seen(self.ask.actor, step.target, self.names())
                self._joined[path] = (target, sa.and_(self._on(step.spec, table, target), *conditions))
            table = self._joined[path][0]
        return table

    def _on(self, spec: Field, table: sa.FromClause, target: sa.FromClause) -> Clause:
        column = spec.on(table)
        if spec.custom and self.ask.dialect == "postgresql":  # the target's index is over its id
            return target.c.id == sa.cast(column, Id)
        return target.c.id == column

    @property
    def joined(self) -> bool:
        """Whether any path left the kind's own table."""
        return bool(self._joined)

    def source(self) -> sa.FromClause:
        """The kind's table with all that is joined. A join is by id: it never doubles a row."""
        source = self.table
        for target, on in self._joined.values():
            source = source.outerjoin(target, on)
        return source
