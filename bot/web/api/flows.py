"""A business's own flows over HTTP: drafted, checked, published, retired; what to mend in their examples."""

from typing import Any

from bot.crm.flow_version import FLOW_VERSION
from bot.dialogs.publishing import LONGEST, check_source, publish, retire, save_draft
from bot.records.query import one
from bot.records.show import shown
from bot.records.tx import Tx
from bot.records.write import get
from bot.web.api.bodies import Body, Text
from bot.web.api.call import Answer, Call
from bot.web.api.describe import Described

WEAK = 100
"""Weak examples that are told of, the worst first."""
_EXAMPLE = "name: visit\nversion: 1\ndescription: Take a visit.\nsteps:\n  - say: courtesy.fine\n"
SOURCE = Body("flow_source", {"source": Text("The flow, as YAML (docs/flows.md).", _EXAMPLE, LONGEST)})
_FOUND: Described = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["line", "says"],
        "properties": {
            "line": {
                "type": "integer",
                "description": "Of the YAML; 0: of another flow that needs this one.",
            },
            "says": {"type": "string", "description": "What is wrong, and what to do."},
        },
    },
}


def _rows(description: str, **members: str) -> Described:
    properties = {name: {"type": kind} for name, kind in members.items()}
    row = {"type": "object", "required": [*members], "properties": properties}
    return {"type": "array", "description": description, "items": row}


SCHEMAS: dict[str, Described] = {
    "checked_flow": {
        "type": "object",
        "description": "It can be published where there are no errors.",
        "required": ["errors", "warnings"],
        "properties": {"errors": _FOUND, "warnings": _FOUND},
    },
    "flow_review": {
        "type": "object",
        "required": ["confused", "weak", "few"],
        "properties": {
            "confused": _rows(
                "Flows whose examples are taken for another's.",
                flow="string",
                taken_for="string",
                examples="integer",
            ),
            "weak": _rows(
                "Examples that read like another flow's; `likely`: how sure their own would be without them.",
                text="string",
                flow="string",
                taken_for="string",
                likely="number",
            ),
            "few": _rows("Flows with too few examples.", flow="string", examples="integer"),
        },
    },
}
"""What checking and reviewing answer."""


def post_draft(tx: Tx, call: Call) -> Answer:
    """Keep a flow's YAML as its draft; there is one a flow."""
    return _shown(tx, save_draft(tx, call.body["source"]))


def post_check(tx: Tx, call: Call) -> Answer:
    """What keeps a flow from being published, and what is poor about it."""
    errors, warnings = check_source(tx, call.body["source"])
    return Answer({"errors": [*map(_told, errors)], "warnings": [*map(_told, warnings)]})


def post_publish(tx: Tx, call: Call) -> Answer:
    """Serve a version: a draft, or an earlier one again."""
    tx.require("update", FLOW_VERSION.name)
    version = one(tx, FLOW_VERSION, call.id)["id"]
    publish(tx, version)
    return _shown(tx, version)


def post_retire(tx: Tx, call: Call) -> Answer:
    """Serve the flow that ships in the place of a published version, or none."""
    tx.require("update", FLOW_VERSION.name)
    version = one(tx, FLOW_VERSION, call.id)
    retire(tx, version["name"])
    return _shown(tx, version["id"])


def get_review(tx: Tx, call: Call) -> Answer:
    """Flows that are taken for one another, and examples that mislead, as the model in use sees them."""
    tx.require("update", FLOW_VERSION.name)
    found = call.review()
    weak = [
        {"text": row.text, "flow": row.label, "taken_for": row.taken_for, "likely": row.likely}
        for row in found.weak[:WEAK]
    ]
    confused = [
        {"flow": flow, "taken_for": other, "examples": count} for flow, other, count in found.confused
    ]
    few = [{"flow": flow, "examples": count} for flow, count in found.few]
    return Answer({"confused": confused, "weak": weak, "few": few})


def _shown(tx: Tx, version: str) -> Answer:
    tx.flush()
    row = get(tx, FLOW_VERSION, version)
    return Answer(shown(tx, FLOW_VERSION, [row])[0], version=row["version"])


def _told(finding: str) -> dict[str, Any]:
    """A finding is `LINE: what it says`; one about another flow begins with that flow's name."""
    line, _, says = finding.partition(": ")
    return {"line": int(line), "says": says} if line.isdecimal() else {"line": 0, "says": finding}
