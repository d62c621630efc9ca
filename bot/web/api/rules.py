"""Trying a rule over HTTP: what it would do to a record, or to the newest, with nothing written."""

from typing import Any

from bot.automation.dry_run import Tried, sound, try_rule
from bot.clock import to_iso
from bot.crm.rule import RULE
from bot.crm.rule_action import ACTIONS
from bot.errors import Conflict, InvalidInput, QueryInvalid
from bot.records.query import one
from bot.records.schema import Schema
from bot.records.tx import Tx
from bot.web.api import bodies
from bot.web.api.call import Answer, Call
from bot.web.api.describe import ID, Described

_RECORD = bodies.Text("The record; unset: the newest ten.", "", id=True, required=False)


def _trial(_schema: Schema) -> Described:
    where = {
        "type": ["string", "null"],
        "format": "samvad-query",
        "description": "In place of a record: the newest ten of those.",
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "record_id": {"type": ["string", "null"], "format": "uuid", "description": _RECORD.description},
            "where": where,
        },
        "not": {"required": ["record_id", "where"]},
    }


TRIAL = bodies.Described("rule_trial", _trial)
SCHEMAS: dict[str, Described] = {
    "tried_rule": {
        "type": "object",
        "required": ["id", "data"],
        "properties": {
            "id": ID,
            "data": {
                "type": "array",
                "description": "One a record, newest first.",
                "items": {
                    "type": "object",
                    "required": ["record_id", "matches", "due_at", "error", "actions"],
                    "properties": {
                        "record_id": ID,
                        "matches": {"type": "boolean", "description": "Whether the condition holds."},
                        "due_at": {
                            "type": ["string", "null"],
                            "format": "date-time",
                            "description": "With `due`: when its moment is.",
                        },
                        "error": {"type": "string", "description": "Why nothing could be done; or empty."},
                        "actions": {"type": "array", "items": {"$ref": "#/components/schemas/tried_action"}},
                    },
                },
            },
        },
    },
    "tried_action": {
        "type": "object",
        "description": "Further members say what else it would do.",
        "required": ["action", "changes"],
        "properties": {
            "action": {"type": "string", "enum": list(ACTIONS)},
            "changes": {
                "type": "object",
                "description": "The record's fields: what each is, and what it would be.",
                "additionalProperties": {"type": "array", "minItems": 2, "maxItems": 2},
            },
            "text": {"type": "string", "description": "What would be written, with its fields filled in."},
            "refused": {"type": "string", "description": "Why a message would not leave."},
        },
    },
}
"""What trying answers."""


def post_try(tx: Tx, call: Call) -> Answer:
    """What the rule would do. One that is not sound any more cannot be tried: 409."""
    tx.require("update", RULE.name)
    bodies.refuse_unknown(call.body, {"record_id": 1, "where": 1})
    if len(call.body) > 1:
        raise InvalidInput("Give record_id or where, not both", field="where")
    wanted, where = bodies.read_text("record_id", _RECORD, call.body.get("record_id")), call.body.get("where")
    if not isinstance(where, str | None):
        raise InvalidInput("where is a text", field="where")
    rule = one(tx, RULE, call.id)
    try:
        whole = sound(tx, rule)
    except InvalidInput as error:
        raise Conflict(f"This rule cannot be tried: {error.message}", **error.data) from None
    try:
        tried = try_rule(tx, call, whole, record_id=wanted, where=where or "")
    except QueryInvalid as error:
        raise QueryInvalid(error.message, **{**error.data, "parameter": "where"}) from None
    return Answer({"id": rule["id"], "data": [_shown(one) for one in tried]})


def _shown(tried: Tried) -> dict[str, Any]:
    return {
        "record_id": tried.record_id,
        "matches": tried.matches,
        "due_at": None if tried.due_at is None else to_iso(tried.due_at),
        "error": tried.error,
        "actions": [dict(action) for action in tried.actions],
    }
