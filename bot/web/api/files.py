"""Files of records over HTTP: taken as multipart forms, written as they come, and handed out as downloads.

What else is done to them (names, dates, deleting) goes by the record kinds `files` and `file_versions`.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from aiohttp import BodyPartReader, web

from bot.app import App
from bot.crm.file import FILE, add_file, add_version, clean_name, find_version
from bot.errors import InvalidInput, NotFound, TooLarge
from bot.ids import is_id
from bot.media.sniff import HEAD, sniff
from bot.messages import clean
from bot.records.change import read_values
from bot.records.permissions import require
from bot.records.show import shown
from bot.records.tx import Tx
from bot.records.write import get
from bot.web.api.call import Answer
from bot.web.api.describe import ID, Described
from bot.web.api.serve import caller, parameters, respond
from bot.web.keys import APP

ROOT = "/api/v1/files"
UNKNOWN = "application/octet-stream"
_FORM = ("entity", "record_id", "description", "expires_on", "private", "name")
_TEXT_LIMIT = 100_000
_CHUNK = 256 * 1024


@dataclass(slots=True)
class _Form:
    """What a multipart form brought: texts by name, and the one file, stored already."""

    texts: dict[str, str] = field(default_factory=dict)
    name: str = ""
    mime: str = ""
    size: int = 0
    ref: str = ""


def setup(web_app: web.Application) -> None:
    """Register the routes that carry files."""
    for (method, path), handler in ROUTES.items():
        web_app.router.add_route(method, path, handler)
        if method == "GET":
            web_app.router.add_route("HEAD", path, handler)


async def _upload(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/files: a file for a record."""
    actor = await caller(request)
    parameters(request, ())
    require(actor, "create", FILE.name)
    app = request.app[APP]
    form = await _read(request, app, _FORM)
    answer: Answer = await app.store.run(_add, actor, form)
    return respond(request, answer)


def _add(tx: Tx, form: _Form) -> Answer:
    for name in ("entity", "record_id"):
        if not form.texts.get(name):
            raise InvalidInput(f"{name} is missing: the record that holds the file", field=name)
    given: dict[str, Any] = {
        name: form.texts[name] for name in ("description", "expires_on") if form.texts.get(name)
    }
    private = form.texts.get("private", "").lower()
    if private not in ("", "true", "false"):
        raise InvalidInput("private is true or false", field="private")
    if private:
        given["private"] = private == "true"
    values = read_values(tx, FILE, given)
    file_id = add_file(
        tx,
        form.texts["entity"],
        _id(form.texts["record_id"], "record_id"),
        name=_name(tx, form),
        mime=form.mime,
        size=form.size,
        ref=form.ref,
        description=values.get("description") or "",
        expires_on=values.get("expires_on"),
        private=values.get("private", False),
    )
    return _shown(tx, file_id)


def _name(tx: Tx, form: _Form) -> str:
    """The name that was given, where the actor may give one, or that of the part."""
    if not form.texts.get("name"):
        return clean_name(form.name)
    return str(read_values(tx, FILE, {"name": clean_name(form.texts["name"])})["name"])


async def _replace(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/files/{id}/versions: a newer version; the older ones stay."""
    actor = await caller(request)
    parameters(request, ())
    require(actor, "update", FILE.name)
    app = request.app[APP]
    file_id = _path_id(request)
    await app.store.read(get, actor, FILE, file_id)  # nothing is taken in for a file that is not there
    form = await _read(request, app, ("name",))
    answer: Answer = await app.store.run(_add_version, actor, file_id, form)
    return respond(request, answer)


def _add_version(tx: Tx, file_id: str, form: _Form) -> Answer:
    name = _name(tx, form)
    add_version(tx, file_id, name=name, mime=form.mime, size=form.size, ref=form.ref)
    return _shown(tx, file_id)


def _shown(tx: Tx, file_id: str) -> Answer:
    row = get(tx, FILE, file_id)
    (body,) = shown(tx, FILE, [row])
    return Answer(body, 201, row["version"], f"{ROOT}/{file_id}").written()


async def _download(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/files/{id}/content: the bytes, always as a download: no browser runs what staff stored."""
    actor = await caller(request)
    given = parameters(request, ("version",)).get("version")
    if given is not None and not (given.isascii() and given.isdigit() and 0 < int(given[:9]) < 10**6):
        raise InvalidInput("version is a number from 1", field="version")
    app = request.app[APP]
    revision = int(given) if given is not None else None
    found = await app.store.read(find_version, actor, _path_id(request), revision)
    return web.FileResponse(
        app.media.path(found["ref"]),
        headers={
            "Content-Type": found["mime"],
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(found['name'], safe='')}",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "private, no-cache",
        },
    )


