"""What changed between two texts, line by line, for people to read."""

from difflib import SequenceMatcher
from typing import Literal

AROUND = 3
"""Lines that stayed the same, shown on each side of a difference."""

Kind = Literal["same", "gone", "new", "skip"]
Line = tuple[Kind, str]


def difference(before: str, after: str) -> list[Line]:
    """What changed, line by line; of what stayed the same, `AROUND` lines around each change. A `skip` says
    how many lines are left out."""
    old, new = before.splitlines(), after.splitlines()
    lines: list[Line] = []
    at = 0
    for group in SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(AROUND):
        if group[0][1] > at:
            lines.append(("skip", str(group[0][1] - at)))
        for tag, begin, end, first, last in group:
            if tag == "equal":
                lines += [("same", line) for line in old[begin:end]]
            else:
                lines += [("gone", line) for line in old[begin:end]]
                lines += [("new", line) for line in new[first:last]]
        at = group[-1][2]
    if lines and at < len(old):
        lines.append(("skip", str(len(old) - at)))
    return lines
