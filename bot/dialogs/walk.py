"""A walk over the states a flow can wait in, with the real engine: two turns must lead out of each."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from bot.dialogs.commands import Cancel, Command, Handoff, Understood
from bot.dialogs.engine import decide
from bot.dialogs.flows.model import Call, Collect, Confirm, Flow, Flows
from bot.dialogs.state import Frame, from_json
from bot.dialogs.turn import Business, Customer, FindCases, HandOff, Need, Plan, SearchKnowledge, Turn
from bot.knowledge.answer import Answer
from bot.messages import InboundMessage

TURNS = 2
NOW = datetime(2026, 1, 5, 10, tzinfo=UTC)
_BUSINESS = Business("", "IN", "Asia/Kolkata", ("en",), "INR")


def stuck(flow: Flow, flows: Flows) -> Iterator[tuple[str, str]]:
    """(step id, what is wrong) of each question of a flow that cannot be left."""
    for step in flow.steps:
        if not isinstance(step, Collect | Confirm):
            continue
        for frames in _waiting(flow, step.id, flows):
            if not _leaves(frames, flows, Cancel()):
                yield step.id, f"`cancel` does not leave this question within {TURNS} turns"
            if not _leaves(frames, flows, Handoff()):
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


def _leaves(frames: list[Frame], flows: Flows, command: Command) -> bool:
    state: Any = {"frames": [frame.to_json() for frame in frames]}
    for _ in range(TURNS):
        plan = _play(state, flows, command)
        person = any(isinstance(write, HandOff) for write in plan.writes)
        if person or (isinstance(command, Cancel) and not from_json(plan.state).frames):
            return True
        state = plan.state
    return False


def _play(state: Any, flows: Flows, command: Command) -> Plan:
    message = InboundMessage("walk", "webchat", "us", "them", "x", text="x")
    turn = Turn(NOW, "webchat", _BUSINESS, Customer(), (message,), state)
    deciding = decide(turn, Understood((command,), "en", "exact"), flows)
    answer: Any = None
    while True:
        try:
            answer = _answer(deciding.send(answer))
        except StopIteration as done:
            plan: Plan = done.value
            return plan


def _answer(need: Need) -> Any:
    """A stranger of whom nothing is known."""
    if isinstance(need, SearchKnowledge):
        return Answer("none")
    return () if isinstance(need, FindCases) else None