def _path_id(request: web.Request) -> str:
    try:
        return _id(request.match_info["id"], "id")
    except InvalidInput:
        raise NotFound("There is no such file") from None


def _id(text: str, name: str) -> str:
    if not is_id(text):
        raise InvalidInput(f"{name} is no id", field=name)
    return text.lower()


# --- a form as it comes ----------------------------------------------------------------------------


async def _read(request: web.Request, app: App, known: tuple[str, ...]) -> _Form:
    """The form, in whatever order its parts come. Raises InvalidInput, TooLarge; 415 for no form."""
    if request.content_type != "multipart/form-data":
        raise web.HTTPUnsupportedMediaType
    form, most = _Form(), app.settings.file_mb * 1024 * 1024
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
        if len(raw) > 4 * _TEXT_LIMIT:
            raise TooLarge(f"{part.name} has at most {_TEXT_LIMIT} characters", limit=_TEXT_LIMIT)
    return clean(raw.decode("utf-8")).strip()


async def _store(app: App, part: BodyPartReader, form: _Form, most: int) -> None:
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


# --- how they are described ------------------------------------------------------------------------


def described() -> Mapping[str, Described]:
    """The paths of the OpenAPI document."""
    text: Described = {"type": "string", "maxLength": _TEXT_LIMIT}
    file: Described = {
        "type": "string",
        "contentMediaType": UNKNOWN,
        "description": "With its name.",
    }
    texts: dict[str, Described] = {
        "entity": {
            **text,
            "description": "The kind of the record that holds it: `cases`, `contacts`, …",
        },
        "record_id": {**ID, "description": "The id of that record."},
        "name": {**text, "description": "Its name, where it is not that of the part."},
        "description": text,
        "expires_on": {"type": "string", "format": "date"},
        "private": {"type": "string", "enum": ["true", "false"]},
    }
    one = {"name": "id", "in": "path", "required": True, "schema": ID}
    version = {
        "name": "version",
        "in": "query",
        "description": "Which version; by default the newest.",
        "schema": {"type": "integer", "minimum": 1},
    }
    newer = {"name": texts["name"], "file": file}
    binary: Described = {UNKNOWN: {"schema": {"type": "string", "contentMediaType": UNKNOWN}}}
    return {
        ROOT: {"post": _described("add_file", "Put a file to a record.", {**texts, "file": file}, [])},
        f"{ROOT}/{{id}}/versions": {
            "post": _described("replace_file", "A newer version; the older ones stay.", newer, [one])
        },
        f"{ROOT}/{{id}}/content": {
            "get": {
                **_operation("download_file", "The file itself, as a download.", [one, version], "read"),
                "responses": {"200": {"description": "The file.", "content": binary}, **_refused("404")},
            }
        },
    }


def _described(name: str, summary: str, parts: dict[str, Described], path: list[Described]) -> Described:
    required = [part for part in ("entity", "record_id", "file") if part in parts]
    form = {"type": "object", "required": required, "properties": parts, "additionalProperties": False}
    shown = {"application/json": {"schema": {"$ref": f"#/components/schemas/{FILE.name}"}}}
    return {
        **_operation(name, summary, path, "write"),
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": form}}},
        "responses": {
            "201": {"description": "Made.", "content": shown},
            **_refused("404", "409", "413", "415"),
        },
    }


def _operation(name: str, summary: str, path: list[Described], may: str) -> Described:
    return {
        "operationId": name,
        "summary": summary,
        "tags": [FILE.name],
        "parameters": path,
        "security": [{"key": [f"{FILE.name}:{may}"]}],
    }


def _refused(*more: str) -> dict[str, Any]:
    statuses = sorted({"400", "401", "403", "429", "500", "503", *more})
    return {status: {"$ref": f"#/components/responses/{status}"} for status in statuses}


ROUTES = {
    ("POST", ROOT): _upload,
    ("POST", f"{ROOT}/{{id}}/versions"): _replace,
    ("GET", f"{ROOT}/{{id}}/content"): _download,
}
"""Beside those of `bot.web.api.routes`: their bodies and answers are bytes, not values."""
