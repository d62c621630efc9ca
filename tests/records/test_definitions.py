"""What admins define: fields of their own, rules that values obey, and what roles may do."""

from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.crm.account import ACCOUNT
from bot.crm.business import seed_profile
from bot.crm.contact import CONTACT
from bot.crm.opportunity import OPPORTUNITY
from bot.errors import Conflict, Forbidden, InvalidInput, QueryInvalid
from bot.records.access import Access
from bot.records.actor import BOT, SYSTEM, Actor
from bot.records.change import change_record, create_record, delete_record, read_values, restore_record
from bot.records.defining import set_access
from bot.records.definitions import CUSTOM_FIELD, VALIDATION_RULE
from bot.records.entity import Entity
from bot.records.events import events
from bot.records.own_index import index_own_fields
from bot.records.schema import Schema
from bot.records.show import shown
from bot.records.store import Store
from bot.records.tx import Record, Tx
from bot.records.write import create, find, get, update
from bot.settings import Settings
from tests.support.databases import plan, sqlite_store

ADMIN = Actor("user", role="admin")


def define(store: Store, label: str, kind: str, **more: Any) -> str:
    field = {"entity": "contacts", "label": label, "type": kind, **more}
    return str(store.write_now(create_record, ADMIN, CUSTOM_FIELD, field)["name"])


def rule(store: Store, field: str, kind: str, **more: Any) -> Record:
    given = {"entity": "contacts", "field": field, "kind": kind, **more}
    return store.write_now(create_record, ADMIN, VALIDATION_RULE, given)


def make(
    store: Store, given: dict[str, Any], actor: Actor = ADMIN, entity: Entity = CONTACT
) -> dict[str, Any]:
    def made(tx: Tx) -> dict[str, Any]:
        return shown(tx, entity, [create_record(tx, entity, given)])[0]

    return store.write_now(made, actor)


def change(store: Store, record_id: str, given: dict[str, Any], actor: Actor = ADMIN) -> dict[str, Any]:
    def changed(tx: Tx) -> dict[str, Any]:
        return shown(tx, CONTACT, [change_record(tx, CONTACT, record_id, given)])[0]

    return store.write_now(changed, actor)


def names_of_indexes(store: Store) -> set[str]:
    names = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'index'",
        "postgresql": "SELECT indexname FROM pg_indexes",
    }
    with store.database.read() as connection:
        return set(connection.exec_driver_sql(names[store.database.dialect]).scalars())


def test_a_field_is_made_used_and_taken_away(store: Store) -> None:
    store.write_now(seed_profile, SYSTEM, Settings(country="IN", currency="INR"))
    assert define(store, "Shirt size", "enum", values="S, M, L") == "x_shirt_size"
    assert define(store, "जन्मस्थान", "text", searchable=True) == "x_field"
    assert define(store, "Shirt size", "money") == "x_shirt_size_2"
    assert define(store, "Called", "instant", name="x_called") == "x_called"
    assert define(store, "Since", "date") == "x_since"
    assert define(store, "Partner", "id", target="accounts") == "x_partner"
    partner = make(store, {"name": "Acme"}, entity=ACCOUNT)["id"]
    given = {
        "x_shirt_size": "M",
        "x_field": " कोच्चि ",
        "x_shirt_size_2": "1,250.5",
        "x_called": "2026-01-31T15:00:00+05:30",
        "x_since": "2026-01-31",
        "x_partner": partner,
    }
    asha = make(store, {"name": "Asha", **given})
    told = given | {"x_field": "कोच्चि", "x_shirt_size_2": 1250.5, "x_called": "2026-01-31T09:30:00.000Z"}
    assert {name: asha[name] for name in given} == told
    assert change(store, asha["id"], {"x_since": ""})["x_since"] is None
    for wrong in ({"x_shirt_size": "XL"}, {"x_partner": asha["id"]}, {"x_field": "a" * 501}, {"x_gone": 1}):
        with pytest.raises(InvalidInput) as caught:
            change(store, asha["id"], wrong)
        assert [caught.value.data["field"]] == [*wrong]

    assert "ix_own_contacts_x_field" in index_own_fields(store.database, store.schema)
    assert index_own_fields(store.database, store.schema) == []  # nothing is missing
    spec = store.schema.of(CONTACT).fields["x_field"]
    asked = sa.select(CONTACT.table.c.id).where(spec.column == "कोच्चि").order_by(CONTACT.table.c.id)
    assert "ix_own_contacts_x_field" in plan(store, asked)

    table = CUSTOM_FIELD.table
    ids = dict(store.read_now(lambda tx: tx.execute(sa.select(table.c.name, table.c.id)).all(), ADMIN))
    size = ids["x_shirt_size"]
    store.write_now(change_record, ADMIN, CUSTOM_FIELD, size, {"values": ["S", "L"], "label": "Size"})
    assert change(store, asha["id"], {"x_shirt_size": "M"})["x_shirt_size"] == "M"  # what is there may stay
    with pytest.raises(InvalidInput):
        make(store, {"name": "Ravi", "x_shirt_size": "M"})
    for fixed in ({"type": "text"}, {"name": "x_other"}, {"entity": "leads"}):
        with pytest.raises(InvalidInput):
            store.write_now(change_record, ADMIN, CUSTOM_FIELD, size, fixed)
    store.write_now(delete_record, ADMIN, CUSTOM_FIELD, size)
    assert "x_shirt_size" not in change(store, asha["id"], {"x_field": "Kochi"})
    assert index_own_fields(store.database, store.schema) == ["ix_own_contacts_x_shirt_size"]
    assert "ix_own_contacts_x_shirt_size" not in names_of_indexes(store)
    store.write_now(restore_record, ADMIN, CUSTOM_FIELD, size)
    assert change(store, asha["id"], {"name": "Asha R"})["x_shirt_size"] == "M"  # values were kept


