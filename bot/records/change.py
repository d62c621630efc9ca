"""Records made and changed by values from outside: the API, console forms, imports, rules.

Reads the values by their fields, checks what the actor may set and what ids point to, and writes through
`bot.records.write`. Which kinds take plain values is their `takes`.
"""

from collections.abc import Mapping
from datetime import tzinfo
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

import sqlalchemy as sa

from bot.errors import Forbidden, InvalidInput, NoSuchTarget, NotFound, VersionConflict
from bot.records.entity import Entity, Field
from bot.records.given import is_empty, minor_units, read_value, texts
from bot.records.money import to_major
from bot.records.permissions import Action, allowed, row_filter, visible, writable
from bot.records.tx import Record, Tx
from bot.records.write import create, delete, expanded, find, restore, update

_LONGEST_EXTRA, _MOST_EXTRA = 320, 50
Given = Mapping[str, Any]


def create_record(
    tx: Tx, entity: Entity, given: Given, *, zone: tzinfo | None = None, reason: str = ""
) -> Record:
    """A new record of these values; it belongs to who makes it unless they say otherwise.

    `zone` is that of moments without an offset. Raises Forbidden, InvalidInput, Conflict.
    """
    entity = _open_to(tx, entity, "create")
    values = read_values(tx, entity, given, zone=zone)
    lists = {name: texts for name, texts in _lists(entity, values).items() if texts}
    if "owner_id" in entity.fields and not ({"owner_id", "team_id"} & values.keys()):
        values["owner_id"] = tx.actor.id if tx.actor.kind == "user" else None
    if "team_id" in entity.fields:
        _follow_owner(tx, values)
    missing = [name for name, spec in entity.fields.items() if spec.required and values.get(name) is None]
    if missing:
        raise InvalidInput(
            f"A new record of {entity.name} needs {', '.join(missing)}", field=missing[0], missing=missing
        )
    record_id = create(tx, entity, values, reason=reason)
    return _written(tx, entity, record_id, lists)


def change_record(
    tx: Tx,
    entity: Entity,
    record_id: str,
    given: Given,
    *,
    version: int | None = None,
    zone: tzinfo | None = None,
    reason: str = "",
) -> Record:
    """Change these fields of a record. Raises NotFound where the actor does not see it, Forbidden where they
    may not change it, VersionConflict when it is not at `version` any more, InvalidInput, Conflict."""
    entity = _open_to(tx, entity, "update")
    before = _to_write(tx, entity, record_id, version)
    values = read_values(tx, entity, given, before=before, zone=zone)
    lists = _lists(entity, values)
    given_away = values.get("owner_id", before.get("owner_id")) != before.get("owner_id")
    if given_away and "team_id" in entity.fields and writable(tx.actor, entity, "team_id"):
        _follow_owner(tx, values)
    update(tx, entity, before, values, reason=reason)
    return _written(tx, entity, before["id"], lists)


def delete_record(
    tx: Tx, entity: Entity, record_id: str, *, version: int | None = None, reason: str = ""
) -> None:
    """Delete a record so that it can be restored. Raises as `change_record`, and Conflict where something
    still needs it."""
    entity = _open_to(tx, entity, "delete")
    delete(tx, entity, _to_write(tx, entity, record_id, version), reason=reason)


def restore_record(tx: Tx, entity: Entity, record_id: str, *, reason: str = "") -> Record:
    """Bring a deleted record back. Raises Forbidden, NotFound, Conflict when it is not deleted."""
    entity = _open_to(tx, entity, "delete")
    wanted = _id_of(entity, record_id)
    restore(tx, entity, wanted, reason=reason)
    return _written(tx, entity, wanted, {})


def read_values(
    tx: Tx, entity: Entity, given: Given, *, before: Record | None = None, zone: tzinfo | None = None
) -> dict[str, Any]:
    """Column values (and lists of the kind's `extras`) from JSON or form values.

    `before` is the record they will change. Raises InvalidInput, which names the field and says what it
    takes, and Forbidden for a field that the actor may only read.
    """
    entity = tx.schema.of(entity)
    values: dict[str, Any] = {}
    for name, value in given.items():
        spec = _field(tx, entity, name)
        if before is not None and spec is not None and spec.type == "enum" and value == before.get(name):
            continue  # a value that admins have taken off the list since may stay
        if spec is None:
            values[name] = [] if is_empty(value) else texts(name, value, _LONGEST_EXTRA, _MOST_EXTRA)
        elif not is_empty(value):
            values[name] = read_value(spec, value, zone)
        elif spec.nullable:
            values[name] = None
        elif before is not None and not before.get(name):
            continue  # it was empty and stays so
        elif spec.type == "text" and name in entity.defaults:
            values[name] = entity.defaults[name]
        elif before is not None or name not in entity.defaults:
            raise InvalidInput(f"{name} needs a value", field=name)
    _settle_money(tx, entity, values, before)
    _check_targets(tx, entity, values, before)
    return values


def _field(tx: Tx, entity: Entity, name: str) -> Field | None:
    """The field of this name; None for one of the extras. Raises InvalidInput, Forbidden."""
    shown = name[:80] if isinstance(name, str) else str(name)[:80]
    spec = entity.fields.get(name)
    if not visible(tx.actor, entity, name):
        known = [field for field in entity.fields if _settable(tx, entity, field)]
        known += entity.extras.names if entity.extras is not None else ()
        near = get_close_matches(shown.lower(), known, n=1, cutoff=0.6)
        hint = f"Did you mean {near[0]}?" if near else f"It takes {', '.join(known)}."
        raise InvalidInput(f"{entity.name} has no field {shown!r}. {hint}", field=shown, expected=known)
    if spec is not None and spec.computed:
        raise InvalidInput(f"{name} is kept by Samvad and cannot be set", field=name)
    if not writable(tx.actor, entity, name):
        raise Forbidden(f"A {tx.actor.role} may not change {name} of {entity.name}", field=name)
    return spec


