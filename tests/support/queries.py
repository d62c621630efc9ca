"""Random queries, and a plain-Python evaluator that says what they should find."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import cmp_to_key
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from bot.crm.case import CASE
from bot.crm.contact import CONTACT
from bot.ids import new_id
from bot.records.actor import SYSTEM, Actor
from bot.records.entity import Entity, Field
from bot.records.query import (
    ME,
    OPERATORS,
    Comparison,
    Order,
    Query,
    reachable,
)
from bot.records.store import Store
from bot.records.tx import Tx

ADMIN = Actor("user", id=new_id(), role="admin")
KOLKATA = ZoneInfo("Asia/Kolkata")
MOMENTS = [
    datetime(2026, 1, 30, 18, 29, 59, 999999, tzinfo=UTC),
    datetime(2026, 1, 30, 18, 30, tzinfo=UTC),  # midnight in Kolkata
    datetime(2026, 1, 31, 9, 30, 0, 123456, tzinfo=UTC),
    datetime(2026, 2, 1, tzinfo=UTC),
]
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
STATUSES = CASE.fields["status"].values
PRIORITIES = CASE.fields["priority"].values
IDS = [new_id() for _ in range(3)]


# --- queries ---------------------------------------------------------------------------------------


def _values(spec: Field) -> st.SearchStrategy[Any]:
    if spec.type == "enum":
        return st.sampled_from(spec.values)
    if spec.type == "boolean":
        return st.booleans()
    if spec.type == "integer":
        return st.one_of(st.integers(0, 5), st.sampled_from([-(2**63), 2**63 - 1, 2**31]))
    if spec.type == "id":
        return st.one_of(st.sampled_from(IDS), st.just(ME))
    if spec.type == "instant":
        days = st.dates(date(2026, 1, 30), date(2026, 2, 2))
        return st.one_of(st.sampled_from(MOMENTS), days)
    return st.sampled_from(TEXTS)


@st.composite
def _comparisons(draw: st.DrawFn, entity: Entity) -> Comparison:
    names = [name for name, spec in reachable(ADMIN, entity).items() if spec.type != "json"]
    spec = entity.fields[draw(st.sampled_from(names))]
    simple = spec.type == "boolean"
    operator = draw(st.sampled_from(("=", "!=") if simple else OPERATORS))
    if operator == "in":
        value: Any = tuple(draw(st.lists(st.one_of(st.none(), _values(spec)), min_size=1, max_size=3)))
    elif operator in ("=", "!="):
        value = draw(st.one_of(st.none(), _values(spec)))
    else:
        value = draw(_values(spec).filter(lambda found: found is not ME))
    return Comparison(spec.name, operator, value)


@st.composite
def _orders(draw: st.DrawFn, entity: Entity) -> tuple[Order, ...]:
    names = [name for name, spec in reachable(ADMIN, entity).items() if spec.type != "json" and name != "id"]
    chosen = draw(st.lists(st.sampled_from(names), max_size=3, unique=True))
    return tuple(Order(name, draw(st.booleans())) for name in (*chosen, "id"))


@st.composite
def queries(draw: st.DrawFn, entity: Entity, most: int = 3) -> Query:
    """A Query that an admin could have written."""
    where = tuple(draw(st.lists(_comparisons(entity), max_size=most)))
    return Query(entity.name, where, draw(_orders(entity)), limit=draw(st.integers(1, 4)))


# --- the plain evaluator ---------------------------------------------------------------------------


def _rank(spec: Field, value: Any) -> Any:
    return spec.values.index(value) if spec.type == "enum" else value


def _one_matches(spec: Field, operator: str, have: Any, want: Any, zone: ZoneInfo) -> bool:
    if operator == "!=":
        return not _one_matches(spec, "=", have, want, zone)
    if have is None or want is None:
        return operator == "=" and have is want
    if isinstance(want, date) and not isinstance(want, datetime):
        have, want = have.astimezone(zone).date(), want
    else:
        have, want = _rank(spec, have), _rank(spec, want)
    return {
        "=": have == want,
        "<": have < want,
        ">": have > want,
        "<=": have <= want,
        ">=": have >= want,
    }[operator]


def matches(entity: Entity, row: dict[str, Any], query: Query, me: str, zone: ZoneInfo) -> bool:
    """Whether a row satisfies every condition, said in Python."""
    for part in query.where:
        wanted = [me if value is ME else value for value in part.values]
        operator = "=" if part.operator == "in" else part.operator
        spec = entity.fields[part.field]
        if not any(_one_matches(spec, operator, row[part.field], value, zone) for value in wanted):
            return False
    return True


def in_order(entity: Entity, rows: list[dict[str, Any]], query: Query) -> list[dict[str, Any]]:
    """The rows sorted, said in Python: empty values last, text by code point, enums as listed."""

    def compare(left: dict[str, Any], right: dict[str, Any]) -> int:
        for key in query.order:
            a, b = left[key.field], right[key.field]
            if a == b:
                continue
            if a is None or b is None:
                return 1 if a is None else -1
            spec = entity.fields[key.field]
            less = _rank(spec, a) < _rank(spec, b)
            return (-1 if less else 1) * (-1 if key.descending else 1)
        return 0

    return sorted(rows, key=cmp_to_key(compare))


def may_see(actor: Actor, row: dict[str, Any]) -> bool:
    """The rule of owned records, said in Python."""
    if actor.role in ("manager", "admin"):
        return True
    if actor.id == row["owner_id"] or (actor.team_id is not None and actor.team_id == row["team_id"]):
        return True
    return row["team_id"] is None and (actor.role == "agent" or row["owner_id"] is None)


class _Undo(Exception):
    """Ends a transaction that is to leave nothing."""


@contextmanager
def passing(store: Store) -> Iterator[Tx]:
    """A transaction that leaves nothing."""
    try:
        with store.database.write() as connection:
            yield Tx(connection, SYSTEM, store.keys)
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
