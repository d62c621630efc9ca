"""Where a permission could be gone round: by restoring, by a related record, by what an error says."""

from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from threading import Event
from typing import Any

import pytest
import sqlalchemy as sa

from bot.crm.activity import ACTIVITY, ATTENDEE
from bot.crm.api_key import actor_for_key, make_api_key
from bot.crm.business import seed_profile
from bot.crm.contact import CONTACT, IDENTITY
from bot.crm.file import FILE
from bot.crm.leaving import deactivate
from bot.crm.notification import NOTIFICATION
from bot.crm.opportunity import OPPORTUNITY
from bot.crm.rule import RULE, RULE_RUN
from bot.crm.user import USER, actor_by_id, add_user, set_password
from bot.errors import Conflict, Forbidden, InvalidInput
from bot.ids import new_id
from bot.records.access import DEFAULT, Access
from bot.records.actor import BOT, SYSTEM, Actor
from bot.records.change import change_record, create_record, delete_record, restore_record
from bot.records.defining import set_access
from bot.records.definitions import CUSTOM_FIELD, VALIDATION_RULE
from bot.records.entity import Entity
from bot.records.permissions import row_filter
from bot.records.query import one
from bot.records.shares import SHARE
from bot.records.sharing import share_record
from bot.records.show import shown
from bot.records.store import Store, explain
from bot.records.tx import Tx
from bot.records.write import find
from bot.settings import Settings
from tests.support.people import Business, found

ADMIN = Actor("user", role="admin")


@pytest.fixture
def business(store: Store) -> Business:
    store.write_now(seed_profile, SYSTEM, Settings(country="IN", currency="INR"))
    return store.write_now(found, SYSTEM, "rep")


@pytest.fixture
def rep(store: Store, business: Business) -> Actor:
    return store.read_now(actor_for_key, SYSTEM, business.keys["rep"])


def hiding(actor: Actor, kind: str, *names: str) -> Actor:
    """The actor, of whose role these fields are hidden."""
    assert actor.role is not None
    return replace(actor, access=Access(hidden={(actor.role, kind): frozenset(names)}))


def allowing(actor: Actor, kind: str, *actions: str) -> Actor:
    """The actor, whose role may do just this to a kind."""
    assert actor.role is not None
    cell = {**DEFAULT.table.get(kind, {}), actor.role: frozenset(actions)}
    return replace(actor, access=Access({**DEFAULT.table, kind: cell}))


def test_a_share_that_was_taken_back_stays_so(store: Store, business: Business, rep: Actor) -> None:
    mine = business.rows["contacts"]["self"]
    with pytest.raises(Conflict, match="themselves"):
        store.write_now(share_record, rep, "contacts", mine, user_id=rep.id, level="write")
    mate = business.users["mate"]
    share = store.write_now(share_record, rep, "contacts", mine, user_id=mate, level="write")
    store.write_now(delete_record, rep, SHARE, share)
    with pytest.raises(Conflict, match="anew"):
        store.write_now(restore_record, rep, SHARE, share)


def test_who_restores_a_rule_answers_for_it(store: Store, business: Business, rep: Actor) -> None:
    tell = {"action": "notify", "to": ["owner"], "text": "Look"}
    rule = {"name": "R", "entity": "leads", "trigger": "created", "actions": [tell]}
    made = store.write_now(create_record, SYSTEM, RULE, {**rule, "run_as_id": business.users["mate"]})["id"]
    store.write_now(delete_record, SYSTEM, RULE, made)
    with pytest.raises(Forbidden, match="somebody else"):
        store.write_now(restore_record, allowing(rep, "rules", "read", "delete"), RULE, made)
    assert store.write_now(restore_record, ADMIN, RULE, made)["deleted_at"] is None


def test_a_condition_that_cannot_be_read_stops_nobody(store: Store) -> None:
    field = {"entity": "contacts", "label": "Size", "type": "text"}
    own = store.write_now(create_record, ADMIN, CUSTOM_FIELD, field)
    rule = {"entity": "contacts", "field": "city", "kind": "required"}
    with pytest.raises(InvalidInput) as caught:
        store.write_now(create_record, ADMIN, VALIDATION_RULE, {**rule, "condition": "owner_id = me"})
    assert caught.value.data["field"] == "condition"
    named = {**rule, "condition": f'{own["name"]} = "M"'}
    made = store.write_now(create_record, ADMIN, VALIDATION_RULE, named)["id"]
    with pytest.raises(Conflict, match="city of contacts"):
        store.write_now(delete_record, ADMIN, CUSTOM_FIELD, own["id"])

    def spoil(tx: Tx) -> None:
        """As it stood in a database before this was asked."""
        table = VALIDATION_RULE.table
        tx.execute(table.update().where(table.c.id == made).values(condition="x_gone = 1"))

    store.write_now(spoil, SYSTEM)
    store.reload_schema()
    for actor in (BOT, ADMIN):
        assert store.write_now(create_record, actor, CONTACT, {"name": "Asha"})["name"] == "Asha"
    store.write_now(delete_record, ADMIN, CUSTOM_FIELD, own["id"])


