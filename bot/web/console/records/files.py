"""The files of a record on its page: listed, put there, given newer versions, handed out, deleted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from aiohttp import web

from bot.crm.file import FILE, FILE_VERSION, HOLDERS, find_version, holder_of
from bot.errors import InvalidInput, NotFound
from bot.records.change import change_record, delete_record
from bot.records.entity import Entity
from bot.records.permissions import allowed, writable
from bot.records.query import Comparison, Order, Query, page
from bot.records.tx import Record, Tx
from bot.web.console.door import Viewer, room
from bot.web.console.records.common import kind_of, may, reader_of
from bot.web.console.records.control import sentence
from bot.web.console.records.panel import panel, read_live
from bot.web.console.records.reader import Reader
from bot.web.console.records.record import writes
from bot.web.uploads import add_upload, download, read_upload, replace_upload

KINDS = tuple(entity.name for entity in HOLDERS)
MOST = 50
_SOON = timedelta(days=30)
_UNITS = ("B", "KB", "MB", "GB")


@dataclass(frozen=True, slots=True)
class Held:
    """A file as its record's page lists it. `ends` is when it expires, in words, and `late` how near that
    is; `older` are the numbers of its earlier versions."""

    id: str
    name: str
    about: str
    ends: str
    ends_on: str
    late: str
    private: bool
    older: Sequence[int]


@dataclass(frozen=True, slots=True)
class Files:
    """All of a record, the newest first; whether there are more, and whether this reader may add to them."""

    files: list[Held]
    more: bool
    may_write: bool


def _read(tx: Tx, reader: Reader, entity: Entity, record_id: str) -> Files:
    """Two statements, however many there are."""
    read_live(tx, entity, record_id)
    if not allowed(tx.actor, "read", FILE.name):
        raise NotFound("There are no files that you see", kind=FILE.name)
    where = (Comparison("entity", "=", entity.name), Comparison("record_id", "=", record_id))
    rows = page(tx, FILE, Query(FILE.name, where, (Order("id", True),), limit=MOST)).rows
    return Files([_held(tx, reader, row) for row in rows], len(rows) == MOST, writes(tx, entity, record_id))


def _held(tx: Tx, reader: Reader, row: Record) -> Held:
    ends = row.get("expires_on")
    today = tx.now.astimezone(reader.zone).date()
    late = "" if ends is None else "bad" if ends < today else "warn" if ends < today + _SOON else "plain"
    size, revision = row.get("size"), row.get("revision") or 1
    parts = [*([size_of(reader, size)] if size else []), reader.moment(row["updated_at"])]
    older = range(revision - 1, 0, -1) if allowed(tx.actor, "read", FILE_VERSION.name) else ()
    return Held(
        row["id"],
        row.get("name") or row["id"][-6:],
        " · ".join(parts),
        reader.day(ends) if ends else "",
        ends.isoformat() if ends else "",
        late,
        bool(row.get("private")),
        older,
    )


def size_of(reader: Reader, size: float) -> str:
    """A size as people say it."""
    unit = 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{reader.number(round(size, 1 if unit > 1 else 0))} {_UNITS[unit]}"


async def _show(request: web.Request, viewer: Viewer, wrong: str = "") -> web.Response:
    entity, record_id = _holder(request, viewer), request.match_info["id"]
    found: Files = await viewer.app.store.read(_read, viewer.actor, reader_of(viewer), entity, record_id)
    mine = found.may_write
    return panel(
        request,
        viewer,
        "records/_files.html",
        entity,
        record_id,
        wrong=wrong,
        found=found,
        megabytes=viewer.app.settings.file_mb,
        may_add=mine and allowed(viewer.actor, "create", FILE.name),
        may_replace=mine and may(viewer, "update", FILE),
        may_date=mine and may(viewer, "update", FILE) and writable(viewer.actor, FILE, "expires_on"),
        may_hide=writable(viewer.actor, FILE, "private"),
        may_remove=mine and may(viewer, "delete", FILE),
    )


def _holder(request: web.Request, viewer: Viewer) -> Entity:
    entity = kind_of(request, viewer)
    if entity.name not in KINDS:
        raise NotFound("Such records hold no files", kind=entity.name)
    return entity


@room
async def files(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/records/{kind}/{id}/files."""
    return await _show(request, viewer)


