"""Conditions by choosing instead of typing: each picker adds one, written in the query language."""

from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from bot.records.entity import Entity, Field
from bot.records.permissions import allowed, visible
from bot.records.query import Order, Query, page
from bot.records.query.text import quoted
from bot.records.tx import Record, Tx
from bot.web.console.records.asked import asked_of
from bot.web.console.records.common import ROOT
from bot.web.console.records.layout import layout_of
from bot.web.console.records.reader import Reader

SPANS = (
    "today",
    "yesterday",
    "this week",
    "this month",
    "last month",
    "this quarter",
    "last 30 days",
    "this year",
)
AHEAD = ("today", "tomorrow", "this week", "next 7 days", "this month", "next month", "this quarter")
_DATES = ("close_date", "due_at", "created_at", "updated_at")
_MOST_USERS = 200
_PREFIX = "pick."


@dataclass(frozen=True, slots=True)
class Picker:
    """A field to narrow by. Without options a word is typed."""

    name: str
    label: str
    options: tuple[tuple[str, str], ...] = ()


def pickers_of(tx: Tx, reader: Reader, entity: Entity) -> Sequence[Picker]:
    """The pickers of a kind: enums, whose it is, stages, days, tags, and admins' own lists."""
    made: list[Picker] = []
    for name, spec in entity.fields.items():
        kept = spec.computed and name not in (*_DATES, "status")
        if kept or spec.internal or not visible(tx.actor, entity, name):
            continue
        if (options := _options(tx, reader, entity, spec)) is not None:
            made.append(Picker(_PREFIX + name, reader.label(entity, name), options))
    return made


def _options(tx: Tx, reader: Reader, entity: Entity, spec: Field) -> tuple[tuple[str, str], ...] | None:
    name = spec.name
    if spec.type == "enum":
        return tuple((quoted(one), reader.value(entity, name, one)) for one in spec.values)
    if name == "owner_id":
        return _people(tx, reader)
    if spec.type == "tags":
        return ()
    if name in _DATES or (spec.custom and spec.type in ("date", "instant")):
        spans = AHEAD if name in ("close_date", "due_at") else SPANS
        return tuple((span, reader.say(f"span.{span.replace(' ', '_')}")) for span in spans)
    if (layout_of(entity).choices or {}).get(name) == "stages":
        return tuple((quoted(stage), stage) for stage in stages_of(tx))
    return None


def stages_of(tx: Tx) -> list[str]:
    """The stages of a deal, in their order."""
    stage = tx.schema.entity("stages")
    if not visible(tx.actor, stage, "name"):
        return []
    found = page(tx, stage, _ordered(tx, stage, "position", ("name",)))
    return [row["name"] for row in found.rows]


def _ordered(tx: Tx, entity: Entity, field: str, fields: tuple[str, ...], limit: int = 200) -> Query:
    """Those of the fields, and of the order, that the actor sees."""
    shown = ("id", *(name for name in fields if visible(tx.actor, entity, name)))
    order = (Order(field), Order("id")) if visible(tx.actor, entity, field) else (Order("id"),)
    return Query(entity.name, order=order, limit=limit, fields=shown)


def _people(tx: Tx, reader: Reader) -> tuple[tuple[str, str], ...]:
    """Me, my team, nobody, and every colleague."""
    fixed = [("me", reader.say("records.me")), ("null", reader.say("records.nobody"))]
    if tx.actor.team_id is not None:
        fixed.insert(1, ("my team", reader.say("records.my_team")))
    if not allowed(tx.actor, "read", "users"):
        return tuple(fixed)
    users = tx.schema.entity("users")
    rows = page(tx, users, _ordered(tx, users, "name", ("name", "email", "active"), _MOST_USERS)).rows
    return (
        *fixed,
        *((_whose(row), reader.title(users, row)) for row in rows if row.get("active", True)),
    )


def _whose(row: Record) -> str:
    """A colleague in a condition: by address, or by id where addresses are hidden."""
    return f"owner.email = {quoted(row['email'])}" if "email" in row else quoted(row["id"])


def picked(request: web.Request, entity: Entity) -> str | None:
    """Where the list goes on when pickers were used: their conditions stand in the text then."""
    chosen = [
        (name.removeprefix(_PREFIX), value.strip())
        for name, value in request.query.items()
        if name.startswith(_PREFIX) and value.strip()
    ]
    if not chosen and not any(name.startswith(_PREFIX) for name in request.query):
        return None
    asked, _ = asked_of(request)
    parts = [_condition(entity, name, value) for name, value in chosen]
    before = f"({asked.where})" if " or " in asked.where.lower() and parts else asked.where
    where = " and ".join(part for part in (before, *parts) if part)
    return asked.address(f"{ROOT}/{entity.name}", where=where)


def _condition(entity: Entity, name: str, value: str) -> str:
    if value.startswith("owner."):
        return value
    spec = entity.fields.get(name)
    if spec is not None and spec.type == "tags":
        return f"{name} = {quoted(value)}"
    return f"{name} = {value}"
