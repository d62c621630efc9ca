"""The admins' rules: values that are required, follow a pattern, or are a record's alone.

Asked after every write, in its transaction, so that a rule's condition is judged by the one query language on
the record as it is now. Staff and what runs for them are refused; the bot and the program are never stopped:
they leave out the value that breaks a rule, and say so in the log.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import re2  # type: ignore[import-untyped]
import sqlalchemy as sa

from bot.errors import InvalidInput, QueryInvalid
from bot.logs import logger
from bot.records.actor import SYSTEM
from bot.records.entity import Entity, Field
from bot.records.lock import lock
from bot.records.query import holds, parse
from bot.records.schema import Rule
from bot.records.tx import Tx

_log = logger("records")
_WORD = re.compile(r"[a-z][a-z0-9_]*")
_QUIET = re2.Options()
_QUIET.log_errors = False


@lru_cache(maxsize=512)
def compiled(pattern: str) -> Any:
    """A pattern that is matched in time linear to the text (RE2). Raises InvalidInput."""
    try:
        return re2.compile(pattern, _QUIET)
    except re2.error as error:
        said = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        raise InvalidInput(f"This pattern cannot be read: {said}", field="pattern") from None


def applies(tx: Tx, entity: Entity, condition: str, record_id: str) -> bool:
    """Whether a rule's condition holds for a record. Raises QueryInvalid, InvalidInput where it cannot be
    read."""
    query = parse(tx.schema, entity, SYSTEM, where=condition)
    with tx.acting(SYSTEM):  # a rule sees the whole record, whoever wrote it
        return holds(tx, entity, query, record_id)


def broken_rules(
    tx: Tx, entity: Entity, record_id: str, row: Mapping[str, Any], changed: set[str] | None
) -> Iterator[Rule]:
    """The rules that a record breaks. `row` is the record as it is now, `changed` its fields that changed;
    None: it is new. A rule is asked when its field changes, or a field that its condition speaks of."""
    for rule in tx.schema.rules.get(entity.name, ()):
        spec = entity.fields.get(rule["field"])
        if spec is None or (changed is not None and not _concerned(rule, changed)):
            continue
        if _BREAKS[rule["kind"]](tx, entity, spec, rule, record_id, row.get(spec.name)) and (
            not rule["condition"] or _applies(tx, entity, rule, record_id)
        ):
            yield rule


def refusal(tx: Tx, entity: Entity, rule: Rule) -> InvalidInput:
    """The error that tells the person what to do."""
    label = tx.schema.labels.get((entity.name, rule["field"]), rule["field"])
    said = {
        "required": f"{label} is needed",
        "format": f"{label} must have the form {rule['pattern']}",
        "unique": f"Another record has the same {label}",
    }[rule["kind"]]
    return InvalidInput(rule["message"] or said, field=rule["field"], rule=rule["id"], reason=rule["kind"])


def _concerned(rule: Rule, changed: set[str]) -> bool:
    if rule["field"] in changed:
        return True
    words = set(_WORD.findall(rule["condition"] or ""))
    return any(name in words or name.removesuffix("_id") in words for name in changed)


def _applies(tx: Tx, entity: Entity, rule: Rule, record_id: str) -> bool:
    """A condition that cannot be read any more holds for nothing: one rule does not stop every write."""
    try:
        return applies(tx, entity, rule["condition"], record_id)
    except (QueryInvalid, InvalidInput):
        _tell_unreadable(rule["id"])
        return False


@lru_cache(maxsize=1024)
def _tell_unreadable(rule_id: str) -> None:
    _log.warning("rule_unreadable", rule=rule_id)


def _missing(_tx: Tx, _entity: Entity, _spec: Field, _rule: Rule, _record_id: str, value: Any) -> bool:
    return value is None or value == "" or value == []


def _misshapen(_tx: Tx, _entity: Entity, _spec: Field, rule: Rule, _record_id: str, value: Any) -> bool:
    return isinstance(value, str) and value != "" and compiled(rule["pattern"]).fullmatch(value) is None


def _taken(tx: Tx, entity: Entity, spec: Field, _rule: Rule, record_id: str, value: Any) -> bool:
    if value is None or value == "":
        return False
    # Two transactions with the same value: the second waits here, then sees the first's record.
    lock(tx, f"{entity.name}.{spec.name}={str(value).lower()}")
    table = entity.table
    bound = sa.literal(value, spec.column.type)
    same = spec.column == bound
    if spec.type == "text":
        same = folded(spec) == sa.func.lower(sa.literal(value))
    other = sa.select(table.c.id).where(same, table.c.id != record_id, table.c.deleted_at.is_(None))
    return tx.execute(other.limit(1)).scalar() is not None


def folded(spec: Field) -> sa.ColumnElement[str]:
    """What a unique text is compared and indexed by: its case does not count."""
    return sa.func.lower(spec.column)


_BREAKS = {"required": _missing, "format": _misshapen, "unique": _taken}
