"""The OpenAPI 3.1 document, made from the record kinds and the route table: it cannot say what is not so."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from bot.records.entity import Entity, Field
from bot.records.query import DEFAULT_LIMIT
from bot.web.api.bodies import MAX_BODY
from bot.web.api.kinds import Kind
from bot.web.errors import PROBLEM

if TYPE_CHECKING:
    from bot.web.api.routes import Route

_MEANINGS = {
    400: "A parameter or the body cannot be used; `position` counts characters from 0 in a query.",
    401: "No key, or one we do not know.",
    403: "Your role may not do this.",
    404: "No such record, or none that you may see.",
    409: "The customer may not be written to, or somebody else changed it first.",
    413: f"The body is over {MAX_BODY} bytes.",
    415: "The body is not `application/json`.",
    500: "Something failed on our side; `correlation_id` finds it in the log.",
    503: "A part that this needs is down; try again.",
}
_PARAMETERS: dict[str, tuple[str, dict[str, Any]]] = {
    "where": ("Which records, in the query language (docs/query.md).", {"type": "string"}),
    "order": ("Order keys, as `created_at desc, id`. The id is always the last key.", {"type": "string"}),
    "fields": ("Only these fields, separated by commas; the id is always there.", {"type": "string"}),
    "limit": (
        "How many records at most.",
        {"type": "integer", "minimum": 1, "maximum": 200, "default": DEFAULT_LIMIT},
    ),
    "cursor": ("`next_cursor` of the page before, with the same `order`.", {"type": "string"}),
}
_ID = {"type": "string", "format": "uuid"}
_SHARED: dict[str, Any] = {
    "problem": {
        "type": "object",
        "description": "RFC 9457. More members say what is at fault.",
        "required": ["type", "title", "status", "detail", "code"],
        "properties": {
            "type": {"type": "string", "format": "uri"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "code": {"type": "string"},
            "field": {"type": "string"},
            "parameter": {"type": "string"},
            "position": {"type": "integer", "minimum": 0},
            "expected": {"type": "array", "items": {"type": "string"}},
            "suggestion": {"type": "string"},
            "correlation_id": {"type": "string"},
        },
    },
    "queued": {
        "type": "object",
        "required": ["id", "conversation_id", "status", "held"],
        "properties": {
            "id": {**_ID, "description": "The message; read its status at `/api/v1/messages/{id}`."},
            "conversation_id": _ID,
            "status": {"const": "queued"},
            "held": {
                "type": ["string", "null"],
                "description": "Why it waits (`window_closed`: for the customer to write); null: it leaves.",
            },
        },
    },
    "owned": {
        "type": "object",
        "required": ["id", "owner"],
        "properties": {"id": _ID, "owner": {"type": "string", "enum": ["bot", "human"]}},
    },
    "anything": {"type": "object"},
}
_TYPES: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "instant": {"type": "string", "format": "date-time"},
    "id": _ID,
    "enum": {"type": "string"},
    "json": {},
}


def document(routes: "Iterable[Route]", kinds: Mapping[str, Kind]) -> dict[str, Any]:
    """The document of these routes and kinds."""
    paths: dict[str, dict[str, Any]] = {}
    bodies: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
        if route.body is not None:
            bodies[route.body.name] = route.body.schema()
    records = {kind.entity.name: _record(kind) for kind in kinds.values()}
    pages = {f"{name}_page": _page(name) for name in records}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Samvad",
            "version": "1",
            "description": "docs/api.md is the guide, docs/query.md the query language.",
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": {**_SHARED, **records, **pages, **bodies},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "responses": {str(status): _problem(text) for status, text in _MEANINGS.items()},
        },
    }


def _operation(route: "Route") -> dict[str, Any]:
    answers = {"$ref": f"#/components/schemas/{route.answers}"}
    parameters = [_parameter(name) for name in route.parameters]
    if "{id}" in route.path:
        parameters.insert(0, {"name": "id", "in": "path", "required": True, "schema": _ID})
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [route.path.split("/")[3]],
        "parameters": parameters,
        "security": [{"key": []}] if route.signed else [],
        "responses": {
            str(route.status): {
                "description": "Done." if route.status == 200 else "Stored; it will leave.",
                "content": {"application/json": {"schema": answers}},
            },
            **{str(status): {"$ref": f"#/components/responses/{status}"} for status in route.refuses},
        },
    }
    if route.body is not None:
        schema = {"$ref": f"#/components/schemas/{route.body.name}"}
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


def _parameter(name: str) -> dict[str, Any]:
    description, schema = _PARAMETERS[name]
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


def _problem(text: str) -> dict[str, Any]:
    return {"description": text, "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/problem"}}}}


def _record(kind: Kind) -> dict[str, Any]:
    shown = {name: spec for name, spec in kind.entity.fields.items() if not spec.internal}
    properties = {name: _property(kind.entity, spec) for name, spec in shown.items()}
    for name in kind.extra:
        properties[name] = {"type": "array", "items": {"type": "string"}}
    return {"type": "object", "required": ["id"], "properties": properties}


def _property(entity: Entity, spec: Field) -> dict[str, Any]:
    schema = dict(_TYPES[spec.type])
    if spec.values:
        schema["enum"] = list(spec.values)
    if spec.name == "number" and entity.number_prefix:
        schema = {"type": "string", "examples": [f"{entity.number_prefix}1042"]}
    if spec.column.nullable and "type" in schema:
        schema["type"] = [schema["type"], "null"]
        if "enum" in schema:
            schema["enum"] = [*schema["enum"], None]
    if spec.only_for:
        schema["description"] = f"Only for {', '.join(spec.only_for)}."
    return schema


def _page(name: str) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["data", "next_cursor"],
        "properties": {
            "data": {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}},
            "next_cursor": {"type": ["string", "null"], "description": "null: this is the last page."},
        },
    }
