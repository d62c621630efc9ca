"""Records made and changed by values from outside, on both databases."""

from typing import Any

import pytest

from bot.crm.account import ACCOUNT
from bot.crm.api_key import actor_for_key
from bot.crm.business import seed_profile
from bot.crm.contact import CONTACT, IDENTITY, add_identity
from bot.crm.lead import LEAD
from bot.crm.opportunity import OPPORTUNITY
from bot.crm.relations import AFFILIATION
from bot.crm.territory import CATEGORY, TERRITORY
from bot.errors import Conflict, Forbidden, InvalidInput, NotFound, VersionConflict
from bot.records.actor import SYSTEM, Actor
from bot.records.change import change_record, create_record, delete_record, restore_record
from bot.records.entity import Entity
from bot.records.shares import SHARE
from bot.records.show import shown
from bot.records.store import Store
from bot.records.tx import Tx
from bot.records.write import create
from bot.settings import Settings
from tests.support.people import Business, found


@pytest.fixture
def business(store: Store) -> Business:
    store.write_now(seed_profile, SYSTEM, Settings(country="IN", currency="INR"))
    return store.write_now(found, SYSTEM, "rep")


@pytest.fixture
def rep(store: Store, business: Business) -> Actor:
    return store.read_now(actor_for_key, SYSTEM, business.keys["rep"])


def made(tx: Tx, entity: Entity, given: dict[str, Any]) -> dict[str, Any]:
    return shown(tx, entity, [create_record(tx, entity, given)])[0]


def changed(tx: Tx, entity: Entity, record_id: str, given: dict[str, Any], **more: Any) -> dict[str, Any]:
    return shown(tx, entity, [change_record(tx, entity, record_id, given, **more)])[0]


def test_a_record_is_made_as_given(store: Store, business: Business, rep: Actor) -> None:
    account = business.rows["accounts"]["self"]
    given = {
        "name": "  Solar roof ",
        "account_id": account.upper(),
        "amount": "12,50,000.50",
        "close_date": "2026-12-31",
        "tags": ["vip", " hot  lead", "vip"],
        "description": "one\r\ntwo ",
        "next_step": "",
    }
    row = store.write_now(made, rep, OPPORTUNITY, given)
    kept = {name: row[name] for name in (*given, "currency", "owner_id", "team_id", "stage", "status")}
    assert kept == {
        "name": "Solar roof",
        "account_id": account,
        "amount": 1250000.5,
        "close_date": "2026-12-31",
        "tags": ["hot lead", "vip"],
        "description": "one\ntwo",
        "next_step": None,
        "currency": "INR",
        "owner_id": business.users["self"],
        "team_id": business.rows["teams"]["north"],
        "stage": "Qualification",
        "status": "open",
    }
    again = store.write_now(changed, rep, OPPORTUNITY, row["id"], {"amount": 7, "currency": "jpy"})
    assert (again["amount"], again["currency"], again["version"]) == (7, "JPY", 2)
    again = store.write_now(changed, rep, OPPORTUNITY, row["id"], {"currency": "KWD"})
    assert (again["amount"], again["currency"]) == (7, "KWD")  # the same number of other units
    away = store.write_now(
        changed, rep, OPPORTUNITY, row["id"], {"owner_id": business.users["stranger"]}, version=3
    )
    assert away["team_id"] == business.rows["teams"]["south"]
    with pytest.raises(NotFound):  # it is not theirs any more
        store.write_now(changed, rep, OPPORTUNITY, row["id"], {"name": "Mine"})


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"nme": "A"}, "nme"),
    ({"id": "01890a5d-ac96-774b-bcce-b302099a8057"}, "id"),
    ({"custom": {}}, "custom"),
    ({"status": "won"}, "status"),
    ({"stage": "Nowhere"}, "stage"),
    ({"amount": 1.005}, "amount"),
    ({"amount": True}, "amount"),
    ({"amount": "1,2"}, "amount"),
    ({"amount": 10**13}, "amount"),
    ({"amount": float("nan")}, "amount"),
    ({"amount": 5, "currency": "rupees"}, "currency"),
    ({"close_date": "2026-02-30"}, "close_date"),
    ({"close_date": 20261231}, "close_date"),
    ({"tags": ["a", 1]}, "tags"),
    ({"tags": ["a" * 61]}, "tags"),
    ({"name": "a" * 201}, "name"),
    ({"name": "a\0"}, "name"),
    ({"name": "\ud800"}, "name"),
    ({"name": None}, "name"),
    ({"name": 7}, "name"),
    ({"probability": 101}, "probability"),
    ({"probability": 2**40}, "probability"),
    ({"account_id": "nobody"}, "account_id"),
    ({"account_id": "01890a5d-ac96-774b-bcce-b302099a8057"}, "account_id"),
]


