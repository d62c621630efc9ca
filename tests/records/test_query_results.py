"""Queries at work, on both databases; test_query_fuzz.py compares their results with a plain evaluator."""

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from bot.conversations.entities import ENTITIES
from bot.crm.case import CASE
from bot.crm.contact import CONTACT
from bot.crm.user import TEAM, USER, add_user, team_id
from bot.errors import Forbidden, InvalidInput, NotFound, QueryInvalid
from bot.ids import new_id
from bot.records.actor import SYSTEM, Actor
from bot.records.entity import Entity, Field
from bot.records.query import (
    Comparison,
    Order,
    Query,
    one,
    page,
    parse,
    reachable,
)
from bot.records.query.compile import _kept_statement
from bot.records.query.keyset import write_cursor
from bot.records.schema import Schema
from bot.records.store import Store
from bot.records.tx import Tx
from tests.support.business import define_own_fields
from tests.support.queries import ADMIN, DAYS, IDS, KOLKATA, MOMENTS, SCHEMA, insert, passing

READY: dict[str, Any] = {
    "boolean": True,
    "integer": 2**40,
    "money": 2**40,
    "number": 0.5,
    "instant": MOMENTS[0],
    "date": DAYS[0],
    "id": IDS[0],
}


@pytest.fixture
def people(store: Store) -> tuple[list[str], list[str], str]:
    """(three users, two teams, a contact) in the store."""

    def add(tx: Tx) -> tuple[list[str], list[str], str]:
        teams = [team_id(tx, name) for name in ("north", "south")]
        users = [add_user(tx, f"u{n}@example.com", "rep") for n in range(3)]
        return users, teams, insert(tx, CONTACT, {"name": "A", "name_source": "said"})

    return store.write_now(add, SYSTEM)


def test_every_kind_can_be_ordered_by_every_field(store: Store) -> None:
    """Each field of each kind compiles and runs on both databases, with a cursor too."""
    define_own_fields(store)
    with passing(store) as tx:
        tx.actor = ADMIN
        for entity in tx.schema.entities.values():
            for name, spec in reachable(ADMIN, entity).items():
                condition = f"{name} != null"
                order = "id" if spec.type in ("json", "tags") else f"{name} desc"
                query = parse(tx.schema, entity, ADMIN, where=condition, order=order)
                page(tx, entity, query)
                if order == "id":
                    continue
                ready = spec.values[0] if spec.values else READY.get(spec.type, "x")
                row = {"id": IDS[0], name: ready}
                for value in [ready] + [None] * (spec.custom or bool(spec.column.nullable)):
                    cursor = write_cursor(query, {**row, name: value})
                    page(tx, entity, replace(query, cursor=cursor))


def test_a_page_is_one_statement(store: Store) -> None:
    seen: list[str] = []
    engine = store.database.engines[1]
    sa.event.listen(engine, "before_cursor_execute", lambda *given: seen.append(given[2]))
    rep = Actor("user", id=new_id(), role="rep", team_id=new_id())
    store.read_now(
        page, rep, ENTITIES["messages"], parse(SCHEMA, ENTITIES["messages"], rep, where="direction = inbound")
    )
    assert len(seen) == 1
    # SQLAlchemy writes `LIMIT ? OFFSET 0` for SQLite.
    assert store.database.dialect == "sqlite" or "OFFSET" not in seen[0].upper()


def test_a_statement_of_many_values_is_not_kept(store: Store) -> None:
    rep = Actor("user", id=new_id(), role="rep")
    for where, kept in (("number = 7", 1), (f"number in ({', '.join(map(str, range(60)))})", 0)):
        before = _kept_statement.cache_info().misses
        store.read_now(page, rep, CASE, parse(SCHEMA, CASE, rep, where=where))
        assert _kept_statement.cache_info().misses - before == kept


