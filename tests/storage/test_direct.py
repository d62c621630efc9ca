"""Kept statements go straight to PostgreSQL's driver, and say the same as those that SQLAlchemy executes."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from bot.crm.contact import CONTACT, add_contact, add_identity
from bot.errors import NotFound, Unavailable
from bot.ids import new_id
from bot.records.actor import SYSTEM
from bot.records.query import one, page, parse
from bot.records.show import shown
from bot.records.store import Store
from bot.records.tx import Record, Tx
from bot.storage import direct
from tests.support.business import define_own_fields


@contextmanager
def statements(store: Store) -> Iterator[list[object]]:
    """What was executed, and by whom: direct ones have no cursor of SQLAlchemy's."""
    seen: list[object] = []

    def count(_connection: object, cursor: object, *_: object) -> None:
        seen.append(cursor)

    engine = store.database.engines[1]
    sa.event.listen(engine, "before_cursor_execute", count)
    yield seen
    sa.event.remove(engine, "before_cursor_execute", count)


def test_a_record_and_a_page_are_read_directly_and_alike(postgres: Store) -> None:
    known = postgres.write_now(add_contact, SYSTEM, "Asha Rao", source="said")

    def listed(tx: Tx) -> list[Record]:
        return page(tx, CONTACT, parse(tx.schema, CONTACT, SYSTEM, where='name = "Asha Rao"')).rows

    with statements(postgres) as seen:
        for _ in range(3):
            assert postgres.read_now(one, SYSTEM, CONTACT, known)["name"] == "Asha Rao"
        (row,) = postgres.read_now(listed, SYSTEM)
    assert seen == [None] * 4
    assert row == postgres.write_now(one, SYSTEM, CONTACT, known)  # a writing transaction goes the long way
    with pytest.raises(NotFound):
        postgres.read_now(one, SYSTEM, CONTACT, new_id())


def test_values_that_need_more_than_the_driver_go_the_long_way(postgres: Store) -> None:
    kept = sa.select(sa.bindparam("given", type_=sa.JSON).label("back")).execution_options(
        **{direct.KEPT: True}
    )
    with statements(postgres) as seen:
        found = postgres.read_now(lambda tx: tx.rows(kept, {"given": {"a": [1]}}), SYSTEM)
    assert found == [{"back": {"a": [1]}}] and seen != [None]


def test_a_lost_connection_is_told_as_ever_and_replaced(postgres: Store) -> None:
    known = postgres.write_now(add_contact, SYSTEM, "Asha Rao", source="said")

    def cut_off(tx: Tx) -> Record:
        one(tx, CONTACT, known)
        backend = tx.connection.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
        with postgres.database.write() as other:
            other.execute(sa.text("SELECT pg_terminate_backend(:pid)"), {"pid": backend})
        return one(tx, CONTACT, known)

    with pytest.raises(Unavailable):
        postgres.read_now(cut_off, SYSTEM)
    assert postgres.read_now(one, SYSTEM, CONTACT, known)["id"] == known


def test_own_fields_of_every_type_and_whatever_a_channel_gave(postgres: Store) -> None:
    define_own_fields(postgres)
    known = postgres.write_now(add_contact, SYSTEM, "Asha Rao", source="said")
    for number, odd in enumerate(("919876543210", "a\nemail boss@corp.example", "b\x0bc\u2028d")):
        postgres.write_now(add_identity, SYSTEM, known, "whatsapp", odd, verified=number == 0)
    with statements(postgres) as seen:
        row = postgres.read_now(one, SYSTEM, CONTACT, known)
        (record,) = postgres.read_now(shown, SYSTEM, CONTACT, [row])
    assert seen == [None] and "x_rate" in record
    assert (record["phones"], record["emails"]) == (["+919876543210"], [])
