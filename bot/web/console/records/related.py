"""What belongs to a record: the lists of kinds that point to it, each its first lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from bot.crm.timeline import newest_activities
from bot.records.entity import Entity
from bot.records.permissions import allowed, visible
from bot.records.query import Comparison, Order, Query, page
from bot.records.query.text import quoted
from bot.records.tx import Record, Tx
from bot.web.console.records.common import ROOT
from bot.web.console.records.layout import LAYOUTS, layout_of
from bot.web.console.records.listing import Line, lines_of, needed_of
from bot.web.console.records.reader import Reader

FIRST = 5
_OF_ACTIVITIES = ("subject", "kind", "due_at", "starts_at", "owner_id")


@dataclass(frozen=True, slots=True)
class Related:
    """The records of `kind` whose `field` is the record: the first lines, where all of them stand, where
    one more is made."""

    kind: str
    field: str
    title: str
    icon: str
    lines: Sequence[Line]
    more: bool
    all: str
    new: str
    older: str = ""
    """The cursor of those further back, where they are fetched into the list."""


def read_related(tx: Tx, reader: Reader, entity: Entity, row: Record) -> list[Related]:
    """The lists beside a record, in the layout's order; then those of kinds that the layout does not name."""
    found = []
    for kind, name in _wanted(entity, tx):
        other = tx.schema.entities.get(kind)
        if other is None or name not in other.fields or not allowed(tx.actor, "read", kind):
            continue
        if other.name == "activities" and entity.main:
            found.append(_activities(tx, reader, entity, row, other))
        elif visible(tx.actor, other, name):
            found.append(_related(tx, reader, entity, row, other, name))
    return found


def _wanted(entity: Entity, tx: Tx) -> list[tuple[str, str]]:
    """(kind, field) of everything that points to such records; what is about them by its own field too."""
    named = list(layout_of(entity).related)
    if entity.main and ("activities", "contact_id") not in named and entity.name != "activities":
        # About it, or linked to it; of a contact, theirs too.
        named.append(("activities", "about_id"))
    for kind in LAYOUTS:
        other = tx.schema.entities[kind]
        own = [(kind, name) for name, spec in other.fields.items() if spec.custom and spec.to == entity.name]
        named += [pair for pair in own if pair not in named]
    return named


def _related(tx: Tx, reader: Reader, entity: Entity, row: Record, other: Entity, name: str) -> Related:
    layout = layout_of(other)
    columns = [column for column in layout.columns if column != name and column in other.fields]
    columns = [column for column in columns if visible(tx.actor, other, column)][:4]
    where = (Comparison(name, "=", row["id"]),)
    query = Query(
        other.name, where, (Order("id", True),), limit=FIRST, fields=needed_of(tx.actor, other, columns)
    )
    found = page(tx, other, query, reader.zone, reader.currency)
    condition = f"{name} = {quoted(row['id'])}"
    listed = f"{ROOT}/{other.name}?{urlencode({'where': condition})}"
    new = f"{ROOT}/{other.name}/new?{urlencode(_filled(entity, row, name))}"
    creates = "create" in other.takes and allowed(tx.actor, "create", other.name)
    return Related(
        other.name,
        name,
        _title(reader, other, name),
        layout.icon,
        lines_of(tx, reader, other, found.rows, columns),
        found.next_cursor is not None,
        listed,
        new if creates else "",
    )


def _activities(tx: Tx, reader: Reader, entity: Entity, row: Record, other: Entity) -> Related:
    lines, older = activity_lines(tx, reader, entity, row["id"])
    name = "contact_id" if entity.name == "contacts" else "about_id"
    filled = urlencode(_filled(entity, row, "about_id"))
    new = f"{ROOT}/{other.name}/new?{filled}" if allowed(tx.actor, "create", other.name) else ""
    icon = layout_of(other).icon
    return Related(other.name, name, reader.kind(other.name), icon, lines, False, "", new, older)


def activity_lines(
    tx: Tx, reader: Reader, entity: Entity, record_id: str, before: str | None = None, limit: int = FIRST
) -> tuple[list[Line], str]:
    """The newest activities about a record or linked to it, as lines; and the cursor of older ones."""
    other = tx.schema.entity("activities")
    ids = newest_activities(tx, entity, record_id, limit=limit + 1, before=before)
    kept = ids[:limit]
    columns = [name for name in _OF_ACTIVITIES if visible(tx.actor, other, name)]
    where = (Comparison("id", "in", tuple(kept)),)
    fields = needed_of(tx.actor, other, columns)
    query = Query(other.name, where, (Order("id", True),), limit=None, fields=fields)
    rows = page(tx, other, query, reader.zone, reader.currency).rows if kept else []
    return lines_of(tx, reader, other, rows, columns), kept[-1] if len(ids) > limit else ""


def _title(reader: Reader, other: Entity, name: str) -> str:
    key = f"related.{other.name}.{name}"
    return reader.say(key) if reader.words.has(key) else reader.kind(other.name)


def _filled(entity: Entity, row: Record, name: str) -> dict[str, str]:
    """What a new record of the list begins with."""
    filled = {name: row["id"]}
    if name == "about_id":
        filled["about"] = entity.name
    if entity.name == "contacts" and row.get("account_id"):
        filled["account_id"] = row["account_id"]
    if row.get("contact_id") and name != "contact_id":
        filled["contact_id"] = row["contact_id"]
    return filled
