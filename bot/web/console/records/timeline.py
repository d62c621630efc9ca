"""What happened around a record, in words: changes from and to, notes and calls, messages with their talk."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiohttp import web

from bot.crm.timeline import KINDS, Entry, timeline
from bot.errors import InvalidInput, NotFound
from bot.ids import is_id
from bot.records.entity import Entity
from bot.records.tx import Record, Tx
from bot.web.console.door import Viewer, room, show
from bot.web.console.records.common import ROOT, kind_of, reader_of, seen_of
from bot.web.console.records.layout import LAYOUTS, address_of
from bot.web.console.records.names import names_of
from bot.web.console.records.reader import Names, Reader
from bot.web.console.records.record import read_any

PAGE = 20
_KINDS = {"activity": "activities", "message": "messages"}
_UNTOLD = frozenset({"about", "about_id", "name_source", "version", "position"})


@dataclass(frozen=True, slots=True)
class Change:
    """A field that changed, in words."""

    label: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that happened, as the page tells it."""

    icon: str
    when: datetime
    who: str
    what: str
    text: str = ""
    href: str = ""
    link: str = ""
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Shown:
    """A page of the timeline."""

    told: list[Told]
    next: str | None


def _read(tx: Tx, reader: Reader, entity: Entity, record_id: str, before: str) -> Shown:
    """Newest first: three statements, and one for each kind that is named."""
    row = read_any(tx, entity, record_id)
    found = timeline(tx, tx.schema.of(entity), row, limit=PAGE, cursor=before or None)
    entries = [_seen(tx, entry) for entry in found.entries]
    names = names_of(tx, reader, set(_named(tx, entries)))
    return Shown([_told(tx, reader, record_id, entry, names) for entry in entries], found.next_cursor)


def _seen(tx: Tx, entry: Entry) -> Entry:
    """An entry without what is hidden from the actor; an event comes without it."""
    kind = _KINDS.get(entry.kind)
    if kind is None:
        return entry
    row = seen_of(tx.actor, tx.schema.entity(kind), entry.row)
    # When it was shows by its place, whatever is hidden.
    return Entry(entry.kind, {**row, "created_at": entry.row["created_at"]})


def _named(tx: Tx, entries: Iterable[Entry]) -> Iterable[tuple[str, str]]:
    """Everybody and everything that these entries speak of."""
    for entry in entries:
        row = entry.row
        if entry.kind == "activity":
            yield from (("users", row["owner_id"]),) if row.get("owner_id") else ()
        elif entry.kind == "event":
            yield from (("users", row["actor_id"]),) if row["actor_id"] else ()
            yield row["entity"], row["record_id"]
            kind = tx.schema.entities.get(row["entity"])
            for name, pair in (row["changes"] or {}).items():
                spec = kind.fields.get(name) if kind is not None else None
                if spec is not None and spec.to:
                    yield from ((spec.to, value) for value in pair if value)


def _told(tx: Tx, reader: Reader, record_id: str, entry: Entry, names: Names) -> Told:
    row = entry.row
    if entry.kind == "message":
        return _message(reader, row)
    if entry.kind == "activity":
        return _activity(tx, reader, row, names)
    return _event(tx, reader, record_id, row, names)


def _message(reader: Reader, row: Record) -> Told:
    author = reader.say(f"console.author.{row['author']}") if "author" in row else ""
    channel = reader.say(f"channel.{row['channel']}") if "channel" in row else ""
    what = reader.say(f"told.message.{row['direction']}", channel=channel) if "direction" in row else channel
    talk = row.get("conversation_id")
    href, link = (f"/console/conversations/{talk}", reader.say("told.open_talk")) if talk else ("", "")
    return Told("inbox", row["created_at"], author, what, row.get("text") or "", href, link)


def _activity(tx: Tx, reader: Reader, row: Record, names: Names) -> Told:
    entity = tx.schema.entity("activities")
    kind = row.get("kind", "")
    told = ("kind", "direction", "outcome")
    parts = [reader.value(entity, name, row[name]) for name in told if row.get(name)]
    if kind == "task" and "done_at" in row:
        parts.append(reader.say("told.task_done" if row["done_at"] else "told.task_open"))
    if row.get("due_at") and not row.get("done_at"):
        parts.append(reader.say("console.due", date=reader.moment(row["due_at"])))
    who = names.get(("users", row.get("owner_id") or ""), "")
    text = row.get("body") if kind == "note" and row.get("body") else row.get("subject")
    icon = {"call": "voice", "note": "note", "email": "email"}.get(kind, "calendar")
    return Told(icon, row["created_at"], who, " · ".join(parts), text or "", address_of(entity, row["id"]))


def _event(tx: Tx, reader: Reader, record_id: str, row: Record, names: Names) -> Told:
    kind = tx.schema.entities.get(row["entity"])
    key = f"told.action.{row['action']}"
    action = reader.say(key if reader.words.has(key) else "told.action.updated")
    who = names.get(("users", row["actor_id"] or "")) or reader.say(f"told.by.{row['actor_kind']}")
    href = link = ""
    if row["record_id"] != record_id and kind is not None:
        link = f"{reader.kind(kind.name, one=True)}: {names.get((kind.name, row['record_id']), '')}"
        href = address_of(kind, row["record_id"]) if kind.name in LAYOUTS else ""
    # What a record began with stands on its page, or was changed since.
    told = kind is not None and row["action"] != "created"
    changes = _changes(reader, kind, row, names) if told and kind is not None else ()
    text = reader.say("told.erased") if row["erased"] else ""
    icon = "plus" if row["action"] == "created" else "bin" if row["action"] == "deleted" else "pencil"
    return Told(icon, row["at"], who, action, text, href, link, changes)


def _changes(reader: Reader, kind: Entity, row: Record, names: Names) -> tuple[Change, ...]:
    made = []
    for name, pair in (row["changes"] or {}).items():
        if name in _UNTOLD or name not in kind.fields or kind.fields[name].internal:
            continue
        before, after = (_words(reader, kind, name, value, names) for value in pair)
        if before or after:
            made.append(Change(reader.label(kind, name), before, after))
    return tuple(made)


def _words(reader: Reader, kind: Entity, name: str, value: Any, names: Names) -> str:
    """A value of an event, as its field's values are written. Amounts come without their currency."""
    if value is None:
        return ""
    spec = kind.fields[name]
    if spec.type == "money":
        return reader.number(value)
    if spec.type == "instant":
        value = datetime.fromisoformat(value)
    try:
        return reader.cell(kind, name, {name: value, "id": ""}, names).text
    except (ValueError, TypeError, AttributeError):
        return str(value)  # written when the field was of another type


@room
async def show_timeline(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/records/{kind}/{id}/timeline: the newest entries, or those before one."""
    entity, before = kind_of(request, viewer), request.query.get("before", "")
    if entity.name not in KINDS:
        raise NotFound("Such records have no timeline", kind=entity.name)
    if before and not is_id(before):
        raise InvalidInput("There is no such entry", field="before")
    record_id = request.match_info["id"]
    shown = await viewer.app.store.read(_read, viewer.actor, reader_of(viewer), entity, record_id, before)
    path = f"{ROOT}/{entity.name}/{record_id}/timeline"
    return show(request, viewer, "records/_timeline.html", shown=shown, path=path)
