"""`samvad eval`: run one of `bot.evaluate.EVALUATIONS` with the files it asks for."""

import inspect
import json
from typing import Any

from bot.errors import InvalidInput
from bot.evaluate import EVALUATIONS


def run_evaluation(what: str, given: dict[str, Any]) -> str:
    """The figures as one line of JSON. Raises InvalidInput for an unknown evaluation or a missing option."""
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
    return json.dumps(evaluation(**options), ensure_ascii=False)


def _flags(names: list[str]) -> str:
    return ", ".join("--" + name.replace("_", "-") for name in names)
