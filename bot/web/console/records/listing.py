"""One page of a list: the rows, with every name they need, in a fixed number of statements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.errors import QueryInvalid
from bot.records.actor import Actor
from bot.records.entity import Entity
from bot.records.permissions import visible
from bot.records.query import page, parse
from bot.records.tx import Record, Tx
from bot.web.console.records.asked import Asked
from bot.web.console.records.layout import address_of, layout_of
from bot.web.console.records.names import extras_of, names_of, pointed_at
from bot.web.console.records.reader import Cell, Reader

PAGE = 50


@dataclass(frozen=True, slots=True)
class Line:
    """A record in a list."""

    id: str
    title: str
    href: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of lines; `next` is the cursor of the page after, empty at the end."""

    lines: list[Line]
    next: str = ""


def read_page(
    tx: Tx, reader: Reader, entity: Entity, asked: Asked, columns: Sequence[str], limit: int = PAGE
) -> Listing:
    """The records that were asked for. Raises Forbidden, QueryInvalid, InvalidInput."""
    entity = tx.schema.of(entity)
    needed = needed_of(tx.actor, entity, columns)
    query = parse(
        tx.schema,
        entity,
        tx.actor,
        where=_checked(tx, entity, asked),
        order=asked.order or _order(tx.actor, entity),
        fields=needed,
        limit=limit,
        cursor=asked.after or None,
    )
    found = page(tx, entity, query, reader.zone, reader.currency)
    return Listing(lines_of(tx, reader, entity, found.rows, columns), found.next_cursor or "")


def _order(actor: Actor, entity: Entity) -> str:
    """The order of the layout, unless it is by what this reader may not see."""
    order = layout_of(entity).order
    return order if visible(actor, entity, order.partition(" ")[0]) else "id desc"


def _checked(tx: Tx, entity: Entity, asked: Asked) -> str:
    """The whole condition; what is wrong with the reader's own part is told in its own places."""
    if asked.text and asked.where:
        parse(tx.schema, entity, tx.actor, where=asked.where)
    return asked.condition


def needed_of(actor: Actor, entity: Entity, columns: Sequence[str]) -> tuple[str, ...]:
    """The fields that showing these columns takes: an amount needs its currency, a row its title, or where
    that is hidden its number."""
    wanted = ["id", entity.title, *(("number",) if "number" in entity.fields else ())]
    for name in columns:
        spec = entity.fields.get(name)
        if spec is not None:
            wanted += [name, *([spec.currency] if spec.currency in entity.fields else ())]
    return tuple(dict.fromkeys(name for name in wanted if visible(actor, entity, name)))


def lines_of(
    tx: Tx, reader: Reader, entity: Entity, rows: Sequence[Record], columns: Sequence[str]
) -> list[Line]:
    """Rows as lines: one statement for each kind that they point to."""
    names = names_of(tx, reader, pointed_at(entity, rows, columns))
    lists = extras_of(tx, entity, rows, columns)
    return [
        Line(
            row["id"],
            reader.title(entity, row),
            address_of(entity, row["id"]),
            tuple(_cell(reader, entity, name, row, names, lists) for name in columns),
        )
        for row in rows
    ]


def _cell(
    reader: Reader,
    entity: Entity,
    name: str,
    row: Record,
    names: Mapping[tuple[str, str], str],
    lists: Mapping[str, Mapping[str, list[str]]],
) -> Cell:
    if name not in entity.fields:
        items = tuple(lists.get(row["id"], {}).get(name, ()))
        return Cell(name, reader.label(entity, name), "texts", ", ".join(items), items=items)
    return reader.cell(entity, name, row, names)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a typed condition: where it stands, and what to write instead."""

    text: str
    before: str = ""
    at: str = ""
    behind: str = ""
    mended: str = ""


def fault_of(error: QueryInvalid, where: str, reader: Reader) -> Fault:
    """An error of the query language with its place in the text."""
    position = error.data.get("position")
    near = error.data.get("suggestion")
    text = reader.say("records.query_near", word=near) if near else reader.say("records.query_wrong")
    if not isinstance(position, int) or not 0 <= position <= len(where):
        return Fault(text)
    end = position
    while end < len(where) and not where[end].isspace() and where[end] not in "()=<>!,~":
        end += 1
    at = where[position : max(end, position + 1)]
    mended = where[:position] + str(near) + where[end:] if near else ""
    return Fault(text, where[:position], at, where[position + len(at) :], mended)
