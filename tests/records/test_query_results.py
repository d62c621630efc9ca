"""Queries at work: results against a plain-Python evaluator over random rows, on both databases."""

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
from bot.records.query.keyset import write_cursor
from bot.records.store import Store
from bot.records.tx import Tx
from tests.support.queries import (
    ADMIN,
    IDS,
    KOLKATA,
    MOMENTS,
    TEXTS,
    in_order,
    insert,
    matches,
    may_see,
    passing,
    queries,
)


@pytest.fixture
def people(store: Store) -> tuple[list[str], list[str], str]:
    """(three users, two teams, a contact) in the store."""

    def add(tx: Tx) -> tuple[list[str], list[str], str]:
        teams = [team_id(tx, name) for name in ("north", "south")]
        users = [add_user(tx, f"u{n}@example.com", "rep") for n in range(3)]
        return users, teams, insert(tx, CONTACT, {"name": "A", "name_source": "said"})

    return store.write_now(add, SYSTEM)


@st.composite
def _case_rows(draw: st.DrawFn, users: list[str], teams: list[str], contact: str) -> list[dict[str, Any]]:
    count = draw(st.integers(0, 8))
    nobody = st.none()
    return [
        {
            "id": new_id(),
            "number": number,
            "contact_id": contact,
            "conversation_id": draw(st.one_of(nobody, st.sampled_from(IDS))),
            "subject": draw(st.sampled_from(TEXTS)),
            "description": "",
            "status": draw(st.sampled_from(CASE.fields["status"].values)),
            "priority": draw(st.sampled_from(CASE.fields["priority"].values)),
            "origin": draw(st.sampled_from(["sms", "email"])),
            "owner_id": draw(st.one_of(nobody, st.sampled_from(users))),
            "team_id": draw(st.one_of(nobody, st.sampled_from(teams))),
            "escalation_level": draw(st.integers(0, 5)),
            "created_at": draw(st.sampled_from(MOMENTS)),
            "updated_at": draw(st.sampled_from(MOMENTS)),
            "deleted_at": draw(st.sampled_from([None, None, None, MOMENTS[0]])),
            "version": 1,
        }
        for number in range(count)
    ]


def _all_pages(tx: Tx, entity: Entity, query: Query, zone: ZoneInfo) -> list[Any]:
    """Every page by following the cursor; none may be empty but the only one."""
    rows: list[Any] = []
    cursor = None
    while True:
        asked = Query(query.entity, query.where, query.order, query.limit, cursor)
        found = page(tx, entity, asked, zone)
        assert query.limit is not None and len(found.rows) <= query.limit
        rows += found.rows
        if found.next_cursor is None:
            return rows
        assert len(found.rows) == query.limit
        cursor = found.next_cursor


def test_results_are_those_of_the_plain_evaluator(
    store: Store, people: tuple[list[str], list[str], str]
) -> None:
    users, teams, contact = people
    roles = st.sampled_from(["agent", "rep", "manager", "admin"])

    @given(data=st.data(), role=roles, team=st.sampled_from([None, *teams]), query=queries(CASE))
    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    def check(data: st.DataObject, role: Any, team: str | None, query: Query) -> None:
        rows = data.draw(_case_rows(users, teams, contact))
        actor = Actor("user", id=users[0], role=role, team_id=team)
        with passing(store) as tx:
            tx.actor = actor
            if rows:
                tx.execute(CASE.table.insert(), rows)
            found = [row["id"] for row in _all_pages(tx, CASE, query, KOLKATA)]
        there = [row for row in rows if row["deleted_at"] is None and may_see(actor, row)]
        wanted = [row for row in there if matches(CASE, row, query, users[0], KOLKATA)]
        assert found == [row["id"] for row in in_order(CASE, wanted, query)]

    check()


