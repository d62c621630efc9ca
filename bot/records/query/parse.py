"""Text to a typed Query, as one actor: what is hidden from them does not exist."""

from collections.abc import Iterable
from functools import lru_cache

from bot.errors import QueryInvalid
from bot.records.actor import Actor
from bot.records.entity import Entity
from bot.records.permissions import allowed
from bot.records.query.fields import find_field, find_searched, invalid, pointing, reachable, unknown
from bot.records.query.model import (
    DEFAULT_LIMIT,
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    Exists,
    Matches,
    Not,
    Order,
    Query,
)
from bot.records.query.syntax import (
    Compared,
    Having,
    Joined,
    Key,
    Like,
    Negated,
    Node,
    Sentence,
    read_names,
    read_order,
    read_query,
    read_where,
)
from bot.records.query.values import check_operator, typed
from bot.records.schema import Schema
from bot.records.search.fold import wanted
from bot.records.search.index import MAX_WORDS

MAX_JOINS = 16
"""How many related records a query may look at beside each record."""


def parse(
    schema: Schema,
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
    entity = schema.of(entity)
    return Query(
        entity.name,
        where=parse_where(schema, entity, actor, where),
        order=parse_order(schema, entity, actor, order),
        limit=limit,
        cursor=cursor,
        fields=tuple(find_field(schema, actor, entity, name).path for name in fields),
    )


def parse_text(text: str, schema: Schema, actor: Actor) -> Query:
    """A Query from one sentence: `cases where status = open order by id desc`. Raises QueryInvalid."""
    sentence = read_query(text)
    entity = readable(schema, actor, sentence.kind.text, sentence.kind.position)
    return list_of(schema, actor, entity, sentence)


def list_of(schema: Schema, actor: Actor, entity: Entity, sentence: Sentence) -> Query:
    """The list that a sentence asks for. Raises QueryInvalid where it is a summary."""
    if sentence.summed is not None:
        place = sentence.summed.measures[0].name.position
        raise invalid("This is a summary; a list has no `summarise`", place)
    where = typed_where(schema, actor, entity, sentence.where)
    return Query(entity.name, where=where, order=_order(schema, actor, entity, sentence.keys))


def parse_fields(
    text: str, schema: Schema, entity: Entity, actor: Actor, also: Iterable[str] = ()
) -> tuple[str, ...]:
    """The names in `a, b.c, d`, each once; `also` are known beside the entity's own. Raises QueryInvalid."""
    entity = schema.of(entity)
    known = set(also)
    found = []
    for name in read_names(text):
        if name.text not in known and "." not in name.text:
            fields = {*reachable(actor, entity), *known}
            if name.text not in fields:
                raise unknown("field", name.text, fields, name.position, of=entity.name)
        path = (
            name.text
            if name.text in known
            else find_field(schema, actor, entity, name.text, name.position).path
        )
        found.append(path)
    return tuple(dict.fromkeys(found))


@lru_cache(maxsize=1024)
def parse_where(schema: Schema, entity: Entity, actor: Actor, text: str) -> tuple[Condition, ...]:
    """The conditions of a `where`, joined by `and`. Raises QueryInvalid."""
    return typed_where(schema, actor, entity, read_where(text))


@lru_cache(maxsize=1024)
def parse_order(schema: Schema, entity: Entity, actor: Actor, text: str) -> tuple[Order, ...]:
    """The keys of an `order`, the id last. Raises QueryInvalid."""
    return _order(schema, actor, entity, read_order(text))


def readable(schema: Schema, actor: Actor, name: str, position: int | None) -> Entity:
    """The kind of this name, if the actor may read it. Raises QueryInvalid."""
    known = [kind for kind in schema.entities if allowed(actor, "read", kind)]
    if name not in known:
        raise unknown("record kind", name, known, position, of="Samvad")
    return schema.entity(name)


def typed_where(schema: Schema, actor: Actor, entity: Entity, node: Node | None) -> tuple[Condition, ...]:
    """Syntax as conditions joined by `and`. Raises QueryInvalid."""
    return () if node is None else _Typer(schema, actor).where(entity, node)


class _Typer:
    """Gives the syntax of one text its meaning, and counts what it would make the database look at."""

    def __init__(self, schema: Schema, actor: Actor) -> None:
        self.schema = schema
        self.actor = actor
        self._joins: set[tuple[int, str]] = set()
        self._scopes = 0

    def where(self, entity: Entity, node: Node) -> tuple[Condition, ...]:
        """The conditions on records of one kind."""
        self._scopes += 1
        found = self._condition(entity, node, self._scopes)
        return found.parts if isinstance(found, AllOf) else (found,)

    def _condition(self, entity: Entity, node: Node, scope: int) -> Condition:
        if isinstance(node, Compared):
            return self._comparison(entity, node, scope)
        if isinstance(node, Like):
            return self._matches(entity, node, scope)
        if isinstance(node, Having):
            return self._exists(entity, node)
        if isinstance(node, Negated):
            return Not(self._condition(entity, node.part, scope))
        return self._joined(entity, node, scope)

    def _joined(self, entity: Entity, node: Joined, scope: int) -> Condition:
        """Parentheses that change nothing leave no trace: `a and (b and c)` is `a and b and c`."""
        kind = AllOf if node.word == "and" else AnyOf
        parts: list[Condition] = []
        for child in node.parts:
            part = self._condition(entity, child, scope)
            parts += part.parts if isinstance(part, kind) else [part]
        return kind(tuple(parts))

    def _comparison(self, entity: Entity, node: Compared, scope: int) -> Comparison:
        place = node.field.position
        found = find_field(self.schema, self.actor, entity, node.field.text, place)
        self._count(scope, found.path, place)
        spec = found.spec
        check_operator(spec, node.operator, node.operator_position)
        if (
            spec.type == "money" and not spec.custom
        ):  # an amount means nothing to who may not see its currency
            prefix = found.path.removesuffix(spec.name)
            find_field(self.schema, self.actor, entity, prefix + spec.currency, place)
        values = tuple(typed(found.entity, spec, node.operator, value) for value in node.values)
        return Comparison(found.path, node.operator, values if node.operator == "in" else values[0])

    def _matches(self, entity: Entity, node: Like, scope: int) -> Matches:
        path, place = (node.field.text, node.field.position) if node.field else ("", node.position)
        _, at, spec = find_searched(self.schema, self.actor, entity, path, place)
        if spec is None and not any(spec.search for spec in reachable(self.actor, at).values()):
            raise invalid(f"{at.name} are not searched; ask for a field with =", place)
        self._count(scope, path if spec else f"{path}.", place)
        if len(wanted(node.text.text)) > MAX_WORDS:
            raise invalid(f"`~` looks for at most {MAX_WORDS} words", node.text.position)
        return Matches(path, node.text.text)

    def _exists(self, entity: Entity, node: Having) -> Exists:
        schema, actor = self.schema, self.actor
        kinds = [
            name
            for name, kind in schema.entities.items()
            if allowed(actor, "read", name) and pointing(schema, actor, entity, kind)
        ]
        if node.kind.text not in kinds:
            raise unknown("related kind", node.kind.text, kinds, node.kind.position, of=entity.name)
        kind = schema.entity(node.kind.text)
        ways = pointing(schema, actor, entity, kind)
        if node.by is not None:
            if node.by.text not in ways:
                raise unknown("relation", node.by.text, ways, node.by.position, of=kind.name)
            by = node.by.text
        elif len(ways) == 1 or "about" in ways:
            by = "about" if "about" in ways else next(iter(ways))
        else:
            choices = [f"{kind.name} by {name}" for name in sorted(ways)]
            raise invalid(
                f"{kind.name} point to {entity.name} in several ways. Write {' or '.join(choices)}",
                node.kind.position,
                expected=choices,
            )
        return Exists(kind.name, by, () if node.where is None else self.where(kind, node.where))

    def _count(self, scope: int, path: str, position: int) -> None:
        names = path.split(".")[:-1]
        self._joins |= {(scope, ".".join(names[: end + 1])) for end in range(len(names))}
        if len(self._joins) > MAX_JOINS:
            raise invalid(f"A query looks at most at {MAX_JOINS} relations", position)


def _order(schema: Schema, actor: Actor, entity: Entity, keys: Iterable[Key]) -> tuple[Order, ...]:
    """The order keys up to the id, which is added last where it is not named, in the direction before it."""
    order: dict[str, Order] = {}
    for key in keys:
        name = key.term.name
        if key.term.argument is not None:
            raise invalid("A list is in the order of fields; functions are for summaries", name.position)
        found = find_field(schema, actor, entity, name.text, name.position)
        if found.spec.type in ("json", "tags"):
            raise invalid(f"{found.spec.name} holds several values and gives no order", name.position)
        if found.path in order:
            raise invalid(f"{found.path} is an order key already", name.position)
        order[found.path] = Order(found.path, key.descending)
    ordered = list(order.values())
    if len({path.rpartition(".")[0] for path in order if "." in path}) > MAX_JOINS:
        raise QueryInvalid(f"A query looks at most at {MAX_JOINS} relations")
    names = list(order)
    if "id" in order:
        return tuple(ordered[: names.index("id") + 1])
    return (*ordered, Order("id", bool(ordered) and ordered[-1].descending))
