"""The OpenAPI 3.1 document, made from the record kinds, the admins' own fields and the route table: it cannot
say what is not so."""

from collections.abc import Iterable

from bot.records.query import DEFAULT_LIMIT
from bot.records.schema import Schema
from bot.web.api import activities, describe, files, flows, rules, search
from bot.web.api.bodies import JSON_TYPES, MAX_BODY
from bot.web.api.describe import ID, Described
from bot.web.api.kinds import KINDS
from bot.web.api.records import MAX_LIMIT
from bot.web.api.route import Route
from bot.web.errors import PROBLEM

_MEANINGS = {
    400: "A parameter or the body cannot be used; `position` counts characters from 0 in a query.",
    401: "No key, or one we do not know.",
    403: "Your role, or the scopes of this key, do not allow it; `scope` is the one it lacks.",
    404: "No such record, or none that you may see.",
    409: "It does not go with what is there: the customer may not be written to, an id points to nothing "
    "that you see, somebody else changed it first.",
    412: "The record is not at a version that `If-Match` names.",
    413: f"The body is over {MAX_BODY} bytes.",
    415: "The body is not `application/json`.",
    422: "The `Idempotency-Key` was used for another request.",
    429: "This key sent too many requests; `Retry-After` says when to go on.",
    500: "Something failed on our side; `correlation_id` finds it in the log.",
    503: "A part that this needs is down; try again.",
}
_HEADERS: dict[str, Described] = {
    "ETag": {"description": "The version of what is shown, for `If-Match` and `If-None-Match`."},
    "Location": {"description": "The address of the new record."},
    "RateLimit": {"description": "How many requests are left (`r`), and the seconds until all are (`t`)."},
    "RateLimit-Policy": {"description": "How many requests (`q`) this key may send in `w` seconds."},
    "Retry-After": {"description": "Seconds."},
    "Idempotent-Replayed": {"description": "`true`: this answer was given before, to the same request."},
    "WWW-Authenticate": {"description": "`Bearer`."},
}
_QUERIES: dict[str, tuple[str, Described]] = {
    "where": (
        "Which records, in the query language (docs/query.md).",
        {"type": "string", "format": "samvad-query"},
    ),
    "order": (
        "Order keys, as `created_at desc, id`. The id is always the last key.",
        {"type": "string", "format": "samvad-order"},
    ),
    "limit": (
        "How many at most.",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    ),
    "cursor": (
        "`next_cursor` of the page before, with the same `order`.",
        {"type": "string", "format": "samvad-cursor"},
    ),
    "deleted": ("Deleted records, for who may restore them.", {"type": "boolean", "default": False}),
    "of": (
        "What is added up, as `count, sum(amount)`.",
        {"type": "string", "format": "samvad-measures", "default": "count"},
    ),
    "by": (
        "What it is grouped by, as `stage, month(close_date)`; nothing: one group.",
        {"type": "string", "format": "samvad-groups"},
    ),
}
_SHARED: dict[str, Described] = {
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
            "scope": {"type": "string"},
            "row": {"type": "integer", "description": "Which row of a bulk request, from 0."},
            "retry_after": {"type": "integer"},
            "correlation_id": {"type": "string"},
        },
    },
    "queued": {
        "type": "object",
        "required": ["id", "conversation_id", "status", "held"],
        "properties": {
            "id": {**ID, "description": "The message; read its status at `/api/v1/messages/{id}`."},
            "conversation_id": ID,
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
        "properties": {"id": ID, "owner": {"type": "string", "enum": ["bot", "human"]}},
    },
    **activities.SCHEMAS,
    **search.SCHEMAS,
    **rules.SCHEMAS,
    **flows.SCHEMAS,
    "left": {
        "type": "object",
        "required": ["id", "moved"],
        "properties": {
            "id": ID,
            "moved": {
                "type": "object",
                "description": "How many records of each kind went over.",
                "additionalProperties": {"type": "integer"},
            },
        },
    },
    "came_back": {"type": "object", "required": ["id"], "properties": {"id": ID}},
    "key": {
        "type": "object",
        "required": ["id", "name", "scopes", "created_at", "expires_at", "last_used_at"],
        "properties": {
            "id": ID,
            "name": {"type": ["string", "null"]},
            "scopes": {"type": ["array", "null"], "items": {"type": "string"}},
            **{
                name: {"type": ["string", "null"], "format": "date-time"}
                for name in ("created_at", "expires_at", "last_used_at")
            },
        },
    },
    "keys": {
        "type": "object",
        "required": ["data"],
        "properties": {"data": {"type": "array", "items": {"$ref": "#/components/schemas/key"}}},
    },
    "made_key": {
        "allOf": [
            {"$ref": "#/components/schemas/key"},
            {"type": "object", "required": ["key"], "properties": {"key": {"type": "string"}}},
        ]
    },
    "summary": {
        "type": "object",
        "required": ["data", "more"],
        "properties": {
            "data": {
                "type": "array",
                "items": {
                    "type": "object",
                    "description": "Under each name in `by` and `of`: its value in this group. Amounts of "
                    "different currencies are different groups, with `currency`.",
                },
            },
            "more": {"type": "boolean", "description": "There are more groups than are shown."},
        },
    },
    "bulk_results": {
        "type": "object",
        "required": ["results", "done", "failed"],
        "properties": {
            "done": {"type": "integer"},
            "failed": {"type": "integer"},
            "results": {
                "type": "array",
                "description": "One a row, in their order.",
                "items": {
                    "type": "object",
                    "required": ["status", "id", "version"],
                    "properties": {
                        "status": {"type": "integer", "description": "As the row alone would be answered."},
                        "id": {"type": ["string", "null"]},
                        "version": {"type": ["integer", "null"]},
                        "problem": {"$ref": "#/components/schemas/problem"},
                    },
                },
            },
        },
    },
}


