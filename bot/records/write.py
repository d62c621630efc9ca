"""The one way to make, change, delete and restore records: with permission, rules, event and search.

Who writes from outside (the API, console forms, rules) comes through `bot.records.change`, which reads the
given values; the program's own operations call these with values of the columns' types.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from bot.errors import Conflict, Forbidden, NotFound, VersionConflict
from bot.ids import new_id
from bot.records import permissions, tags
from bot.records.entity import OWN_PREFIX, Entity
from bot.records.numbers import next_number
from bot.records.search.index import enter, index_record, unindex_record
from bot.records.tx import Record, Tx
from bot.records.unique import unique
from bot.records.validate import broken_rules, refusal

_UNTOLD = frozenset({"id", "created_at", "updated_at", "version"})


def create(tx: Tx, entity: Entity, values: Mapping[str, Any], *, reason: str = "") -> str:
    """Insert a record with its event; returns its id (`values["id"]` where given).

    Raises Forbidden, InvalidInput where a rule of the kind or of the admins refuses the values.
    """
    tx.require("create", entity.name)
    entity = tx.schema.of(entity)
    given = {**entity.defaults, **values}
    if entity.prepare is not None:
        entity.prepare(tx, None, given)
    if entity.number_prefix and "number" not in given:
        given["number"] = next_number(tx, entity.name)
    record_id: str = given.setdefault("id", new_id())
    given.setdefault("created_at", tx.now)
    given.setdefault("updated_at", tx.now)
    if "version" in entity.table.c:
        given.setdefault("version", 1)
    row = _columns(entity, {}, given)
    with unique(entity):
        tx.execute(_insert(entity.table, tuple(row)), row)
    changes = {
        name: (None, value)
        for name, value in given.items()
        if value is not None and name not in _UNTOLD and not entity.fields[name].internal
    }
    tx.event(entity, record_id, "created", changes, _contact_of(entity, given, record_id), reason)
    if given.get("tags"):
        tags.keep(tx, entity, record_id, given["tags"])
    index_record(tx, entity, record_id, given)
    _tell(tx, entity, record_id, None, {**dict.fromkeys(entity.table.c.keys()), **given})
    _obey(tx, entity, {}, given, None)
    return record_id


def update(
    tx: Tx,
    entity: Entity,
    before: Record,
    values: Mapping[str, Any],
    *,
    action: str = "updated",
    reason: str = "",
) -> bool:
    """Change a record that was read as `before` (with its id and version), with its event.

    Returns False when nothing differs. Raises VersionConflict when the record moved on since, Forbidden,
    InvalidInput where a rule refuses the values.
    """
    tx.require("update", entity.name)
    entity = tx.schema.of(entity)
    before = expanded(entity, before)
    given = {name: value for name, value in values.items() if before.get(name) != value}
    if not given:
        return False
    _check_fields(tx, entity, given)
    if entity.prepare is not None:
        asked = set(given)
        entity.prepare(tx, before, given)
        # What was said counts, even where it was so before: a hook derives only what nobody speaks of.
        given |= {name: value for name, value in values.items() if name in given and name not in asked}
    changes = {name: (before.get(name), value) for name, value in given.items() if before.get(name) != value}
    if not changes:
        return False
    _change(tx, entity, before, changes, action, reason)
    now = {**before, **given, "version": before["version"] + 1}
    _tell(tx, entity, before["id"], before, now)
    _obey(tx, entity, before, now, {*changes})
    return True


def _change(
    tx: Tx, entity: Entity, before: Record, changes: Mapping[str, Any], action: str, reason: str
) -> None:
    row = _columns(entity, before, {name: after for name, (_, after) in changes.items()})
    parameters = {f"new_{name}": after for name, after in row.items()}
    parameters |= {"old_id": before["id"], "old_version": before["version"], "new_updated_at": tx.now}
    with unique(entity):
        done = tx.execute(_update(entity.table, tuple(row)), parameters)
    if done.rowcount != 1:
        raise VersionConflict(
            f"{entity.name} {before['id']} was changed meanwhile; read it again", id=before["id"]
        )
    told = {name: pair for name, pair in changes.items() if not entity.fields[name].internal}
    tx.event(entity, before["id"], action, told, _contact_of(entity, before, before["id"]), reason)
    if "tags" in changes:
        tags.keep(tx, entity, before["id"], changes["tags"][1] or ())
    index_record(tx, entity, before["id"], {name: after for name, (_, after) in changes.items()}, before)


def delete(tx: Tx, entity: Entity, before: Record, *, reason: str = "") -> None:
    """Delete a record so that it can be restored. Raises Forbidden, VersionConflict, and Conflict where
    something still needs it."""
    tx.require("delete", entity.name)
    entity = tx.schema.of(entity)
    if entity.guard is not None:
        entity.guard(tx, before)
    _mark(tx, entity, before, deleted=True, reason=reason)


def restore(tx: Tx, entity: Entity, record_id: str, *, reason: str = "") -> None:
    """Bring a deleted record back. Raises Forbidden, NotFound, Conflict when it is not deleted."""
    tx.require("delete", entity.name)
    entity = tx.schema.of(entity)
    mine = permissions.row_filter(tx.actor, entity, writing=True)
    statement = sa.select(entity.table).where(entity.table.c.id == record_id)
    before = tx.row(statement if mine is None else statement.where(mine))
    if before is None:
        raise NotFound(f"No {entity.name} record {record_id}")
    if before["deleted_at"] is None:
        raise Conflict("This record is not deleted")
    if entity.revive is not None:
        entity.revive(tx, before)
    _mark(tx, entity, before, deleted=False, reason=reason)
    _obey(tx, entity, before, {**expanded(entity, before), "deleted_at": None}, None)


def _mark(tx: Tx, entity: Entity, before: Record, *, deleted: bool, reason: str) -> None:
    parameters = {
        "new_deleted_at": tx.now if deleted else None,
        "old_id": before["id"],
        "old_version": before["version"],
        "new_updated_at": tx.now,
    }
    if tx.execute(_update(entity.table, ("deleted_at",)), parameters).rowcount != 1:
        raise VersionConflict(f"{entity.name} {before['id']} was changed meanwhile", id=before["id"])
    action = "deleted" if deleted else "restored"
    tx.event(entity, before["id"], action, None, _contact_of(entity, before, before["id"]), reason)
    if entity.finds:  # of others a hit leads to the record, which is seen to be deleted
        unindex_record(tx, entity, before) if deleted else enter(tx, entity, before)
    row = expanded(entity, {**before, "deleted_at": None, "version": before["version"] + 1})
    _tell(tx, entity, before["id"], *((row, None) if deleted else (None, row)))


def _obey(tx: Tx, entity: Entity, before: Record, row: Mapping[str, Any], changed: set[str] | None) -> None:
    """Hold a record, as it is now, to the admins' rules."""
    if entity.name not in tx.schema.rules:
        return
    broken = list(broken_rules(tx, entity, row["id"], row, changed))
    if tx.actor.kind == "user" and broken:
        raise refusal(tx, entity, broken[0])
    # A customer is not turned away over a rule for staff: what breaks it is left out, and the log says so.
    left_out = {
        rule["field"]: before.get(rule["field"])
        for rule in broken
        if rule["kind"] != "required" and entity.fields[rule["field"]].nullable
    }
    if left_out:
        reason = refusal(tx, entity, broken[0]).message[:200]
        _change(
            tx, entity, row, {name: (row[name], old) for name, old in left_out.items()}, "refused", reason
        )


