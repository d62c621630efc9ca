"""Text to a typed Query, as one actor: what is hidden from them does not exist."""

from collections.abc import Iterable, Mapping

from bot.records.actor import Actor
from bot.records.entity import Entity, Field
from bot.records.query.fields import invalid, look_up, reachable, unknown
from bot.records.query.model import DEFAULT_LIMIT, Comparison, Order, Query
from bot.records.query.syntax import Condition, Key, read_names, read_order, read_query, read_where
from bot.records.query.values import check_operator, typed


def parse(
    entity: Entity,
    actor: Actor,
    *,
    where: str = "",
    order: str = "",
    fields: tuple[str, ...] = (),
    limit: int | None = DEFAULT_LIMIT,
    cursor: str | None = None,
) -> Query:
    """A Query from its parts. Raises QueryInvalid with the position (from 0) in the part at fault."""
    known = reachable(actor, entity)
    conditions = read_where(where) if where.strip() else ()
    keys = read_order(order) if order.strip() else ()
    return Query(
        entity.name,
        where=_comparisons(entity, known, conditions),
        order=_order(entity, known, keys),
        limit=limit,
        cursor=cursor,
        fields=tuple(look_up(known, entity, name).name for name in fields),
    )


def parse_text(text: str, entities: Mapping[str, Entity], actor: Actor) -> Query:
    """A Query from one sentence: `cases where status = open order by id desc`. Raises QueryInvalid."""
    name, conditions, keys = read_query(text)
    entity = entities.get(name.text)
    if entity is None:
        raise unknown("record kind", name.text, entities, name.position, of="Samvad")
    known = reachable(actor, entity)
    return Query(
        entity.name, where=_comparisons(entity, known, conditions), order=_order(entity, known, keys)
    )


def parse_fields(text: str, entity: Entity, actor: Actor, also: Iterable[str] = ()) -> tuple[str, ...]:
    """The names in `a, b, c`, each once; `also` are known beside the entity's own. Raises QueryInvalid."""
    known = {*reachable(actor, entity), *also}
    names = read_names(text)
    for name in names:
        if name.text not in known:
            raise unknown("field", name.text, known, name.position, of=entity.name)
    return tuple(dict.fromkeys(name.text for name in names))


def _comparisons(
    entity: Entity, known: dict[str, Field], conditions: Iterable[Condition]
) -> tuple[Comparison, ...]:
    found = []
    for condition in conditions:
        spec = look_up(known, entity, condition.field.text, condition.field.position)
        check_operator(spec, condition.operator, condition.operator_position)
        values = tuple(typed(entity, spec, condition.operator, value) for value in condition.values)
        found.append(
            Comparison(spec.name, condition.operator, values if condition.operator == "in" else values[0])
        )
    return tuple(found)


def _order(entity: Entity, known: dict[str, Field], keys: Iterable[Key]) -> tuple[Order, ...]:
    """The order keys up to the id, which is added last where it is not named, in the direction before it."""
    order: dict[str, Order] = {}
    for key in keys:
        spec = look_up(known, entity, key.field.text, key.field.position)
        if spec.type == "json":
            raise invalid(f"{spec.name} holds a structure and gives no order", key.field.position)
        if spec.name in order:
            raise invalid(f"{spec.name} is an order key already", key.field.position)
        order[spec.name] = Order(spec.name, key.descending)
    ordered = list(order.values())
    names = list(order)
    if "id" in order:
        return tuple(ordered[: names.index("id") + 1])
    return (*ordered, Order("id", bool(ordered) and ordered[-1].descending))
