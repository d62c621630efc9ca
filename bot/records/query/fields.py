"""The fields an actor can reach: where, order, fields, groups, search and cursors look names up here and
nowhere else. A path leads through relations, and each step is asked for anew."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from bot.errors import QueryInvalid
from bot.records.actor import Actor
from bot.records.entity import Entity, Field
from bot.records.permissions import allowed, visible
from bot.records.schema import Schema

MAX_STEPS = 4
"""How many relations a path may lead through."""


@dataclass(frozen=True, slots=True)
class Step:
    """From a record to the one that its id field `spec` points to, of kind `target`."""

    name: str
    spec: Field
    target: Entity


@dataclass(frozen=True, slots=True)
class Found:
    """What a path leads to: the steps to a kind, and its field; None where the path ends in a relation."""

    path: str
    steps: tuple[Step, ...]
    entity: Entity
    spec: Field

    @property
    def nullable(self) -> bool:
        """Whether there may be nothing: the field is empty, or no record stands there that one may see."""
        return bool(self.steps) or self.spec.custom or bool(self.spec.column.nullable)


@lru_cache(maxsize=4096)
def reachable(actor: Actor, entity: Entity) -> Mapping[str, Field]:
    """The fields that exist for this actor, by name; hidden and internal ones do not."""
    return MappingProxyType(
        {
            name: spec
            for name, spec in entity.fields.items()
            if not spec.internal and visible(actor, entity, name)
        }
    )


@lru_cache(maxsize=4096)
def relations(schema: Schema, actor: Actor, entity: Entity) -> Mapping[str, Step]:
    """What a path may lead to from here: the kinds that this actor may read, by the relation's name."""
    return MappingProxyType(
        {
            spec.relation: Step(spec.relation, spec, schema.entity(spec.to))
            for spec in reachable(actor, entity).values()
            if spec.to in schema.entities and allowed(actor, "read", spec.to)
        }
    )


def walk(
    schema: Schema, actor: Actor, entity: Entity, path: str, position: int | None = None
) -> tuple[tuple[Step, ...], Entity, str]:
    """The steps of a path, the kind it leads to and the last name, not yet looked up. Raises QueryInvalid
    with the nearest name there is."""
    *names, last = path.split(".")
    if len(names) > MAX_STEPS:
        raise invalid(f"A path leads through at most {MAX_STEPS} relations", position)
    steps: list[Step] = []
    for name in names:
        known = relations(schema, actor, entity)
        if name not in known:
            raise unknown("relation", name, known, position, of=entity.name)
        steps.append(known[name])
        entity = known[name].target
        position = None if position is None else position + len(name) + 1
    return tuple(steps), entity, last


def find_field(schema: Schema, actor: Actor, entity: Entity, path: str, position: int | None = None) -> Found:
    """The field at the end of a path; of a relation, the id it rests on. Raises QueryInvalid with the nearest
    name there is."""
    steps, at, name = walk(schema, actor, entity, path, position)
    spec = reachable(actor, at).get(name)
    if spec is None:
        known = relations(schema, actor, at)
        if name not in known:
            place = None if position is None else position + len(path) - len(name)
            raise unknown("field", name, {**reachable(actor, at), **known}, place, of=at.name)
        spec = known[name].spec
    return Found(".".join((*(step.name for step in steps), spec.name)), steps, at, spec)


def find_searched(
    schema: Schema, actor: Actor, entity: Entity, path: str, position: int | None = None
) -> tuple[tuple[Step, ...], Entity, Field | None]:
    """Where `~` looks: a searched field, or every one of the record that a relation leads to (None)."""
    if not path:
        return (), entity, None
    steps, at, name = walk(schema, actor, entity, path, position)
    place = None if position is None else position + len(path) - len(name)
    spec = reachable(actor, at).get(name)
    known = relations(schema, actor, at)
    if spec is not None and spec.search:
        return steps, at, spec
    if spec is None and name in known:
        return (*steps, known[name]), known[name].target, None
    searched = [name for name, spec in reachable(actor, at).items() if spec.search]
    if spec is None:
        raise unknown("field", name, [*searched, *known], place, of=at.name)
    raise invalid(
        f"{name} is not searched; = finds it. Searched: {', '.join(searched)}", place, expected=searched
    )


def look_up(fields: Mapping[str, Field], entity: Entity, name: str, position: int | None = None) -> Field:
    """The field of this name. Raises QueryInvalid with the nearest name there is."""
    if (spec := fields.get(name)) is None:
        raise unknown("field", name, fields, position, of=entity.name)
    return spec


def pointing(schema: Schema, actor: Actor, target: Entity, kind: Entity) -> dict[str, Field]:
    """By which relations records of `kind` point to records of `target`."""
    known = reachable(actor, kind)
    found = {spec.relation: spec for spec in known.values() if spec.to == target.name}
    if kind.about is not None and target.main and set(kind.about) <= set(known):
        found["about"] = known[kind.about[1]]
    return found


def unknown(kind: str, name: str, known: Iterable[str], position: int | None, *, of: str) -> QueryInvalid:
    """The error for a name that does not exist, with a suggestion where one is near."""
    names = sorted(known)
    near = get_close_matches(name.lower(), names, n=1, cutoff=0.6)
    hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(names)}." if names else ""
    data: dict[str, Any] = {kind: name, "expected": names}
    if near:
        data["suggestion"] = near[0]
    return invalid(f"{of} has no {kind} {name[:80]!r}. {hint}".rstrip(), position, **data)


def invalid(message: str, position: int | None, **data: Any) -> QueryInvalid:
    """A QueryInvalid that points at its place, where there is one."""
    if position is not None:
        data["position"] = position
    return QueryInvalid(message, **data)
