"""Writing records: one at a time, or many of a kind in one request."""

from collections.abc import Mapping
from typing import Any

from bot.errors import ConfigurationInvalid, Conflict, InvalidInput, SamvadError, Unavailable
from bot.ids import is_id
from bot.records.change import change_record, create_record, delete_record, restore_record
from bot.records.entity import Entity
from bot.records.permissions import allowed
from bot.records.query import one
from bot.records.show import shown
from bot.records.tx import Record, Tx
from bot.web.api.bodies import refuse_unknown
from bot.web.api.call import Answer, Call
from bot.web.api.conditions import check
from bot.web.errors import problem_of

MAX_ROWS = 200
OPERATIONS = {"create": ("values",), "change": ("id", "values", "version"), "delete": ("id", "version")}
"""What a row of a bulk request may do, and what it says besides."""
_NO_TEXTS = {
    "integer": "a whole number",
    "number": "a number",
    "money": "a number",
    "boolean": "true or false",
    "tags": "a list of texts",
    "json": "a list of texts",
}


def create(tx: Tx, call: Call, name: str) -> Answer:
    """A new record."""
    entity = tx.schema.entity(name)
    row = create_record(tx, entity, _typed(entity, call.body))
    location = f"/api/v1/{name.replace('_', '-')}/{row['id']}"
    return _record(tx, entity, row, 201, location)


def change(tx: Tx, call: Call, name: str) -> Answer:
    """Change the fields that the body names."""
    entity = tx.schema.entity(name)
    version = _version(tx, entity, call)
    return _record(tx, entity, change_record(tx, entity, call.id, _typed(entity, call.body), version=version))


def delete(tx: Tx, call: Call, name: str) -> Answer:
    """Delete a record so that it can be restored."""
    entity = tx.schema.entity(name)
    delete_record(tx, entity, call.id, version=_version(tx, entity, call))
    return Answer(None, 204)


def restore(tx: Tx, call: Call, name: str) -> Answer:
    """Bring a deleted record back."""
    entity = tx.schema.entity(name)
    return _record(tx, entity, restore_record(tx, entity, call.id))


def bulk(tx: Tx, call: Call, name: str) -> Answer:
    """Each row by itself, or with `atomic` all of them or none."""
    refuse_unknown(call.body, {"rows": (), "atomic": ()})
    rows, atomic = call.body.get("rows"), call.body.get("atomic", False)
    if not isinstance(rows, list) or not 1 <= len(rows) <= MAX_ROWS:
        raise InvalidInput(f"rows is a list of 1 to {MAX_ROWS} operations", field="rows")
    if not isinstance(atomic, bool):
        raise InvalidInput("atomic is true or false", field="atomic")
    for place, row in enumerate(rows):
        _check(row, place)
    entity = tx.schema.entity(name)
    results = [_one_of_many(tx, entity, row, place, atomic) for place, row in enumerate(rows)]
    failed = sum("problem" in result for result in results)
    return Answer({"results": results, "done": len(results) - failed, "failed": failed})


def _check(row: Any, place: int) -> None:
    """Refuse a row that is no operation: then nothing of the request is done."""
    operation = row.get("op") if isinstance(row, dict) else None
    if not isinstance(operation, str) or operation not in OPERATIONS:
        names = ", ".join(OPERATIONS)
        raise InvalidInput(f"op is one of {names}", field="op", expected=[*OPERATIONS], row=place)
    takes = OPERATIONS[operation]
    for name in row:
        if name not in ("op", *takes):
            raise InvalidInput(
                f"{operation} takes {', '.join(takes)}, not {name[:80]!r}", field=name[:80], row=place
            )
    if "id" in takes and not (isinstance(row.get("id"), str) and is_id(row["id"])):
        raise InvalidInput("id is the id of the record", field="id", row=place)
    if "values" in takes and not isinstance(row.get("values"), dict):
        raise InvalidInput("values is an object of fields", field="values", row=place)
    version = row.get("version", 0)
    if isinstance(version, bool) or not isinstance(version, int):
        raise InvalidInput("version is a whole number", field="version", row=place)


def _one_of_many(tx: Tx, entity: Entity, row: dict[str, Any], place: int, atomic: bool) -> dict[str, Any]:
    try:
        if atomic:
            return _row(tx, entity, row)
        with tx.savepoint():
            return _row(tx, entity, row)
    except (Unavailable, ConfigurationInvalid):
        raise  # not this row's fault
    except SamvadError as error:
        error.data["row"] = place
        if atomic:
            raise Conflict(
                f"Row {place} was refused, so none was done: {error.message}",
                row=place,
                problem=problem_of(error),
            ) from error
        return {"status": error.status, "id": row.get("id"), "version": None, "problem": problem_of(error)}


def _row(tx: Tx, entity: Entity, row: dict[str, Any]) -> dict[str, Any]:
    operation, version = row["op"], row.get("version")
    if operation == "delete":
        delete_record(tx, entity, row["id"], version=version)
        return {"status": 204, "id": row["id"].lower(), "version": None}
    values = _typed(entity, row["values"])
    if operation == "create":
        written, status = create_record(tx, entity, values), 201
    else:
        written, status = change_record(tx, entity, row["id"], values, version=version), 200
    return {"status": status, "id": written["id"], "version": written["version"]}


def _typed(entity: Entity, values: dict[str, Any]) -> dict[str, Any]:
    """The values; of JSON, a number in quotes is a text, though a form could send no other."""
    for name, value in values.items():
        spec = entity.fields.get(name)
        if spec is not None and isinstance(value, str) and spec.type in _NO_TEXTS:
            raise InvalidInput(f"{name} takes {_NO_TEXTS[spec.type]}, not a text", field=name)
        if spec is not None and spec.type != "text" and isinstance(value, str) and not value.strip():
            raise InvalidInput(f"{name} is emptied by null, not by an empty text", field=name)
    return values


def _version(tx: Tx, entity: Entity, call: Call) -> int | None:
    """The version that the record must still have. Raises Stale where it has moved on already."""
    if not call.if_match:
        return None
    now = one(tx, entity, call.id, ("version",))
    check(call.if_match, now)
    version: int = now["version"]
    return version


def _record(
    tx: Tx, entity: Entity, row: Record | Mapping[str, Any], status: int = 200, location: str = ""
) -> Answer:
    """The record as it is now; of one that the key may only write, no more than which it is."""
    if not allowed(tx.actor, "read", entity.name):
        return Answer({"id": row["id"], "version": row["version"]}, status, row["version"], location)
    return Answer(shown(tx, entity, [row])[0], status, row["version"], location)
