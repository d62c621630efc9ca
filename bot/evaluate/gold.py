"""Reading gold files."""

import json
from pathlib import Path
from typing import Any

from bot.errors import InvalidInput


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSONL file. Raises InvalidInput, which names the line."""
    try:
        # Not splitlines: strings may hold other line ends.
        lines = path.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}", field="test") from error
    rows = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InvalidInput(f"{path}:{number} is no JSON: {error}", field="test") from error
        if not isinstance(row, dict):
            raise InvalidInput(f"{path}:{number} is no JSON object", field="test")
        rows.append(row)
    return rows


def raw_bytes(raw: str) -> bytes:
    """A raw mail out of JSON: one character a byte where that fits, else UTF-8."""
    try:
        return raw.encode("latin-1")
    except UnicodeEncodeError:
        return raw.encode("utf-8", "replace")


def share(right: int, rows: int) -> float | None:
    """A part of the whole, to four digits; None of nothing."""
    return round(right / rows, 4) if rows else None
