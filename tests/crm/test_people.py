"""Staff: made, changed, leaving; their keys, their sign-ins, and whom records are shared with."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from bot.crm.api_key import actor_for_key, keys_of, make_api_key, mark_key_used, revoke_key
from bot.crm.leaving import deactivate, open_work, reactivate
from bot.crm.opportunity import OPPORTUNITY, STAGE
from bot.crm.user import (
    TEAM,
    USER,
    actor_for_session,
    add_user,
    for_sign_in,
    log_failure,
    open_session,
    sign_out,
    team_id,
)
from bot.errors import Conflict, Forbidden, InvalidInput, NotFound, NotSignedIn
from bot.records.actor import SYSTEM, Actor
from bot.records.change import change_record, create_record, delete_record
from bot.records.events import events
from bot.records.sharing import share_record
from bot.records.show import shown
from bot.records.store import Store
from bot.records.tx import Tx
from bot.records.write import create, find
from tests.support.people import Business, found

ADMIN = Actor("user", role="admin")


@pytest.fixture
def business(store: Store) -> Business:
    return store.write_now(found, SYSTEM, "rep")


def actions_of(store: Store, record_id: str) -> list[str]:
    told = sa.select(events.c.action).where(events.c.record_id == record_id).order_by(events.c.id)
    return store.read_now(lambda tx: list(tx.execute(told).scalars()), SYSTEM)


def test_admins_make_and_change_users(store: Store, business: Business) -> None:
    given = {"email": " Priya@Example.COM ", "role": "agent"}
    priya = store.write_now(create_record, ADMIN, USER, given)
    assert (priya["email"], priya["name"], priya["active"]) == ("priya@example.com", "Priya", True)
    assert "password_hash" not in store.read_now(lambda tx: shown(tx, USER, [priya])[0], ADMIN)
    for actor in (Actor("user", priya["id"], "agent"), Actor("user", role="manager")):
        with pytest.raises(Forbidden):
            store.write_now(change_record, actor, USER, priya["id"], {"role": "admin"})
    for wrong, field in (
        ({"email": "priya@example.com"}, "email"),
        ({"email": "priya"}, "email"),
        ({"role": "boss"}, "role"),
        ({"active": False}, "active"),
        ({"password_hash": "x"}, "password_hash"),
        ({"team_id": business.users["self"]}, "team_id"),
    ):
        with pytest.raises((InvalidInput, Conflict)) as caught:
            store.write_now(create_record, ADMIN, USER, {"email": "new@example.com", "role": "rep", **wrong})
        assert caught.value.data["field"] == field
    with pytest.raises(Forbidden):
        store.write_now(delete_record, ADMIN, USER, priya["id"])
    boss = store.write_now(add_user, SYSTEM, "boss@example.com", "admin")
    for last in (
        lambda: store.write_now(change_record, ADMIN, USER, boss, {"role": "rep"}),
        lambda: store.write_now(deactivate, ADMIN, boss),
    ):
        with pytest.raises(Conflict, match="last admin"):
            last()
    store.write_now(change_record, ADMIN, USER, priya["id"], {"role": "admin"})
    store.write_now(change_record, ADMIN, USER, boss, {"role": "rep"})


def test_who_leaves_hands_over(store: Store, business: Business) -> None:
    me, mate = business.users["self"], business.users["stranger"]
    token = store.write_now(open_session, SYSTEM, me)
    deal = store.write_now(create, SYSTEM, OPPORTUNITY, {"name": "Roof", "owner_id": me})
    won = store.write_now(create, SYSTEM, OPPORTUNITY, {"name": "Old", "owner_id": me, "stage": "Won"})
    left = store.read_now(open_work, ADMIN, me)
    assert left == dict.fromkeys(
        ("accounts", "contacts", "leads", "opportunities", "cases", "conversations"), 1
    )
    with pytest.raises(Conflict, match="1 cases"):
        store.write_now(deactivate, ADMIN, me)
    with pytest.raises(Forbidden):
        store.write_now(deactivate, Actor("user", me, "rep"), mate, to_user=me)
    for wrong in ({"to_user": me}, {"to_team": me}, {"to_user": mate, "to_team": mate}):
        with pytest.raises(InvalidInput):
            store.write_now(deactivate, ADMIN, me, **wrong)
    assert store.write_now(deactivate, ADMIN, me, to_user=mate) == left

    row = store.read_now(find, SYSTEM, OPPORTUNITY, deal)
    assert row is not None and (row["owner_id"], row["team_id"]) == (mate, business.rows["teams"]["south"])
    closed = store.read_now(find, SYSTEM, OPPORTUNITY, won)
    assert closed is not None and closed["owner_id"] == me
    assert actions_of(store, deal) == ["created", "updated"]
    assert actions_of(store, business.rows["conversations"]["self"])[-1] == "updated"
    for door in (
        lambda: store.read_now(actor_for_key, SYSTEM, business.keys["rep"]),
        lambda: store.read_now(actor_for_session, SYSTEM, token),
    ):
        with pytest.raises(NotSignedIn):
            door()
    assert store.read_now(for_sign_in, SYSTEM, "self@example.com") is None
    with pytest.raises(Conflict):
        store.write_now(deactivate, ADMIN, me)
    with pytest.raises(InvalidInput):  # nothing new is given to who left
        store.write_now(change_record, ADMIN, OPPORTUNITY, deal, {"owner_id": me})
    store.write_now(reactivate, ADMIN, me)
    assert store.read_now(for_sign_in, SYSTEM, "self@example.com") is not None
    assert actions_of(store, me)[-2:] == ["deactivated", "reactivated"]


def test_work_goes_to_a_team(store: Store, business: Business) -> None:
    south = business.rows["teams"]["south"]
    store.write_now(deactivate, ADMIN, business.users["mate"], to_team=south)
    row = store.read_now(find, SYSTEM, store.schema.entity("leads"), business.rows["leads"]["mate"])
    assert row is not None and (row["owner_id"], row["team_id"]) == (None, south)
    with pytest.raises(Conflict, match="members"):
        store.write_now(delete_record, ADMIN, TEAM, south)
    empty = store.write_now(team_id, SYSTEM, "west")
    store.write_now(delete_record, ADMIN, TEAM, empty)


def test_keys_have_a_scope_an_end_and_a_use(store: Store, business: Business) -> None:
    me = Actor("user", business.users["self"], "rep")

    def made(tx: Tx, **more: Any) -> str:
        return make_api_key(tx, business.users["self"], name="Shop", **more)

    key = store.write_now(made, me, scopes=["contacts:read", "*:read"])
    assert store.read_now(actor_for_key, SYSTEM, key).scopes == {"contacts:read", "*:read"}
    limited = store.read_now(actor_for_key, SYSTEM, key)
    for wrong in (["contacts"], ["contacts:fly"], ["customers:read"]):
        with pytest.raises(InvalidInput):
            store.write_now(made, me, scopes=wrong)
    with pytest.raises(InvalidInput):
        store.write_now(lambda tx: made(tx, expires_at=tx.now), me)
    with pytest.raises(Forbidden):  # a limited key makes no other
        store.write_now(made, limited)
    with pytest.raises(Forbidden):
        store.write_now(made, Actor("user", business.users["mate"], "manager"))

    store.write_now(mark_key_used, SYSTEM, key)
    listed = store.read_now(keys_of, me, business.users["self"])
    assert [(row["name"], row["scopes"], bool(row["last_used_at"])) for row in listed] == [
        ("Shop", ["*:read", "contacts:read"], True),
        (None, None, False),
    ]
    assert "digest" not in listed[0]
    soon = store.write_now(lambda tx: made(tx, expires_at=tx.now + timedelta(hours=1)), me)

    def later(tx: Tx) -> Actor:
        tx.now += timedelta(hours=2)
        return actor_for_key(tx, soon)

    assert store.read_now(actor_for_key, SYSTEM, soon).scopes is None
    with pytest.raises(NotSignedIn):
        store.read_now(later, SYSTEM)
    with pytest.raises(NotFound):
        store.write_now(revoke_key, Actor("user", business.users["mate"], "rep"), listed[0]["id"])
    store.write_now(revoke_key, me, listed[0]["id"])
    with pytest.raises(NotSignedIn):
        store.read_now(actor_for_key, SYSTEM, key)
    assert actions_of(store, business.users["self"])[-2:] == ["key_made", "key_revoked"]


def test_signing_in_is_written_down(store: Store, business: Business) -> None:
    me = business.users["self"]
    store.write_now(log_failure, SYSTEM, me)
    token = store.write_now(open_session, Actor("user", me, "rep"), me)
    store.write_now(sign_out, Actor("user", me, "rep"), token)
    store.write_now(sign_out, SYSTEM, token)  # there is none any more
    assert actions_of(store, me)[-3:] == ["sign_in_failed", "signed_in", "signed_out"]


def test_a_share_is_seen_and_taken_back_by_who_may(store: Store, business: Business) -> None:
    rep = store.read_now(actor_for_key, SYSTEM, business.keys["rep"])
    share = store.schema.entity("shares")
    lead, stranger = business.rows["leads"]["self"], business.users["stranger"]
    made = store.write_now(share_record, ADMIN, "leads", lead, user_id=stranger)
    assert store.write_now(share_record, rep, "leads", lead, user_id=stranger, level="write") == made
    assert store.read_now(find, rep, share, made) is not None  # the lead is theirs
    assert store.read_now(find, Actor("user", stranger, "rep"), share, made) is not None
    assert store.read_now(find, Actor("user", business.users["loner"], "rep"), share, made) is None
    for wrong in ({}, {"user_id": stranger, "team_id": business.rows["teams"]["south"]}):
        with pytest.raises(InvalidInput):
            store.write_now(share_record, rep, "leads", lead, **wrong)
    with pytest.raises(Conflict):
        given = {"entity": "leads", "record_id": lead, "user_id": stranger}
        store.write_now(create_record, rep, share, given)
    store.write_now(delete_record, rep, share, made)
    assert store.read_now(find, Actor("user", stranger, "rep"), store.schema.entity("leads"), lead) is None


def test_a_stage_takes_its_opportunities_along(store: Store) -> None:
    deal = store.write_now(create, SYSTEM, OPPORTUNITY, {"name": "Roof"})
    stage = sa.select(STAGE.table.c.id).where(STAGE.table.c.name == "Qualification")
    first = store.read_now(lambda tx: tx.execute(stage).scalar_one(), SYSTEM)
    store.write_now(change_record, ADMIN, STAGE, first, {"name": "First talk"})
    row = store.read_now(find, SYSTEM, OPPORTUNITY, deal)
    assert row is not None and (row["stage"], row["version"]) == ("First talk", 2)
    assert actions_of(store, deal) == ["created", "updated"]
    with pytest.raises(Conflict):
        store.write_now(delete_record, ADMIN, STAGE, first)
    with pytest.raises(InvalidInput):
        store.write_now(change_record, ADMIN, STAGE, first, {"probability": 101})


@pytest.mark.parametrize(
    ("path", "refused"),
    [
        (("open", "pending", "resolved", "closed", "open"), None),
        (("closed", "new"), "new"),
        (("resolved", "pending"), "pending"),
        (("open", "new"), "new"),
    ],
)
def test_a_case_goes_its_way(store: Store, business: Business, path: tuple[str, ...], refused: str) -> None:
    case = store.schema.entity("cases")
    record = business.rows["cases"]["self"]
    for status in path:
        if status == refused:
            with pytest.raises(InvalidInput) as caught:
                store.write_now(change_record, ADMIN, case, record, {"status": status})
            assert "open" in caught.value.data["expected"]
        else:
            row = store.write_now(change_record, ADMIN, case, record, {"status": status})
            assert (row["closed_at"] is not None) == (status in ("resolved", "closed"))
