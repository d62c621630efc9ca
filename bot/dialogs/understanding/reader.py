"""A language model as a source of commands: the same commands, checked the same way.

It proposes only. What it answers is read into commands or refused whole; not a word of it reaches a customer.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from bot import metrics
from bot.dialogs.commands import (
    Affirm,
    Ask,
    Cancel,
    ChangeLanguage,
    Chitchat,
    Clarify,
    Command,
    Correct,
    Deny,
    Handoff,
    NotUnderstood,
    SetSlot,
    StartFlow,
)
from bot.dialogs.flows.model import Collect, Flow
from bot.dialogs.slots import accept, choices
from bot.dialogs.understanding.corrections import marks_correction
from bot.dialogs.understanding.extract import slots_for
from bot.dialogs.understanding.model import Model
from bot.dialogs.understanding.reading import CHITCHAT, Reading
from bot.dialogs.understanding.schema import CLAIMS, MOST, in_reach, open_slots, open_steps, schema_of
from bot.llm import LLM

LONG = 12
"""Words from which on a message may answer several questions at once."""
NEAREST = 5
SHOWN = 200
"""Characters that are shown of an example, of a slot's value, of what was said before."""
_PLAIN: Mapping[str, Command] = {"cancel": Cancel(), "affirm": Affirm(), "deny": Deny(), "handoff": Handoff()}
_PRIVATE = frozenset({"name", "address", "order_number", "case_number"})
"""Kinds of values that are hidden beside phone numbers and e-mail addresses."""


class Refused(ValueError):
    """A model's answer that is none of our commands. Why: shape, count, command, flow, slot or value."""


def worth_asking(reading: Reading, commands: tuple[Command, ...]) -> bool:
    """Whether a model may know better: nothing fits, the classifier is unsure, the customer takes something
    back, or says much while a flow asks for several things."""
    if any(isinstance(command, NotUnderstood | Clarify) for command in commands):
        return True
    if reading.frame is None:
        told = all(isinstance(command, SetSlot | StartFlow) for command in commands)
        return not reading.guess.sure and not told
    if marks_correction(reading.text) and not any(isinstance(command, Correct) for command in commands):
        return True
    several = len(open_steps(reading).keys() - set(reading.frame.slots)) > 1
    return several and len(reading.text.split()) >= LONG


async def read_with_llm(llm: LLM, model: Model, reading: Reading) -> tuple[Command, ...]:
    """What the language model understood; empty when it took too long, made no sense, or knows no more."""
    nearest = await asyncio.to_thread(model.nearest, reading.text, NEAREST)
    said = await llm.structured(
        "understand", schema_of(reading), private=_private(reading), **_shown(reading, nearest)
    )
    if said is None:
        return ()
    try:
        return commands_of(said, reading)
    except Refused as why:
        metrics.LLM_REFUSED.labels(str(why)).inc()
        return ()


def _shown(reading: Reading, nearest: tuple[tuple[str, str, float], ...]) -> dict[str, Any]:
    """What the prompt is filled with."""
    step, frame = reading.state.awaited(reading.flows), reading.frame
    slots = frame.slots if frame else {}
    return {
        "text": reading.text,
        "flows": [{"name": flow.name, "description": flow.description} for flow in in_reach(reading.flows)],
        "nearest": [{"text": text[:SHOWN], "label": label or "not_understood"} for text, label, _ in nearest],
        "running": frame.flow if frame else "",
        "awaited": step.slot if step else "",
        "confirming": reading.state.confirming(reading.flows) is not None,
        "choices": [value for value, _, _ in choices(step, slots, reading.turn)] if step else [],
        "known": [
            {"name": slot, "value": str(slots[slot])[:SHOWN]}
            for slot in (frame.given if frame else ())
            if slots.get(slot) is not None
        ],
        "earlier": [
            {"who": "customer" if line.customer else "business", "text": line.text[:SHOWN]}
            for line in reading.turn.earlier
        ],
    }


def _private(reading: Reading) -> dict[str, str]:
    """What is personal in a prompt: value -> its kind."""
    found = {
        reading.text[one.start : one.end]: one.kind for one in reading.found.found if one.kind in _PRIVATE
    }
    for step in open_steps(reading).values():
        for frame in reading.state.frames:
            value = frame.slots.get(step.slot)
            if step.type in _PRIVATE and isinstance(value, str):
                found[value] = step.type
    names = {reading.turn.customer.name, *(message.sender_name for message in reading.turn.messages)}
    return {**found, **{name: "name" for name in names if name}}


