"""Records counted and added up, by groups: `opportunities summarise count, sum(amount) by stage`.

One statement: an inner select of the rows the actor may see, with what is asked of each; an outer one that
groups them. Amounts of different currencies are never added: the currency is a group by itself.
"""

from dataclasses import dataclass
from datetime import UTC, tzinfo
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import sqlalchemy as sa

from bot.records.entity import Entity, FieldType
from bot.records.query.compile import visible_rows
from bot.records.query.conditions import clause, currency_of, sort_key
from bot.records.query.fields import Found, find_field
from bot.records.query.model import Group, Measure, Summary
from bot.records.query.periods import period_start
from bot.records.query.run import DEFAULT_CURRENCY, asking
from bot.records.query.scope import Ask, Scope
from bot.records.tx import Record, Tx

MAX_GROUPS = 1_000


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a summary: what it was asked as, its type, and of amounts the column with their currency,
    or the currency itself."""

    name: str
    type: FieldType
    currency: str = ""


@dataclass(frozen=True, slots=True)
class SummaryResult:
    """Groups with their measures, by the names of the columns. `more`: there were further groups."""

    columns: tuple[Column, ...]
    rows: list[Record]
    more: bool = False


def summary(
    tx: Tx, entity: Entity, asked: Summary, zone: tzinfo = UTC, currency: str = DEFAULT_CURRENCY
) -> SummaryResult:
    """What the records that match and that the actor may see come to, in one statement. A month is one of
    `zone`. Amounts are in minor units, averages of them rounded.

    Raises Forbidden, QueryInvalid, InvalidInput.
    """
    tx.require("read", entity.name)
    plan = _Plan(asked, tx.schema.of(entity), asking(tx, zone, currency))
    rows = tx.rows(plan.statement())
    limit = plan.limit
    return SummaryResult(plan.columns(), [plan.read(row) for row in rows[:limit]], len(rows) > limit)


class _Plan:
    """One summary: which fields it asks for, its statement, and how a row of that is read."""

    def __init__(self, asked: Summary, entity: Entity, ask: Ask) -> None:
        self.asked = asked
        self.ask = ask
        self.limit = min(asked.limit or MAX_GROUPS, MAX_GROUPS)
        self.scope = Scope(ask, entity)
        self.groups = [(group, self.scope.find(group.field)) for group in asked.by]
        self.measures = [
            (measure, self.scope.find(measure.field) if measure.field else None) for measure in asked.measures
        ]
        self.currencies = self._currencies()

    def _currencies(self) -> dict[str, Found]:
        """By the path of the field that holds it, an amount for each currency that becomes a group."""
        found: dict[str, Found] = {}
        for _, amount in self.measures:
            if amount is not None and amount.spec.type == "money" and not amount.spec.custom:
                path = amount.path.removesuffix(amount.spec.name) + amount.spec.currency
                find_field(self.ask.schema, self.ask.actor, self.scope.entity, path)
                found.setdefault(path, amount)
        return found

    def statement(self) -> sa.Select[Any]:
        """Groups, currencies and measures, in this order."""
        rows = self._rows().subquery("rows")
        groups = [rows.c[f"g{place}"] for place in range(len(self.groups))]
        groups += [rows.c[f"c{place}"] for place in range(len(self.currencies))]
        measures = [self._measure(rows, place, measure) for place, (measure, _) in enumerate(self.measures)]
        columns = [column for pair in measures for column in pair]
        statement = sa.select(*groups, *columns).group_by(*groups).select_from(rows)
        return statement.order_by(*self._order(rows)).limit(self.limit + 1)

    def _rows(self) -> sa.Select[Any]:
        scope, ask = self.scope, self.ask
        columns: list[sa.ColumnElement[Any]] = []
        for place, (group, found) in enumerate(self.groups):
            column = scope.column(found)
            if group.period is not None:
                column = period_start(found.spec, column, group.period, ask.dialect, ask.zone)
            columns.append(column.label(f"g{place}"))
        for place, amount in enumerate(self.currencies.values()):
            columns.append(currency_of(scope, amount).label(f"c{place}"))
        for place, (_, measured) in enumerate(self.measures):
            if measured is not None:
                columns.append(scope.column(measured).label(f"m{place}"))
        conditions = [*visible_rows(ask.actor, scope.entity)]
        conditions += [clause(scope, part) for part in self.asked.where]
        counted = columns or [scope.table.c.id]
        return sa.select(*counted).where(*conditions).select_from(scope.source())

    def _measure(self, rows: sa.Subquery, place: int, measure: Measure) -> tuple[sa.ColumnElement[Any], ...]:
        """What is selected for a measure: for an average the sum and how many, which are exact."""
        if measure.function == "count":
            return (sa.func.count().label(f"v{place}"),)
        column = rows.c[f"m{place}"]
        if measure.function == "avg":
            return sa.func.sum(column).label(f"v{place}"), sa.func.count(column).label(f"n{place}")
        return (self._plain(place, measure, rows).label(f"v{place}"),)

    def _plain(self, place: int, measure: Measure, rows: sa.Subquery) -> sa.ColumnElement[Any]:
        if measure.function == "count":
            return sa.func.count()
        column: sa.ColumnElement[Any] = rows.c[f"m{place}"]
        found = self.measures[place][1]
        if measure.function in ("min", "max") and found is not None:
            column = sort_key(found, column, self.ask.dialect)
        called: sa.ColumnElement[Any] = getattr(sa.func, measure.function)(column)
        return called

    def _order(self, rows: sa.Subquery) -> list[sa.ColumnElement[Any]]:
        """The order asked for, then that of the groups, so that it is always the same."""
        groups: dict[Measure | Group, sa.ColumnElement[Any]] = {}
        for place, (group, found) in enumerate(self.groups):
            column = rows.c[f"g{place}"]
            groups[group] = column if group.period else sort_key(found, column, self.ask.dialect)
        keys = dict(groups)
        for place, (measure, _) in enumerate(self.measures):
            keys[measure] = self._plain(place, measure, rows)
        order = [
            (keys[key.key].desc() if key.descending else keys[key.key].asc()).nulls_last()
            for key in self.asked.order
        ]
        order += [column.asc().nulls_last() for column in groups.values()]
        return order + [rows.c[f"c{place}"].asc() for place in range(len(self.currencies))]

    def columns(self) -> tuple[Column, ...]:
        """What each column is."""
        found = [
            Column(str(group), "date" if group.period else field.spec.type) for group, field in self.groups
        ]
        found += [Column(path, "text") for path in self.currencies]
        for measure, field in self.measures:
            if field is None:
                found.append(Column("count", "integer"))
            elif field.spec.type == "money":
                held = field.path.removesuffix(field.spec.name) + field.spec.currency
                currency = field.spec.currency if field.spec.custom else held
                found.append(Column(str(measure), "money", currency))
            else:
                exact = measure.function != "avg" and field.spec.type
                found.append(Column(str(measure), exact or "number"))
        return tuple(found)

    def read(self, row: Record) -> Record:
        """A row of the statement by the names of the columns."""
        found = {str(group): row[f"g{place}"] for place, (group, _) in enumerate(self.groups)}
        found |= {path: row[f"c{place}"] for place, path in enumerate(self.currencies)}
        for place, (measure, field) in enumerate(self.measures):
            value = row[f"v{place}"]
            kind = field.spec.type if field is not None else "integer"
            if value is not None and measure.function in ("sum", "avg"):
                value = float(value) if kind == "number" else int(value)
                if measure.function == "avg":
                    value = _mean(value, row[f"n{place}"], whole=kind == "money")
            found[str(measure)] = value
        return found


def _mean(total: int | float, count: int, *, whole: bool) -> int | float:
    """An average; of amounts rounded to the smallest unit."""
    if whole:
        return int((Decimal(total) / count).to_integral_value(ROUND_HALF_EVEN))
    return total / count
