"""Files of records: who sees them, and when their owner hears that their time ends."""

from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from bot.crm.contact import add_contact
from bot.crm.file import EXPIRY, FILE, FILE_VERSION, add_file, add_version, clean_name, find_version
from bot.crm.notification import NOTIFICATION
from bot.crm.user import actor_by_id, add_user
from bot.errors import Forbidden, InvalidInput, NotFound
from bot.pipeline.timers import fire
from bot.records import timer
from bot.records.actor import SYSTEM, Actor
from bot.records.change import change_record
from bot.records.store import Store
from bot.records.tx import Tx
from bot.records.write import find

NOON = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
PAPER: dict[str, Any] = {"name": "passport.pdf", "mime": "application/pdf", "size": 3}
ONE, TWO = "media:" + "1" * 64, "media:" + "2" * 64


def _user(tx: Tx, name: str, role: Any, team: str) -> Actor:
    made = actor_by_id(tx, add_user(tx, f"{name}@example.com", role, team=team))
    assert made is not None
    return made


def test_a_file_is_seen_with_its_record_and_a_private_one_by_its_owner(store: Store) -> None:
    users = (("asha", "rep", "north"), ("mate", "rep", "north"), ("ravi", "rep", "south"))
    asha, mate, ravi = (store.write_now(_user, SYSTEM, *one) for one in users)
    boss = store.write_now(_user, SYSTEM, "boss", "manager", "south")

    def put(tx: Tx) -> tuple[str, str, str]:
        """A contact, and two files of it."""
        held = add_contact(tx, "Meena", owner_id=asha.id)
        shown = add_file(tx, "contacts", held, ref=ONE, **PAPER)
        return held, shown, add_file(tx, "contacts", held, private=True, ref=ONE, **PAPER)

    contact, open_, private = store.write_now(put, asha)

    def seen(actor: Actor) -> list[bool]:
        return store.read_now(lambda tx: [find(tx, FILE, one) is not None for one in (open_, private)], actor)

    assert [seen(one) for one in (asha, mate, ravi, boss)] == [
        [True, True],
        [True, False],
        [False, False],
        [True, True],
    ]
    assert store.read_now(lambda tx: find_version(tx, private, None)["ref"], asha) == ONE
    for stranger in (mate, ravi):
        with pytest.raises(NotFound):
            store.read_now(find_version, stranger, private, 1)
    with pytest.raises(NotFound):
        store.write_now(lambda tx: add_version(tx, open_, ref=TWO, **PAPER), ravi)
    with pytest.raises(InvalidInput):
        store.write_now(lambda tx: add_file(tx, "contacts", contact, ref=ONE, **PAPER), ravi)
    assert store.write_now(lambda tx: add_version(tx, open_, ref=TWO, **PAPER), mate) == 2
    rows = store.read_now(
        lambda tx: [row["ref"] for row in tx.rows(sa.select(FILE_VERSION.table).order_by("revision"))], SYSTEM
    )
    assert sorted(rows) == [ONE, ONE, TWO]


def test_its_owner_hears_twice_that_a_file_ends(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.clock.now", lambda: NOON)
    asha = store.write_now(_user, SYSTEM, "asha", "rep", "north")
    contact = store.write_now(lambda tx: add_contact(tx, "Meena", owner_id=asha.id), asha)
    ends = date(2026, 6, 1)
    file = store.write_now(
        lambda tx: add_file(tx, "contacts", contact, ref=ONE, expires_on=ends, **PAPER), asha
    )
    days = []
    for moment in (datetime(2026, 5, 2, 4, tzinfo=UTC), datetime(2026, 5, 25, 4, tzinfo=UTC)):
        monkeypatch.setattr("bot.clock.now", lambda moment=moment: moment)
        for row in store.write_now(timer.hand_out, SYSTEM):
            assert row["kind"] == EXPIRY
            store.write_now(fire, SYSTEM, SimpleNamespace(), row["id"])  # type: ignore[arg-type]
        told = store.read_now(lambda tx: tx.rows(sa.select(NOTIFICATION.table).order_by("id")), SYSTEM)
        days.append([(row["user_id"], row["data"]["count"]) for row in told])
    assert days == [[(asha.id, 30)], [(asha.id, 30), (asha.id, 7)]]
    assert store.read_now(lambda tx: tx.rows(sa.select(timer.timers)), SYSTEM) == []
    # Prolonged, it is asked of again; without an end, never.
    for given, count in (("2027-06-01", 1), (None, 0)):
        store.write_now(change_record, asha, FILE, file, {"expires_on": given})
        assert len(store.read_now(lambda tx: tx.rows(sa.select(timer.timers)), SYSTEM)) == count
    with pytest.raises(Forbidden):
        mate = store.write_now(_user, SYSTEM, "mate", "rep", "north")
        store.write_now(change_record, mate, FILE, file, {"private": True})


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\papers\\a b.pdf", "a b.pdf"),
        ("one\r\ntwo.pdf", "one two.pdf"),
        ("x" * 300 + ".pdf", "x" * 196 + ".pdf"),
        ("y" * 300, "y" * 200),
        ("Mr. Sharma's invoice of the whole month", "Mr. Sharma's invoice of the whole month"),
    ],
)
def test_a_name_is_one_name(given: str, wanted: str) -> None:
    assert clean_name(given) == wanted
    for nothing in ("", "..", "a/"):
        with pytest.raises(InvalidInput):
            clean_name(nothing)