@room
async def upload(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/records/{kind}/{id}/files: a file with its end, and whether only its owner sees it."""
    entity, record_id, app = _holder(request, viewer), request.match_info["id"], viewer.app
    await app.store.read(holder_of, viewer.actor, entity.name, record_id)  # nothing is taken in for nothing
    try:
        form = await read_upload(request, app, ("description", "expires_on", "private"))
        form.texts |= {"entity": entity.name, "record_id": record_id}
        await app.store.run(add_upload, viewer.actor, form)
    except InvalidInput as error:
        return await _show(request, viewer, _told(viewer, error))
    return await _show(request, viewer)


def _told(viewer: Viewer, error: InvalidInput) -> str:
    reader = reader_of(viewer)
    if error.data.get("field") != "file":
        return sentence(error, FILE, reader)
    too_large = "limit" in error.data
    return reader.say("files.too_large" if too_large else "files.choose", size=viewer.app.settings.file_mb)


def _of(tx: Tx, entity: Entity, record_id: str, file_id: str) -> None:
    """Raises NotFound unless the record holds this file, and the actor sees it."""
    where = [("id", file_id), ("entity", entity.name), ("record_id", record_id)]
    query = Query(FILE.name, tuple(Comparison(name, "=", value) for name, value in where))
    if not page(tx, FILE, query).rows:
        raise NotFound("This record holds no such file", kind=FILE.name)


@room
async def replace(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/records/{kind}/{id}/files/{file}/versions: a newer version; the older ones stay."""
    entity, record_id, app = _holder(request, viewer), request.match_info["id"], viewer.app
    file_id = request.match_info["file"]
    await app.store.read(_of, viewer.actor, entity, record_id, file_id)
    try:
        form = await read_upload(request, app, ())
        await app.store.run(replace_upload, viewer.actor, file_id, form)
    except InvalidInput as error:
        return await _show(request, viewer, _told(viewer, error))
    return await _show(request, viewer)


def _date(tx: Tx, entity: Entity, record_id: str, file_id: str, ends_on: str) -> None:
    _of(tx, entity, record_id, file_id)
    change_record(tx, FILE, file_id, {"expires_on": ends_on or None})


@room
async def date(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/records/{kind}/{id}/files/{file}/end: when it expires; empty: never."""
    entity, record_id = _holder(request, viewer), request.match_info["id"]
    ends_on = str((await request.post()).get("expires_on", "")).strip()
    try:
        file_id = request.match_info["file"]
        await viewer.app.store.run(_date, viewer.actor, entity, record_id, file_id, ends_on)
    except InvalidInput as error:
        return await _show(request, viewer, _told(viewer, error))
    return await _show(request, viewer)


def _remove(tx: Tx, entity: Entity, record_id: str, file_id: str) -> None:
    _of(tx, entity, record_id, file_id)
    delete_record(tx, FILE, file_id)


@room
async def remove(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/records/{kind}/{id}/files/{file}/remove."""
    entity, record_id = _holder(request, viewer), request.match_info["id"]
    await viewer.app.store.run(_remove, viewer.actor, entity, record_id, request.match_info["file"])
    return await _show(request, viewer)


@room
async def content(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/records/files/{id}/content?version=…: the newest version, or this one."""
    given = request.query.get("version", "")
    if given and not (given.isascii() and given.isdigit() and 0 < int(given[:9]) < 10**6):
        raise InvalidInput("version is a number from 1", field="version")
    number = int(given) if given else None
    found = await viewer.app.store.read(find_version, viewer.actor, request.match_info["id"], number)
    return download(viewer.app, found)
