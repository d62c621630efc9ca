"""`~` over the index that writing keeps: found however it is typed, never by what is no longer there."""

import threading
from concurrent.futures import ThreadPoolExecutor
from time import sleep

import pytest
import sqlalchemy as sa

from bot.crm.account import ACCOUNT
from bot.crm.contact import CONTACT, IDENTITY, add_contact, add_identity
from bot.crm.opportunity import OPPORTUNITY
from bot.errors import QueryInvalid
from bot.records.access import Access
from bot.records.actor import SYSTEM, Actor
from bot.records.definitions import CUSTOM_FIELD
from bot.records.entity import Entity
from bot.records.query import page, parse
from bot.records.search.fill import STEP, fill_step, search_fills
from bot.records.search.index import search_entries
from bot.records.store import Store
from bot.records.tx import Tx
from bot.records.write import create, delete, get, restore, update
from tests.support.queries import ADMIN, insert


def _found(store: Store, entity: Entity, where: str, actor: Actor = ADMIN) -> list[str]:
    def look(tx: Tx) -> list[str]:
        query = parse(tx.schema, entity, actor, where=where)
        return [row["id"] for row in page(tx, entity, query).rows]

    return store.read_now(look, actor)


def _contact(tx: Tx, name: str, *addresses: tuple[str, str]) -> str:
    contact = add_contact(tx, name, source="staff")
    for kind, value in addresses:
        add_identity(tx, contact, kind, value, verified=True)
    return contact


def test_a_contact_is_found_by_name_and_address_however_they_are_written(store: Store) -> None:
    asha = store.write_now(_contact, SYSTEM, "Lakshmi Narayan", ("phone", "+919876543210"))
    store.write_now(_contact, SYSTEM, "Ravi", ("email", "ravi@example.com"))
    for words in ("laxmi", "लक्ष्मी", "98765", "narayan lak", "lakshmi 98765", "+91 98765 43210"):
        assert _found(store, CONTACT, f'~ "{words}"') == [asha], words
        assert _found(store, CONTACT, f'not ~ "{words}"') != [asha], words
    assert _found(store, CONTACT, 'name ~ "laxmi" and not name ~ "98765"') == [asha]
    assert _found(store, CONTACT, '~ "lakshmi ravi"') == []
    assert _found(store, CONTACT, '~ "!"') == []


def test_the_index_follows_what_is_written(store: Store) -> None:
    asha = store.write_now(_contact, SYSTEM, "Asha", ("phone", "+919876543210"))
    ravi = store.write_now(_contact, SYSTEM, "Ravi")
    [identity] = _found(store, IDENTITY, '~ "98765"')

    def change(tx: Tx, entity: Entity, record: str, **values: str) -> None:
        update(tx, entity, get(tx, entity, record), values)

    store.write_now(change, SYSTEM, CONTACT, asha, name="Zoya")
    assert _found(store, CONTACT, '~ "asha"') == []
    assert _found(store, CONTACT, '~ "zoya"') == [asha]
    store.write_now(change, SYSTEM, IDENTITY, identity, contact_id=ravi)
    assert _found(store, CONTACT, '~ "98765"') == _found(store, CONTACT, '~ "ravi 98765"') == [ravi]
    assert _found(store, CONTACT, '~ "zoya 98765"') == []
    store.write_now(lambda tx: delete(tx, IDENTITY, get(tx, IDENTITY, identity)), SYSTEM)
    assert _found(store, CONTACT, '~ "98765"') == []
    store.write_now(restore, SYSTEM, IDENTITY, identity)
    assert _found(store, CONTACT, '~ "98765"') == [ravi]
    store.write_now(lambda tx: delete(tx, CONTACT, get(tx, CONTACT, ravi)), SYSTEM)
    assert _found(store, CONTACT, '~ "98765"') == []


def test_a_relation_is_searched_and_a_short_number(store: Store) -> None:
    def add(tx: Tx) -> tuple[str, int]:
        account = create(tx, ACCOUNT, {"name": "Laxmi Traders"})
        made = create(tx, OPPORTUNITY, {"name": "Fridges", "account_id": account})
        return made, get(tx, OPPORTUNITY, made)["number"]

    made, number = store.write_now(add, SYSTEM)
    for where in ("account ~ lakshmi", "account.name ~ lakshmi", f"~ O-{number}", f"~ {number}"):
        assert _found(store, OPPORTUNITY, where) == [made], where


