"""Random queries over everything the language has, and small helpers for tests of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from bot.conversations.entities import ENTITIES
from bot.crm.contact import CONTACT
from bot.ids import new_id
from bot.records.actor import SYSTEM, Actor
from bot.records.entity import Entity, Field
from bot.records.permissions import allowed
from bot.records.query import (
    ME,
    MY_TEAM,
    OPERATORS,
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    Exists,
    Group,
    Matches,
    Measure,
    Money,
    Not,
    Order,
    Query,
    Relative,
    Summary,
    SummaryOrder,
    reachable,
)
from bot.records.query.fields import pointing, relations
from bot.records.query.model import PERIODS, UNITS
from bot.records.schema import Schema
from bot.records.store import Store
from bot.records.tx import Tx

ADMIN = Actor("user", id=new_id(), role="admin")
SCHEMA = Schema(ENTITIES)
"""The kinds as they come, without an admin's fields."""
KOLKATA = ZoneInfo("Asia/Kolkata")
MOMENTS = [
    datetime(2026, 1, 30, 18, 29, 59, 999999, tzinfo=UTC),
    datetime(2026, 1, 30, 18, 30, tzinfo=UTC),  # midnight in Kolkata
    datetime(2026, 1, 31, 9, 30, 0, 123456, tzinfo=UTC),
    datetime(2026, 2, 1, tzinfo=UTC),
    datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC),  # the clock goes forward in Berlin
    datetime(2025, 12, 29, tzinfo=UTC),
]
DAYS = [date(2026, 1, 30), date(2026, 1, 31), date(2026, 2, 1), date(2025, 12, 31), date(2024, 2, 29)]
TEXTS = [
    "",
    "asha",
    "Asha",
    "Zoë",
    "आशा",
    'a "quoted" \\ word',
    "it's",
    "and",
    "100%",
    "\U0001f600",
    "\uffee",
]
WORDS = ["asha", "laxmi", "लक्ष्मी", "98765", "o-100", "sharma refund", "a", "!", ""]
AMOUNTS = [Decimal(0), Decimal(5), Decimal("2500.50"), Decimal("0.005"), Decimal(500000), Decimal("-7.1")]
IDS = [new_id() for _ in range(3)]
_KEPT_APART = ("json",)


