"""What admins define, checked: fields of their own, rules for values, and who may do what.

These are asked on every way a definition is made or changed; `bot.conversations.entities` joins them to their
kinds.
"""

import re
import unicodedata
from typing import Any

import sqlalchemy as sa

from bot.errors import Conflict, InvalidInput, QueryInvalid
from bot.ids import new_id
from bot.records.access import ACTIONS
from bot.records.actor import ROLES
from bot.records.change import business_currency
from bot.records.definitions import ACCESS_RULE, CUSTOM_FIELD, VALIDATION_RULE
from bot.records.entity import OWN_PREFIX, Entity
from bot.records.tx import Record, Tx
from bot.records.validate import applies, compiled
from bot.records.write import create, delete, update

MOST_FIELDS = 100
"""Own fields of one kind."""
_NAME = re.compile(rf"{OWN_PREFIX}[a-z0-9][a-z0-9_]{{0,36}}")
_TARGETS = ("users", "teams", "territories")
_FIELD_MAY = ("hidden", "read_only")


def _fixed(before: Record | None, values: dict[str, Any], *names: str) -> None:
    for name in names:
        if before is not None and name in values:
            raise InvalidInput(f"{name} stays as it was made; remove this one and make another", field=name)


def _main_kind(tx: Tx, name: str) -> Entity:
    kind = tx.schema.entities.get(name)
    if kind is None or not kind.main:
        kinds = [kind.name for kind in tx.schema.entities.values() if kind.main]
        raise InvalidInput(f"entity is one of {', '.join(kinds)}", field="entity", expected=kinds)
    return kind


def prepare_field(tx: Tx, before: Record | None, values: dict[str, Any]) -> None:
    """A field's kind of record, name and type stay; its label, choices and place may change. A choice taken
    off the list stays on the records that have it."""
    _fixed(before, values, "entity", "name", "type", "target", "currency")
    both = {**(before or {}), **values}
    kind = _main_kind(tx, both["entity"])
    if before is None:
        _check_target(tx, values)
        values["name"] = (
            _checked_name(values["name"]) if values.get("name") else _free_name(tx, kind, both["label"])
        )
        if _count(tx, kind.name) >= MOST_FIELDS:
            raise Conflict(f"{kind.name} have {MOST_FIELDS} fields of your own; remove one first")
    if both["type"] == "enum" and not both.get("values"):
        raise InvalidInput("A choice needs its values", field="values")
    if both["type"] != "enum" and both.get("values"):
        raise InvalidInput("Only an enum has values", field="values")
    if both.get("searchable") and both["type"] != "text":
        raise InvalidInput("Only a text can be searched", field="searchable")


def guard_field(tx: Tx, row: Record) -> None:
    """A field that a rule's condition names stays: without it the condition could not be read."""
    table = VALIDATION_RULE.table
    asked = sa.select(table.c.entity, table.c.field, table.c.condition)
    name = re.escape(row["name"])
    for rule in tx.rows(asked.where(table.c.condition.contains(row["name"]), table.c.deleted_at.is_(None))):
        # Rules of other kinds name it by a path.
        pattern = rf"\b{name}\b" if rule["entity"] == row["entity"] else rf"\.{name}\b"
        if re.search(pattern, rule["condition"]):
            raise Conflict(
                f"A rule for {rule['field']} of {rule['entity']} speaks of this field; change it first",
                field="condition",
            )


def _check_target(tx: Tx, values: dict[str, Any]) -> None:
    kinds = [*_TARGETS, *(kind.name for kind in tx.schema.entities.values() if kind.main)]
    target, currency = values.get("target"), values.get("currency")
    if values["type"] == "id" and target not in kinds:
        raise InvalidInput(f"An id points to one of {', '.join(kinds)}", field="target", expected=kinds)
    if values["type"] != "id" and target:
        raise InvalidInput("Only an id has a target", field="target")
    if values["type"] == "money":
        values["currency"] = currency or business_currency(tx)
    elif currency:
        raise InvalidInput("Only money has a currency", field="currency")


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"A field's name is {OWN_PREFIX} and then up to 37 of a-z, 0-9 and _, not {name[:60]!r}",
            field="name",
        )
    return name


def _taken(tx: Tx, kind: str) -> set[str]:
    table = CUSTOM_FIELD.table
    return set(tx.execute(sa.select(table.c.name).where(table.c.entity == kind)).scalars())


