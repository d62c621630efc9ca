"""Text to syntax: what was written where, not yet what it means."""

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput

from bot.errors import QueryInvalid
from bot.records.query.fields import invalid
from bot.records.query.model import Operator
from bot.records.query.values import Written

MAX_LENGTH = 20_000
MAX_CONDITIONS = 100
MAX_VALUES = 1_000
"""How many values one query holds, all lists together."""
MAX_DEPTH = 12
"""How deep parentheses, `not` and `exists` may stand in one another."""
MAX_EXISTS = 10
_NAMES = {
    "NAME": "a field name",
    "OP": "= != < > <= >=",
    "IN": "in",
    "TILDE": "~",
    "STRING": "a value in quotes",
    "BARE": "a value",
    "_AND": "and",
    "_OR": "or",
    "_NOT": "not",
    "_EXISTS": "exists",
    "_WHERE": "where",
    "_SUMMARISE": "summarise",
    "_ORDER": "order by",
    "_BY": "by",
    "LIMIT": "limit",
    "DIRECTION": "asc or desc",
    "LPAR": "(",
    "RPAR": ")",
    "COMMA": ",",
    "$END": "the end",
}
_NO_TEXT = re.compile(r"[\0\ud800-\udfff]")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
Start = Literal["conditions", "keys", "names", "summary", "query"]


@dataclass(frozen=True, slots=True)
class Name:
    """A name and where it stands."""

    text: str
    position: int


@dataclass(frozen=True, slots=True)
class Compared:
    """`field operator value`, or several values for `in`."""

    field: Name
    operator: Operator
    operator_position: int
    values: tuple[Written, ...]


@dataclass(frozen=True, slots=True)
class Like:
    """`field ~ text`, or `~ text`."""

    field: Name | None
    text: Written
    position: int


@dataclass(frozen=True, slots=True)
class Having:
    """`exists kind by relation (…)`."""

    kind: Name
    by: Name | None
    where: "Node | None"


@dataclass(frozen=True, slots=True)
class Joined:
    """Conditions joined by `and` or `or`."""

    word: Literal["and", "or"]
    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Negated:
    """`not …`."""

    part: "Node"


Node: TypeAlias = Compared | Like | Having | Joined | Negated


@dataclass(frozen=True, slots=True)
class Term:
    """A name, or a function of one: `sum(amount)`."""

    name: Name
    argument: Name | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """An order key."""

    term: Term
    descending: bool


@dataclass(frozen=True, slots=True)
class Summed:
    """`count, sum(amount) by stage`."""

    measures: tuple[Term, ...]
    by: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Sentence:
    """A whole query."""

    kind: Name
    where: Node | None
    summed: Summed | None
    keys: tuple[Key, ...]
    limit: Name | None


@cache
def _parser() -> Lark:
    grammar = Path(__file__).with_name("grammar.lark").read_text(encoding="utf-8")
    starts = ["conditions", "keys", "names", "summary", "query"]
    return Lark(grammar, parser="lalr", start=starts, maybe_placeholders=False)


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
    return wrong(wanted, position, found)


def wrong(wanted: set[str], position: int, found: str) -> QueryInvalid:
    """The error for something that cannot stand here; `wanted` are names of the grammar."""
    expected = [name for key, name in _NAMES.items() if key in wanted]
    return invalid(
        f"Expected {' or '.join(expected)} at character {position}, found {found}",
        position,
        expected=expected,
    )


def _name(token: Token) -> Name:
    return Name(str(token), token.start_pos or 0)


def _written(tree: "Tree[Token]") -> Written:
    first, *more = cast(list[Token], tree.children)
    if first.type == "STRING":
        return Written(_ESCAPE.sub(r"\1", first[1:-1]), True, first.start_pos or 0)
    words = tuple((str(token), token.start_pos or 0) for token in (first, *more))
    return Written(" ".join(word for word, _ in words), False, words[0][1], words[1:])