BAD_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"entity": "users"}, "entity"),
    ({"name": "size"}, "name"),
    ({"name": "x_"}, "name"),
    ({"name": "x_A"}, "name"),
    ({"name": "x_a'b"}, "name"),
    ({"type": "json"}, "type"),
    ({"type": "enum"}, "values"),
    ({"values": ["a"]}, "values"),
    ({"type": "id", "target": "messages"}, "target"),
    ({"target": "accounts"}, "target"),
    ({"currency": "INR"}, "currency"),
    ({"type": "money", "currency": "XXL"}, "currency"),
    ({"type": "integer", "searchable": True}, "searchable"),
]
BAD_RULES: list[tuple[dict[str, Any], str]] = [
    ({"entity": "events"}, "entity"),
    ({"field": "nme"}, "field"),
    ({"field": "version"}, "field"),
    ({"kind": "format"}, "pattern"),
    ({"kind": "format", "pattern": "(a"}, "pattern"),
    ({"kind": "format", "field": "birthday", "pattern": "a"}, "pattern"),
    ({"pattern": "a"}, "pattern"),
    ({"kind": "unique", "field": "tags"}, "field"),
    ({"condition": "city = = x"}, "condition"),
    ({"condition": "nothing = 1"}, "condition"),
]


def test_bad_definitions_are_refused(store: Store) -> None:
    text = {"entity": "contacts", "label": "A", "type": "text"}
    for wrong, field in BAD_FIELDS:
        with pytest.raises(InvalidInput) as caught:
            store.write_now(create_record, ADMIN, CUSTOM_FIELD, {**text, **wrong})
        assert caught.value.data["field"] == field, (wrong, caught.value.message)
    for wrong, field in BAD_RULES:
        with pytest.raises(InvalidInput) as caught:
            rule(store, **{"field": "name", "kind": "required", **wrong})
        assert caught.value.data["field"] == field, (wrong, caught.value.message)
    with pytest.raises(Forbidden):
        store.write_now(create_record, Actor("user", role="manager"), CUSTOM_FIELD, {})
    define(store, "Size", "text", name="x_size")
    with pytest.raises(Conflict) as conflict:
        define(store, "Size", "text", name="x_size")
    assert conflict.value.data["field"] == "name"