def test_bad_values_are_refused_by_name(store: Store, business: Business, rep: Actor) -> None:
    with pytest.raises(InvalidInput) as caught:
        store.write_now(create_record, rep, OPPORTUNITY, {})
    assert caught.value.data["missing"] == ["name"]
    deal = store.write_now(made, rep, OPPORTUNITY, {"name": "Roof", "amount": 5})
    unseen = {"account_id": business.rows["accounts"]["stranger"]}
    for given, field in [*REFUSED, (unseen, "account_id")]:
        for operation in (
            lambda given=given: store.write_now(create_record, rep, OPPORTUNITY, {"name": "R", **given}),
            lambda given=given: store.write_now(change_record, rep, OPPORTUNITY, deal["id"], given),
        ):
            with pytest.raises(InvalidInput) as caught:
                operation()
            assert caught.value.data["field"] == field, (given, caught.value.message)
    with pytest.raises(InvalidInput, match="close_date"):  # a near name is suggested
        store.write_now(create_record, rep, OPPORTUNITY, {"name": "R", "closedate": "2026-01-01"})
    with pytest.raises(VersionConflict):
        store.write_now(change_record, rep, OPPORTUNITY, deal["id"], {"name": "Old"}, version=7)


def test_ids_point_to_what_is_there(store: Store, business: Business, rep: Actor) -> None:
    about_cases = store.write_now(create_record, SYSTEM, CATEGORY, {"name": "Repair", "entity": "cases"})[
        "id"
    ]
    gone = store.write_now(create_record, rep, ACCOUNT, {"name": "Gone"})["id"]
    store.write_now(delete_record, SYSTEM, ACCOUNT, gone)
    contact = business.rows["contacts"]["self"]
    for field, value in (("category_id", about_cases), ("account_id", gone)):
        with pytest.raises(InvalidInput) as caught:
            store.write_now(change_record, rep, CONTACT, contact, {field: value})
        assert caught.value.data["field"] == field
    back = store.write_now(restore_record, SYSTEM, ACCOUNT, gone)
    assert back["deleted_at"] is None
    store.write_now(change_record, rep, CONTACT, contact, {"account_id": gone})
    with pytest.raises(Conflict):
        store.write_now(delete_record, SYSTEM, ACCOUNT, gone)


def test_a_value_of_another_record_is_a_conflict_that_names_it(store: Store, business: Business) -> None:
    store.write_now(create_record, SYSTEM, TERRITORY, {"name": "North"})
    with pytest.raises(Conflict) as caught:
        store.write_now(create_record, SYSTEM, TERRITORY, {"name": "North"})
    assert caught.value.data["field"] == "name"
    pair = {"contact_id": business.rows["contacts"]["self"], "account_id": business.rows["accounts"]["self"]}
    store.write_now(create_record, SYSTEM, AFFILIATION, pair)
    with pytest.raises(Conflict) as caught:
        store.write_now(create_record, SYSTEM, AFFILIATION, pair)
    assert caught.value.data["fields"] == ["contact_id", "account_id"]


def test_numbers_and_addresses_of_a_contact(store: Store, business: Business, rep: Actor) -> None:
    given = {"name": "Asha", "phones": "98765 43210, +91 98765 43210", "emails": ["ASHA@Example.com"]}
    asha = store.write_now(made, rep, CONTACT, given)
    assert (asha["phones"], asha["emails"]) == (["+919876543210"], ["asha@example.com"])
    again = store.write_now(changed, rep, CONTACT, asha["id"], {"phones": []})
    assert (again["phones"], again["emails"]) == ([], ["asha@example.com"])
    again = store.write_now(changed, rep, CONTACT, asha["id"], {"phones": ["9876543210", "022 2345 6789"]})
    assert again["phones"] == ["+919876543210", "+912223456789"]
    for bad in ({"phones": ["call me"]}, {"emails": ["x@"]}, {"phones": 7}):
        with pytest.raises(InvalidInput) as caught:
            store.write_now(change_record, rep, CONTACT, asha["id"], bad)
        assert [caught.value.data["field"]] == [*bad]
    store.write_now(add_identity, SYSTEM, asha["id"], "whatsapp", "919876543210", verified=True)
    with pytest.raises(Conflict, match="proved"):
        store.write_now(change_record, rep, CONTACT, asha["id"], {"phones": []})
    proved = business.rows["contacts"]["self"]
    claim = {"contact_id": proved, "kind": "phone", "value": "98765 43210"}
    assert store.write_now(create_record, rep, IDENTITY, claim)["value"] == "+919876543210"
    with pytest.raises(InvalidInput):
        store.write_now(create_record, rep, IDENTITY, {**claim, "verified": True})


def test_who_may_read_only_may_hang_nothing_on_it(store: Store, business: Business, rep: Actor) -> None:
    """The mate of another team is seen through a share to read: still no address may be added."""
    other = business.rows["contacts"]["stranger"]
    share = {"entity": "contacts", "record_id": other, "user_id": rep.id, "level": "read"}
    store.write_now(create, SYSTEM, SHARE, share)
    with pytest.raises(Forbidden):
        store.write_now(change_record, rep, CONTACT, other, {"name": "Mine"})
    claim = {"contact_id": other, "kind": "email", "value": "a@example.com"}
    with pytest.raises(Forbidden):
        store.write_now(create_record, rep, IDENTITY, claim)
    with pytest.raises(NotFound):
        store.write_now(change_record, rep, LEAD, business.rows["leads"]["stranger"], {"need": "x"})