def _of_schema(name: str) -> Described:
    return {"$ref": f"#/components/schemas/{name}"}


def _timeline() -> dict[str, Described]:
    def entry(kind: str, record: str) -> Described:
        return {
            "type": "object",
            "required": ["kind", "at", kind],
            "properties": {
                "kind": {"const": kind},
                "at": {"type": "string", "format": "date-time"},
                kind: _of_schema(record),
            },
        }

    event = {
        "allOf": [
            _of_schema("events"),
            {
                "type": "object",
                "required": ["erased"],
                "properties": {
                    "erased": {"type": "boolean", "description": "Personal values were destroyed."}
                },
            },
        ]
    }
    entries = [entry("event", "event"), entry("activity", "activities"), entry("message", "messages")]
    return {"event": event, "timeline": _page({"oneOf": entries})}


def _page(item: Described) -> Described:
    return {
        "type": "object",
        "required": ["data", "next_cursor"],
        "properties": {
            "data": {"type": "array", "items": item},
            "next_cursor": {"type": ["string", "null"], "description": "null: this is the last page."},
        },
    }


def document(schema: Schema, routes: Iterable[Route]) -> Described:
    """The document of these routes over this schema."""
    paths: dict[str, Described] = {}
    bodies: dict[str, Described] = {}
    routes = list(routes)
    names = {route.name for route in routes}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(schema, route, names)
        if route.body is not None:
            bodies[route.body.name] = route.body.schema(schema)
    for path, methods_of in files.described().items():
        paths.setdefault(path, {}).update(methods_of)
    paths["/api/v1/openapi.json"] = {"get": _openapi_itself()}
    records = {kind.name: describe.record(schema, kind.name) for kind in KINDS.values()}
    pages = {f"{name}_page": _page(_of_schema(name)) for name in records}
    names_of = {
        f"{name}_field": {
            "type": "string",
            "enum": describe.field_names(schema, schema.entity(name)),
        }
        for name in records
    }
    currency = {"type": "string", "description": "ISO 4217.", "enum": describe.currencies()}
    schemas = {**_SHARED, **_timeline(), "currency": currency, **records, **pages, **names_of, **bodies}
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
            "schemas": schemas,
            "headers": {name: {**told, "schema": {"type": "string"}} for name, told in _HEADERS.items()},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "responses": {str(status): _problem(status, text) for status, text in _MEANINGS.items()},
        },
    }


def _openapi_itself() -> Described:
    return {
        "operationId": "openapi",
        "summary": "This document.",
        "tags": ["openapi"],
        "security": [],
        "responses": {
            "200": {
                "description": "Done.",
                "content": {"application/json": {"schema": {"type": "object"}}},
            },
            "500": {"$ref": "#/components/responses/500"},
        },
    }