def _settable(tx: Tx, entity: Entity, name: str) -> bool:
    return not entity.fields[name].computed and writable(tx.actor, entity, name)


def _settle_money(tx: Tx, entity: Entity, values: dict[str, Any], before: Record | None) -> None:
    """Amounts to minor units of their currency. An amount that stays while its currency changes stays the
    same number; an amount without a currency is in the business's own."""
    for name, spec in entity.fields.items():
        if spec.type != "money":
            continue
        old = (before or {}).get(name)
        beside = spec.currency if spec.currency in entity.fields else ""
        amount = values.get(name)
        recounted = before is not None and beside in values and values[beside] != before.get(beside)
        if recounted and not writable(tx.actor, entity, name):  # whether or not there is an amount
            raise Forbidden(f"You may not change {beside} of {entity.name}", field=beside)
        if beside in values and name not in values and old is not None:
            was = (before or {}).get(beside) or business_currency(tx)
            amount = Decimal(str(to_major(old, was)))
        if amount is None:
            continue
        code: str | None = spec.currency
        if beside:
            code = values[beside] if beside in values else (before or {}).get(beside)
        if not code:
            code = values[beside] = business_currency(tx)
        values[name] = minor_units(spec, amount, code)


def business_currency(tx: Tx) -> str:
    """The currency of the business profile; INR before there is one."""
    table = tx.schema.entity("business").table
    return tx.execute(sa.select(table.c.currency)).scalar() or "INR"


def _check_targets(tx: Tx, entity: Entity, values: Mapping[str, Any], before: Record | None) -> None:
    """What ids newly point to exists and is seen by the actor: one statement for all of them."""
    wanted: dict[str, tuple[str, str]] = {}
    for name, value in values.items():
        spec = entity.fields.get(name)
        changed = before is None or before.get(name) != value
        if spec is not None and spec.type == "id" and spec.to and value is not None and changed:
            wanted[name] = (spec.to, value)
    if not wanted:
        return
    parts = []
    for kind in {kind for kind, _ in wanted.values()}:
        target = tx.schema.entity(kind)
        if not allowed(tx.actor, "read", kind):
            continue
        table = target.table
        chosen = sa.select(sa.literal(kind).label("kind"), table.c.id).where(
            table.c.id.in_([value for to, value in wanted.values() if to == kind])
        )
        if "deleted_at" in table.c:
            chosen = chosen.where(table.c.deleted_at.is_(None))
        if kind == "users":
            chosen = chosen.where(table.c.active)
        if kind == "categories":
            chosen = chosen.where(table.c.entity.in_((entity.name, values.get("entity", entity.name))))
        mine = row_filter(tx.actor, target)
        parts.append(chosen if mine is None else chosen.where(mine))
    found = {(row["kind"], row["id"]) for row in tx.rows(sa.union_all(*parts))} if parts else set()
    for name, pair in wanted.items():
        if pair not in found:
            raise NoSuchTarget(
                f"{name} takes the id of one of the {pair[0]} that you see, not {pair[1]!r}",
                field=name,
                kind=pair[0],
            )


def _follow_owner(tx: Tx, values: dict[str, Any]) -> None:
    """A record goes to the team of its new owner, where none is named."""
    owner = values.get("owner_id")
    if owner is None or "team_id" in values:
        return
    if owner == tx.actor.id:
        values["team_id"] = tx.actor.team_id
        return
    table = tx.schema.entity("users").table
    values["team_id"] = tx.execute(sa.select(table.c.team_id).where(table.c.id == owner)).scalar()


def _lists(entity: Entity, values: dict[str, Any]) -> dict[str, list[str]]:
    names = entity.extras.names if entity.extras is not None else ()
    return {name: values.pop(name) for name in names if name in values}


def _open_to(tx: Tx, entity: Entity, action: Action) -> Entity:
    tx.require(action, entity.name)
    if action not in entity.takes:
        raise Forbidden(f"Nobody may {action} {entity.name} by hand; they have operations of their own")
    return tx.schema.of(entity)


def _id_of(entity: Entity, record_id: str) -> str:
    try:
        read: str = read_value(entity.fields["id"], record_id)
    except InvalidInput:
        raise NotFound(f"There is no such record in {entity.name}", kind=entity.name) from None
    return read


def _to_write(tx: Tx, entity: Entity, record_id: str, version: int | None) -> Record:
    wanted = _id_of(entity, record_id)
    before = find(tx, entity, wanted, writing=True)
    if before is None:
        if allowed(tx.actor, "read", entity.name) and find(tx, entity, wanted) is not None:
            raise Forbidden("You may read this record but not change it; ask its owner to share it so")
        raise NotFound(f"There is no such record in {entity.name}", kind=entity.name)
    if version is not None and before["version"] != version:
        raise VersionConflict(
            f"{entity.name} {wanted} is at version {before['version']}; read it again", id=wanted
        )
    return before


def _written(tx: Tx, entity: Entity, record_id: str, lists: Mapping[str, list[str]]) -> Record:
    """The record as it is now. One that hangs on another must hang on one that the actor may change."""
    statement = sa.select(entity.table).where(entity.table.c.id == record_id)
    mine = row_filter(tx.actor, entity, writing=True) if entity.scope == "parent" else None
    row = tx.row(statement if mine is None else statement.where(mine))
    if row is None:
        raise Forbidden("You may not change the record that this one belongs to")
    if lists and entity.extras is not None:
        entity.extras.save(tx, record_id, lists)
    return expanded(entity, row)