def _tell(tx: Tx, entity: Entity, record_id: str, before: Record | None, now: Record | None) -> None:
    if entity.after is not None:
        entity.after(tx, before, now)
    if entity.notice:
        tx.notify(entity.notice, record_id)


def find(tx: Tx, entity: Entity, record_id: str, *, writing: bool = False) -> Record | None:
    """One record by id if the actor may see it (or change it), deleted ones excepted."""
    entity = tx.schema.of(entity)
    statement = sa.select(entity.table).where(entity.table.c.id == record_id)
    if "deleted_at" in entity.table.c:
        statement = statement.where(entity.table.c.deleted_at.is_(None))
    mine = permissions.row_filter(tx.actor, entity, writing=writing)
    row = tx.row(statement if mine is None else statement.where(mine))
    return None if row is None else expanded(entity, row)


def get(tx: Tx, entity: Entity, record_id: str, *, writing: bool = False) -> Record:
    """One record by id. Raises Forbidden, NotFound (also when the actor may not see it)."""
    tx.require("read", entity.name)
    row = find(tx, entity, record_id, writing=writing)
    if row is None:
        raise NotFound(f"No {entity.name} record {record_id}")
    return row


def expanded(entity: Entity, row: Record) -> Record:
    """A row with the admins' own fields beside the others, where it holds them as one column."""
    own = row.get("custom") if entity.main else None
    return {**row, **own} if own else row


def _check_fields(tx: Tx, entity: Entity, values: Mapping[str, Any]) -> None:
    """A field that admins locked for a role stays as it is, whichever operation would change it."""
    actor = tx.actor
    if actor.kind != "user" or actor.role is None or actor.role == "admin":
        return
    for name in values:
        if actor.access.locks(actor.role, entity.name, name) or actor.access.hides(
            actor.role, entity.name, name
        ):
            raise Forbidden(f"A {actor.role} may not change {name} of {entity.name}", field=name)


def _columns(entity: Entity, before: Record, values: Mapping[str, Any]) -> dict[str, Any]:
    """Field values as column values: the admins' own ones go together into one."""
    own = {name: value for name, value in values.items() if entity.fields[name].custom}
    if not own:
        return dict(values)
    row = {name: value for name, value in values.items() if name not in own}
    held = {name: value for name, value in before.items() if name.startswith(OWN_PREFIX)}
    kept = {**(before.get("custom") or {}), **held, **own}
    row["custom"] = {name: value for name, value in kept.items() if value is not None} or None
    return row


def _contact_of(entity: Entity, row: Mapping[str, Any], record_id: str) -> str | None:
    if entity.name == "contacts":
        return record_id
    return row.get(entity.contact_column)


@lru_cache(maxsize=512)
def _insert(table: sa.Table, names: tuple[str, ...]) -> sa.Insert:
    return table.insert().values({name: sa.bindparam(name, type_=table.c[name].type) for name in names})


@lru_cache(maxsize=512)
def _update(table: sa.Table, names: tuple[str, ...]) -> sa.Update:
    values = {name: sa.bindparam(f"new_{name}", type_=table.c[name].type) for name in names}
    return (
        table.update()
        .where(
            table.c.id == sa.bindparam("old_id", type_=table.c.id.type),
            table.c.version == sa.bindparam("old_version", type_=sa.Integer),
        )
        .values(
            **values,
            version=table.c.version + 1,
            updated_at=sa.bindparam("new_updated_at", type_=table.c.updated_at.type),
        )
    )
