"""The commands a language model may answer with, as a JSON schema of the flows that are in reach.

Consent (STOP, START) is not among them: it is read from a customer's own words only, and never guessed.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from bot.dialogs.flows.model import Collect, Flow, Flows
from bot.dialogs.slots import choices
from bot.dialogs.state import running
from bot.dialogs.understanding.reading import CHITCHAT, Reading

MOST = 6
"""Commands of one message: more is nonsense."""
PLAIN = ("cancel", "affirm", "deny", "handoff", "ask", "not_understood")
OWN_COMMAND = frozenset({"stop", "start", "talk_to_person", "change_language", "cancel", "ask_knowledge"})
"""Flows that are begun by a command of their own."""
CLAIMS = ("name", "phone", "email")
"""What a customer may say of themselves with nothing running."""


def in_reach(flows: Flows) -> tuple[Flow, ...]:
    """The flows that a customer's message may start."""
    return tuple(flow for flow in flows.values() if flow.examples and flow.name not in OWN_COMMAND)


def open_steps(reading: Reading) -> dict[str, Collect]:
    """The slots of the running flows, the innermost flow's first."""
    steps: dict[str, Collect] = {}
    for frame in reversed(reading.state.frames):
        flow = running(frame, reading.flows)
        for step in flow.collects() if flow is not None else ():
            steps.setdefault(step.slot, step)
    return steps


def open_slots(reading: Reading) -> Mapping[str, Any]:
    """What the innermost running flow knows."""
    frames = (frame for frame in reversed(reading.state.frames) if running(frame, reading.flows) is not None)
    return next((frame.slots for frame in frames), {})


def schema_of(reading: Reading) -> dict[str, Any]:
    """Of the whole answer: a list of commands, each in a shape of its own."""
    flows = in_reach(reading.flows)
    forms = [_form(PLAIN)]
    forms += [_start(flow) for flow in flows]
    forms.append(_form(("clarify",), flows=_list(_one_of([flow.name for flow in flows]), 3)))
    forms.append(_form(("chitchat",), kind=_one_of([*CHITCHAT, "other"])))
    forms.append(_form(("change_language",), lang=_one_of(["", *reading.turn.business.languages])))
    for slot, step in open_steps(reading).items():
        forms.append(_form(("set_slot", "correct"), name=_one_of([slot]), value=_value(step, reading)))
    if not reading.state.frames:
        forms.append(_form(("set_slot",), name=_one_of(CLAIMS), value={"type": "string"}))
    return _object({"commands": _list({"anyOf": forms}, MOST)})


def _form(commands: Iterable[str], **fields: Mapping[str, Any]) -> dict[str, Any]:
    return _object({"command": _one_of(commands), **fields})


def _start(flow: Flow) -> dict[str, Any]:
    said = [step.slot for step in flow.collects()]
    fields: dict[str, Any] = {"flow": _one_of([flow.name])}
    if said:
        slot = _object({"name": _one_of(said), "value": {"type": "string"}})
        fields["slots"] = _list(slot, len(said))
    return _form(("start_flow",), **fields)


def _value(step: Collect, reading: Reading) -> dict[str, Any]:
    """What the slot takes; a value that must be read ("tomorrow at five") comes in the customer's words."""
    if step.type == "yes_no":
        return {"type": "boolean"}
    if step.type == "choice" and not step.other:
        known = [value for value, _, _ in choices(step, open_slots(reading), reading.turn)]
        return _one_of(known) if known else {"type": "string"}
    return {"type": "string"}


def _object(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(fields),
        "required": list(fields),
        "additionalProperties": False,
    }


def _one_of(values: Iterable[str]) -> dict[str, Any]:
    return {"type": "string", "enum": list(dict.fromkeys(values))}


def _list(items: Mapping[str, Any], most: int) -> dict[str, Any]:
    return {"type": "array", "items": dict(items), "maxItems": most}
