"""Search over everything, over HTTP."""

from dataclasses import asdict

from bot.records.schema import Schema
from bot.records.search.find import LONGEST_SEARCH, find_everywhere, searchable
from bot.records.tx import Tx
from bot.web.api.call import Answer, Call
from bot.web.api.describe import ID, Described
from bot.web.api.records import MAX_LIMIT, limit_of

PARAMETERS = ("q", "kinds", "limit")
DEFAULT_HITS = "20"


def search(tx: Tx, call: Call) -> Answer:
    """The records that the words find, of all kinds that the actor may read, the nearest first."""
    kinds = {part.strip() for part in call.given.get("kinds", "").split(",") if part.strip()}
    limit = limit_of({"limit": call.given.get("limit", DEFAULT_HITS)})
    hits = find_everywhere(tx, call.given.get("q", ""), kinds, limit)
    return Answer({"data": [asdict(hit) for hit in hits]})


def parameter(schema: Schema, name: str) -> Described:
    """A parameter as the document describes it."""
    kinds = searchable(schema.entities.values())
    told: dict[str, Described] = {
        "q": {
            "description": "What is sought: words in any script, beginnings of words, numbers; at most ten.",
            "schema": {"type": "string", "format": "samvad-search", "maxLength": LONGEST_SEARCH},
        },
        "kinds": {
            "description": "Only records of these kinds, separated by commas.",
            "style": "form",
            "explode": False,
            "schema": {"type": "array", "items": {"type": "string", "enum": kinds}},
        },
        "limit": {
            "description": "How many at most.",
            "schema": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": int(DEFAULT_HITS)},
        },
    }
    return {"name": name, "in": "query", **told[name]}


SCHEMAS: dict[str, Described] = {
    "hits": {
        "type": "object",
        "required": ["data"],
        "properties": {
            "data": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["kind", "id", "title", "field", "score"],
                    "properties": {
                        "kind": {"type": "string", "description": "As the records are named in addresses."},
                        "id": ID,
                        "title": {"type": "string", "description": "Empty where you may not see it."},
                        "field": {
                            "type": "string",
                            "description": "Where it was found, as `name` or `identities.value`.",
                        },
                        "score": {"type": "number", "description": "How near it comes; for comparing only."},
                    },
                },
            }
        },
    }
}