def commands_of(said: Mapping[str, Any], reading: Reading) -> tuple[Command, ...]:
    """The commands in a model's answer. Raises Refused when any of them is none of ours."""
    rows = said.get("commands")
    if not isinstance(rows, list):
        raise Refused("shape")
    if not 0 < len(rows) <= MOST:
        raise Refused("count")
    commands = [
        command for row in rows for command in _command(row if isinstance(row, dict) else {}, reading)
    ]
    if any(isinstance(command, Correct) for command in commands):
        # Who takes something back has not agreed to the rest: they are asked again.
        commands = [command for command in commands if not isinstance(command, Affirm)]
    return tuple(_joined(commands))


def _command(row: Mapping[str, Any], reading: Reading) -> tuple[Command, ...]:
    kind = row.get("command")
    if kind == "not_understood":
        return ()
    if isinstance(kind, str) and kind in _PLAIN:
        return (_PLAIN[kind],)
    if kind == "ask":
        return (Ask(reading.text),)
    if kind == "chitchat":
        value = row.get("kind")
        return (Chitchat(value if value in CHITCHAT else "other"),)
    if kind == "change_language":
        lang = row.get("lang")
        return (ChangeLanguage(lang if lang in reading.turn.business.languages else None),)
    if kind == "clarify":
        return (_clarify(row.get("flows"), reading),)
    if kind == "start_flow":
        return (_start(row, reading),)
    if kind in ("set_slot", "correct"):
        return (_slot(kind, row, reading),)
    raise Refused("command")


def _flow(name: Any, reading: Reading) -> Flow:
    flow = next((flow for flow in in_reach(reading.flows) if flow.name == name), None)
    if flow is None:
        raise Refused("flow")
    return flow


def _clarify(names: Any, reading: Reading) -> Command:
    if not isinstance(names, list) or not 1 < len(names) <= 3:
        raise Refused("count")
    return Clarify(tuple(dict.fromkeys(_flow(name, reading).name for name in names)))


def _start(row: Mapping[str, Any], reading: Reading) -> Command:
    flow = _flow(row.get("flow"), reading)
    slots = dict(slots_for(flow, reading.found, reading.text))
    given = row.get("slots", [])
    if not isinstance(given, list):
        raise Refused("shape")
    for pair in given:
        name, value = (pair.get("name"), pair.get("value")) if isinstance(pair, dict) else (None, None)
        step = flow.collect(name) if isinstance(name, str) else None
        if step is None:
            raise Refused("slot")
        if (accepted := _read(step, value, {}, reading)) is None:
            continue  # the flow asks for it, as it would have without a model
        slots.setdefault(step.slot, accepted)
    return StartFlow(flow.name, slots)


def _slot(kind: str, row: Mapping[str, Any], reading: Reading) -> Command:
    """A slot of a running flow, or what a customer says of themselves; its value fits and was said."""
    name, value = row.get("name"), row.get("value")
    if not isinstance(name, str):
        raise Refused("slot")
    steps = open_steps(reading)
    if not steps and name in CLAIMS:
        steps = {name: Collect(name, name, name, "", "")}  # type: ignore[arg-type]
    step = steps.get(name)
    if step is None:
        raise Refused("slot")
    accepted = _read(step, value, open_slots(reading), reading)
    if accepted is None:
        raise Refused("value")
    given = any(name in frame.given for frame in reading.state.frames)
    return Correct(name, accepted) if kind == "correct" and given else SetSlot(name, accepted)


def _read(step: Collect, value: Any, slots: Mapping[str, Any], reading: Reading) -> Any:
    """The value as the slot keeps it; None when it does not fit, or the customer did not say it."""
    if not isinstance(value, str | bool):
        return None
    accepted = accept(step, value, slots, reading.turn)
    if accepted is None or step.type in ("yes_no", "choice"):
        return accepted
    # A name, sum or address that the customer did not write is made up.
    written = " ".join(str(value).casefold().split()) in " ".join(reading.text.casefold().split())
    found = accepted == reading.found.fits(step) or any(one.value == accepted for one in reading.found.found)
    return accepted if written or found else None


def _joined(commands: list[Command]) -> list[Command]:
    """Slots said along with the start of a flow are given to it."""
    start = next((command for command in commands if isinstance(command, StartFlow)), None)
    if start is None:
        return commands
    slots = {command.name: command.value for command in commands if isinstance(command, SetSlot)}
    rest = [command for command in commands if not isinstance(command, SetSlot | StartFlow)]
    return [StartFlow(start.flow, {**start.slots, **slots}), *rest]
