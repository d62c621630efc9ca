"""Text to a typed Summary: `count, sum(amount) by stage`."""

from difflib import get_close_matches
from typing import TypeVar

from bot.records.actor import Actor
from bot.records.entity import Entity
from bot.records.query.fields import Found, find_field, invalid
from bot.records.query.model import (
    FUNCTIONS,
    PERIODS,
    Function,
    Group,
    Measure,
    Period,
    Query,
    Summary,
    SummaryOrder,
)
from bot.records.query.parse import list_of, parse_where, readable, typed_where
from bot.records.query.syntax import (
    Key,
    Name,
    Sentence,
    Summed,
    Term,
    read_order,
    read_query,
    read_summary,
)
from bot.records.schema import Schema

T = TypeVar("T", bound=str)
_ADDED = ("integer", "number", "money")
_COMPARED = (*_ADDED, "text", "instant", "date")
_GROUPED = ("text", "enum", "boolean", "id", "integer")
_TIMED = ("instant", "date")
MAX_TERMS = 10
"""How many measures and how many groups a summary has at most."""


def parse_summary(
    schema: Schema,
    entity: Entity,
    actor: Actor,
    *,
    where: str = "",
    summarise: str = "count",
    order: str = "",
    limit: int | None = None,
) -> Summary:
    """A Summary from its parts. Raises QueryInvalid with the position (from 0) in the part at fault."""
    entity = schema.of(entity)
    conditions = parse_where(schema, entity, actor, where)
    measures, by = _terms(schema, entity, actor, read_summary(summarise))
    keys = _order(schema, entity, actor, read_order(order), measures, by)
    return Summary(entity.name, measures, by, conditions, keys, limit)


def parse_sentence(text: str, schema: Schema, actor: Actor) -> Query | Summary:
    """A whole sentence: a list or a summary. Raises QueryInvalid."""
    sentence = read_query(text)
    entity = readable(schema, actor, sentence.kind.text, sentence.kind.position)
    if sentence.summed is None:
        return list_of(schema, actor, entity, sentence)
    measures, by = _terms(schema, entity, actor, sentence.summed)
    where = typed_where(schema, actor, entity, sentence.where)
    keys = _order(schema, entity, actor, sentence.keys, measures, by)
    return Summary(entity.name, measures, by, where, keys, _limit(sentence))


def _limit(sentence: Sentence) -> int | None:
    if sentence.limit is None:
        return None
    text = sentence.limit.text
    if not (text.isascii() and text.isdigit() and int(text[:9]) > 0 and len(text) <= 9):
        raise invalid(
            "limit takes a whole number from 1", sentence.limit.position, expected=["a whole number"]
        )
    return int(text)


def _terms(
    schema: Schema, entity: Entity, actor: Actor, summed: Summed
) -> tuple[tuple[Measure, ...], tuple[Group, ...]]:
    for terms in (summed.measures, summed.by):
        if len(terms) > MAX_TERMS:
            raise invalid(f"A summary has at most {MAX_TERMS} of these", terms[MAX_TERMS].name.position)
    measures = [_measure(schema, entity, actor, term) for term in summed.measures]
    groups = [_group(schema, entity, actor, term) for term in summed.by]
    return tuple(dict.fromkeys(measures)), tuple(dict.fromkeys(groups))


def _measure(schema: Schema, entity: Entity, actor: Actor, term: Term) -> Measure:
    name = term.name.text.lower()
    if name == "count" and term.argument is None:
        return Measure("count")
    function: Function = _one_of(FUNCTIONS, term.name)
    if term.argument is None or function == "count":
        raise invalid(
            f"{function} takes one field: sum(amount). count stands alone",
            term.name.position,
            expected=["count"],
        )
    found = find_field(schema, actor, entity, term.argument.text, term.argument.position)
    _suits(found, term.argument, _ADDED if function in ("sum", "avg") else _COMPARED, function)
    if found.spec.type == "money" and not found.spec.custom:
        path = found.path.removesuffix(found.spec.name) + found.spec.currency
        find_field(schema, actor, entity, path, term.argument.position)
    return Measure(function, found.path)


def _group(schema: Schema, entity: Entity, actor: Actor, term: Term) -> Group:
    if term.argument is None:
        found = find_field(schema, actor, entity, term.name.text, term.name.position)
        if found.spec.type in _TIMED:
            choices = [f"{period}({found.path})" for period in PERIODS]
            raise invalid(
                f"Group {found.path} by a period: {', '.join(choices)}", term.name.position, expected=choices
            )
        _suits(found, term.name, _GROUPED, "A group")
        return Group(found.path)
    period: Period = _one_of(PERIODS, term.name)
    found = find_field(schema, actor, entity, term.argument.text, term.argument.position)
    _suits(found, term.argument, _TIMED, period)
    return Group(found.path, period)


def _one_of(known: tuple[T, ...], name: Name) -> T:
    """The word among those known. Raises QueryInvalid with the nearest."""
    low = name.text.lower()
    for word in known:
        if word == low:
            return word
    near = get_close_matches(low, known, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    suggestion = {"suggestion": near[0]} if near else {}
    raise invalid(
        f"Expected {', '.join(known)}, found {name.text[:80]!r}.{hint}",
        name.position,
        expected=[*known],
        **suggestion,
    )


def _suits(found: Found, name: Name, types: tuple[str, ...], what: str) -> None:
    if found.spec.type not in types:
        raise invalid(
            f"{what} takes {', '.join(types)}; {found.path} is {found.spec.type}",
            name.position,
            expected=[*types],
        )


def _order(
    schema: Schema,
    entity: Entity,
    actor: Actor,
    keys: tuple[Key, ...],
    measures: tuple[Measure, ...],
    by: tuple[Group, ...],
) -> tuple[SummaryOrder, ...]:
    """The order keys: each one of what is counted or grouped by."""
    terms: list[Measure | Group] = [*measures, *by]
    known = {str(one): one for one in terms}
    order: dict[str, SummaryOrder] = {}
    for key in keys:
        name, argument = key.term.name, key.term.argument
        if argument is not None:
            path = find_field(schema, actor, entity, argument.text, argument.position).path
            written = f"{name.text.lower()}({path})"
        elif name.text.lower() in known:
            written = name.text.lower()
        else:
            written = find_field(schema, actor, entity, name.text, name.position).path
        if written not in known:
            raise invalid(
                f"A summary is ordered by what it counts or groups by: {', '.join(known)}",
                name.position,
                expected=[*known],
            )
        order.setdefault(written, SummaryOrder(known[written], key.descending))
    return tuple(order.values())