def test_one_record(store: Store, people: tuple[list[str], list[str], str]) -> None:
    users, teams, _ = people
    stranger = Actor("user", id=users[1], role="rep")
    owner = Actor("user", id=users[0], role="rep")

    def add(tx: Tx, **values: Any) -> str:
        return insert(tx, CONTACT, {"name": "B", "name_source": "said", "owner_id": users[0], **values})

    owned = store.write_now(add, SYSTEM, team_id=teams[0])
    assert store.read_now(one, owner, CONTACT, owned)["name"] == "B"
    assert set(store.read_now(one, owner, CONTACT, owned.upper(), ("name",))) == {"id", "name"}
    gone = store.write_now(add, SYSTEM, deleted_at=MOMENTS[0])
    for actor, record in ((stranger, owned), (owner, gone), (owner, new_id()), (owner, "nonsense")):
        with pytest.raises(NotFound):
            store.read_now(one, actor, CONTACT, record)
    with pytest.raises(Forbidden):
        store.read_now(page, Actor("user", id=users[0], role="marketer"), CASE, Query("cases"))


def test_a_hidden_field_cannot_be_reached_even_by_a_ready_made_query(store: Store) -> None:
    for query in (
        Query("users", where=(Comparison("password_hash", "!=", None),)),
        Query("users", order=(Order("password_hash"), Order("id"))),
        Query("users", fields=("password_hash",)),
    ):
        with pytest.raises(QueryInvalid):
            store.read_now(page, ADMIN, USER, query)
    assert "password_hash" not in store.read_now(page, ADMIN, USER, Query("users")).rows


def test_a_field_for_some_roles_only_does_not_exist_for_others() -> None:
    spec = Field("name", "text", TEAM.table.c.name, only_for=("admin",))
    secret = Entity("teams", TEAM.table, {**TEAM.fields, "name": spec}, scope="open")
    hiding = Schema({"teams": secret})
    rep = Actor("user", id=new_id(), role="rep")
    assert parse(hiding, secret, ADMIN, where="name = x").where
    for part in ({"where": "name = x"}, {"order": "name"}, {"fields": ("name",)}):
        with pytest.raises(QueryInvalid) as caught:
            parse(hiding, secret, rep, **part)  # type: ignore[arg-type]
        assert "name" not in caught.value.data["expected"]


def test_a_cursor_belongs_to_its_order(store: Store, people: tuple[list[str], list[str], str]) -> None:
    def add(tx: Tx) -> None:
        for _ in range(3):
            insert(tx, CONTACT, {"name": "B", "name_source": "said"})

    store.write_now(add, SYSTEM)
    first = store.read_now(page, ADMIN, CONTACT, parse(SCHEMA, CONTACT, ADMIN, order="name", limit=2))
    assert first.next_cursor
    with pytest.raises(InvalidInput):
        store.read_now(page, ADMIN, CONTACT, parse(SCHEMA, CONTACT, ADMIN, cursor=first.next_cursor))


def test_me_needs_somebody(store: Store) -> None:
    with pytest.raises(InvalidInput):
        store.read_now(page, SYSTEM, CASE, parse(SCHEMA, CASE, SYSTEM, where="owner_id = me"))


def test_a_day_is_a_day_of_the_zone(store: Store, people: tuple[list[str], list[str], str]) -> None:
    midnight = datetime.combine(date(2026, 1, 31), time.min, KOLKATA)

    def add(tx: Tx, at: datetime) -> str:
        return insert(tx, CONTACT, {"name": "Day", "name_source": "said", "created_at": at})

    before, start = (store.write_now(add, SYSTEM, midnight + timedelta(seconds=s)) for s in (-1, 0))
    query = parse(SCHEMA, CONTACT, ADMIN, where="name = Day and created_at = 2026-01-31")
    assert [row["id"] for row in store.read_now(page, ADMIN, CONTACT, query, KOLKATA).rows] == [start]
    query = parse(SCHEMA, CONTACT, ADMIN, where="name = Day and created_at < 2026-01-31")
    assert [row["id"] for row in store.read_now(page, ADMIN, CONTACT, query, KOLKATA).rows] == [before]
