"""Conditions as SQL. Each is two-valued: what is empty does not fulfil a comparison, and its denial does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from operator import ge, gt, le, lt
from typing import Any, cast

import sqlalchemy as sa

from bot.errors import InvalidInput
from bot.records.entity import Entity, Field
from bot.records.permissions import allowed
from bot.records.query.amounts import bounds
from bot.records.query.fields import Found, find_field, pointing, reachable, unknown
from bot.records.query.model import (
    ME,
    MY_TEAM,
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    Exists,
    Matches,
    Money,
    Not,
    Operator,
    Relative,
    Value,
)
from bot.records.query.parse import readable
from bot.records.query.relative import days_of, midnight, moments_of
from bot.records.query.scope import Ask, Clause, Scope, points_to, seen
from bot.records.search.index import Source, matching
from bot.records.tags import taggings

_COMPARE: dict[Operator, Callable[[Any, Any], Any]] = {"<": lt, ">": gt, "<=": le, ">=": ge}


def clause(scope: Scope, part: Condition) -> Clause:
    """A condition on the scope's rows. Raises QueryInvalid for what does not exist for the actor, and
    InvalidInput for `me` where nobody is signed in."""
    if isinstance(part, Comparison):
        return _comparison(scope, part)
    if isinstance(part, AnyOf):
        return sa.or_(*(clause(scope, one) for one in part.parts))
    if isinstance(part, AllOf):
        return sa.and_(*(clause(scope, one) for one in part.parts))
    if isinstance(part, Not):
        return _denied(clause(scope, part.part), sure=isinstance(part.part, Exists))
    if isinstance(part, Exists):
        return _exists(scope, part)
    return _matches(scope, part)


def _denied(condition: Clause, *, sure: bool = False) -> Clause:
    """Holds wherever the condition does not, be it for want of a value. One that is never unknown (`sure`) is
    denied so that the planner sees an anti-join."""
    return sa.not_(condition) if sure else condition.is_not(sa.true())


def _exists(scope: Scope, part: Exists) -> Clause:
    ask = scope.ask
    kind = readable(ask.schema, ask.actor, part.entity, None)
    ways = pointing(ask.schema, ask.actor, scope.entity, kind)
    if part.by not in ways:
        raise unknown("relation", part.by, ways, None, of=kind.name)
    table, conditions = seen(ask.actor, kind, scope.names())
    inner = Scope(ask, kind, table, scope.names)
    wanted = [points_to(ways[part.by], table, scope.table, ask.dialect), *conditions]
    if part.by == "about" and kind.about is not None:
        wanted.append(table.c[kind.about[0]] == scope.entity.name)
    wanted += [clause(inner, one) for one in part.where]
    chosen: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(inner.source()).where(*wanted)
    return chosen.correlate(scope.table).exists()


def _matches(scope: Scope, part: Matches) -> Clause:
    table, entity, spec = scope.searched(part.field)
    ask = scope.ask
    among = searched_by(ask, entity) if spec is None else [(entity.name, spec.name)]
    everything = spec is None and finds_by_everything(ask, entity, among)
    return table.c.id.in_(matching(ask.dialect, entity.name, among, part.text, everything=everything))


def finds_by_everything(ask: Ask, entity: Entity, among: Sequence[Source]) -> bool:
    """Whether these are all fields by which records of a kind are found, those hidden from the actor too:
    then the index has one document of them. One of a kind that finds another is part of that one's."""
    if entity.finds:
        return False
    kinds = [entity, *(kind for kind in ask.schema.entities.values() if _finds(kind, entity))]
    return len(among) == sum(1 for kind in kinds for spec in kind.fields.values() if spec.search)


def _finds(kind: Entity, entity: Entity) -> bool:
    """Whether a hit on the one leads to the other."""
    return bool(kind.finds) and kind.fields[kind.finds].to == entity.name


