"""A language model as a source of commands: the same commands, checked the same way."""

from collections.abc import Mapping
from typing import Any

from bot.dialogs.commands import (
    Affirm,
    Ask,
    Cancel,
    ChangeLanguage,
    Chitchat,
    Command,
    Correct,
    Deny,
    Handoff,
    SetSlot,
    StartFlow,
)
from bot.dialogs.slots import accept
from bot.dialogs.understanding.extract import slots_for
from bot.dialogs.understanding.propose import CHITCHAT, Reading
from bot.llm import LLM

MOST = 6
"""Commands of one message: more is nonsense."""
_KINDS = (
    "start_flow", "set_slot", "correct", "cancel", "affirm", "deny", "ask", "chitchat", "handoff",
    "change_language", "not_understood",
)  # fmt: skip
_PLAIN: Mapping[str, Command] = {"cancel": Cancel(), "affirm": Affirm(), "deny": Deny(), "handoff": Handoff()}
_OWN_COMMAND = ("stop", "start", "talk_to_person", "change_language")


async def read_with_llm(llm: LLM, reading: Reading) -> tuple[Command, ...]:
    """What the model understood; empty when it took too long, made no sense, or does not know either."""
    step = reading.state.awaited(reading.flows)
    flows = [
        {"name": flow.name, "description": flow.description, "slots": [step.slot for step in flow.collects()]}
        for flow in reading.flows.values()
        if flow.examples
    ]
    said = await llm.structured(
        "understand",
        _schema([str(flow["name"]) for flow in flows]),
        text=reading.text,
        flows=flows,
        running=reading.frame.flow if reading.frame else "",
        awaited=step.slot if step else "",
        choices=list(step.choices) if step else [],
    )
    return commands_of(said, reading) if said else ()


def _schema(flows: list[str]) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "command": {"type": "string", "enum": list(_KINDS)},
        "flow": {"type": "string", "enum": ["", *flows]},
        "name": {"type": "string"},
        "value": {"type": "string"},
    }
    command = {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"commands": {"type": "array", "items": command}},
        "required": ["commands"],
        "additionalProperties": False,
    }


def commands_of(said: Mapping[str, Any], reading: Reading) -> tuple[Command, ...]:
    """The commands in a model's answer; empty when any of them is none of ours."""
    rows = said.get("commands")
    if not isinstance(rows, list) or not 0 < len(rows) <= MOST:
        return ()
    commands: list[Command] = []
    for row in rows:
        command = _command(row, reading) if isinstance(row, dict) else None
        if command is None:
            return ()
        commands.append(command)
    return tuple(_joined(commands))


def _command(row: Mapping[str, Any], reading: Reading) -> Command | None:
    kind, name, value = (str(row.get(field, "")) for field in ("command", "name", "value"))
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind == "ask":
        return Ask(reading.text)
    if kind == "chitchat":
        return Chitchat(value if value in CHITCHAT else "other")
    if kind == "change_language":
        return ChangeLanguage(value if value in reading.turn.business.languages else None)
    if kind == "start_flow":
        return _start(str(row.get("flow", "")), reading)
    if kind in ("set_slot", "correct"):
        return _slot(kind, name, value, reading)
    return None


def _start(name: str, reading: Reading) -> Command | None:
    flow = reading.flows.get(name)
    if flow is None or name in _OWN_COMMAND:
        return Handoff() if name == "talk_to_person" else None
    if name == "ask_knowledge":
        return Ask(reading.text)
    return StartFlow(name, slots_for(flow, reading.found, reading.text))


def _slot(kind: str, name: str, value: str, reading: Reading) -> Command | None:
    """A slot of a known flow with a value that fits; whether it stands in the message is checked as well."""
    frame = reading.frame
    flows = [reading.flow] if frame else list(reading.flows.values())
    step = next((step for flow in flows if (step := flow.collect(name)) is not None), None)
    if step is None or accept(step, value, frame.slots if frame else {}, reading.turn) is None:
        return None
    # A model may tidy up a text, but a name, sum or address it was not told is made up.
    told = reading.found.fits(step) is not None or value.casefold() in reading.text.casefold()
    if not told and step.type not in ("choice", "yes_no"):
        return None
    return Correct(name, value) if kind == "correct" else SetSlot(name, value)


def _joined(commands: list[Command]) -> list[Command]:
    """Slots said along with the start of a flow are given to it."""
    start = next((command for command in commands if isinstance(command, StartFlow)), None)
    if start is None:
        return commands
    slots = {command.name: command.value for command in commands if isinstance(command, SetSlot)}
    rest = [command for command in commands if not isinstance(command, SetSlot | StartFlow)]
    return [StartFlow(start.flow, {**start.slots, **slots}), *rest]