def test_a_slow_reader_does_not_put_older_definitions_over_newer(store: Store, rep: Actor) -> None:
    """Two threads hear of two changes; who read before the second is done last."""
    reading, go_on, told = Event(), Event(), []

    def late(connection: sa.Connection, cursor: Any, statement: str, *_: Any) -> None:
        if "access_rules" in statement and not told:
            told.append(statement)
            reading.set()
            assert go_on.wait(20)

    engine = store.database._read
    sa.event.listen(engine, "after_cursor_execute", late)
    with ThreadPoolExecutor(2) as threads:
        try:
            first = threads.submit(store.reload_schema)
            assert reading.wait(20)
            second = threads.submit(
                store.write_now, set_access, SYSTEM, "rep", "contacts", "hidden", field="city"
            )
            wait([second], timeout=0.5)
        finally:
            go_on.set()
        first.result(20), second.result(20)
    sa.event.remove(engine, "after_cursor_execute", late)
    assert store.schema.access.hides("rep", "contacts", "city")


def test_addresses_are_for_who_sees_them(store: Store, business: Business, rep: Actor) -> None:
    mine, there = business.rows["contacts"]["self"], business.rows["activities"]["self"]
    blind = (hiding(rep, "identities", "value"), allowing(rep, "identities", "create", "delete"))
    for actor in blind:
        lists: tuple[dict[str, list[str]], ...] = ({"phones": []}, {"emails": ["a@example.com"]})
        for given in lists:
            with pytest.raises(Forbidden) as caught:
                store.write_now(change_record, actor, CONTACT, mine, given)
            assert [caught.value.data["field"]] == [*given]
            assert "9876" not in caught.value.message
        assert store.write_now(create_record, actor, CONTACT, {"name": "N", "phones": ""})["name"] == "N"

    def invited(actor: Actor) -> tuple[str | None, str | None]:
        def invite(tx: Tx) -> tuple[str | None, str | None]:
            contact = create_record(tx, CONTACT, {"name": "Meena"})["id"]
            with tx.acting(SYSTEM):
                create_record(tx, IDENTITY, {"contact_id": contact, "kind": "email", "value": "m@a.in"})
            row = create_record(tx, ATTENDEE, {"activity_id": there, "contact_id": contact})
            return row["name"], row["email"]

        return store.write_now(invite, actor)

    assert invited(rep) == ("Meena", "m@a.in")
    assert [invited(actor) for actor in blind] == [("Meena", None)] * 2


def test_a_hidden_amount_is_not_recounted(store: Store, business: Business, rep: Actor) -> None:
    for amount in (5, None):
        deal = store.write_now(create_record, rep, OPPORTUNITY, {"name": "R", "amount": amount})["id"]
        with pytest.raises(Forbidden) as caught:
            given = {"currency": "JPY"}
            store.write_now(change_record, hiding(rep, "opportunities", "amount"), OPPORTUNITY, deal, given)
        assert caught.value.data["field"] == "currency"
        assert "amount" not in caught.value.message


def test_admins_are_made_and_changed_by_admins(store: Store, business: Business) -> None:
    def people(tx: Tx) -> tuple[str, str, Actor]:
        boss, second = (add_user(tx, f"{name}@example.org", "admin") for name in ("boss", "second"))
        return boss, second, actor_by_id(tx, add_user(tx, "head@example.org", "manager"))

    boss, _, head = store.write_now(people, SYSTEM)
    head = allowing(head, "users", "read", "create", "update")
    mate = business.users["mate"]
    given: list[tuple[Any, tuple[Any, ...]]] = [
        (create_record, (USER, {"email": "new@example.org", "role": "admin"})),
        (change_record, (USER, mate, {"role": "admin"})),
        (change_record, (USER, head.id, {"role": "admin"})),
        (change_record, (USER, boss, {"role": "rep"})),
        (change_record, (USER, boss, {"email": "mine@example.org"})),
        (set_password, (boss, "a long password")),
        (deactivate, (boss,)),
        (make_api_key, (boss,)),
    ]
    for operation, arguments in given:
        with pytest.raises(Forbidden):
            store.write_now(operation, head, *arguments)
    assert store.write_now(change_record, head, USER, mate, {"role": "agent"})["role"] == "agent"
    assert store.write_now(make_api_key, head, mate)


