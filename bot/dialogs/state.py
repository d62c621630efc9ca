"""What a conversation remembers between two turns, as JSON.

Reading is tolerant: a state that another version wrote, or that is broken, is a fresh one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bot.dialogs.flows.model import MEMORY, Collect, Confirm, Flow, Flows
from bot.dialogs.turn import Choice, Turn

KEPT = timedelta(days=30)
"""How long a flow that waited too long can still be gone on with."""


@dataclass(slots=True)
class Frame:
    """A running flow. `step` is the id of the step it waits at or goes on from; `given` names the slots
    that the customer filled; `asked` those it asked for; `path` the questions it has behind it. `call`: the
    step of the flow below that called it. `tries`: answers that did not fit, at this step. `doubted`: what it
    wants confirmed was denied, and it asks what is wrong."""

    flow: str
    version: int
    step: str
    slots: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    given: list[str] = field(default_factory=list)
    path: list[str] = field(default_factory=list)
    call: str = ""
    tries: int = 0
    doubted: bool = False

    def go(self, step: str) -> None:
        """Go to a step."""
        self.step, self.tries, self.doubted = step, 0, False

    def forget(self, slot: str) -> None:
        """As if the slot had never been filled."""
        self.slots.pop(slot, None)
        if slot in self.given:
            self.given.remove(slot)

    def to_json(self) -> dict[str, Any]:
        """As the state stores it; what is empty is left out."""
        stored: dict[str, Any] = {
            "flow": self.flow,
            "version": self.version,
            "step": self.step,
            "slots": self.slots,
            "asked": self.asked,
            "given": self.given,
        }
        more = {"path": self.path, "call": self.call, "tries": self.tries, "doubted": self.doubted}
        return stored | {key: value for key, value in more.items() if value}


@dataclass(slots=True)
class DialogState:
    """`frames`: running flows, the innermost last. `offered`: choices of the last reply. `failed`: messages
    in a row that were not understood. `lang` is set when the customer chose it. `paused` are flows
    that waited too long, since `paused_at`; `said` is a message about which we asked back; `after` the flow
    that the last turn ended; `source` the link that brought the customer; `called`: they called, and were
    told to write instead; `echo` names what was said last, and `echoes` how often in a row; `abused`: they
    swore, and were answered; `helped_at`: when it was last asked whether an answer helped."""

    frames: list[Frame] = field(default_factory=list)
    offered: tuple[Choice, ...] = ()
    failed: int = 0
    at: datetime | None = None
    lang: str = ""
    spoken: str = ""
    paused: list[Frame] = field(default_factory=list)
    paused_at: datetime | None = None
    said: str = ""
    after: str = ""
    source: str = ""
    called: bool = False
    echo: str = ""
    echoes: int = 0
    abused: bool = False
    helped_at: datetime | None = None

    @property
    def top(self) -> Frame | None:
        """The flow that runs."""
        return self.frames[-1] if self.frames else None

    def awaited(self, flows: Flows) -> Collect | None:
        """The step whose answer the last reply asked for."""
        step = self._waits_at(flows)
        return step if isinstance(step, Collect) else None

    def confirming(self, flows: Flows) -> Confirm | None:
        """The step that waits for a yes."""
        step = self._waits_at(flows)
        return step if isinstance(step, Confirm) else None

    def _waits_at(self, flows: Flows) -> Any:
        flow = running(self.top, flows) if self.top else None
        index = flow.positions.get(self.top.step) if flow and self.top else None
        return flow.steps[index] if flow and index is not None else None

    def to_json(self) -> dict[str, Any]:
        """As `Plan.state` carries it; what is empty is left out."""
        stored: dict[str, Any] = {
            "frames": [frame.to_json() for frame in self.frames],
            "offered": [[choice.id, choice.key, choice.text] for choice in self.offered],
            "failed": self.failed,
            "at": self.at.isoformat() if self.at else None,
            "lang": self.lang,
            "spoken": self.spoken,
            "said": self.said,
            "after": self.after,
            "source": self.source,
            "called": self.called,
            "paused": [frame.to_json() for frame in self.paused],
            "paused_at": self.paused_at.isoformat() if self.paused and self.paused_at else None,
            "echo": self.echo,
            "echoes": self.echoes,
            "abused": self.abused,
            "helped_at": self.helped_at.isoformat() if self.helped_at else None,
        }
        return {key: value for key, value in stored.items() if value}


def running(frame: Frame, flows: Flows) -> Flow | None:
    """The flow of a frame, in the version it began; another one only while its step is still there."""
    flow = flows.version(frame.flow, frame.version)
    return flow if flow is not None and frame.step in {*flow.positions, "end"} else None


def load(turn: Turn, flows: Flows) -> DialogState:
    """The state a turn starts from; flows that waited too long are set aside, and dropped in the end."""
    state = from_json(turn.state)
    if state.paused_at is None or _age(turn.now, state.paused_at) > KEPT:
        state.paused, state.paused_at = [], None
    if state.at is None:
        return state
    known = [flow for frame in state.frames if (flow := running(frame, flows)) is not None]
    age = _age(turn.now, state.at)
    if age <= max((flow.remembers for flow in known), default=MEMORY):
        state.failed = state.failed if age <= MEMORY else 0
        return state
    aside = DialogState(lang=state.lang, spoken=state.spoken, paused=state.paused, paused_at=state.paused_at)
    if known and age <= KEPT:
        aside.paused, aside.paused_at = state.frames, state.at
    return aside


def from_json(stored: Mapping[str, Any]) -> DialogState:
    """Read a stored state; a fresh one where it cannot be read."""
    try:
        at, paused_at, helped_at = stored.get("at"), stored.get("paused_at"), stored.get("helped_at")
        return DialogState(
            frames=[_frame(frame) for frame in stored.get("frames") or ()],
            offered=tuple(
                Choice(str(id), str(key), str(text)) for id, key, text in stored.get("offered") or ()
            ),
            failed=int(stored.get("failed") or 0),
            at=datetime.fromisoformat(at) if at else None,
            lang=str(stored.get("lang") or ""),
            spoken=str(stored.get("spoken") or ""),
            said=str(stored.get("said") or ""),
            after=str(stored.get("after") or ""),
            source=str(stored.get("source") or ""),
            called=bool(stored.get("called")),
            paused=[_frame(frame) for frame in stored.get("paused") or ()],
            paused_at=datetime.fromisoformat(paused_at) if paused_at else None,
            echo=str(stored.get("echo") or ""),
            echoes=int(stored.get("echoes") or 0),
            abused=bool(stored.get("abused")),
            helped_at=datetime.fromisoformat(helped_at) if helped_at else None,
        )
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        return DialogState()


def _frame(stored: Mapping[str, Any]) -> Frame:
    return Frame(
        flow=str(stored["flow"]),
        version=int(stored["version"]),
        step=str(stored["step"]),
        slots=dict(stored.get("slots") or {}),
        asked=[str(slot) for slot in stored.get("asked") or ()],
        given=[str(slot) for slot in stored.get("given") or ()],
        path=[str(step) for step in stored.get("path") or ()],
        call=str(stored.get("call") or ""),
        tries=int(stored.get("tries") or 0),
        doubted=bool(stored.get("doubted")),
    )


def _age(now: datetime, then: datetime) -> timedelta:
    if (now.tzinfo is None) != (then.tzinfo is None):
        return timedelta(0)
    return now - then
