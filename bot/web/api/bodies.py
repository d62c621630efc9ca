"""Bodies that the API takes: JSON read with care, and those of named operations described field by field."""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiohttp import web

from bot.errors import InvalidInput, TooLarge
from bot.ids import is_id
from bot.records.schema import Schema

MAX_BODY = 2 * 1024 * 1024
"""The longest text, with every character escaped, fits."""
MAX_DEPTH = 16
JSON_TYPES = ("application/json", "application/merge-patch+json")
_NO_TEXT = re.compile(r"[\0\ud800-\udfff]")
_HALF = re.compile(r"[\ud800-\udfff]")
"""Half a character: JSON can write it, but no answer could say it back."""
JsonSchema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Text:
    """A text field of a body. `values`: it is one of these; `id`: it is a record's id; `moment`: an instant;
    `many`: a list."""

    description: str
    example: str
    most: int = 36
    required: bool = True
    values: tuple[str, ...] = ()
    id: bool = False
    moment: bool = False
    many: bool = False

    def schema(self, some: bool = False) -> JsonSchema:
        """As JSON Schema; `some`: where it stands it is not null."""
        one: JsonSchema = {"type": "string"}
        if self.values:
            one |= {"enum": list(self.values)}
        elif self.id:
            one |= {"format": "uuid"}
        elif self.moment:
            one |= {"format": "date-time"}
        else:
            one |= {"minLength": int(self.required), "maxLength": self.most}
            # Not of white space alone, and no character that the databases refuse.
            one |= {"pattern": r"^[^\u0000]*\S[^\u0000]*$" if self.required else r"^[^\u0000]*$"}
        told: JsonSchema = {"description": self.description, "examples": [self.example]}
        if self.many:
            one = {"type": "array", "items": one, "maxItems": 100}
            told["examples"] = [[self.example]]
        if not (self.required or some):
            one["type"] = [one["type"], "null"]
            one |= {"enum": [*one["enum"], None]} if "enum" in one else {}
        return {**one, **told}


@dataclass(frozen=True, slots=True)
class Body:
    """A JSON object with these fields and no others."""

    name: str
    fields: Mapping[str, Text]
    one_of: tuple[str, ...] = ()
    """Just one of these is given."""
    not_both: tuple[str, ...] = ()
    """Of these at most one is."""

    def schema(self, _schema: Schema) -> JsonSchema:
        """As JSON Schema."""
        made: JsonSchema = {
            "type": "object",
            "additionalProperties": False,
            "required": [name for name, text in self.fields.items() if text.required],
            "properties": {name: text.schema(name in self.one_of) for name, text in self.fields.items()},
        }
        if self.one_of:
            made["oneOf"] = [{"required": [name]} for name in self.one_of]
        if self.not_both:
            made["not"] = {"required": list(self.not_both)}
        return made

    def read(self, given: dict[str, Any]) -> dict[str, Any]:
        """The fields, checked; what is not given is empty. Raises InvalidInput."""
        refuse_unknown(given, self.fields)
        return {name: read_text(name, text, given.get(name)) for name, text in self.fields.items()}


@dataclass(frozen=True, slots=True)
class Described:
    """A JSON object whose fields depend on what admins defined; who works on it checks them."""

    name: str
    describe: Callable[[Schema], JsonSchema]

    def schema(self, schema: Schema) -> JsonSchema:
        """As JSON Schema."""
        return self.describe(schema)

    def read(self, given: dict[str, Any]) -> dict[str, Any]:
        """As it came."""
        return given


def refuse_unknown(given: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    """Raise InvalidInput for a field that is not among these."""
    for name in given:
        if name not in known:
            names = ", ".join(known) or "none"
            shown = _NO_TEXT.sub("?", name[:80])
            raise InvalidInput(
                f"There is no field {shown!r} here. It takes {names}.", field=shown, expected=[*known]
            )


async def read_json(request: web.Request) -> tuple[bytes, dict[str, Any]]:
    """The body, and the object it is. Raises InvalidInput, TooLarge; 415 for what is not JSON."""
    if request.content_type not in JSON_TYPES:
        raise web.HTTPUnsupportedMediaType
    raw = await _bytes(request)
    try:
        given = json.loads(raw.decode("utf-8"), parse_float=_finite, parse_constant=_no_number)
    except InvalidInput:
        raise
    except (ValueError, RecursionError):
        raise InvalidInput("The body is no JSON (UTF-8)") from None
    if not isinstance(given, dict):
        raise InvalidInput("The body is a JSON object: {…}")
    _check(given)
    return raw, given


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise InvalidInput(f"The number {text[:20]}… is too large")
    return value


def _no_number(text: str) -> float:
    raise InvalidInput(f"{text} is no number in JSON")


def _check(body: dict[str, Any]) -> None:
    """Refuse what is nested too deep, and names and texts that are no text."""
    level: list[Any] = [body]
    for _ in range(MAX_DEPTH):
        inner: list[Any] = []
        for one in level:
            named = one.items() if isinstance(one, dict) else (("a list", value) for value in one)
            for name, value in named:
                if _HALF.search(name) or (isinstance(value, str) and _HALF.search(value)):
                    shown = _NO_TEXT.sub("?", name[:80])
                    raise InvalidInput(f"{shown} holds a character that is no text", field=shown)
                if isinstance(value, (dict, list)):
                    inner.append(value)
        if not inner:
            return
        level = inner
    raise InvalidInput(f"The body is nested more than {MAX_DEPTH} deep")


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


def read_text(name: str, text: Text, value: Any) -> Any:
    """A text field of a body, checked; one that is not given is empty. Raises InvalidInput."""
    if value is None and not text.required:
        return [] if text.many else ""
    if value is None:
        raise InvalidInput(f"{name} is missing: {text.description}", field=name)
    if text.many:
        if not isinstance(value, list) or len(value) > 100:
            raise InvalidInput(f"{name} is a list of at most 100 texts", field=name)
        return [_one(name, text, inner) for inner in value]
    return _one(name, text, value)


def _one(name: str, text: Text, value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidInput(f"{name} is a text", field=name)
    if _NO_TEXT.search(value):
        raise InvalidInput(f"{name} holds a character that is no text", field=name)
    if text.values and value not in text.values:
        raise InvalidInput(f"{name} is one of {', '.join(text.values)}", field=name, expected=[*text.values])
    if text.id:
        if not is_id(value):
            raise InvalidInput(f"{name} is no id", field=name)
        return value.lower()
    if text.moment:
        return _moment(name, value)
    if text.required and not value.strip():
        raise InvalidInput(f"{name} is empty: {text.description}", field=name)
    if len(value) > text.most:
        raise InvalidInput(f"{name} has at most {text.most} characters", field=name, limit=text.most)
    return value


def _moment(name: str, value: str) -> str:
    try:
        zone = datetime.fromisoformat(value.upper()).tzinfo
    except ValueError:
        zone = None
    if zone is None:
        raise InvalidInput(f"{name} takes a moment with its zone (2026-01-31T09:30:00Z)", field=name)
    return value