class _Reader:
    """The tree of one text as nodes, with the limits on what one text may ask."""

    def __init__(self) -> None:
        self.conditions = 0
        self.values = 0
        self.exists = 0

    def node(self, tree: "Tree[Token]", depth: int = 0) -> Node:
        children = cast(list[Any], tree.children)
        kind = tree.data
        if kind == "conditions":
            return self.node(children[0], depth)
        if kind in ("any", "all"):
            parts = tuple(self.node(child, depth) for child in children)
            return parts[0] if len(parts) == 1 else Joined("or" if kind == "any" else "and", parts)
        if kind == "group":
            _shallow(depth, children[0].start_pos)
            return self.node(children[1], depth + 1)
        if kind == "negated":
            return Negated(self.node(children[0], _shallow(depth, _start(tree)) + 1))
        if kind == "has":
            return self._has(children, depth)
        return self._leaf(kind, children)

    def _has(self, children: list[Any], depth: int) -> Node:
        names = [_name(child) for child in children if isinstance(child, Token)]
        self.exists += 1
        if self.exists > MAX_EXISTS:
            raise invalid(f"A query asks for related records at most {MAX_EXISTS} times", names[0].position)
        _shallow(depth, names[0].position)
        inner = children[-1] if isinstance(children[-1], Tree) else None
        where = None if inner is None else self.node(inner, depth + 1)
        return Having(names[0], names[1] if len(names) > 1 else None, where)

    def _leaf(self, kind: str, children: list[Any]) -> Node:
        tokens = [child for child in children if isinstance(child, Token)]
        written = tuple(_written(child) for child in children if isinstance(child, Tree))
        self.conditions += 1
        if self.conditions > MAX_CONDITIONS:
            raise invalid(f"A query has at most {MAX_CONDITIONS} conditions", tokens[0].start_pos)
        if kind == "like":
            name = _name(tokens[0])
            return Like(name if len(tokens) > 1 else None, written[0], name.position)
        self.values += len(written)
        if (over := self.values - MAX_VALUES) > 0:
            raise invalid(f"A query holds at most {MAX_VALUES} values", written[-over].position)
        field, operator = tokens
        how = cast(Operator, str(operator).lower())
        found = Compared(_name(field), how, operator.start_pos or 0, written)
        return Negated(found) if kind == "outside" else found


def _shallow(depth: int, position: int | None) -> int:
    if depth >= MAX_DEPTH:
        raise invalid(f"Conditions stand at most {MAX_DEPTH} deep in one another", position)
    return depth


def _start(tree: "Tree[Token]") -> int | None:
    return next((token.start_pos for token in tree.scan_values(lambda value: isinstance(value, Token))), None)


def _term(tree: "Tree[Token]") -> Term:
    name, *argument = (_name(cast(Token, child)) for child in tree.children)
    return Term(name, argument[0] if argument else None)


def _keys(tree: "Tree[Token]") -> tuple[Key, ...]:
    children = [cast(list[Any], cast("Tree[Token]", child).children) for child in tree.children]
    return tuple(Key(_term(key[0]), len(key) > 1 and key[1].lower() == "desc") for key in children)


def _summed(tree: "Tree[Token]") -> Summed:
    children = cast("list[Tree[Token]]", tree.children)
    by = [child for child in children if child.data == "by"]
    groups = cast("list[Tree[Token]]", by[0].children) if by else []
    measures = [child for child in children if child.data == "term"]
    return Summed(tuple(map(_term, measures)), tuple(map(_term, groups)))


@lru_cache(maxsize=512)
def read_where(text: str) -> Node | None:
    """The conditions of a `where`. Raises QueryInvalid."""
    return _Reader().node(_tree(text, "conditions")) if text.strip() else None


@lru_cache(maxsize=512)
def read_order(text: str) -> tuple[Key, ...]:
    """The keys of an `order`. Raises QueryInvalid."""
    return _keys(_tree(text, "keys")) if text.strip() else ()


@lru_cache(maxsize=512)
def read_names(text: str) -> tuple[Name, ...]:
    """A list of field names. Raises QueryInvalid."""
    return tuple(_name(cast(Token, child)) for child in _tree(text, "names").children)


@lru_cache(maxsize=512)
def read_summary(text: str) -> Summed:
    """What is counted, and by what: `count, sum(amount) by stage`. Raises QueryInvalid."""
    return _summed(_tree(text, "summary"))


@lru_cache(maxsize=512)
def read_query(text: str) -> Sentence:
    """A whole query: `cases where status = open order by created_at desc`. Raises QueryInvalid."""
    tree = _tree(text, "query")
    parts = {child.data: child for child in tree.children if isinstance(child, Tree)}
    tokens = [child for child in tree.children if isinstance(child, Token)]
    return Sentence(
        _name(tokens[0]),
        _Reader().node(parts["conditions"]) if "conditions" in parts else None,
        _summed(parts["summary"]) if "summary" in parts else None,
        _keys(parts["keys"]) if "keys" in parts else (),
        _name(tokens[-1]) if len(tokens) > 1 else None,
    )
