"""The schema in force: every record kind with the admins' own fields, their rules, and the table of roles.

One immutable snapshot a process, read again when a definition changes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa

from bot.errors import NotFound
from bot.records.access import DEFAULT, Access, with_rules
from bot.records.definitions import ACCESS_RULE, CUSTOM_FIELD, VALIDATION_RULE
from bot.records.entity import Entity, Field
from bot.storage.own_value import own_value

Rule = Mapping[str, Any]
OWN_TEXT = 500
"""The most characters of an own text: an index must hold every value."""


@dataclass(frozen=True, slots=True, eq=False)
class Schema:
    """`rules` are the admins' validation rules by record kind."""

    entities: Mapping[str, Entity]
    access: Access = DEFAULT
    rules: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict)
    labels: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """What admins call their own fields, by (kind, field)."""
    stamp: tuple[tuple[str, int], ...] = ()
    """(id, version) of every definition: another one where anything is defined otherwise."""

    def entity(self, name: str) -> Entity:
        """The record kind of this name. Raises NotFound."""
        found = self.entities.get(name)
        if found is None:
            raise NotFound(f"There is no record kind {name[:40]!r}", kind=name[:40])
        return found

    def of(self, entity: Entity) -> Entity:
        """The kind with the fields that admins added."""
        return self.entities.get(entity.name, entity)


def load_schema(connection: sa.Connection, entities: Mapping[str, Entity]) -> Schema:
    """The schema of this database: three small reads."""
    own: dict[str, dict[str, Field]] = {}
    labels: dict[tuple[str, str], str] = {}
    fields, checks, cells = (list(_live(connection, entity, order)) for entity, order in _READ)
    for row in fields:
        if row["entity"] in entities:
            own.setdefault(row["entity"], {})[row["name"]] = own_field(entities[row["entity"]], row)
            labels[row["entity"], row["name"]] = row["label"]
    rules: dict[str, tuple[Rule, ...]] = {}
    for row in checks:
        if row["active"]:
            rules[row["entity"]] = (*rules.get(row["entity"], ()), row)
    access = with_rules(cells)
    full = {
        name: replace(entity, fields={**entity.fields, **own[name]}) if name in own else entity
        for name, entity in entities.items()
    }
    stamp = tuple((row["id"], row["version"]) for row in (*fields, *checks, *cells))
    return Schema(full, access, rules, labels, stamp)


_READ = ((CUSTOM_FIELD, "position"), (VALIDATION_RULE, "id"), (ACCESS_RULE, "id"))


def _live(connection: sa.Connection, entity: Entity, order: str) -> Iterator[Rule]:
    table = entity.table
    statement = sa.select(table).where(table.c.deleted_at.is_(None)).order_by(table.c[order], table.c.id)
    for row in connection.execute(statement).mappings():
        yield dict(row)


def own_field(entity: Entity, row: Rule) -> Field:
    """A field that admins made: a part of the record's `custom` column. Instants and dates are held as text
    of fixed width, which sorts as time does."""
    kind = row["type"]
    return Field(
        name=row["name"],
        type=kind,
        column=own_value(entity.table.c.custom, row["name"], kind),
        values=tuple(row["values"] or ()),
        to=row["target"] or "" if kind == "id" else "",
        currency=row["currency"] or "" if kind == "money" else "",
        personal=kind in ("text", "enum"),
        search=2 if row["searchable"] else 0,
        length=OWN_TEXT if kind == "text" else 0,
    )


def names_of(entity: Entity) -> Sequence[str]:
    """The admins' own fields of a kind."""
    return [name for name, spec in entity.fields.items() if spec.custom]
