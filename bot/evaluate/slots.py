"""`samvad eval slots`: values that customers give in annotated dialogues, as a flow's step would read them.

The gold is SGD's, `[{"turns": [{"speaker", "utterance", "frames": [{"actions": …}]}]}]`: each INFORM of a
user's turn with one canonical value counts once, in that turn. Its slot has one of our types by its name:

| SGD slot | type | compared with the canonical value |
| --- | --- | --- |
| `…date`, `date_…` | date | ISO day; SGD's today is Friday 2019-03-01 |
| `…time` | time | HH:MM |
| `…amount`, `…price`, `…fare`, `…cost` | money | the sum in dollars |
| `num…`, `…travelers`, `stay_length` and their like | quantity | the number; the step's `unit` is counted |
| `phone…`, `email…` | phone, email | the value |

The step's value is what was extracted from the message; where there is none and the turn before asked for
this slot, what the step accepts as an answer, as in a flow. A step for the end of a stay takes the last of
several days. Left out: what we have no type for (cities, titles, genres, yes or no, ratings), names of
third persons and of things (our `name` is the writer's own), and `dontcare`, which is no value.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.dialogs.flows.model import Collect, SlotType
from bot.dialogs.slots import accept
from bot.dialogs.turn import Business, Customer, Turn
from bot.dialogs.understanding.extract import extract
from bot.errors import InvalidInput
from bot.evaluate.gold import share

_TYPES: tuple[tuple[str, SlotType, str], ...] = (
    (r"(?:^|_)date(?:_|$)", "date", ""),
    (r"(?:^|_)time$", "time", ""),
    (r"(?:amount|price|fare|cost)$", "money", ""),
    (r"rooms$", "quantity", "room"),
    (r"beds$", "quantity", "bed"),
    (r"baths$", "quantity", "bath"),
    (r"(?:bags|luggage)$", "quantity", "bag"),
    (r"(?:stay_length|number_of_days)$", "quantity", "day"),
    (r"^num|(?:travelers|passengers|party_size|group_size|riders|adults)$", "quantity", "person"),
    (r"^phone", "phone", ""),
    (r"^email", "email", ""),
)
_ENDS = re.compile(r"return|dropoff|check_out|end_")
"""Slots of the end of a stay: of several days in a message theirs is the last."""
_TODAY = datetime(2019, 3, 1, 17, tzinfo=UTC)
_TURN = Turn(
    _TODAY,
    "webchat",
    Business("Samvad", "US", "America/Los_Angeles", ("en",), "USD"),
    Customer(lang="en"),
    (),
)


@dataclass(frozen=True, slots=True)
class Given:
    """A value that a user gave: in which words, for which step, and whether it had been asked for."""

    where: str
    text: str
    step: Collect
    gold: str
    asked: bool


def evaluate_slots(test: Path) -> dict[str, Any]:
    """The share of values that are right in the turn they are given, in all and by type."""
    right: Counter[str] = Counter()
    given: Counter[str] = Counter()
    wrong: list[str] = []
    for one in _given(_dialogues(test)):
        given[one.step.type] += 1
        if _same(_read(one), one):
            right[one.step.type] += 1
        else:
            wrong.append(one.where)
    return {
        "right": share(right.total(), given.total()),
        "right_by_type": {type: share(right[type], given[type]) for type in sorted(given)},
        "given": dict(sorted(given.items())),
        "wrong": wrong,
    }


def _dialogues(test: Path) -> list[dict[str, Any]]:
    try:
        dialogues = json.loads(test.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{test} cannot be read as JSON: {error}", field="test") from error
    if not isinstance(dialogues, list) or not all(
        isinstance(one, dict) and "turns" in one for one in dialogues
    ):
        raise InvalidInput(f"{test} is no list of dialogues with `turns`", field="test")
    return dialogues


def _given(dialogues: list[dict[str, Any]]) -> Iterator[Given]:
    for dialogue in dialogues:
        asked: set[str] = set()
        for number, turn in enumerate(dialogue["turns"]):
            acts = [act for frame in turn.get("frames", ()) for act in frame.get("actions", ())]
            if turn.get("speaker") != "USER":
                asked = {act["slot"] for act in acts if act["act"] == "REQUEST"}
                continue
            for act in acts:
                step = _step(act["slot"]) if act["act"] == "INFORM" else None
                values = [str(value) for value in act.get("canonical_values", ())]
                if step is not None and len(values) == 1 and values[0] != "dontcare":
                    where = f"{dialogue.get('dialogue_id', '')}/{number}/{act['slot']}"
                    yield Given(where, str(turn["utterance"]), step, values[0], act["slot"] in asked)


def _step(slot: str) -> Collect | None:
    for pattern, type, unit in _TYPES:
        if re.search(pattern, slot):
            return Collect(slot, slot, type, "", "", unit=unit, last=_ENDS.match(slot) is not None)
    return None


def _read(given: Given) -> Any:
    value = extract(given.text, _TURN, "en").fits(given.step)
    return accept(given.step, given.text, {}, _TURN) if value is None and given.asked else value


def _same(value: Any, given: Given) -> bool:
    if given.step.type == "money":
        return bool(value) and value["minor"] == round(float(given.gold.replace(",", "")) * 100)
    if given.step.type == "quantity":
        return bool(value) and str(value["amount"]) == given.gold
    return bool(value == given.gold)
