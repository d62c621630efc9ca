"""What a played customer wants and says: one conversation of a file.

| field | meaning |
| --- | --- |
| `id`, `lang`, `channel`, `flow` | who, in which language, on which of CHANNELS, and what they want |
| `opening` | the first messages |
| `answers` | slot -> what they type when it is asked for; `{code}` is the one-time code they were sent |
| `twists` | what happens on the way, see `KINDS` |
| `expects` | slot -> what must be on record in the end; only what is clear |
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from bot.errors import InvalidInput
from bot.evaluate.gold import read_rows

Kind = Literal[
    "correction", "digression", "cancel", "person", "invalid", "all_at_once", "typos", "switch", "moves"
]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""`correction`, `digression`, `cancel`, `person`: said instead of the next answer, once `after` was given.
`invalid`: typed first when `at` is asked for. `switch`: the later answers are in the language `to`. `moves`:
once `after` was given the same customer goes on on the channel `to`. `all_at_once` and `typos` only name how
the texts are."""
CHANNELS = ("webchat", "whatsapp")
_NEEDS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("correction", "digression", "cancel", "person"), ("after", "say")),
    "invalid": ("at", "say"),
    "switch": ("after", "to"),
    "moves": ("after", "to"),
}


@dataclass(frozen=True, slots=True)
class Twist:
    """Something that does not go straight on."""

    kind: Kind
    after: str = ""
    at: str = ""
    say: str = ""
    to: str = ""
    expects: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Conversation:
    """One customer with one goal."""

    id: str
    lang: str
    channel: str
    flow: str
    opening: tuple[str, ...]
    answers: Mapping[str, str] = field(default_factory=dict)
    twists: tuple[Twist, ...] = ()
    expects: Mapping[str, Any] = field(default_factory=dict)

    def has(self, kind: Kind) -> bool:
        """Whether it has such a twist."""
        return any(twist.kind == kind for twist in self.twists)

    @property
    def wanted(self) -> dict[str, Any]:
        """What must be on record in the end: what was expected, as the corrections leave it."""
        wanted = dict(self.expects)
        for twist in self.twists:
            wanted.update(twist.expects)
        return wanted


def read_conversations(path: Path) -> list[Conversation]:
    """The conversations of a JSONL file. Raises InvalidInput that names the line and what is wrong."""
    rows = read_rows(path)
    if not rows:
        raise InvalidInput(f"{path} holds no conversation", field="test")
    return [read_conversation(row, f"{path}, row {number}") for number, row in enumerate(rows, 1)]


def read_conversation(row: Mapping[str, Any], where: str) -> Conversation:
    """One conversation. Raises InvalidInput."""
    for name in ("id", "lang", "channel", "flow"):
        if not isinstance(row.get(name), str):
            raise InvalidInput(f"{where} needs the text `{name}`", field="test")
    if row["channel"] not in CHANNELS:
        raise InvalidInput(f"{where}: channel is one of {', '.join(CHANNELS)}", field="test")
    opening = row.get("opening")
    if not isinstance(opening, list) or not opening or not all(isinstance(one, str) for one in opening):
        raise InvalidInput(f"{where} needs `opening`, a list of messages", field="test")
    return Conversation(
        row["id"],
        row["lang"],
        row["channel"],
        row["flow"],
        tuple(opening),
        {slot: str(text) for slot, text in (row.get("answers") or {}).items()},
        tuple(_twist(one, where) for one in row.get("twists") or ()),
        dict(row.get("expects") or {}),
    )


def _twist(row: Any, where: str) -> Twist:
    kind = row.get("kind") if isinstance(row, dict) else None
    if kind not in KINDS:
        raise InvalidInput(f"{where}: a twist is one of {', '.join(KINDS)}", field="test")
    missing = [name for name in _NEEDS.get(kind, ()) if not isinstance(row.get(name), str)]
    if missing:
        raise InvalidInput(f"{where}: the twist {kind} needs {', '.join(missing)}", field="test")
    texts = {name: row.get(name, "") for name in ("after", "at", "say", "to")}
    return Twist(kind, **texts, expects=dict(row.get("expects") or {}))
