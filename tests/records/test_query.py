"""The query language as text: what parses, to what, and how it says no."""

from datetime import UTC, date, datetime
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.conversations.entities import ENTITIES
from bot.crm.case import CASE
from bot.crm.contact import CONTACT
from bot.errors import InvalidInput, QueryInvalid
from bot.records.query import (
    ME,
    Comparison,
    Order,
    parse,
    parse_fields,
    parse_text,
    to_text,
)
from bot.records.query.compile import compile_query
from bot.records.query.scope import Ask
from tests.support.queries import ADMIN, MOMENTS, SCHEMA, Inventor


@pytest.mark.parametrize("name", sorted(ENTITIES))
@given(seed=st.integers(0, 2**32))
@settings(max_examples=30)
def test_a_query_written_and_read_again_is_the_same(name: str, seed: int) -> None:
    query = Inventor(Random(seed)).query(ENTITIES[name], most=5)
    again = parse_text(to_text(query), SCHEMA, ADMIN)
    assert (again.where, again.order) == (query.where, query.order)


@pytest.mark.parametrize("written", ["1042", "C-1042", "c-1042", '"C-1042"', '"1042"'])
def test_a_short_number_is_written_either_way(written: str) -> None:
    assert parse(SCHEMA, CASE, ADMIN, where=f"number = {written}").where == (Comparison("number", "=", 1042),)


def test_values_take_the_type_of_their_field() -> None:
    text = "status IN (new, 'open') AND owner_id = me and created_at >= 2026-01-31 and subject != null"
    text += " and updated_at < 2026-01-31T15:00:00+05:30 and subject=x@example.com"
    assert parse(SCHEMA, CASE, ADMIN, where=text).where == (
        Comparison("status", "in", ("new", "open")),
        Comparison("owner_id", "=", ME),
        Comparison("created_at", ">=", date(2026, 1, 31)),
        Comparison("subject", "!=", None),
        Comparison("updated_at", "<", datetime(2026, 1, 31, 9, 30, tzinfo=UTC)),
        Comparison("subject", "=", "x@example.com"),
    )
    assert parse(SCHEMA, CONTACT, ADMIN, where="blocked = true").where == (Comparison("blocked", "=", True),)


def test_the_id_is_always_the_last_order_key() -> None:
    newest = Order("created_at", True)
    assert parse(SCHEMA, CASE, ADMIN).order == (Order("id"),)
    assert parse(SCHEMA, CASE, ADMIN, order="created_at desc").order == (newest, Order("id", True))
    assert parse(SCHEMA, CASE, ADMIN, order="created_at desc, id").order == (newest, Order("id"))
    assert parse(SCHEMA, CASE, ADMIN, order="id desc, status").order == (Order("id", True),)


@pytest.mark.parametrize(
    ("where", "position", "expected"),
    [
        ("statsu = new", 0, "status"),
        ("status = nwe", 9, "new"),
        ("status", 6, "="),
        ("status = ", 9, "a value"),
        ("status = new open", 13, "and"),
        ("status = new and", 16, "a field name"),
        ("status in", 9, "("),
        ("status is new", 7, "in"),
        ("status in (new", 14, ")"),
        ('subject = "ab', 10, "a closing quote"),
        ("status ~ new", 0, "subject"),
        ("status ! new", 7, "="),
        ("  number = abc", 11, "a whole number (1042 or C-1042)"),
        ("number = 99999999999999999999", 9, None),
        ("owner_id = you", 11, "an id, me, my team or null"),
        ("created_at > yesterdya", 13, "yesterday"),
        ("created_at > 2026-02-30", 13, None),
        ("created_at > 2026-01-31T09:30", 13, None),
        ("created_at > 0001-01-01", 13, None),
        ("created_at > 9999-12-31", 13, None),
        ("priority > null", 11, "="),
        ("owner_id > me", 11, "="),
        ("subject = true", 10, None),
        ("subject = 'a\0b'", 12, None),
        ("subject = '\ud800'", 11, None),
        ("deleted = null", 0, "deleted_at"),
        (" and ".join(["version = 1"] * 101), 1600, None),
        (f"version in ({', '.join(['1'] * 1001)})", 12 + 3000, None),
        (f"version in ({', '.join(['1'] * 999)}) and version in (1, 2)", 3028, None),
        (f"subject ~ '{'word ' * 21}'", 10, None),
    ],
)
def test_errors_point_at_the_place(where: str, position: int, expected: str | None) -> None:
    with pytest.raises(QueryInvalid) as caught:
        parse(SCHEMA, CASE, ADMIN, where=where)
    data = caught.value.data
    assert data["position"] == position
    if expected is not None:
        assert expected in (
            data.get("suggestion"),
            *(part for name in data["expected"] for part in (name, *name.split())),
        )


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        ("contacts", {"where": "blocked > false"}),
        ("contacts", {"where": "blocked in (true)"}),
        ("contacts", {"where": "blocked = yes"}),
        ("events", {"where": 'changes = "x"'}),
        ("events", {"where": "sealed = null"}),
        ("events", {"order": "changes"}),
        ("cases", {"order": "status, status"}),
        ("cases", {"order": "status up"}),
        ("users", {"where": "password_hash = null"}),
    ],
)
def test_what_a_field_cannot_do_is_refused(kind: str, part: dict[str, str]) -> None:
    with pytest.raises(QueryInvalid) as caught:
        parse(SCHEMA, ENTITIES[kind], ADMIN, **part)  # type: ignore[arg-type]
    assert "position" in caught.value.data


def test_fields() -> None:
    assert parse_fields("number, status,number", SCHEMA, CASE, ADMIN) == ("number", "status")
    assert parse_fields("phones", SCHEMA, CONTACT, ADMIN, also=("phones",)) == ("phones",)
    with pytest.raises(QueryInvalid) as caught:
        parse_fields("number, statsu", SCHEMA, CASE, ADMIN)
    assert caught.value.data["position"] == 8
    assert caught.value.data["suggestion"] == "status"


@given(st.text(max_size=40))
@settings(max_examples=300)
def test_any_text_parses_or_is_refused_with_a_place(text: str) -> None:
    for part in ("where", "order"):
        try:
            parse(SCHEMA, CASE, ADMIN, **{part: text})  # type: ignore[arg-type]
        except QueryInvalid as error:
            assert 0 <= error.data["position"] <= len(text)


@given(st.one_of(st.text(max_size=60), st.binary(max_size=60).map(lambda raw: raw.hex())))
@settings(max_examples=200)
def test_a_cursor_that_is_not_ours_is_refused(cursor: str) -> None:
    query = parse(SCHEMA, CASE, ADMIN, order="created_at desc", cursor=cursor)
    with pytest.raises(InvalidInput):
        compile_query(query, CASE, Ask(SCHEMA, ADMIN, "sqlite", MOMENTS[0], UTC, "INR"))
