"""Every operation on every main kind, for every role and every way a record can be somebody's."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from bot.errors import Forbidden, InvalidInput, NotFound, QueryInvalid
from bot.records.access import Access
from bot.records.actor import ROLES, SYSTEM, Actor, Role
from bot.records.change import change_record, create_record, delete_record, read_values, restore_record
from bot.records.entity import Entity
from bot.records.permissions import row_filter, writable
from bot.records.query import one, parse
from bot.records.shares import SHARE
from bot.records.sharing import share_record
from bot.records.show import shown
from bot.records.store import Store
from bot.records.tx import Tx
from bot.records.write import find
from tests.records.matrix import MAIN, MAY, WHOSE, Place, changes, expected, place


def outcome(tx: Tx, actor: Actor, operation: Callable[..., Any], *args: Any, **more: Any) -> str:
    """What became of an operation of this actor; nothing of it stays."""
    tx.actor, undo = actor, tx.connection.begin_nested()
    try:
        operation(tx, *args, **more)
        tx.flush()
    except Forbidden:
        return "forbidden"
    except NotFound:
        return "missing"
    finally:
        undo.rollback()
        tx.actor = SYSTEM
    return "ok"


@pytest.mark.parametrize("role", ROLES)
def test_every_operation_on_every_record(store: Store, role: Role) -> None:
    def walk(tx: Tx) -> None:
        there = place(tx, role)
        tx.flush()
        # Managers and admins have no row filter to try: a glance is enough on the slower database.
        glance = tx.dialect == "postgresql" and role in ("manager", "admin")
        for entity in MAIN:
            for whose in ("self", "stranger") if glance else WHOSE:
                _change(tx, there, role, entity, whose)
                _restore(tx, there, role, entity, whose)
                _share(tx, there, role, entity.name, whose)
        _make(tx, there, role)

    store.write_now(walk, SYSTEM)


def _change(tx: Tx, there: Place, role: str, entity: Entity, whose: str) -> None:
    record = there.rows[entity.name][whose]
    text = next(name for name in ("subject", "need", "name") if name in entity.fields)
    for action, operation, given in (
        ("read", one, ()),
        ("update", change_record, ({text: "Changed"},)),
        ("update", change_record, ({"owner_id": there.other},)),
        ("delete", delete_record, ()),
    ):
        said = outcome(tx, there.actor, operation, entity, record, *given)
        assert said == expected(role, action, entity.name, whose), (action, entity.name, whose)


def _restore(tx: Tx, there: Place, role: str, entity: Entity, whose: str) -> None:
    wanted = "ok" if changes(role, whose) else "missing"
    if role not in MAY["delete"][entity.name]:
        wanted = "forbidden"
    gone = there.gone[entity.name][whose]
    assert outcome(tx, there.actor, restore_record, entity, gone) == wanted, (entity.name, whose)
    if role in MAY["read"][entity.name]:
        assert outcome(tx, there.actor, one, entity, gone) == "missing"


def _share(tx: Tx, there: Place, role: str, kind: str, whose: str) -> None:
    """Who may change a record may share it; marketers share nothing."""
    wanted = expected(role, "update", kind, whose) if role != "marketer" else "forbidden"
    record = there.rows[kind][whose]
    said = outcome(tx, there.actor, share_record, kind, record, user_id=there.other)
    assert said == wanted, (kind, whose, said)
    if whose == "to_write" and wanted == "ok":
        table = SHARE.table
        chosen = sa.select(table.c.id).where(table.c.record_id == record, table.c.user_id == there.actor.id)
        share = tx.execute(chosen.where(table.c.deleted_at.is_(None))).scalar_one()
        assert outcome(tx, there.actor, delete_record, SHARE, share) == "ok"


def _make(tx: Tx, there: Place, role: str) -> None:
    made = {
        "accounts": {"name": "A"},
        "contacts": {"name": "A", "phones": ["+919876543210"]},
        "leads": {"contact_id": there.contact},
        "opportunities": {"name": "A"},
        "cases": {"contact_id": there.contact, "subject": "A"},
    }
    for kind, given in made.items():
        said = outcome(tx, there.actor, create_record, tx.schema.entity(kind), given)
        assert said == ("ok" if role in MAY["create"][kind] else "forbidden"), kind
    admin = Actor("user", there.actor.id, "admin")
    for kind in ("conversations", "messages", "events", "consents", "templates", "notifications", "business"):
        assert outcome(tx, admin, create_record, tx.schema.entity(kind), {}) == "forbidden"
    for kind in ("users", "teams", "territories", "custom_fields", "validation_rules", "access_rules"):
        if role != "admin":
            assert outcome(tx, there.actor, create_record, tx.schema.entity(kind), {}) == "forbidden"


def _with(actor: Actor, kind: str, name: str, how: str) -> Actor:
    cell = {("rep", kind): frozenset({name})}
    access = Access(hidden=cell) if how == "hidden" else Access(read_only=cell)
    return Actor("user", actor.id, "rep", actor.team_id, access=access)


def test_a_field_that_is_hidden_or_locked(store: Store) -> None:
    """Each field of each kind: hidden it exists nowhere, locked it is shown and stays."""
    there = store.write_now(place, SYSTEM, "rep")

    def walk(tx: Tx) -> int:
        asked = 0
        for entity in MAIN:
            record = there.rows[entity.name]["self"]
            extras = entity.extras.names if entity.extras is not None else ()
            before = find(tx, entity, record)
            assert before is not None
            for name in (*entity.fields, *extras):
                spec = entity.fields.get(name)
                if name == "id" or (spec is not None and spec.internal):
                    continue
                given = {name: before.get(name)}
                tx.actor = _with(there.actor, entity.name, name, "hidden")
                assert name not in shown(tx, entity, [before])[0]
                with pytest.raises(InvalidInput):
                    read_values(tx, entity, given, before=before)
                with pytest.raises(QueryInvalid):
                    parse(tx.schema, entity, tx.actor, where=f"{name} = null")
                with pytest.raises(QueryInvalid):
                    parse(tx.schema, entity, tx.actor, order=name)
                tx.actor = _with(there.actor, entity.name, name, "read_only")
                assert name in shown(tx, entity, [before])[0]
                assert not writable(tx.actor, entity, name)
                wanted = InvalidInput if spec is not None and spec.computed else Forbidden
                with pytest.raises(wanted):
                    read_values(tx, entity, given, before=before)
                asked += 1
        return asked

    assert store.write_now(walk, there.actor) > 80


def test_a_key_is_limited_to_its_scopes(store: Store) -> None:
    def walk(tx: Tx) -> None:
        there = place(tx, "manager")
        tx.flush()
        scopes = frozenset({"contacts:read", "cases:write", "cases:read"})
        key = Actor("user", there.actor.id, "manager", scopes=scopes, access=there.actor.access)
        contact, case = there.rows["contacts"]["self"], there.rows["cases"]["self"]
        contacts, cases, leads = (tx.schema.entity(name) for name in ("contacts", "cases", "leads"))
        assert outcome(tx, key, one, contacts, contact) == "ok"
        assert outcome(tx, key, change_record, contacts, contact, {"name": "X"}) == "forbidden"
        assert outcome(tx, key, change_record, cases, case, {"subject": "X"}) == "ok"
        assert outcome(tx, key, one, leads, there.rows["leads"]["self"]) == "forbidden"
        events = tx.schema.entity("events")
        mine = row_filter(key, events)
        assert mine is not None
        seen = {row["entity"] for row in tx.rows(events.table.select().where(mine))}
        assert seen == {"contacts", "cases"}
        tx.actor = key
        with pytest.raises(Forbidden, match="contacts:write"):
            delete_record(tx, contacts, contact)

    store.write_now(walk, SYSTEM)
