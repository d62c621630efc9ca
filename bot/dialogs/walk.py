"""A walk over the states a flow can wait in, with the real engine: two turns must lead out of each."""

from collections.abc import Iterator
from typing import Any

from bot.dialogs.commands import Cancel, Command, Handoff, Understood
from bot.dialogs.flows.model import Call, Collect, Confirm, Flow, Flows
from bot.dialogs.rehearsal import Rehearsal
from bot.dialogs.state import Frame, from_json
from bot.dialogs.turn import HandOff, Plan

TURNS = 2


def stuck(flow: Flow, flows: Flows) -> Iterator[tuple[str, str]]:
    """(step id, what is wrong) of each question of a flow that cannot be left."""
    for step in flow.steps:
        if not isinstance(step, Collect | Confirm):
            continue
        for frames in _waiting(flow, step.id, flows):
            if not leaves(frames, flows, Cancel()):
                yield step.id, f"`cancel` does not leave this question within {TURNS} turns"
            if not leaves(frames, flows, Handoff()):
                yield step.id, f"asking for a person does not reach one within {TURNS} turns"


def _waiting(flow: Flow, step: str, flows: Flows) -> Iterator[list[Frame]]:
    """The stacks in which a question waits: of its flow alone, and of each flow that calls it."""
    yield [Frame(flow.name, flow.version, step)]
    for caller in flows.values():
        for call in caller.steps:
            if isinstance(call, Call) and call.flow == flow.name:
                yield [
                    Frame(caller.name, caller.version, call.id),
                    Frame(flow.name, flow.version, step, call=call.id),
                ]


def leaves(frames: list[Frame], flows: Flows, command: Command) -> bool:
    """Whether a command, said again and again, leads out of the running flows, or to a person, in time."""
    state: Any = {"frames": [frame.to_json() for frame in frames]}
    for _ in range(TURNS):
        plan = _play(state, flows, command)
        person = any(isinstance(write, HandOff) for write in plan.writes)
        if person or (isinstance(command, Cancel) and not from_json(plan.state).frames):
            return True
        state = plan.state
    return False


def _play(state: Any, flows: Flows, command: Command) -> Plan:
    """A turn of a stranger of whom nothing is known."""
    stranger = Rehearsal(flows, state=state)
    return stranger.play(stranger.turn("x"), Understood((command,), "en", "exact"))