def test_what_hangs_on_a_record_follows_it(store: Store, business: Business, rep: Actor) -> None:
    """Of a kind that may not be read, or of a deleted record, nobody reads an address, a file or a guest."""
    manager = replace(rep, id=business.users["mate"], role="manager")

    def seen(actor: Actor) -> list[str]:
        def count(tx: Tx) -> list[str]:
            chosen = []
            for entity in (IDENTITY, FILE, ATTENDEE):
                table = entity.table
                mine = row_filter(actor, entity)
                column = table.c["activity_id" if entity is ATTENDEE else "contact_id"]
                record = business.rows["activities" if entity is ATTENDEE else "contacts"]["self"]
                statement = sa.select(table.c.id).where(column == record)
                if tx.row(statement if mine is None else statement.where(mine)) is not None:
                    chosen.append(entity.name)
            return chosen

        return store.read_now(count, actor)

    everything = ["identities", "files", "attendees"]
    for actor in (rep, manager):
        assert seen(actor) == everything
        assert seen(allowing(actor, "contacts")) == ["attendees"]
        assert seen(allowing(actor, "activities")) == ["identities", "files"]
    store.write_now(delete_record, SYSTEM, ACTIVITY, business.rows["activities"]["self"])

    def mark(tx: Tx) -> None:
        table = CONTACT.table
        mine = table.c.id == business.rows["contacts"]["self"]
        tx.execute(table.update().where(mine).values(deleted_at=tx.now))

    store.write_now(mark, SYSTEM)
    assert [seen(rep), seen(manager), seen(BOT)] == [[], [], everything]
    identity = store.read_now(_an_identity, SYSTEM, business.rows["contacts"]["mate"])
    assert store.read_now(one, manager, IDENTITY, identity)["id"] == identity


def _an_identity(tx: Tx, contact_id: str) -> str:
    table = IDENTITY.table
    return str(tx.execute(sa.select(table.c.id).where(table.c.contact_id == contact_id)).scalars().first())


def test_what_is_a_users_own_is_no_managers(store: Store, business: Business, rep: Actor) -> None:
    manager = replace(rep, id=business.users["mate"], role="manager")
    rows = business.rows["notifications"]
    assert store.read_now(find, manager, NOTIFICATION, rows["self"]) is None
    assert store.read_now(find, manager, NOTIFICATION, rows["mate"]) is not None
    assert row_filter(manager, RULE_RUN) is None  # the log of the business's rules
    assert row_filter(rep, RULE_RUN) is not None


def test_an_error_tells_no_values(store: Store, business: Business) -> None:
    def twice(tx: Tx) -> None:
        row = tx.row(sa.select(IDENTITY.table).where(IDENTITY.table.c.kind == "email"))
        tx.execute(IDENTITY.table.insert(), {**(row or {}), "id": new_id()})

    with pytest.raises(sa.exc.IntegrityError) as caught:
        store.write_now(twice, SYSTEM)
    assert explain(caught.value) in ("IntegrityError: IntegrityError", "IntegrityError: UniqueViolation")
    assert "example.net" not in str(sa.exc.StatementError.__str__(caught.value)).partition("DETAIL")[0]
    assert explain(ValueError("plain")) == "ValueError: plain"


def test_many_territories_are_one_way_of_seeing(store: Store, rep: Actor) -> None:
    def asked(count: int) -> str:
        actor = replace(rep, territory_ids=tuple(new_id() for _ in range(count)))
        entity: Entity = OPPORTUNITY
        mine = row_filter(actor, entity)
        assert mine is not None
        assert store.read_now(lambda tx: tx.rows(sa.select(entity.table.c.id).where(mine)), actor) == []
        assert store.read_now(lambda tx: shown(tx, entity, []), actor) == []
        return str(mine)

    assert [asked(count).count("territory_id") for count in (1, 5, 6, 40)] == [1, 5, 1, 1]