def _operation(schema: Schema, route: Route, names: set[str]) -> Described:
    pointing = route.kind is None or describe.relations_of(schema, schema.entity(route.kind.name))
    names_of = [name for name in route.parameters if name != "include" or pointing]
    parameters = [_parameter(schema, route, name) for name in names_of]
    parameters = [
        {"name": part, "in": "path", "required": True, "schema": ID}
        for part in ("id", "sub_id")
        if f"{{{part}}}" in route.path
    ] + parameters
    operation: Described = {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [route.path.split("/")[3]],
        "parameters": [*parameters, *_header_parameters(route)],
        "security": [{"key": route.scopes}],
        "responses": {
            str(route.status): _done(route, names),
            **{str(status): {"$ref": f"#/components/responses/{status}"} for status in route.refuses},
        },
    }
    if route.body is not None:
        content = {"schema": _of_schema(route.body.name)}
        types = JSON_TYPES if route.method == "PATCH" else JSON_TYPES[:1]
        operation["requestBody"] = {"required": True, "content": dict.fromkeys(types, content)}
    return operation


def _done(route: Route, names: set[str]) -> Described:
    told = {200: "Done.", 201: "Made.", 202: "Stored; it will leave.", 204: "Done; there is nothing to show."}
    headers = ["RateLimit", "RateLimit-Policy"]
    if route.method == "GET" or (route.kind is not None and route.answers == route.kind.name):
        headers.append("ETag")
    if route.method != "GET":
        headers.append("Idempotent-Replayed")
    if route.status == 201 and route.kind is not None:
        headers.append("Location")
    made: Described = {
        "description": told[route.status],
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in headers},
    }
    if route.answers:
        made["content"] = {"application/json": {"schema": _of_schema(route.answers)}}
    if route.status == 201 and route.kind is not None:
        name = route.kind.name
        links = [f"{verb}_{name}" for verb in ("get", "change", "delete", "timeline_of", "try")]
        made["links"] = {
            link: {"operationId": link, "parameters": {"id": "$response.body#/id"}}
            for link in links
            if link in names
        }
    return made


def _header_parameters(route: Route) -> list[Described]:
    made = []
    if route.method != "GET":
        text = (
            "Any text, best a new UUID: the same request with the same key is done once only, for 24 hours."
        )
        schema = {"type": "string", "format": "idempotency-key", "minLength": 1, "maxLength": 255}
        made.append({"name": "Idempotency-Key", "in": "header", "description": text, "schema": schema})
    if route.guarded:
        text = 'Only if the record is still so: its `ETag`, or its `version` in quotes ("3").'
        schema = {"type": "string", "format": "etag"}
        made.append({"name": "If-Match", "in": "header", "description": text, "schema": schema})
    return made


def _parameter(schema: Schema, route: Route, name: str) -> Described:
    if route.answers == "hits":
        return search.parameter(schema, name)
    parameter: Described = {"name": name, "in": "query"}
    if name == "cursor" and route.answers == "timeline":
        return {**parameter, "description": "`next_cursor` of the page before.", "schema": ID}
    if name == "order" and route.answers == "summary":
        text = "The order of the groups, as `count desc`: by what is counted or grouped."
        return {
            **parameter,
            "description": text,
            "schema": {"type": "string", "format": "samvad-summary-order"},
        }
    if name in _QUERIES:
        description, described = _QUERIES[name]
        return {**parameter, "description": description, "schema": described}
    kind = route.kind
    assert kind is not None
    parameter |= {"style": "form", "explode": False}
    if name == "fields":
        items: Described = _of_schema(f"{kind.name}_field")
        text = "Only these fields, separated by commas; the id is always there."
    else:
        relations = sorted(describe.relations_of(schema, schema.entity(kind.name)))
        items = {"type": "string", "enum": relations}
        text = "Records that this one points to, shown inside it; separated by commas."
    return {**parameter, "description": text, "schema": {"type": "array", "minItems": 1, "items": items}}


def _problem(status: int, text: str) -> Described:
    names = {401: ["WWW-Authenticate"], 429: ["Retry-After", "RateLimit", "RateLimit-Policy"]}
    made: Described = {
        "description": text,
        "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/problem"}}},
    }
    if status in names:
        made["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names[status]}
    return made