def searched_by(ask: Ask, entity: Entity) -> list[Source]:
    """The fields by which the actor may find records of a kind: its own, and those of kinds that find it."""
    kinds = [
        entity,
        *(
            kind
            for kind in ask.schema.entities.values()
            if _finds(kind, entity) and allowed(ask.actor, "read", kind.name)
        ),
    ]
    return [
        (kind.name, name)
        for kind in kinds
        for name, spec in reachable(ask.actor, kind).items()
        if spec.search
    ]


# --- comparisons -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Span:
    """From `start` up to, not including, `end`: whatever lies in it is equal to it."""

    start: Any
    end: Any


@dataclass(frozen=True, slots=True)
class _Side:
    """A field in a statement, and how its values are bound."""

    scope: Scope
    found: Found
    column: sa.ColumnElement[Any]

    @property
    def spec(self) -> Field:
        return self.found.spec

    def bound(self, value: Any) -> sa.ColumnElement[Any]:
        return bound(self.spec, value)

    @property
    def key(self) -> sa.ColumnElement[Any]:
        return sort_key(self.found, self.column, self.scope.ask.dialect)


def bound(spec: Field, value: Any) -> sa.ColumnElement[Any]:
    """A value as the field's column is compared with it."""
    return sa.literal(bound_value(spec, value), bound_type(spec))


def bound_value(spec: Field, value: Any) -> Any:
    """A value as the field's column holds it: own fields hold moments and days as text."""
    if spec.custom and isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return value.isoformat() if spec.custom and isinstance(value, date) else value


def bound_type(spec: Field) -> Any:
    """The type by which values for the field are bound."""
    if spec.type in ("integer", "money"):  # wide: a number beyond a 32-bit column is a comparison, no error
        return sa.BigInteger()
    return spec.column.type


def sort_key(found: Found, column: sa.ColumnElement[Any], dialect: str) -> sa.ColumnElement[Any]:
    """What the field sorts and compares by: text by code point, enums as their values are listed."""
    spec = found.spec
    if spec.type == "enum":
        ranks = {value: sa.literal(rank, sa.Integer) for rank, value in enumerate(spec.values)}
        unlisted: Any = sa.literal(len(ranks), sa.Integer)
        if found.nullable:
            unlisted = sa.case((column.is_not(None), unlisted))
        return sa.case(ranks, value=column, else_=unlisted)
    if spec.type == "text" and dialect == "postgresql":
        return column.collate("C")
    return column


def _comparison(scope: Scope, part: Comparison) -> Clause:
    found = scope.find(part.field)
    side = _Side(scope, found, scope.column(found))
    if part.operator in ("=", "in"):
        return _one_of(side, part.values)
    value = part.values[0]
    if part.operator == "!=":
        return _different(side, value)
    if isinstance(value, Money):
        return _amount(side, part.operator, value)
    if found.spec.type == "enum":
        limit = found.spec.values.index(str(value))
        ranks = enumerate(found.spec.values)
        return side.column.in_([name for rank, name in ranks if _COMPARE[part.operator](rank, limit)])
    if isinstance(span := _span(side, value), _Span):
        # A span is before what begins after it: `> span` and `<= span` look at its end.
        if part.operator in (">", "<="):
            end = side.bound(span.end)
            return side.column >= end if part.operator == ">" else side.column < end
        value = span.start
    return cast(Clause, _COMPARE[part.operator](side.key, side.bound(value)))


def _different(side: _Side, value: Value) -> Clause:
    if side.spec.type == "tags":
        return sa.not_(_one_of(side, (value,)))
    if value is None:
        return side.column.is_not(None)
    same = _one_of(side, (value,))
    return _denied(same) if side.found.nullable or isinstance(value, Money) else sa.not_(same)


