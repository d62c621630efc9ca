"""Record kinds as JSON Schema: what is shown, what is taken, with the admins' own fields by their labels."""

import re
from typing import Any

import sqlalchemy as sa

from bot.crm.rule_action import ACTIONS, MOST_ACTIONS, MOST_TEXT
from bot.crm.rule_check import KINDS as WATCHED
from bot.records.entity import Entity, Field
from bot.records.given import LONGEST, LONGEST_TAG, MOST_TAGS, MOST_TEXTS
from bot.records.money import MOST, known_currencies
from bot.records.schema import Schema
from bot.records.shares import LEVELS
from bot.web.api.writes import MAX_ROWS

Described = dict[str, Any]
ID: Described = {"type": "string", "format": "uuid"}
_NO_NUL = r"^[^\u0000]*$"
_SOME = r"^[^\u0000]*[^\s\u0000][^\u0000]*$"
_FORMS: dict[str, Described] = {
    "country": {"pattern": "^[A-Za-z]{2}$", "examples": ["IN"]},
    "key": {"pattern": "^[a-z0-9]+(-[a-z0-9]+)*$", "examples": ["returns"]},
}
"""Texts that a kind takes in one form only."""
_TYPES: dict[str, Described] = {
    "text": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "money": {"type": "number"},
    "boolean": {"type": "boolean"},
    "instant": {"type": "string", "format": "date-time"},
    "date": {"type": "string", "format": "date"},
    "id": ID,
    "enum": {"type": "string"},
    "tags": {"type": "array", "items": {"type": "string"}},
    "json": {},
}
_SEVERAL: Described = {
    "type": ["array", "string"],
    "items": {"type": "string"},
    "minItems": 1,
    "minLength": 1,
}
_HELD: dict[str, Described] = {
    "text": {"type": "string", "minLength": 1, "maxLength": MOST_TEXT},
    "fields": {"type": "object", "minProperties": 1, "description": "New values by field."},
    "tags": _SEVERAL,
    "minutes": {"type": "integer", "minimum": 0},
    "user": ID,
    "team": ID,
    "owner": {"type": "string", "description": "`owner` of the record, or a user's id."},
    "whom": {**_SEVERAL, "description": "`owner`, `team`, `run_as`, `role:NAME`, ids of users."},
    "level": {"type": "string", "enum": list(LEVELS)},
}
"""By what a parameter of a rule's action holds."""
_EXTRAS: dict[str, Described] = {
    "phones": {"type": "string", "format": "phone", "examples": ["+919876543210"]},
    "emails": {"type": "string", "format": "email", "examples": ["asha@example.com"]},
}


def shown_fields(entity: Entity) -> dict[str, Field]:
    """The fields that somebody may see."""
    return {name: spec for name, spec in entity.fields.items() if not spec.internal}


def extras_of(entity: Entity) -> tuple[str, ...]:
    """The lists that the kind shows and takes besides."""
    return entity.extras.names if entity.extras is not None else ()


def relations_of(schema: Schema, entity: Entity) -> dict[str, str]:
    """What may be included, and of which kind it is."""
    return {
        spec.relation: spec.to
        for spec in shown_fields(entity).values()
        if spec.to in schema.entities and spec.relation not in entity.fields
    }


def record(schema: Schema, name: str) -> Described:
    """A record as it is shown; `fields` may leave out all but its id."""
    entity = schema.entity(name)
    properties = {field: _shown(schema, entity, spec) for field, spec in shown_fields(entity).items()}
    for extra in extras_of(entity):
        properties[extra] = {"type": "array", "items": _EXTRAS[extra]}
    for relation, kind in relations_of(schema, entity).items():
        properties[relation] = {
            "description": f"With include={relation}.",
            "anyOf": [{"$ref": f"#/components/schemas/{kind}"}, {"type": "null"}],
        }
    return {"type": "object", "required": ["id"], "properties": properties}


def _shown(schema: Schema, entity: Entity, spec: Field) -> Described:
    made = dict(_TYPES[spec.type])
    if spec.values:
        made["enum"] = list(spec.values)
    if spec.name == "number" and entity.number_prefix:
        made = {"type": "string", "examples": [f"{entity.number_prefix}1042"]}
    return _told(schema, entity, spec, _or_null(made) if spec.custom or spec.nullable else made)


def _or_null(made: Described) -> Described:
    if "$ref" in made:
        return {"anyOf": [made, {"type": "null"}]}
    if "type" not in made:
        return made
    made = {**made, "type": [made["type"], "null"]}
    return {**made, "enum": [*made["enum"], None]} if "enum" in made else made


def _told(schema: Schema, entity: Entity, spec: Field, made: Described) -> Described:
    """With what a reader should know of it."""
    told = []
    if label := schema.labels.get((entity.name, spec.name)):
        made = {**made, "title": label}
    if spec.to:
        told.append(f"The id of one of the {spec.to.replace('_', ' ')}.")
    if spec.type == "money":
        code = f"`{spec.currency}`" if spec.currency in entity.fields else spec.currency
        told.append(f"In major units of {code}, with no more decimal places than it has.")
    if spec.type in ("date", "instant"):
        told.append("From the year 1000 to 9998.")
    if spec.only_for:
        told.append(f"Only for {', '.join(spec.only_for)}.")
    return {**made, "description": " ".join(told)} if told else made


def new_record(schema: Schema, name: str) -> Described:
    """The body that makes a record."""
    entity = schema.entity(name)
    required = [field for field, spec in _settable(entity).items() if spec.required]
    return _body(schema, entity, required, changing=False)


