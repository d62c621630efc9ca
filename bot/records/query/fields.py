"""The fields an actor can reach: where, order, fields and cursor look names up here and nowhere else."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from bot.errors import QueryInvalid
from bot.records.actor import Actor
from bot.records.entity import Entity, Field
from bot.records.permissions import visible


def reachable(actor: Actor, entity: Entity) -> dict[str, Field]:
    """The fields that exist for this actor, by name; hidden and internal ones do not."""
    return {
        name: spec
        for name, spec in entity.fields.items()
        if not spec.internal and visible(actor, entity, name)
    }


def look_up(fields: dict[str, Field], entity: Entity, name: str, position: int | None = None) -> Field:
    """The field of this name. Raises QueryInvalid with the nearest name there is."""
    if (spec := fields.get(name)) is None:
        raise unknown("field", name, fields, position, of=entity.name)
    return spec


def unknown(kind: str, name: str, known: Iterable[str], position: int | None, *, of: str) -> QueryInvalid:
    """The error for a name that does not exist, with a suggestion where one is near."""
    names = sorted(known)
    near = get_close_matches(name.lower(), names, n=1, cutoff=0.6)
    hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(names)}."
    data: dict[str, Any] = {kind: name, "expected": names}
    if near:
        data["suggestion"] = near[0]
    return invalid(f"{of} has no {kind} {name[:80]!r}. {hint}", position, **data)


def invalid(message: str, position: int | None, **data: Any) -> QueryInvalid:
    """A QueryInvalid that points at its place, where there is one."""
    if position is not None:
        data["position"] = position
    return QueryInvalid(message, **data)
