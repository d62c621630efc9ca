"""What a conversation remembers between two turns, as JSON.

Reading is tolerant: a state that another version wrote, or that is broken, is a fresh one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bot.dialogs.flows.model import Collect, Flows
from bot.dialogs.turn import Choice, Turn

MEMORY = timedelta(hours=24)
"""How long an unfinished flow waits for its answer."""


@dataclass(slots=True)
class Frame:
    """A running flow. `step` is the id of the step it waits at or goes on from; `given` names the slots
    that the customer filled; `asked` those it asked for."""

    flow: str
    version: int
    step: str
    slots: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    given: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """As the state stores it."""
        return {
            "flow": self.flow,
            "version": self.version,
            "step": self.step,
            "slots": self.slots,
            "asked": self.asked,
            "given": self.given,
        }


@dataclass(slots=True)
class DialogState:
    """`frames`: running flows, the innermost last. `offered`: choices of the last reply. `failed`: messages
    in a row that were not understood. `lang` is set when the customer chose it. `dropped` names the flow
    that waited too long; `said` is a message about which we asked back; `after` the flow
    that the last turn ended; `source` the link that brought the customer; `called`: they called, and were
    told to write instead; `echo` names what was said last, and `echoes` how often in a row; `abused`: they
    swore, and were answered."""

    frames: list[Frame] = field(default_factory=list)
    offered: tuple[Choice, ...] = ()
    failed: int = 0
    at: datetime | None = None
    lang: str = ""
    spoken: str = ""
    dropped: str = ""
    said: str = ""
    after: str = ""
    source: str = ""
    called: bool = False
    echo: str = ""
    echoes: int = 0
    abused: bool = False

    @property
    def top(self) -> Frame | None:
        """The flow that runs."""
        return self.frames[-1] if self.frames else None

    def awaited(self, flows: Flows) -> Collect | None:
        """The step whose answer the last reply asked for."""
        if self.top is None or self.top.flow not in flows:
            return None
        flow = flows[self.top.flow]
        index = flow.positions.get(self.top.step)
        step = flow.steps[index] if index is not None else None
        return step if isinstance(step, Collect) else None

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
            "echo": self.echo,
            "echoes": self.echoes,
            "abused": self.abused,
        }
        return {key: value for key, value in stored.items() if value}


def load(turn: Turn) -> DialogState:
    """The state a turn starts from; what waited over a day is dropped."""
    state = from_json(turn.state)
    if state.at is not None and _age(turn.now, state.at) > MEMORY:
        dropped = state.frames[0].flow if state.frames else ""
        return DialogState(lang=state.lang, spoken=state.spoken, dropped=dropped)
    return state


def from_json(stored: Mapping[str, Any]) -> DialogState:
    """Read a stored state; a fresh one where it cannot be read."""
    try:
        at = stored.get("at")
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
            echo=str(stored.get("echo") or ""),
            echoes=int(stored.get("echoes") or 0),
            abused=bool(stored.get("abused")),
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
    )


def _age(now: datetime, then: datetime) -> timedelta:
    if (now.tzinfo is None) != (then.tzinfo is None):
        return timedelta(0)
    return now - then
