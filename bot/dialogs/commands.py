"""What understanding may propose: the whole vocabulary between a message and a flow.

Rules, the classifier and an LLM all speak it; nothing else reaches the engine.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class StartFlow:
    """Begin a flow by its name, with slots already given."""

    flow: str
    slots: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SetSlot:
    """The answer to a slot the running flow asks for, or one it will ask for."""

    name: str
    value: Any


@dataclass(frozen=True, slots=True)
class Correct:
    """A new value for a slot answered earlier ("no, my name is …"). None: it is wrong and must be asked
    again ("the date is wrong")."""

    name: str
    value: Any


@dataclass(frozen=True, slots=True)
class Cancel:
    """Leave the running flow."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on with the flow that waited too long, or begin it anew."""

    anew: bool = False


@dataclass(frozen=True, slots=True)
class Affirm:
    """Yes."""


@dataclass(frozen=True, slots=True)
class Deny:
    """No."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A question for the knowledge base."""

    question: str


@dataclass(frozen=True, slots=True)
class Rate:
    """Whether the answer to a question helped."""

    question: str
    helped: bool


@dataclass(frozen=True, slots=True)
class Chitchat:
    """Courtesy: `kind` is greeting, thanks, goodbye or other."""

    kind: str


@dataclass(frozen=True, slots=True)
class Handoff:
    """The customer wants a person."""


@dataclass(frozen=True, slots=True)
class ChangeLanguage:
    """Speak another language; None: ask which."""

    lang: str | None


@dataclass(frozen=True, slots=True)
class OptOut:
    """STOP, with the customer's words as proof."""

    words: str


@dataclass(frozen=True, slots=True)
class OptIn:
    """START, after a STOP."""

    words: str


@dataclass(frozen=True, slots=True)
class Clarify:
    """Not sure which of these flows was meant."""

    flows: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """Nothing fits; the text as it came."""

    text: str


Command = (
    StartFlow
    | SetSlot
    | Correct
    | Cancel
    | Resume
    | Affirm
    | Deny
    | Ask
    | Rate
    | Chitchat
    | Handoff
    | ChangeLanguage
    | OptOut
    | OptIn
    | Clarify
    | NotUnderstood
)


@dataclass(frozen=True, slots=True)
class Understood:
    """What a turn's messages mean. `lang` is the language they were written in (`hi-Latn` for
    romanised Hindi); `source` is exact, extractor, classifier or llm; `abusive`: they swear; `near` are the
    flows that they may have meant, the likeliest first."""

    commands: tuple[Command, ...]
    lang: str
    source: str
    confidence: float = 1.0
    abusive: bool = False
    near: tuple[str, ...] = ()