def test_rules_hold_staff_and_never_stop_the_bot(store: Store) -> None:
    gst = define(store, "GST number", "text")
    rule(store, "city", "required", condition="country = IN", message="Which city?")
    rule(store, gst, "format", pattern="[0-9]{2}[A-Z]{5}[0-9]{4}")
    rule(store, gst, "unique")
    rule(store, "title", "format", pattern="(a+)+b", active=False)

    def refused(given: dict[str, Any], reason: str) -> str:
        with pytest.raises(InvalidInput) as caught:
            make(store, {"name": "Ravi", **given})
        assert caught.value.data["reason"] == reason
        return caught.value.message

    old = store.write_now(create, SYSTEM, CONTACT, {"name": "Old", "country": "IN"})
    assert change(store, old, {"title": "Dr"})["title"] == "Dr"  # what is not touched is not asked
    change(store, old, {"city": "Pune"})
    with pytest.raises(InvalidInput, match="Which city"):
        change(store, old, {"city": ""})
    asha = make(store, {"name": "Asha", "title": "any", gst: "27AAPFU0939"})
    assert refused({"country": "IN"}, "required") == "Which city?"
    assert "[0-9]{2}" in refused({gst: "27 AAPFU 0939"}, "format")
    assert "GST number" in refused({gst: "27AAPFU0939"}, "unique")
    change(store, asha["id"], {gst: "27AAPFU0939", "title": "Mrs"})  # it is their own
    assert make(store, {"name": "Lanka", "country": "LK"})["city"] is None

    def by_the_bot(tx: Tx) -> str:
        made = create(tx, CONTACT, {"name": "Ravi", "country": "IN", gst: "27AAPFU0939"})
        before = get(tx, CONTACT, made)
        assert (before.get(gst), before["country"]) == (None, "IN")
        update(tx, CONTACT, before, {gst: "29AAPFU0939"})
        update(tx, CONTACT, get(tx, CONTACT, made), {gst: "nonsense", "title": "Mr"})
        return made

    ravi = store.write_now(by_the_bot, BOT)
    row = store.read_now(find, SYSTEM, CONTACT, ravi)
    assert row is not None and (row[gst], row["title"]) == ("29AAPFU0939", "Mr")
    told = sa.select(events.c.action).where(events.c.record_id == ravi).order_by(events.c.id)
    actions = store.read_now(lambda tx: tx.execute(told).scalars().all(), SYSTEM)
    assert actions == ["created", "refused", "updated", "updated", "refused"]

    store.write_now(delete_record, ADMIN, CONTACT, asha["id"])
    make(store, {"name": "Next", gst: "27AAPFU0939"})  # the deleted one does not count
    with pytest.raises(InvalidInput, match="same GST"):
        store.write_now(restore_record, ADMIN, CONTACT, asha["id"])
    assert f"ix_one_contacts_{gst}" in index_own_fields(store.database, store.schema)


def test_roles_are_changed_cell_by_cell(store: Store) -> None:
    rep = Actor("user", role="rep")

    def now() -> Actor:
        return Actor("user", role="rep", access=store.schema.access)

    assert make(store, {"name": "A", "amount": 5}, rep, OPPORTUNITY)["amount"] == 5
    store.write_now(set_access, ADMIN, "rep", "opportunities", "read")
    with pytest.raises(Forbidden):
        make(store, {"name": "A"}, now(), OPPORTUNITY)
    store.write_now(set_access, ADMIN, "rep", "opportunities", None)
    store.write_now(set_access, ADMIN, "rep", "opportunities", "hidden", field="amount")
    store.write_now(set_access, ADMIN, "rep", "contacts", "read_only", field="phones")
    assert "amount" not in make(store, {"name": "A"}, now(), OPPORTUNITY)
    with pytest.raises(InvalidInput, match="no field 'amount'"):
        make(store, {"name": "A", "amount": 5}, now(), OPPORTUNITY)
    with pytest.raises(Forbidden):
        make(store, {"name": "A", "phones": ["+919876543210"]}, now())
    for role, entity, may, field in (
        ("admin", "contacts", "none", ""),
        ("boss", "contacts", "none", ""),
        ("rep", "customers", "read", ""),
        ("rep", "contacts", "fly", ""),
        ("rep", "contacts", "update", ""),
        ("rep", "contacts", "hidden", "nothing"),
        ("rep", "contacts", "hidden", "id"),
        ("rep", "contacts", "read", "name"),
    ):
        with pytest.raises(InvalidInput):
            store.write_now(set_access, ADMIN, role, entity, may, field=field)
    with pytest.raises(Forbidden):
        store.write_now(set_access, Actor("user", role="manager"), "rep", "contacts", "read")