def test_who_may_not_see_a_field_does_not_find_by_it(store: Store) -> None:
    asha = store.write_now(_contact, SYSTEM, "Asha", ("phone", "+919876543210"))
    reader = Actor("user", ADMIN.id, "manager")
    assert _found(store, CONTACT, '~ "98765"', reader) == [asha]
    hidden = {("manager", "identities"): frozenset({"value"}), ("manager", "contacts"): frozenset({"name"})}
    blind = Actor("user", ADMIN.id, "manager", access=Access(hidden=hidden))
    only_contacts = Actor("user", ADMIN.id, "manager", scopes=frozenset({"contacts:read"}))
    for actor in (blind, only_contacts):
        assert _found(store, CONTACT, '~ "98765"', actor) == []
    assert _found(store, CONTACT, "~ asha", blind) == []
    with pytest.raises(QueryInvalid):
        _found(store, CONTACT, "name ~ asha", blind)


def test_addresses_added_at_once_are_all_found(store: Store) -> None:
    """Two transactions that write of one contact: what it is found by holds the words of both."""
    if store.database.dialect == "sqlite":  # there one waits for the other anyway
        return
    asha = store.write_now(_contact, SYSTEM, "Asha")
    wrote, waiting = threading.Event(), threading.Event()

    def first(tx: Tx) -> None:
        add_identity(tx, asha, "phone", "+919876543210", verified=True)
        tx.flush()
        wrote.set()
        assert waiting.wait(10)

    def second(tx: Tx) -> None:
        add_identity(tx, asha, "email", "asha@example.com", verified=True)
        tx.flush()

    with ThreadPoolExecutor(2) as threads:
        one = threads.submit(store.write_now, first, SYSTEM)
        assert wrote.wait(10)
        other = threads.submit(store.write_now, second, SYSTEM)
        _until_one_waits(store)
        waiting.set()
        one.result(), other.result()
    assert _found(store, CONTACT, '~ "asha 98765"') == _found(store, CONTACT, "~ example") == [asha]


def _until_one_waits(store: Store) -> None:
    """Until a transaction waits for another's row."""
    with store.database.read() as connection:
        asked = sa.text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        for _ in range(1000):
            if connection.execute(asked).scalar():
                return
            sleep(0.01)
    raise AssertionError("no transaction waited for the other")


def test_older_records_are_entered_step_by_step_and_once(store: Store) -> None:
    """Records from before the index, and a field that becomes searched afterwards."""

    def add(tx: Tx) -> list[str]:
        rows = [{"name": "Asha", "name_source": "said", "custom": {"x_code": "QQ7"}} for _ in range(STEP + 1)]
        return [insert(tx, CONTACT, row) for row in rows]

    ids = store.write_now(add, SYSTEM)
    assert _found(store, CONTACT, "~ asha") == []
    steps = 0
    while store.write_now(fill_step, SYSTEM):
        steps += 1
    assert steps == 1
    with store.database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).where(search_fills.c.done)).scalar() > 5
    assert _found(store, CONTACT, "~ asha") == ids[:50]
    own = {"entity": "contacts", "name": "x_code", "label": "Code", "type": "text", "searchable": True}
    store.write_now(lambda tx: insert(tx, CUSTOM_FIELD, {"position": 0, **own}), SYSTEM)
    store.reload_schema()
    assert _found(store, CONTACT, "~ qq7") == []
    while store.write_now(fill_step, SYSTEM):
        pass
    assert _found(store, CONTACT, "~ qq7") == _found(store, CONTACT, "x_code ~ qq7") == ids[:50]
    with store.database.read() as connection:
        entries = connection.execute(
            sa.select(sa.func.count()).where(
                search_entries.c.record_id == ids[0], search_entries.c.terms != ""
            )
        )
        assert entries.scalar() == 2
    store.write_now(lambda tx: tx.execute(CUSTOM_FIELD.table.delete()), SYSTEM)
    store.reload_schema()
    while store.write_now(fill_step, SYSTEM):
        pass
    assert _found(store, CONTACT, "~ qq7") == []
