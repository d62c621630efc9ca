"""Bodies that the API takes: each described once, for reading it and for the documentation."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from bot.errors import InvalidInput, TooLarge
from bot.records.query.values import is_id

MAX_BODY = 1024 * 1024
_NO_TEXT = re.compile(r"[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Text:
    """A text field of a body. `values`: it is one of these; `id`: it is a record's id."""

    description: str
    example: str
    most: int
    required: bool = True
    values: tuple[str, ...] = ()
    id: bool = False


@dataclass(frozen=True, slots=True)
class Body:
    """A JSON object with these fields and no others."""

    name: str
    fields: Mapping[str, Text]

    def schema(self) -> dict[str, Any]:
        """As JSON Schema."""
        return {
            "type": "object",
            "additionalProperties": False,
            "required": [name for name, text in self.fields.items() if text.required],
            "properties": {name: _schema(text) for name, text in self.fields.items()},
        }


def _schema(text: Text) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", "description": text.description, "examples": [text.example]}
    if text.values:
        return schema | {"enum": list(text.values)}
    if text.id:
        return schema | {"format": "uuid"}
    return schema | {"minLength": int(text.required), "maxLength": text.most}


async def read(request: web.Request, body: Body) -> dict[str, str]:
    """The body's fields, checked. Raises InvalidInput, TooLarge; 415 for what is not JSON."""
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType
    raw = await _bytes(request)
    try:
        given = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        raise InvalidInput("The body is no JSON (UTF-8)") from None
    if not isinstance(given, dict):
        raise InvalidInput("The body is a JSON object: {…}")
    for name in given:
        if name not in body.fields:
            names = ", ".join(body.fields)
            raise InvalidInput(
                f"There is no field {name[:80]!r} here. It takes {names}.",
                field=_NO_TEXT.sub("?", name[:80]),
                expected=[*body.fields],
            )
    return {name: _checked(name, text, given.get(name)) for name, text in body.fields.items()}


async def _bytes(request: web.Request) -> bytes:
    too_large = TooLarge(f"A body has at most {MAX_BODY} bytes", limit=MAX_BODY)
    if (request.content_length or 0) > MAX_BODY:
        raise too_large
    parts: list[bytes] = []
    size = 0
    async for part in request.content.iter_any():
        size += len(part)
        if size > MAX_BODY:
            raise too_large
        parts.append(part)
    return b"".join(parts)


def _checked(name: str, text: Text, value: Any) -> str:
    if value is None and not text.required:
        return ""
    if value is None:
        raise InvalidInput(f"{name} is missing: {text.description}", field=name)
    if not isinstance(value, str):
        raise InvalidInput(f"{name} is a text", field=name)
    if text.required and not value.strip():
        raise InvalidInput(f"{name} is empty: {text.description}", field=name)
    if len(value) > text.most:
        raise InvalidInput(f"{name} has at most {text.most} characters", field=name, limit=text.most)
    if _NO_TEXT.search(value):
        raise InvalidInput(f"{name} holds a character that is no text", field=name)
    if text.values and value not in text.values:
        raise InvalidInput(f"{name} is one of {', '.join(text.values)}", field=name, expected=[*text.values])
    if text.id and not is_id(value.lower()):
        raise InvalidInput(f"{name} is no id", field=name)
    return value.lower() if text.id else value