class Inventor:
    """Makes up queries that an actor could have written. `kinds` are those that related records may be of,
    `pool` values that stand in records, by (kind, field)."""

    def __init__(
        self,
        random: Random,
        schema: Schema = SCHEMA,
        actor: Actor = ADMIN,
        kinds: frozenset[str] | None = None,
        pool: dict[tuple[str, str], list[Any]] | None = None,
    ) -> None:
        self.random = random
        self.schema = schema
        self.actor = actor
        self.kinds = kinds or frozenset(schema.entities)
        self.pool = pool or {}

    def query(self, entity: Entity, most: int = 3) -> Query:
        """A list."""
        where = self.where(entity, most)
        return Query(entity.name, where, self.order(entity), limit=self.random.randint(1, 4))

    def summary(self, entity: Entity) -> Summary:
        """A summary."""
        measures = [Measure("count")] if self.chance(0.7) else []
        while not measures or (len(measures) < 4 and self.chance(0.5)):
            function = self.random.choice(["sum", "avg", "min", "max"])
            added = ("money", "integer", "number")
            types = added if function in ("sum", "avg") else (*added, "text", "instant", "date")
            if (path := self.path(entity, types)) is not None:
                measures.append(Measure(function, path[0]))
        groups: list[Group] = []
        while len(groups) < 3 and self.chance(0.6):
            types = ("text", "enum", "boolean", "id", "instant", "date", "integer")
            if (path := self.path(entity, types)) is not None:
                timed = path[1].type in ("instant", "date")
                groups.append(Group(path[0], self.random.choice(PERIODS) if timed else None))
        measures, groups = list(dict.fromkeys(measures)), list(dict.fromkeys(groups))
        keys = [SummaryOrder(key, self.chance(0.5)) for key in (*measures, *groups) if self.chance(0.3)]
        limit = self.random.choice([None, None, 1, 3])
        return Summary(entity.name, tuple(measures), tuple(groups), self.where(entity, 2), tuple(keys), limit)

    def where(self, entity: Entity, most: int = 3) -> tuple[Condition, ...]:
        """Conditions, joined by `and`."""
        parts = [self._condition(entity, 3) for _ in range(self.random.randint(0, most))]
        return tuple(part for part in parts if not isinstance(part, AllOf))

    def order(self, entity: Entity) -> tuple[Order, ...]:
        """Keys of which the last is the id."""
        keys = {}
        for _ in range(self.random.randint(0, 3)):
            if (path := self.path(entity, _ORDERED)) is not None and path[0] != "id":
                keys[path[0]] = Order(path[0], self.chance(0.5))
        return (*keys.values(), Order("id", self.chance(0.5)))

    def chance(self, odds: float) -> bool:
        """True so often."""
        return self.random.random() < odds

    def _condition(self, entity: Entity, depth: int) -> Condition:
        drawn = self.random.random()
        if depth and drawn < 0.3:
            return self._joined(entity, depth)
        if depth and drawn < 0.42:
            return Not(self._condition(entity, depth - 1))
        if depth and drawn < 0.6 and (found := self._exists(entity, depth)) is not None:
            return found
        if drawn > 0.88 and (words := self._matches(entity)) is not None:
            return words
        return self._comparison(entity)

    def _joined(self, entity: Entity, depth: int) -> Condition:
        kind = AnyOf if self.chance(0.6) else AllOf
        parts: list[Condition] = []
        while len(parts) < 2 or (len(parts) < 4 and self.chance(0.4)):
            part = self._condition(entity, depth - 1)
            parts += part.parts if isinstance(part, kind) else [part]
        return kind(tuple(parts))

    def _exists(self, entity: Entity, depth: int) -> Condition | None:
        ways = [
            (kind, by)
            for name, kind in self.schema.entities.items()
            if name in self.kinds and allowed(self.actor, "read", name)
            for by in pointing(self.schema, self.actor, entity, kind)
        ]
        if not ways:
            return None
        kind, by = self.random.choice(ways)
        part = self._condition(kind, depth - 1) if self.chance(0.8) else None
        where = () if part is None else part.parts if isinstance(part, AllOf) else (part,)
        return Exists(kind.name, by, where)

    def _matches(self, entity: Entity) -> Condition | None:
        searched = self.path(entity, _ORDERED, searched=True)
        if searched is None:
            return None
        whole = searched[0].rpartition(".")[0]
        return Matches(whole if self.chance(0.5) else searched[0], self.random.choice(WORDS))

    def path(
        self, entity: Entity, types: tuple[str, ...], searched: bool = False
    ) -> tuple[str, Field] | None:
        """The path to a field of one of these types, and the field; None where the walk met none."""
        names: list[str] = []
        while len(names) < 4 and self.chance(0.35):
            steps = relations(self.schema, self.actor, entity).values()
            near = [step for step in steps if step.target.name in self.kinds]
            if not near:
                break
            step = self.random.choice(near)
            names.append(step.name)
            entity = step.target
        fields = [
            spec
            for spec in reachable(self.actor, entity).values()
            if spec.type in types and (spec.search or not searched) and self._usable(entity, spec)
        ]
        if not fields:
            return None
        spec = self.random.choice(fields)
        return ".".join((*names, spec.name)), spec

    def _usable(self, entity: Entity, spec: Field) -> bool:
        return spec.type != "money" or spec.custom or spec.currency in reachable(self.actor, entity)

    def _comparison(self, entity: Entity) -> Comparison:
        while (found := self.path(entity, (*_ORDERED, "boolean", "tags"))) is None:
            pass
        path, spec = found
        known = {"boolean": ("=", "!="), "tags": ("=", "!=", "in")}.get(spec.type, OPERATORS)
        operator: Any = self.random.choice(known)
        if operator == "in":
            many = tuple(self._value(spec, empty=0.2) for _ in range(self.random.randint(1, 3)))
            return Comparison(path, operator, many)
        if operator in ("=", "!="):
            return Comparison(path, operator, self._value(spec, empty=0.2))
        while (value := self._value(spec)) in (ME, MY_TEAM):
            pass
        return Comparison(path, operator, value)

    def _value(self, spec: Field, empty: float = 0.0) -> Any:
        if self.chance(empty):
            return None
        draw = self.random.choice
        there = self.pool.get((spec.column.table.name if not spec.custom else "", spec.name), [])  # type: ignore[attr-defined]
        if spec.type == "enum":
            return draw(spec.values)
        if spec.type == "id":
            mine = {"users": [ME, MY_TEAM], "teams": [ME, MY_TEAM]}.get(spec.to, [ME])
            return draw([*mine, *(there or IDS)])
        if spec.type == "integer":
            return draw([*range(6), *there, -(2**63), 2**63 - 1, 2**31])
        if spec.type == "number":
            return draw([0.0, 0.1, -1.5, 1e-07, 1e300, 3.0, *there])
        if spec.type == "money":
            currency = spec.currency if spec.custom else draw(["", "", "INR", "USD", "JPY", "KWD"])
            return Money(draw([*AMOUNTS, *(Decimal(value) / 100 for value in there)]), currency)
        if spec.type in ("instant", "date"):
            return self._time(spec)
        return draw([True, False]) if spec.type == "boolean" else draw([*TEXTS, *there])

    def _time(self, spec: Field) -> Any:
        way: Any = self.random.choice(["this", "last", "next"])
        hours = ["hour"] if spec.type == "instant" and way != "this" else []
        if self.chance(0.4) and (hours or way == "this" or self.chance(0.5)):
            count = 0 if way == "this" or self.chance(0.4) else self.random.randint(1, 40)
            unit: Any = self.random.choice([*UNITS[1:], *(hours if count else [])])
            return Relative(way, unit, count)
        return self.random.choice(DAYS if spec.type == "date" or self.chance(0.5) else MOMENTS)


_ORDERED = ("text", "integer", "number", "money", "instant", "date", "enum", "id")


class _Undo(Exception):
    """Ends a transaction that is to leave nothing."""


@contextmanager
def passing(store: Store) -> Iterator[Tx]:
    """A transaction that leaves nothing."""
    try:
        with store.database.write() as connection:
            yield Tx(connection, SYSTEM, store.keys, store.schema)
            raise _Undo
    except _Undo:
        return


def insert(tx: Tx, entity: Entity, values: dict[str, Any]) -> str:
    """A row as it is, without an event; returns its id."""
    row = {"id": new_id(), "created_at": tx.now, "updated_at": tx.now, "version": 1, **values}
    if entity is CONTACT:
        row = {"blocked": False, "demo": False, **row}
    tx.execute(entity.table.insert(), row)
    return str(row["id"])