def test_an_events_hidden_fields_are_left_out_by_kind(store: Store) -> None:
    deal = make(store, {"name": "A", "amount": 1250.5, "currency": "INR"}, entity=OPPORTUNITY)

    def blind_to(kind: str) -> Actor:
        access = Access(hidden={("manager", kind): frozenset({"amount"})})
        return Actor("user", role="manager", access=access)

    def told(tx: Tx) -> Any:
        rows = tx.rows(sa.select(events).where(events.c.record_id == deal["id"]))
        return shown(tx, tx.schema.entity("events"), rows, ("changes",))[0]["changes"]

    assert store.read_now(told, blind_to("leads"))["amount"] == [None, 1250.5]
    seen = store.read_now(told, blind_to("opportunities"))
    assert "amount" not in seen and seen["currency"] == [None, "INR"]
    assert "name" not in seen  # personal: sealed


TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=60)
MOMENTS = st.datetimes().filter(lambda at: 1000 < at.year < 9998)
AMOUNTS = st.one_of(
    st.none(), st.integers(0, 10**12), st.decimals(-(10**12), 10**12, places=2, allow_nan=False).map(float)
)
GIVEN = st.fixed_dictionaries(
    {"name": TEXTS.filter(lambda text: bool(text.strip()))},
    optional={
        "amount": AMOUNTS,
        "currency": st.sampled_from(["INR", "LKR", "usd"]),
        "close_date": st.one_of(st.none(), MOMENTS.map(lambda at: str(at.date()))),
        "probability": st.integers(0, 100),
        "tags": st.lists(TEXTS, max_size=4),
        "description": TEXTS,
        "x_score": st.floats(allow_nan=False, allow_infinity=False),
        "x_when": MOMENTS.map(lambda at: f"{at.isoformat(timespec='microseconds')}Z"),
        "x_paid": st.integers(0, 10**12),
    },
)
_AS_TEXT = ("name", "amount", "probability", "x_paid", "close_date", "stage")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with sqlite_store(tmp_path_factory.mktemp("values") / "database") as store:
        for name, kind in (("x_score", "number"), ("x_when", "instant"), ("x_paid", "money")):
            field = {"entity": "opportunities", "label": name, "name": name, "type": kind}
            store.write_now(create_record, ADMIN, CUSTOM_FIELD, field)
        yield store


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(given=GIVEN)
def test_what_is_shown_can_be_given_back(small: Store, given: dict[str, Any]) -> None:
    """shown, then read_values: the very values that the record holds."""

    def there_and_back(tx: Tx) -> None:
        row = create_record(tx, OPPORTUNITY, given)
        entity = tx.schema.of(OPPORTUNITY)
        settable = [name for name, spec in entity.fields.items() if not spec.computed]
        seen = shown(tx, entity, [row], settable)[0]
        del seen["id"]
        held = {name: row.get(name) for name in seen}
        assert read_values(tx, entity, seen) == held
        text = {name: str(seen[name]) for name in (*_AS_TEXT, "currency") if seen[name] is not None}
        assert read_values(tx, entity, text) == {name: held[name] for name in text}

    small.write_now(there_and_back, ADMIN)


def test_without_rules_nothing_is_asked(store: Store) -> None:
    """A kind without rules costs no statement more."""

    def counted(tx: Tx) -> int:
        seen = 0

        def count(*_: Any) -> None:
            nonlocal seen
            seen += 1

        sa.event.listen(tx.connection, "before_cursor_execute", count)
        create(tx, ACCOUNT, {"name": "A"})
        sa.event.remove(tx.connection, "before_cursor_execute", count)
        return seen

    rule(store, "city", "required")
    assert isinstance(store.schema, Schema) and "accounts" not in store.schema.rules
    assert store.write_now(counted, ADMIN) == 1


def test_an_unknown_condition_field_names_its_place(store: Store) -> None:
    with pytest.raises(QueryInvalid) as caught:
        rule(store, "city", "required", condition="cuntry = IN")
    assert caught.value.data["suggestion"] == "country"
