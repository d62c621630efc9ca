"""`samvad eval`: run one of `bot.evaluate.EVALUATIONS` with the files it asks for."""

import inspect
import json
from collections.abc import Callable, Sequence
from typing import Any

from bot.errors import InvalidInput
from bot.evaluate import EVALUATIONS


def run_evaluation(what: str, given: dict[str, Any], say: Callable[[str], Any]) -> str:
    """What failed, a line each where the evaluation names it, and the figures as one line of JSON; `say` is
    told how it goes. Raises InvalidInput for an unknown evaluation or a missing option."""
    if what not in EVALUATIONS:
        raise InvalidInput(f"There is no evaluation {what!r}; there are {', '.join(sorted(EVALUATIONS))}")
    evaluation = EVALUATIONS[what]
    wanted = inspect.signature(evaluation).parameters
    options = {name: value for name, value in given.items() if value is not None}
    missing = [name for name, one in wanted.items() if one.default is one.empty and name not in options]
    foreign = [name for name in options if name not in wanted]
    if missing or foreign:
        problem = f"needs {_flags(missing)}" if missing else f"takes no {_flags(foreign)}"
        raise InvalidInput(f"The evaluation {what} {problem}")
    if "say" in wanted:
        options["say"] = say
    found = evaluation(**options)
    failures = found.pop("failures", ())
    return "\n".join((*_table(failures), json.dumps(found, ensure_ascii=False)))


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows)
    return ["  ".join(row).rstrip() for row in padded]


def _flags(names: list[str]) -> str:
    return ", ".join("--" + name.replace("_", "-") for name in names)
