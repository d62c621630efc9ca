"""Files of records over HTTP: taken as multipart forms, and handed out as downloads.

What else is done to them (names, dates, deleting) goes by the record kinds `files` and `file_versions`.
"""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from bot.crm.file import FILE, find_version
from bot.errors import InvalidInput, NotFound
from bot.records.permissions import require
from bot.records.show import shown
from bot.records.tx import Tx
from bot.records.write import get
from bot.web.api.call import Answer
from bot.web.api.describe import ID, Described
from bot.web.api.serve import caller, parameters, respond
from bot.web.keys import APP
from bot.web.uploads import (
    TEXT_LIMIT,
    UNKNOWN,
    Upload,
    add_upload,
    an_id,
    download,
    read_upload,
    replace_upload,
)

ROOT = "/api/v1/files"
_FORM = ("entity", "record_id", "description", "expires_on", "private", "name")


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
    form = await read_upload(request, app, _FORM)
    answer: Answer = await app.store.run(_add, actor, form)
    return respond(request, answer)


def _add(tx: Tx, upload: Upload) -> Answer:
    return _shown(tx, add_upload(tx, upload))


async def _replace(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/files/{id}/versions: a newer version; the older ones stay."""
    actor = await caller(request)
    parameters(request, ())
    require(actor, "update", FILE.name)
    app = request.app[APP]
    file_id = _path_id(request)
    await app.store.read(get, actor, FILE, file_id)  # nothing is taken in for a file that is not there
    form = await read_upload(request, app, ("name",))
    answer: Answer = await app.store.run(_add_version, actor, file_id, form)
    return respond(request, answer)


def _add_version(tx: Tx, file_id: str, upload: Upload) -> Answer:
    replace_upload(tx, file_id, upload)
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
    return download(app, found)


def _path_id(request: web.Request) -> str:
    try:
        return an_id(request.match_info["id"], "id")
    except InvalidInput:
        raise NotFound("There is no such file") from None


# --- how they are described ------------------------------------------------------------------------


def described() -> Mapping[str, Described]:
    """The paths of the OpenAPI document."""
    text: Described = {"type": "string", "maxLength": TEXT_LIMIT}
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