def test_boolean_and_empty_text_fields_too(store: Store) -> None:
    @given(data=st.data(), query=queries(CONTACT))
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    def check(data: st.DataObject, query: Query) -> None:
        rows = [
            {
                "id": new_id(),
                "name": data.draw(st.sampled_from(TEXTS)),
                "name_source": data.draw(st.sampled_from(CONTACT.fields["name_source"].values)),
                "lang": data.draw(st.sampled_from([None, "hi", "en"])),
                "account_id": None,
                "owner_id": None,
                "team_id": None,
                "blocked": data.draw(st.booleans()),
                "demo": False,
                "created_at": MOMENTS[0],
                "updated_at": MOMENTS[1],
                "deleted_at": None,
                "version": 1,
            }
            for _ in range(data.draw(st.integers(1, 6)))
        ]
        with passing(store) as tx:
            tx.actor = ADMIN
            tx.execute(CONTACT.table.insert(), rows)
            found = [row["id"] for row in _all_pages(tx, CONTACT, query, KOLKATA)]
        wanted = [row for row in rows if matches(CONTACT, row, query, str(ADMIN.id), KOLKATA)]
        assert found == [row["id"] for row in in_order(CONTACT, wanted, query)]

    check()


def test_every_kind_can_be_ordered_by_every_field(store: Store) -> None:
    """Each field of each kind compiles and runs on both databases, with a cursor too."""
    with passing(store) as tx:
        tx.actor = ADMIN
        for entity in ENTITIES.values():
            for name, spec in reachable(ADMIN, entity).items():
                condition = f"{name} != null"
                order = "id" if spec.type == "json" else f"{name} desc"
                query = parse(entity, ADMIN, where=condition, order=order)
                page(tx, entity, query)
                if spec.type == "json":
                    continue
                ready: Any = {"boolean": True, "integer": 2**40, "instant": MOMENTS[0], "id": IDS[0]}
                row = {"id": IDS[0], name: spec.values[0] if spec.values else ready.get(spec.type, "x")}
                for value in [row[name]] + [None] * bool(spec.column.nullable):
                    cursor = write_cursor(query, {**row, name: value})
                    page(tx, entity, replace(query, cursor=cursor))


def test_a_page_is_one_statement(store: Store) -> None:
    seen: list[str] = []
    engine = store.database.engines[1]
    sa.event.listen(engine, "before_cursor_execute", lambda *given: seen.append(given[2]))
    rep = Actor("user", id=new_id(), role="rep", team_id=new_id())
    store.read_now(
        page, rep, ENTITIES["messages"], parse(ENTITIES["messages"], rep, where="direction = inbound")
    )
    assert len(seen) == 1
    # SQLAlchemy writes `LIMIT ? OFFSET 0` for SQLite.
    assert store.database.dialect == "sqlite" or "OFFSET" not in seen[0].upper()


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
    rep = Actor("user", id=new_id(), role="rep")
    assert parse(secret, ADMIN, where="name = x").where
    for part in ({"where": "name = x"}, {"order": "name"}, {"fields": ("name",)}):
        with pytest.raises(QueryInvalid) as caught:
            parse(secret, rep, **part)  # type: ignore[arg-type]
        assert "name" not in caught.value.data["expected"]


def test_a_cursor_belongs_to_its_order(store: Store, people: tuple[list[str], list[str], str]) -> None:
    def add(tx: Tx) -> None:
        for _ in range(3):
            insert(tx, CONTACT, {"name": "B", "name_source": "said"})

    store.write_now(add, SYSTEM)
    first = store.read_now(page, ADMIN, CONTACT, parse(CONTACT, ADMIN, order="name", limit=2))
    assert first.next_cursor
    with pytest.raises(InvalidInput):
        store.read_now(page, ADMIN, CONTACT, parse(CONTACT, ADMIN, cursor=first.next_cursor))


def test_me_needs_somebody(store: Store) -> None:
    with pytest.raises(InvalidInput):
        store.read_now(page, SYSTEM, CASE, parse(CASE, SYSTEM, where="owner_id = me"))


def test_a_day_is_a_day_of_the_zone(store: Store, people: tuple[list[str], list[str], str]) -> None:
    midnight = datetime.combine(date(2026, 1, 31), time.min, KOLKATA)

    def add(tx: Tx, at: datetime) -> str:
        return insert(tx, CONTACT, {"name": "Day", "name_source": "said", "created_at": at})

    before, start = (store.write_now(add, SYSTEM, midnight + timedelta(seconds=s)) for s in (-1, 0))
    query = parse(CONTACT, ADMIN, where="name = Day and created_at = 2026-01-31")
    assert [row["id"] for row in store.read_now(page, ADMIN, CONTACT, query, KOLKATA).rows] == [start]
    query = parse(CONTACT, ADMIN, where="name = Day and created_at < 2026-01-31")
    assert [row["id"] for row in store.read_now(page, ADMIN, CONTACT, query, KOLKATA).rows] == [before]
