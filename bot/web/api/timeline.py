"""The timeline of a record over HTTP."""

from typing import Any

from bot.crm.timeline import Entry, timeline
from bot.errors import InvalidInput
from bot.ids import is_id
from bot.records.query import one
from bot.records.show import shown
from bot.records.tx import Tx
from bot.web.api.call import Answer, Call
from bot.web.api.records import limit_of

PARAMETERS = ("limit", "cursor")
_KINDS = {"event": "events", "activity": "activities", "message": "messages"}


def read_timeline(tx: Tx, call: Call, name: str) -> Answer:
    """A page of what happened around a record, newest first."""
    entity = tx.schema.entity(name)
    record = one(tx, entity, call.id)
    cursor = call.given.get("cursor")
    if cursor is not None and not is_id(cursor):
        raise InvalidInput("This cursor belongs to no timeline; start again without one", field="cursor")
    found = timeline(tx, entity, record, limit=limit_of(call.given), cursor=cursor)
    return Answer({"data": _shown(tx, found.entries), "next_cursor": found.next_cursor})


def _shown(tx: Tx, entries: list[Entry]) -> list[dict[str, Any]]:
    """Entries in their order, the rows of each kind shown together."""
    rows: dict[str, dict[str, Any]] = {}
    for kind, name in _KINDS.items():
        some = [entry.row for entry in entries if entry.kind == kind]
        # An event's changes come as the actor may see them; there is nothing more to read for them.
        bare = [{**row, "changes": None} for row in some] if kind == "event" else some
        for row, record in zip(some, shown(tx, tx.schema.entity(name), bare), strict=True):
            if kind == "event":
                record |= {"changes": row["changes"]} if "changes" in record else {}
                record["erased"] = row["erased"]
            rows[row["id"]] = record
    return [
        {
            "kind": entry.kind,
            "at": rows[entry.row["id"]].get("at" if entry.kind == "event" else "created_at"),
            entry.kind: rows[entry.row["id"]],
        }
        for entry in entries
    ]