def changed_record(schema: Schema, name: str) -> Described:
    """The body that changes a record."""
    return _body(schema, schema.entity(name), [], changing=True)


def _settable(entity: Entity) -> dict[str, Field]:
    return {
        name: spec
        for name, spec in shown_fields(entity).items()
        if not spec.computed and (spec.type != "json" or spec.texts or spec.structure)
    }


def _body(schema: Schema, entity: Entity, required: list[str], *, changing: bool) -> Described:
    properties = {
        name: _told(schema, entity, spec, _taken(entity, spec, changing=changing))
        for name, spec in _settable(entity).items()
    }
    if "entity" in properties:
        kinds = [kind.name for kind in schema.entities.values() if kind.main or entity.name == "access_rules"]
        if entity.name == "rules":
            kinds = [*WATCHED]
            properties["actions"] = _actions()
        properties["entity"] = {"type": "string", "enum": kinds, "description": "A kind of record."}
    for extra in extras_of(entity):
        properties[extra] = {"type": ["array", "null"], "items": _EXTRAS[extra], "maxItems": 50}
    made: Described = {"type": "object", "additionalProperties": False, "properties": properties}
    return {**made, "required": required} if required else made


def _taken(entity: Entity, spec: Field, *, changing: bool) -> Described:
    made = _value(spec)
    by_default = spec.name in entity.defaults and (spec.type == "text" or not changing)
    if spec.nullable or spec.custom or by_default:
        return _or_null(made)
    return {**made, "minLength": 1, "pattern": _SOME} if made.get("pattern") == _NO_NUL else made


def _value(spec: Field) -> Described:
    """What the field takes where it is not emptied."""
    made = dict(_TYPES[spec.type])
    if spec.name == "currency":
        return {"$ref": "#/components/schemas/currency"}
    if spec.name in _FORMS:
        return {"type": "string", "maxLength": spec.length, **_FORMS[spec.name]}
    if spec.name == "email":
        return {"type": "string", "format": "email", "maxLength": spec.length, "minLength": 3}
    if spec.values:
        made["enum"] = list(spec.values)
    elif spec.type == "text":
        made |= {"maxLength": spec.length or LONGEST, "pattern": _NO_NUL}
    elif spec.name == "probability":
        made |= {"minimum": 0, "maximum": 100}
    elif spec.type == "integer":
        limit = 2**31 if type(spec.column.type) is sa.Integer else 2**53
        made |= {"minimum": 1 - limit, "maximum": limit - 1}
    elif spec.type == "money":
        made |= {"exclusiveMinimum": -MOST // 1000, "exclusiveMaximum": MOST // 1000}
    elif spec.type in ("tags", "json"):
        most, longest = (MOST_TAGS, LONGEST_TAG) if spec.type == "tags" else (MOST_TEXTS, 100)
        item = {"type": "string", "maxLength": longest, "pattern": _NO_NUL}
        made = {"type": "array", "items": item, "maxItems": most}
    return made


def _actions() -> Described:
    """The actions of a rule, each with its parameters by what they hold."""
    forms = []
    for name, action in ACTIONS.items():
        properties: Described = {"action": {"const": name}}
        for parameter, spec in action.parameters.items():
            made = _HELD[spec.holds]
            properties[parameter] = {"anyOf": [made, {"type": "null"}]} if spec.optional else made
        needed = ["action", *(one for one, spec in action.parameters.items() if not spec.optional)]
        forms.append(
            {"type": "object", "additionalProperties": False, "required": needed, "properties": properties}
        )
    described = "What is done, in this order (docs/rules.md)."
    items = {"anyOf": forms}
    return {
        "type": "array",
        "minItems": 1,
        "maxItems": MOST_ACTIONS,
        "items": items,
        "description": described,
    }


def bulk(schema: Schema, name: str) -> Described:
    """The body of a bulk request."""
    path = f"api/v1/{schema.entity(name).name.replace('_', '-')}"
    version = {"type": "integer", "description": "Refused where the record is at another by now."}

    def row(operation: str, required: list[str], **properties: Any) -> Described:
        return {
            "type": "object",
            "additionalProperties": False,
            "required": ["op", *required],
            "properties": {"op": {"const": operation}, **properties},
        }

    new = {"type": "object", "description": f"As the body of `POST /{path}`."}
    changed = {"type": "object", "description": f"As the body of `PATCH /{path}/{{id}}`."}
    rows = [
        row("create", ["values"], values=new),
        row("change", ["id", "values"], id=ID, values=changed, version=version),
        row("delete", ["id"], id=ID, version=version),
    ]
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["rows"],
        "properties": {
            "rows": {"type": "array", "minItems": 1, "maxItems": MAX_ROWS, "items": {"anyOf": rows}},
            "atomic": {"type": "boolean", "default": False, "description": "All rows, or none of them."},
        },
    }


def field_names(schema: Schema, entity: Entity) -> list[str]:
    """What `fields` may name: the kind's own, and those of the records it points to."""
    names = [*shown_fields(entity), *extras_of(entity)]
    for relation, kind in relations_of(schema, entity).items():
        target = schema.entity(kind)
        names += [f"{relation}.{name}" for name in (*shown_fields(target), *extras_of(target))]
    return names


def currencies() -> list[str]:
    """The codes of ISO 4217."""
    return sorted(code for code in known_currencies() if re.fullmatch("[A-Z]{3}", code))
