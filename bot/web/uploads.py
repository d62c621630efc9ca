"""Files that come as multipart forms, written as they come, and go out as downloads: the API's and the
console's.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from aiohttp import BodyPartReader, web

from bot.app import App
from bot.crm.file import FILE, add_file, add_version, clean_name
from bot.errors import InvalidInput, TooLarge
from bot.ids import is_id
from bot.media.sniff import HEAD, sniff
from bot.messages import clean
from bot.records.change import read_values
from bot.records.tx import Record, Tx

UNKNOWN = "application/octet-stream"
TEXT_LIMIT = 100_000
_CHUNK = 256 * 1024


@dataclass(slots=True)
class Upload:
    """What a multipart form brought: texts by name, and the one file, stored already."""

    texts: dict[str, str] = field(default_factory=dict)
    name: str = ""
    mime: str = ""
    size: int = 0
    ref: str = ""


def add_upload(tx: Tx, upload: Upload) -> str:
    """Put a file to the record that the form names; returns its id. Raises Forbidden, InvalidInput."""
    for name in ("entity", "record_id"):
        if not upload.texts.get(name):
            raise InvalidInput(f"{name} is missing: the record that holds the file", field=name)
    given: dict[str, Any] = {
        name: upload.texts[name] for name in ("description", "expires_on") if upload.texts.get(name)
    }
    private = upload.texts.get("private", "").lower()
    if private not in ("", "true", "false"):
        raise InvalidInput("private is true or false", field="private")
    if private:
        given["private"] = private == "true"
    values = read_values(tx, FILE, given)
    return add_file(
        tx,
        upload.texts["entity"],
        an_id(upload.texts["record_id"], "record_id"),
        name=_name(tx, upload),
        mime=upload.mime,
        size=upload.size,
        ref=upload.ref,
        description=values.get("description") or "",
        expires_on=values.get("expires_on"),
        private=values.get("private", False),
    )


def replace_upload(tx: Tx, file_id: str, upload: Upload) -> None:
    """Make it the newest version of a file. Raises Forbidden, NotFound, InvalidInput."""
    name = _name(tx, upload)
    add_version(tx, file_id, name=name, mime=upload.mime, size=upload.size, ref=upload.ref)


def _name(tx: Tx, upload: Upload) -> str:
    """The name that was given, where the actor may give one, or that of the part."""
    if not upload.texts.get("name"):
        return clean_name(upload.name)
    return str(read_values(tx, FILE, {"name": clean_name(upload.texts["name"])})["name"])


def an_id(text: str, name: str) -> str:
    """An id as the database has it. Raises InvalidInput."""
    if not is_id(text):
        raise InvalidInput(f"{name} is no id", field=name)
    return text.lower()


async def read_upload(request: web.Request, app: App, known: tuple[str, ...]) -> Upload:
    """The form, in whatever order its parts come. Raises InvalidInput, TooLarge; 415 for no form."""
    if request.content_type != "multipart/form-data":
        raise web.HTTPUnsupportedMediaType
    form, most = Upload(), app.settings.file_mb * 1024 * 1024
    try:
        parts = await request.multipart()
        while (part := await parts.next()) is not None:
            if not isinstance(part, BodyPartReader) or part.name not in ("file", *known):
                shown, takes = str(getattr(part, "name", ""))[:40], ", ".join(("file", *known))
                raise InvalidInput(f"There is no part {shown!r} here; send {takes}", field="file")
            if part.name == "file":
                await _store(app, part, form, most)
            else:
                form.texts[part.name] = await _text(part)
    except (ValueError, EOFError, AssertionError, LookupError) as error:
        raise InvalidInput(f"The form cannot be read: {error}") from error
    if not form.ref:
        raise InvalidInput("The part `file` is missing, with the file and its name", field="file")
    return form


async def _text(part: BodyPartReader) -> str:
    raw = b""
    while piece := await part.read_chunk():
        raw += piece
        if len(raw) > 4 * TEXT_LIMIT:
            raise TooLarge(f"{part.name} has at most {TEXT_LIMIT} characters", limit=TEXT_LIMIT)
    return clean(raw.decode("utf-8")).strip()


async def _store(app: App, part: BodyPartReader, form: Upload, most: int) -> None:
    if form.ref:
        raise InvalidInput("Send one file at a time", field="file")
    head = b""
    while len(head) < HEAD and (piece := await part.read_chunk(HEAD)):
        head += piece
    if not head:
        raise InvalidInput("The file is empty", field="file")
    form.name = clean(part.filename or "")
    form.mime = sniff(head, form.name) or UNKNOWN
    try:
        form.ref = await app.media.put_stream(_pieces(head, part), most)
    except TooLarge:
        megabytes = app.settings.file_mb
        raise TooLarge(f"A file has at most {megabytes} MB", limit=most, field="file") from None
    form.size = app.media.path(form.ref).stat().st_size


async def _pieces(head: bytes, part: BodyPartReader) -> AsyncIterator[bytes]:
    yield head
    while piece := await part.read_chunk(_CHUNK):
        yield piece


def download(app: App, version: Record) -> web.StreamResponse:
    """The bytes of a version, always as a download: no browser runs what staff stored."""
    return web.FileResponse(
        app.media.path(version["ref"]),
        headers={
            "Content-Type": version["mime"],
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(version['name'], safe='')}",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "private, no-cache",
        },
    )