def _one_of(side: _Side, values: tuple[Value, ...]) -> Clause:
    """Equal to any of the values; plain ones go together."""
    if side.spec.type == "tags":
        return _tagged(side, values)
    plain: list[Any] = []
    choices: list[Clause] = []
    for value in values:
        span = _span(side, value)
        if value is None:
            choices.append(side.column.is_(None))
        elif value is MY_TEAM:
            choices.append(_of_my_team(side))
        elif isinstance(value, Money):
            choices.append(_amount(side, "=", value))
        elif isinstance(span, _Span):
            choices.append(sa.and_(side.column >= side.bound(span.start), side.column < side.bound(span.end)))
        else:
            plain.append(_mine(side) if value is ME else value)
    if len(plain) == 1:
        choices.append(side.column == side.bound(plain[0]))
    elif plain:
        given = [bound_value(side.spec, value) for value in plain]
        choices.append(side.column.in_(sa.bindparam(None, given, bound_type(side.spec), expanding=True)))
    return sa.or_(*choices)


def _mine(side: _Side) -> str:
    if (actor := side.scope.ask.actor).id is None:
        raise InvalidInput("`me` needs somebody who is signed in", field="where")
    return actor.id


def _of_my_team(side: _Side) -> Clause:
    ask = side.scope.ask
    if ask.actor.team_id is None:
        return sa.false()
    if side.spec.to == "teams":
        return side.column == side.bound(ask.actor.team_id)
    users = ask.schema.entity("users").table.alias(side.scope.names())
    member: Any = sa.cast(users.c.id, sa.Text) if side.spec.custom else users.c.id
    return side.column.in_(sa.select(member).where(users.c.team_id == ask.actor.team_id))


def _span(side: _Side, value: Value) -> _Span | None:
    """What a day or a span that moves means in the zone; None for a value that is one point."""
    ask = side.scope.ask
    if isinstance(value, Relative):
        if side.spec.type == "date":
            return _Span(*days_of(value, ask.now.astimezone(ask.zone).date()))
        return _Span(*moments_of(value, ask.now, ask.zone))
    if side.spec.type == "instant" and isinstance(value, date) and not isinstance(value, datetime):
        return _Span(midnight(value, ask.zone), midnight(value + timedelta(days=1), ask.zone))
    return None


def _tagged(side: _Side, values: tuple[Value, ...]) -> Clause:
    table = side.scope.at(side.found.steps)
    tags = taggings.alias(side.scope.names())
    wanted = [value for value in values if value is not None]
    choices: list[Clause] = []
    if wanted:
        of_kind = sa.and_(tags.c.entity == side.found.entity.name, tags.c.tag.in_(wanted))
        choices.append(table.c.id.in_(sa.select(tags.c.record_id).where(of_kind)))
    if len(wanted) < len(values):
        own: sa.Select[Any] = sa.select(sa.literal_column("1")).where(tags.c.record_id == table.c.id)
        choices.append(sa.not_(own.correlate(table).exists()))
    return _sure(sa.or_(*choices), side.found)


def _sure(condition: Clause, found: Found) -> Clause:
    """A condition that is unknown where no record stands at the end of the path does not hold there."""
    return sa.func.coalesce(condition, sa.false()) if found.steps else condition


def currency_of(scope: Scope, found: Found) -> sa.ColumnElement[Any]:
    """What reads the currency of an amount: without one it is in that of the business."""
    if found.spec.custom:
        return sa.literal(found.spec.currency, sa.Text())
    prefix = found.path.removesuffix(found.spec.name)
    ask = scope.ask
    held = find_field(ask.schema, ask.actor, scope.entity, prefix + found.spec.currency)
    return sa.func.coalesce(scope.column(held), ask.currency)


def _amount(side: _Side, operator: Operator, money: Money) -> Clause:
    """Amounts compare within one currency; those in others fulfil no comparison."""
    ask = side.scope.ask
    floor, ceiling = bounds(money, ask.currency)
    if operator == "=":
        if floor != ceiling:
            return sa.false()
        compared: Clause = side.column == side.bound(floor)
    else:
        limit = floor if operator in (">", "<=") else ceiling
        compared = cast(Clause, _COMPARE[operator](side.column, side.bound(limit)))
    if side.spec.custom:
        return compared
    return sa.and_(currency_of(side.scope, side.found) == (money.currency or ask.currency), compared)
