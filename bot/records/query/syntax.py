"""Text to syntax: what was written where, not yet what it means."""

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal, cast

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput

from bot.errors import QueryInvalid
from bot.records.query.fields import invalid
from bot.records.query.model import Operator
from bot.records.query.values import Written

MAX_LENGTH = 20_000
MAX_CONDITIONS = 100
MAX_VALUES = 1_000
_NAMES = {
    "NAME": "a field name",
    "OP": "= != < > <= >=",
    "IN": "in",
    "STRING": "a value in quotes",
    "BARE": "a value",
    "AND": "and",
    "WHERE": "where",
    "ORDER": "order by",
    "BY": "by",
    "DIRECTION": "asc or desc",
    "LPAR": "(",
    "RPAR": ")",
    "COMMA": ",",
    "$END": "the end",
}
_NO_TEXT = re.compile(r"[\0\ud800-\udfff]")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
Start = Literal["conditions", "keys", "names", "query"]


@dataclass(frozen=True, slots=True)
class Name:
    """A name and where it stands."""

    text: str
    position: int


@dataclass(frozen=True, slots=True)
class Condition:
    """`field operator value`, or several values for `in`."""

    field: Name
    operator: Operator
    operator_position: int
    values: tuple[Written, ...]


@dataclass(frozen=True, slots=True)
class Key:
    """An order key."""

    field: Name
    descending: bool


@cache
def _parser() -> Lark:
    grammar = Path(__file__).with_name("grammar.lark").read_text(encoding="utf-8")
    return Lark(
        grammar, parser="lalr", start=["conditions", "keys", "names", "query"], maybe_placeholders=False
    )


def _tree(text: str, start: Start) -> "Tree[Token]":
    if len(text) > MAX_LENGTH:
        raise invalid(f"A query is at most {MAX_LENGTH} characters", MAX_LENGTH)
    if found := _NO_TEXT.search(text):
        raise invalid("A query is text; this character is none", found.start())
    try:
        return _parser().parse(text, start=start)
    except UnexpectedInput as error:
        raise _pointed(text, error) from None


def _pointed(text: str, error: UnexpectedInput) -> QueryInvalid:
    if isinstance(error, UnexpectedCharacters):
        position, wanted = error.pos_in_stream or 0, set(error.allowed or ())
        found = repr(text[position : position + 20])
        if text[position] in "\"'" and "STRING" in wanted:
            return invalid(
                f"The quote at character {position} is never closed", position, expected=["a closing quote"]
            )
    else:
        token = cast(Any, error).token
        wanted = set(cast(Any, error).accepts or cast(Any, error).expected)
        ended = token.type == "$END"
        position = len(text) if ended else token.start_pos
        found = "the end" if ended else repr(str(token)[:80])
    expected = [name for key, name in _NAMES.items() if key in wanted]
    return invalid(
        f"Expected {' or '.join(expected)} at character {position}, found {found}",
        position,
        expected=expected,
    )


def _name(token: Token) -> Name:
    return Name(str(token), token.start_pos or 0)


def _written(tree: "Tree[Token]") -> Written:
    token = cast(Token, tree.children[0])
    quoted = token.type == "STRING"
    text = _ESCAPE.sub(r"\1", token[1:-1]) if quoted else str(token)
    return Written(text, quoted, token.start_pos or 0)


def _condition(tree: "Tree[Token]") -> Condition:
    field, operator, *values = cast(list[Any], tree.children)
    written = tuple(_written(value) for value in values)
    if len(written) > MAX_VALUES:
        raise invalid(f"A list holds at most {MAX_VALUES} values", written[MAX_VALUES].position)
    name = cast(Operator, str(operator).lower())
    return Condition(_name(field), name, operator.start_pos, written)


def _conditions(tree: "Tree[Token]") -> tuple[Condition, ...]:
    found = tuple(_condition(child) for child in tree.children if isinstance(child, Tree))
    if len(found) > MAX_CONDITIONS:
        raise invalid(
            f"A query has at most {MAX_CONDITIONS} conditions", found[MAX_CONDITIONS].field.position
        )
    return found


def _keys(tree: "Tree[Token]") -> tuple[Key, ...]:
    children = [cast(list[Token], cast("Tree[Token]", child).children) for child in tree.children]
    return tuple(Key(_name(key[0]), len(key) > 1 and key[1].lower() == "desc") for key in children)


@lru_cache(maxsize=512)
def read_where(text: str) -> tuple[Condition, ...]:
    """The conditions of a `where`. Raises QueryInvalid."""
    return _conditions(_tree(text, "conditions"))


@lru_cache(maxsize=512)
def read_order(text: str) -> tuple[Key, ...]:
    """The keys of an `order`. Raises QueryInvalid."""
    return _keys(_tree(text, "keys"))


@lru_cache(maxsize=512)
def read_names(text: str) -> tuple[Name, ...]:
    """A list of field names. Raises QueryInvalid."""
    return tuple(_name(cast(Token, child)) for child in _tree(text, "names").children)


def read_query(text: str) -> tuple[Name, tuple[Condition, ...], tuple[Key, ...]]:
    """A whole query: `cases where status = open order by created_at desc`. Raises QueryInvalid."""
    tree = _tree(text, "query")
    parts = {child.data: child for child in tree.children if isinstance(child, Tree)}
    where = _conditions(parts["conditions"]) if "conditions" in parts else ()
    order = _keys(parts["keys"]) if "keys" in parts else ()
    return _name(cast(Token, tree.children[0])), where, order
