"""Recorded conversations: YAML files that say what customers write and what the bot does about it.

`read_recordings(folder, words)` reads them; what is wrong in one is named with its line (docs/flows.md).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import yaml

from bot.dialogs import flows
from bot.dialogs.flows.read import LINE, LineLoader, read_span
from bot.dialogs.looks import CodeAnswer, OrderAnswer, VisitView
from bot.dialogs.plain import bare, made
from bot.dialogs.rehearsal import NOW
from bot.dialogs.turn import CaseView, Customer, LeadView, Write
from bot.errors import ConfigurationInvalid, InvalidInput
from bot.i18n import Words
from bot.knowledge.answer import Answer
from bot.messages import ChannelName

RECORDED = "recorded"
"""The folder of recordings beside the flows they are of."""
SHIPPED = Path(flows.__file__).parent
KNOWN: Mapping[str, type] = {
    "customer": Customer,
    "lead": LeadView,
    "cases": CaseView,
    "visits": VisitView,
    "free": datetime,
    "order": OrderAnswer,
    "code": CodeAnswer,
    "answer": Answer,
}
"""What `knows` may give the bot, and what each is; several of cases, visits and free times."""
SEVERAL = frozenset({"cases", "visits", "free"})
WRITES: Mapping[str, type] = {
    re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower(): kind for kind in get_args(Write)
}
"""The names of what a turn may write: `open_case` is OpenCase."""
_RECORDING = frozenset({"name", "lang", "channel", "now", "knows", "turns"})
_TURN = frozenset({"user", "button", "after", "lang", "knows", "bot", "state", "writes"})
_STATE = frozenset({"flow", "asks", "slots"})
_KEY = re.compile(r"[a-z][a-z0-9_]*(\.[A-Za-z0-9_-]+)+")


@dataclass(frozen=True, slots=True)
class Exchange:
    """What a customer does, and what is to come of it; None is not looked at.

    `bot`: what it says, text by text: a key of `locales/`, or words that the text holds. `state`: the
    running `flow`, the slot it `asks` for ("confirm" for a yes), some of its `slots`. `writes`: (name,
    fields) of what is to be among the writes; none at all when it is empty."""

    line: int
    user: str = ""
    button: str = ""
    after: timedelta = timedelta(0)
    lang: str = ""
    knows: Mapping[str, Any] = field(default_factory=dict)
    bot: tuple[str, ...] | None = None
    state: Mapping[str, Any] = field(default_factory=dict)
    writes: tuple[tuple[str, Mapping[str, Any]], ...] | None = None


@dataclass(frozen=True, slots=True)
class Recording:
    """A conversation. `lang`: what the bot speaks all along, unless it is empty; `knows` before it begins."""

    file: str
    line: int
    name: str
    turns: tuple[Exchange, ...]
    lang: str = ""
    channel: ChannelName = "webchat"
    now: datetime = NOW
    knows: Mapping[str, Any] = field(default_factory=dict)


def read_recordings(folder: Path | None, words: Words) -> tuple[Recording, ...]:
    """The recordings beside a folder's flows; of None those of the flows that ship.

    Raises InvalidInput where there are none, ConfigurationInvalid with every problem found in them."""
    files = sorted(((folder or SHIPPED) / RECORDED).glob("*.yaml"))
    if not files:
        raise InvalidInput(
            f"{folder} has no recordings; put them into {RECORDED}/*.yaml there (docs/flows.md)"
        )
    readers = [(_Reader(file.name, words), file) for file in files]
    found = [row for reader, file in readers for row in reader.read(file.read_text(encoding="utf-8"))]
    if problems := [problem for reader, _ in readers for problem in reader.problems]:
        told = "Please mend these recordings:\n" + "\n".join(problems)
        raise ConfigurationInvalid(told, problems=problems)
    return tuple(found)


class _Reader:
    """Gathers problems instead of stopping at the first."""

    def __init__(self, file: str, words: Words) -> None:
        self.file = file
        self.words = words
        self.problems: list[str] = []

    def problem(self, line: int, what: str) -> None:
        self.problems.append(f"{self.file}:{line}: {what}")

    def read(self, text: str) -> tuple[Recording, ...]:
        try:
            data = yaml.load(text, LineLoader)  # noqa: S506 - a SafeLoader
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            # What is never closed is missed after the last line.
            line = max(min(mark.line + 1, len(text.splitlines())), 1) if mark else 1
            self.problem(line, f"not YAML: {getattr(error, 'problem', error)}")
            return ()
        if not isinstance(data, list) or not all(isinstance(row, dict) for row in data) or not data:
            self.problem(1, "a file of recordings is a list, each with `name` and `turns`")
            return ()
        return tuple(self.recording(row) for row in data)

    def recording(self, row: dict[str, Any]) -> Recording:
        line = row[LINE]
        self.only(row, _RECORDING)
        turns = row.get("turns")
        if not row.get("name") or not isinstance(turns, list) or not turns:
            self.problem(line, "a recording has a `name` and a list of `turns`")
            turns = []
        channel = row.get("channel", "webchat")
        if channel not in get_args(ChannelName):
            self.problem(line, f"channel {channel!r} is none of {', '.join(get_args(ChannelName))}")
        now = self.value(datetime, row["now"], line) if "now" in row else NOW
        return Recording(
            self.file,
            line,
            str(row.get("name", "")),
            tuple(self.turn(turn, line) for turn in turns),
            self.lang(row),
            channel,
            now or NOW,
            self.knows(row),
        )

    def turn(self, row: Any, line: int) -> Exchange:
        if not isinstance(row, dict):
            self.problem(line, "a turn is a mapping such as `{user: hello, bot: [greet.hello]}`")
            return Exchange(line)
        line = row[LINE]
        self.only(row, _TURN)
        user, button = row.get("user"), row.get("button")
        if not isinstance(user or button, str) or (user and button):
            self.problem(
                line, "a turn has what the customer writes in `user`, or presses in `button`, as text"
            )
        after = read_span(row.get("after", "0m"))
        if after is None:
            self.problem(line, f"after must be as 30m, 12h, 7d or 2w, not {row['after']!r}")
        return Exchange(
            line,
            str(user or ""),
            str(button or ""),
            after or timedelta(0),
            self.lang(row),
            self.knows(row),
            self.bot(row),
            self.state(row),
            self.writes(row),
        )

    def lang(self, row: dict[str, Any]) -> str:
        lang = row.get("lang", "")
        if lang and lang not in self.words.languages:
            self.problem(
                row[LINE], f"there are no words in {lang}; there are {', '.join(self.words.languages)}"
            )
        return str(lang)

    def bot(self, row: dict[str, Any]) -> tuple[str, ...] | None:
        said = row.get("bot")
        said = [said] if isinstance(said, str) else said
        if said is None:
            return None
        if not isinstance(said, list) or not all(isinstance(text, str) for text in said):
            self.problem(row[LINE], "bot is a list of keys and texts; quote yes, no and numbers")
            return None
        for text in said:
            if _KEY.fullmatch(text) and not self.words.has(text):
                self.problem(row[LINE], f"there are no words for {text}")
        return tuple(said)

    def state(self, row: dict[str, Any]) -> dict[str, Any]:
        state = row.get("state", {})
        if not isinstance(state, dict) or not isinstance(state.get("slots", {}), dict):
            self.problem(row[LINE], "state is as `{flow: open_case, asks: description, slots: {…}}`")
            return {}
        self.only(state, _STATE)
        return dict(bare(state))

    def writes(self, row: dict[str, Any]) -> tuple[tuple[str, Mapping[str, Any]], ...] | None:
        """Each a name, or a mapping of one name to some of its fields."""
        given = row.get("writes")
        if given is None:
            return None
        found = []
        for one in given if isinstance(given, list) else [given]:
            name, wanted = next(iter(bare(one).items()), ("", 0)) if isinstance(one, dict) else (str(one), {})
            kind = WRITES.get(name)
            if kind is None or not isinstance(wanted, dict):
                how = f"writes lists some of {', '.join(WRITES)}, as `open_case: {{priority: high}}`"
                self.problem(row[LINE], how)
                continue
            known = {spec.name for spec in fields(kind)}
            for unknown in wanted.keys() - known:
                self.problem(row[LINE], f"{name} has no {unknown}; it has {', '.join(sorted(known))}")
            found.append((name, wanted))
        return tuple(found)

    # --- what the bot knows ----------------------------------------------------------------------------

    def knows(self, row: dict[str, Any]) -> dict[str, Any]:
        given = row.get("knows", {})
        if not isinstance(given, dict):
            self.problem(row[LINE], f"knows gives {', '.join(KNOWN)}")
            return {}
        self.only(given, frozenset(KNOWN))
        known: dict[str, Any] = {}
        for name, value in given.items():
            kind = KNOWN.get(name)
            if kind is None:
                continue
            line = given[LINE]
            if name not in SEVERAL:
                known[name] = self.value(kind, value, line)
            elif isinstance(value, list):
                known[name] = tuple(self.value(kind, one, line) for one in value)
            else:
                self.problem(line, f"{name} is a list")
        return known

    def value(self, kind: Any, given: Any, line: int) -> Any:
        """A value of a kind from what YAML holds; times without a zone are the business's."""
        try:
            return made(kind, given)
        except (TypeError, ValueError) as error:
            self.problem(line, str(error))
            return None

    def only(self, row: Mapping[Any, Any], names: frozenset[str]) -> None:
        for name in row:
            if name not in names and name != LINE:
                self.problem(row[LINE], f"{name} is not known here; use one of {', '.join(sorted(names))}")
