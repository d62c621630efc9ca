"""What an action is given and what it answers with."""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.dialogs.turn import Need, Say, Turn, Write


@dataclass(frozen=True, slots=True)
class Context:
    """What an action may look at. `slots` are the running flow's; `given` those the customer filled;
    `all_slots` those of every running flow, for a handoff's summary."""

    turn: Turn
    lang: str
    slots: Mapping[str, Any] = field(default_factory=dict)
    given: frozenset[str] = frozenset()
    all_slots: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an action decided. `slots` join the flow's; `lang` is the language to speak from here on;
    `ends` drops every running flow; `unanswered` counts towards a handoff."""

    says: tuple[Say, ...] = ()
    writes: tuple[Write, ...] = ()
    slots: Mapping[str, Any] = field(default_factory=dict)
    lang: str = ""
    ends: bool = False
    unanswered: bool = False


Action = Callable[[Context], Generator[Need, Any, Outcome]]


def cut(text: str, limit: int) -> str:
    """A text in one line of at most so many characters, cut at a word."""
    text = " ".join(text.split())
    if len(text) <= limit:
        return text
    return text[: limit - 1].rsplit(" ", 1)[0] + "…"
