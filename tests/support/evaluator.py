"""What a query should find, said in plain Python over rows in memory, and independently of bot.records.query
and bot.records.permissions."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cmp_to_key, partial
from typing import Any
from zoneinfo import ZoneInfo

from babel.numbers import get_currency_precision
from dateutil.relativedelta import relativedelta

from bot.records.actor import Actor
from bot.records.query import (
    ME,
    MY_TEAM,
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
    Query,
    Relative,
    Summary,
)
from bot.records.schema import Schema
from bot.records.search.fold import terms, wanted

Row = dict[str, Any]
MAIN = ("accounts", "contacts", "opportunities", "cases", "activities", "leads")
PARENTS = {
    "identities": ("contacts", "contact_id"),
    "affiliations": ("contacts", "contact_id"),
    "stakeholders": ("opportunities", "opportunity_id"),
}
FINDS = {"contacts": ("identities", "contact_id")}
"""By which other records a kind is found too."""


@dataclass
class Evaluator:
    """The rows of a business, and who looks at them, when and where."""

    schema: Schema
    rows: dict[str, list[Row]]
    actor: Actor
    zone: ZoneInfo
    now: datetime
    currency: str = "INR"

    def __post_init__(self) -> None:
        self.by_id = {kind: {row["id"]: row for row in rows} for kind, rows in self.rows.items()}

    # --- who sees what

    def sees(self, kind: str, row: Row) -> bool:
        """The rule of rows."""
        actor = self.actor
        if kind in PARENTS:
            parent, column = PARENTS[kind]
            above = self.by_id[parent][row[column]]
            return above["deleted_at"] is None and self.sees(parent, above)
        if actor.role in ("manager", "admin") or kind in ("users", "teams"):
            return True
        if actor.id == row["owner_id"] or (actor.team_id is not None and actor.team_id == row["team_id"]):
            return True
        if row["team_id"] is None and (actor.role == "agent" or row["owner_id"] is None):
            return True
        return row.get("territory_id") in actor.territory_ids or any(
            share["record_id"] == row["id"]
            and share["entity"] == kind
            and (share["user_id"] == actor.id or (actor.team_id and share["team_id"] == actor.team_id))
            for share in self.rows["shares"]
        )

    def visible(self, kind: str) -> list[Row]:
        """All rows of a kind that the actor may see."""
        return [row for row in self.rows[kind] if row["deleted_at"] is None and self.sees(kind, row)]

    def walk(self, kind: str, row: Row, path: list[str]) -> tuple[str, Row | None]:
        """The record that a path of relations leads to, if there is one to see."""
        here: Row | None = row or None
        for name in path:
            spec = next(one for one in self.schema.entity(kind).fields.values() if one.relation == name)
            target = self.by_id[spec.to].get(here.get(spec.name)) if here is not None else None
            kind = spec.to
            shown = target is not None and target["deleted_at"] is None and self.sees(kind, target)
            here = target if shown else None
        return kind, here

    # --- conditions

    def holds(self, kind: str, row: Row, where: Iterable[Condition]) -> bool:
        """Whether a row fulfils all conditions."""
        return all(self._holds(kind, row, part) for part in where)

    def _holds(self, kind: str, row: Row, part: Condition) -> bool:
        if isinstance(part, AnyOf):
            return any(self._holds(kind, row, one) for one in part.parts)
        if isinstance(part, AllOf):
            return all(self._holds(kind, row, one) for one in part.parts)
        if isinstance(part, Not):
            return not self._holds(kind, row, part.part)
        if isinstance(part, Exists):
            return self._exists(kind, row, part)
        if isinstance(part, Matches):
            return self._matches(kind, row, part)
        *path, name = part.field.split(".")
        kind, found = self.walk(kind, row, path)
        have = found.get(name) if found is not None else None
        return self._compares(kind, found or {}, name, have, part)

    def _exists(self, kind: str, row: Row, part: Exists) -> bool:
        fields = self.schema.entity(part.entity).fields.values()
        if part.by == "about" and part.entity == "activities":
            near = [
                one
                for one in self.visible("activities")
                if (one["about"], one["about_id"]) == (kind, row["id"])
            ]
        else:
            spec = next(one for one in fields if one.relation == part.by and one.to == kind)
            near = [one for one in self.visible(part.entity) if one.get(spec.name) == row["id"]]
        return any(self.holds(part.entity, one, part.where) for one in near)

    def _matches(self, kind: str, row: Row, part: Matches) -> bool:
        names = part.field.split(".") if part.field else []
        whole = not names or any(
            one.relation == names[-1]
            for one in self.schema.entity(self.walk(kind, row, names[:-1])[0]).fields.values()
        )
        kind, found = self.walk(kind, row, names if whole else names[:-1])
        if found is None:
            return False
        texts = self._texts(kind, found) if whole else [self._text(kind, found, names[-1])]
        held = [terms(text).split() for text in texts]
        asked = wanted(part.text)
        return bool(asked) and all(
            any(_has(terms_, one) for one in alternatives for terms_ in held) for alternatives in asked
        )

    def _texts(self, kind: str, row: Row) -> list[str]:
        texts = [self._text(kind, row, name) for name in self._searched(kind)]
        if kind in FINDS:
            other, column = FINDS[kind]
            texts += [
                self._text(other, one, name)
                for one in self.visible(other)
                if one[column] == row["id"]
                for name in self._searched(other)
            ]
        return texts

    def _searched(self, kind: str) -> list[str]:
        hidden = self.actor.access.hidden.get((self.actor.role or "", kind), ())
        return [
            name for name, one in self.schema.entity(kind).fields.items() if one.search and name not in hidden
        ]

    def _text(self, kind: str, row: Row, name: str) -> str:
        value = row.get(name)
        prefix = self.schema.entity(kind).number_prefix if name == "number" else ""
        return "" if value is None else f"{prefix}{value}"

    # --- values

    def _compares(self, kind: str, row: Row, name: str, have: Any, part: Comparison) -> bool:
        operator = "=" if part.operator == "in" else part.operator
        spec = self.schema.entity(kind).fields[name]
        if operator == "!=":
            return not self._compares(kind, row, name, have, Comparison(part.field, "=", part.value))
        if spec.type == "tags":
            return any((not have) if value is None else value in (have or ()) for value in part.values)
        places = [self._place(spec, row, have, value) for value in part.values]
        return any(
            {"=": place == 0, "<": place < 0, ">": place > 0, "<=": place <= 0, ">=": place >= 0}[operator]
            for place in places
            if place is not None
        )

    def _place(self, spec: Any, row: Row, have: Any, want: Any) -> int | None:
        """Whether what is there lies before (-1), in (0) or behind (1) what is asked for; None: neither."""
        if want is None or have is None:
            return 0 if want is have else None
        if want is MY_TEAM:
            return 0 if have in self._team(spec) else None
        if want is ME:
            want = self.actor.id
        if isinstance(want, Money):
            currency = spec.currency if spec.custom else (row.get(spec.currency) or self.currency)
            if currency != (want.currency or self.currency):
                return None
            want = want.amount * 10 ** get_currency_precision(currency)
            have = Decimal(have)
        if isinstance(want, Relative) and want.unit == "hour":
            far = timedelta(hours=want.count)
            low, high = (self.now - far, self.now) if want.way == "last" else (self.now, self.now + far)
            return -1 if have < low else 1 if have >= high else 0
        if isinstance(want, Relative) or type(want) is date:
            return self._place_of_day(have, want)
        if spec.type == "enum":
            have, want = spec.values.index(have), spec.values.index(want)
        return (have > want) - (have < want)

    def _place_of_day(self, have: Any, want: Any) -> int:
        day = have.astimezone(self.zone).date() if isinstance(have, datetime) else have
        if type(want) is date:
            return (day > want) - (day < want)
        today = self.now.astimezone(self.zone).date()
        if not want.count:
            moved = {"last": -1, "this": 0, "next": 1}[want.way]
            there, here = period_number(day, want.unit), period_number(today, want.unit) + moved
            return (there > here) - (there < here)
        far = relativedelta(
            **{f"{want.unit}s": want.count} if want.unit != "quarter" else {"months": 3 * want.count}
        )
        if want.way == "last":
            return -1 if day <= today - far else 1 if day > today else 0
        return -1 if day < today else 1 if day >= today + far else 0

    def _team(self, spec: Any) -> list[Any]:
        team = self.actor.team_id
        if team is None:
            return []
        return (
            [team]
            if spec.to == "teams"
            else [row["id"] for row in self.rows["users"] if row["team_id"] == team]
        )

    # --- lists

    def listed(self, query: Query) -> list[Row]:
        """The rows that the query selects, in its order."""
        kind = query.entity
        rows = [row for row in self.visible(kind) if self.holds(kind, row, query.where)]

        def key(row: Row, path: str) -> Any:
            *names, name = path.split(".")
            at, found = self.walk(kind, row, names)
            value = None if found is None else found.get(name)
            spec = self.schema.entity(at).fields[name]
            return spec.values.index(value) if spec.type == "enum" and value is not None else value

        def compare(left: Row, right: Row) -> int:
            for order in query.order:
                a, b = key(left, order.field), key(right, order.field)
                if a == b:
                    continue
                if a is None or b is None:
                    return 1 if a is None else -1
                return (-1 if a < b else 1) * (-1 if order.descending else 1)
            return 0

        return sorted(rows, key=cmp_to_key(compare))

    def summed(self, asked: Summary) -> list[Row]:
        """The groups of a summary, in its order, all of them."""
        kind = asked.entity
        found: dict[tuple[Any, ...], list[Row]] = {}
        paths = (self._currency_path(kind, measure) for measure in asked.measures)
        currencies = list(dict.fromkeys(path for path in paths if path))
        for row in self.visible(kind):
            if self.holds(kind, row, asked.where):
                groups = [self._group(kind, row, one) for one in asked.by]
                held = [self.value(kind, row, path)[1] or self.currency for path in currencies]
                found.setdefault((*groups, *held), []).append(row)
        if not asked.by and not currencies:
            found.setdefault((), [])
        names = [*map(str, asked.by), *currencies]
        result = []
        for key, rows in found.items():
            group = dict(zip(names, key, strict=True))
            result.append(group | {str(one): self._measure(kind, rows, one) for one in asked.measures})
        return sorted(result, key=cmp_to_key(partial(self._compare_groups, asked, currencies)))

    def value(self, kind: str, row: Row, path: str) -> tuple[Any, Any]:
        """The field at the end of a path, and what stands there."""
        *names, name = path.split(".")
        at, here = self.walk(kind, row, names)
        return self.schema.entity(at).fields[name], None if here is None else here.get(name)

    def _currency_path(self, kind: str, measure: Measure) -> str:
        if not measure.field:
            return ""
        spec = self.value(kind, {}, measure.field)[0]
        if spec.type != "money" or spec.custom:
            return ""
        return ".".join((*measure.field.split(".")[:-1], spec.currency))

    def _group(self, kind: str, row: Row, group: Group) -> Any:
        value = self.value(kind, row, group.field)[1]
        if group.period is None or value is None:
            return value
        day = value.astimezone(self.zone).date() if isinstance(value, datetime) else value
        first = day
        while period_number(first - timedelta(days=1), group.period) == period_number(day, group.period):
            first -= timedelta(days=1)
        return first

    def _measure(self, kind: str, rows: list[Row], measure: Measure) -> Any:
        if measure.function == "count":
            return len(rows)
        held = [self.value(kind, row, measure.field)[1] for row in rows]
        values = [value for value in held if value is not None]
        if not values:
            return None
        if measure.function in ("min", "max"):
            return (min if measure.function == "min" else max)(values)
        money = self.value(kind, {}, measure.field)[0].type == "money"
        if measure.function == "avg":
            return round(Fraction(sum(values), len(values))) if money else sum(values) / len(values)
        return sum(values)

    def _compare_groups(self, asked: Summary, currencies: list[str], left: Row, right: Row) -> int:
        keys = [(str(key.key), key.key, key.descending) for key in asked.order]
        keys += [(str(group), group, False) for group in asked.by]
        for name, key, descending in keys:
            a, b = left[name], right[name]
            if isinstance(key, Group):
                values = self.value(asked.entity, {}, key.field)[0].values
                a, b = (values.index(one) if values and one is not None else one for one in (a, b))
            if a == b:
                continue
            if a is None or b is None:
                return 1 if a is None else -1
            return (-1 if a < b else 1) * (-1 if descending else 1)
        a, b = ([row[path] for path in currencies] for row in (left, right))
        return (a > b) - (a < b)


def period_number(day: date, unit: str) -> int:
    """Which day, week, month, quarter or year it is, counted from year 0."""
    months = day.year * 12 + day.month - 1
    return {
        "day": day.toordinal(),
        "week": (day.toordinal() - 1) // 7,  # 0001-01-01 was a Monday
        "month": months,
        "quarter": months // 3,
        "year": day.year,
    }[unit]


def _has(held: list[str], term: str) -> bool:
    return any(one.startswith(term[:-1]) if term.endswith("*") else one == term for one in held)