def _count(tx: Tx, kind: str) -> int:
    table = CUSTOM_FIELD.table
    live = sa.select(sa.func.count()).where(table.c.entity == kind, table.c.deleted_at.is_(None))
    return int(tx.execute(live).scalar_one())


def _free_name(tx: Tx, kind: Entity, label: str) -> str:
    """`x_size_in_cm` of "Size in cm"; a label in another script gives `x_field`."""
    plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode().lower()
    stem = OWN_PREFIX + (re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:30] or "field")
    taken, number, name = _taken(tx, kind.name), 2, stem
    while name in taken:
        name, number = f"{stem}_{number}", number + 1
    return name


def prepare_rule(tx: Tx, before: Record | None, values: dict[str, Any]) -> None:
    """A rule speaks of a field that people fill in; its pattern and condition can be read."""
    both = {**(before or {}), **values}
    kind = _main_kind(tx, both["entity"])
    spec = kind.fields.get(both["field"])
    known = [name for name, spec in kind.fields.items() if not spec.computed and not spec.internal]
    if spec is None or spec.name not in known:
        raise InvalidInput(f"field is one of {', '.join(known)}", field="field", expected=known)
    if both["kind"] == "format":
        if spec.type != "text" or not both.get("pattern"):
            raise InvalidInput("A format is a pattern for a text", field="pattern")
        compiled(both["pattern"])
    elif both.get("pattern"):
        raise InvalidInput("Only a format has a pattern", field="pattern")
    if both["kind"] == "unique" and spec.type in ("tags", "json", "boolean", "enum"):
        raise InvalidInput(f"{spec.name} ({spec.type}) cannot be unique", field="field")
    if both.get("condition"):
        try:
            applies(tx, kind, both["condition"], new_id())  # as every write will ask it
        except (QueryInvalid, InvalidInput) as error:
            raise type(error)(error.message, **{**error.data, "field": "condition"}) from None


def prepare_access(tx: Tx, _before: Record | None, values: dict[str, Any]) -> None:
    """A cell of the table of roles, or a field hidden or locked in it. Admins keep everything."""
    both = {**(_before or {}), **values}
    if both["role"] == "admin":
        raise InvalidInput("Admins may do everything; give the user another role", field="role")
    kind = tx.schema.entities.get(both["entity"])
    if kind is None:
        kinds = [*tx.schema.entities]
        raise InvalidInput(f"There is no kind of record {both['entity']!r}", field="entity", expected=kinds)
    if both["field"]:
        extras = kind.extras.names if kind.extras is not None else ()
        fields = [name for name, spec in kind.fields.items() if not spec.internal and name != "id"]
        if both["field"] not in (*fields, *extras):
            raise InvalidInput(f"{kind.name} has no field {both['field']!r}", field="field", expected=fields)
        if both["may"] not in _FIELD_MAY:
            raise InvalidInput("A field is hidden or read_only", field="may", expected=[*_FIELD_MAY])
        return
    asked = both["may"].replace(",", " ").split()
    if asked != ["none"] and (not asked or set(asked) - set(ACTIONS)):
        raise InvalidInput(f"may is none, or some of {' '.join(ACTIONS)}", field="may", expected=[*ACTIONS])
    if asked != ["none"] and "read" not in asked:
        raise InvalidInput("Who may change records must be able to read them", field="may")
    values["may"] = " ".join(action for action in (*ACTIONS, "none") if action in asked)


def set_access(tx: Tx, role: str, entity: str, may: str | None, *, field: str = "") -> None:
    """Set one cell of the table of roles (`read create`, `none`), or of a field (`hidden`, `read_only`); None
    sets it back to what Samvad comes with. Raises Forbidden, InvalidInput."""
    tx.require("update", ACCESS_RULE.name)
    if role not in ROLES:
        raise InvalidInput(f"role is one of {', '.join(ROLES)}", field="role", expected=[*ROLES])
    table = ACCESS_RULE.table
    known = tx.row(
        sa.select(table).where(table.c.role == role, table.c.entity == entity, table.c.field == field)
    )
    if may is None:
        if known is not None and known["deleted_at"] is None:
            delete(tx, ACCESS_RULE, known)
    elif known is None:
        create(tx, ACCESS_RULE, {"role": role, "entity": entity, "field": field, "may": may})
    else:
        update(tx, ACCESS_RULE, known, {"may": may, "deleted_at": None})
