"""The board of opportunities: a column a stage; moving a card is the same change as the form's."""

from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from bot.errors import QueryInvalid, SamvadError
from bot.records.actor import Actor
from bot.records.change import change_record
from bot.records.entity import Entity
from bot.records.permissions import visible, writable
from bot.records.query import Group, Measure, Summary, page, parse, summary
from bot.records.query.text import quoted
from bot.records.tx import Record, Tx
from bot.web.console.door import Viewer, room, show
from bot.web.console.records.asked import Asked, asked_of, from_view
from bot.web.console.records.common import ROOT, may, reader_of
from bot.web.console.records.control import sentence
from bot.web.console.records.listing import Line, lines_of, needed_of
from bot.web.console.records.pickers import stages_of
from bot.web.console.records.reader import Reader
from bot.web.console.records.views import chosen, content, views_of

CARDS = 30
_SHOWN = ("account_id", "amount", "close_date", "owner_id")


@dataclass(frozen=True, slots=True)
class Stage:
    """A column: its first cards, how many there are and what they are worth in each currency, and where all
    of them are listed."""

    name: str
    lines: Sequence[Line]
    count: int
    sums: tuple[str, ...]
    more: str


@dataclass(frozen=True, slots=True)
class Board:
    """All columns, and what narrows them."""

    stages: list[Stage]
    asked: Asked


def _read(tx: Tx, reader: Reader, entity: Entity, asked: Asked, changed: bool) -> Board:
    """Every stage with its cards: one statement a stage, and one for all the sums."""
    tx.require("read", entity.name)
    entity = tx.schema.of(entity)
    view = chosen(views_of(tx, entity), asked.view, changed=changed)
    if view is not None:
        asked = from_view(asked, content(view), changed=changed)
    shown = [name for name in _SHOWN if visible(tx.actor, entity, name)]
    rows = {stage: _cards(tx, reader, entity, asked, stage, shown) for stage in stages_of(tx)}
    every = [row for cards in rows.values() for row in cards]
    lines = {line.id: line for line in lines_of(tx, reader, entity, every, shown)}
    totals = _totals(tx, reader, entity, asked)
    stages = [
        Stage(
            stage,
            [lines[row["id"]] for row in cards],
            *totals.get(stage, (0, ())),
            asked.address(f"{ROOT}/{entity.name}", where=_in(stage, asked), text=""),
        )
        for stage, cards in rows.items()
    ]
    return Board(stages, asked)


def _in(stage: str, asked: Asked) -> str:
    """The condition of a column."""
    here = f"stage = {quoted(stage)}"
    return f"({asked.condition}) and {here}" if asked.condition else here


def _cards(
    tx: Tx, reader: Reader, entity: Entity, asked: Asked, stage: str, shown: Sequence[str]
) -> list[Record]:
    query = parse(
        tx.schema,
        entity,
        tx.actor,
        where=_in(stage, asked),
        order="close_date, id" if "close_date" in shown else "id",
        fields=needed_of(tx.actor, entity, shown),
        limit=CARDS,
    )
    return page(tx, entity, query, reader.zone, reader.currency).rows


def _totals(tx: Tx, reader: Reader, entity: Entity, asked: Asked) -> dict[str, tuple[int, tuple[str, ...]]]:
    """How many opportunities a stage has, and their sum in each currency."""
    where = parse(tx.schema, entity, tx.actor, where=asked.condition).where
    sums = (Measure("sum", "amount"),) if visible(tx.actor, entity, "amount") else ()
    by = Summary(entity.name, (Measure("count"), *sums), (Group("stage"),), where)
    found: dict[str, tuple[int, tuple[str, ...]]] = {}
    for row in summary(tx, entity, by, reader.zone, reader.currency).rows:
        count, amounts = found.get(row["stage"], (0, ()))
        if (worth := row.get("sum(amount)")) is not None:
            amounts = (*amounts, reader.money(int(worth), row.get("currency") or reader.currency))
        found[row["stage"]] = (count + row["count"], amounts)
    return found


def _movable(actor: Actor, entity: Entity) -> bool:
    return writable(actor, entity, "stage")


async def _show(
    request: web.Request, viewer: Viewer, template: str, *, told: str = "", status: int = 200
) -> web.Response:
    entity, reader = viewer.app.store.schema.entity("opportunities"), reader_of(viewer)
    found: Board = await viewer.app.store.read(_read, viewer.actor, reader, entity, *asked_of(request))
    path = f"{ROOT}/{entity.name}"
    return show(
        request,
        viewer,
        template,
        status=status,
        board=found,
        entity=entity,
        reader=reader,
        path=path,
        list_path=found.asked.address(path),
        may_change=may(viewer, "update", entity) and _movable(viewer.actor, entity),
        may_create=may(viewer, "create", entity),
        told=told,
    )


@room
async def board(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/records/opportunities/board."""
    try:
        return await _show(request, viewer, "records/board.html")
    except QueryInvalid:
        # The list tells what is wrong with the condition, and where.
        asked, _ = asked_of(request)
        raise web.HTTPSeeOther(asked.address(f"{ROOT}/opportunities")) from None


@room
async def move(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/records/opportunities/{id}/stage: all columns again; what was refused is told on them."""
    posted = await request.post()
    entity, reader = viewer.app.store.schema.entity("opportunities"), reader_of(viewer)
    given, told = {"stage": str(posted.get("stage", ""))}, ""
    try:
        await viewer.app.store.run(change_record, viewer.actor, entity, request.match_info["id"], given)
    except SamvadError as error:
        beside = error.data.get("field") == "stage"
        told = sentence(error, entity, reader) if beside else reader.say(error.locale_key)
    return await _show(request, viewer, "records/_board.html", told=told)
