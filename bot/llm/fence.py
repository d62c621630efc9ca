"""What others wrote, made fit to stand inside a prompt: as data, which cannot end its own fence, speak in the
model's control words, or hide what a person would not see."""

import re
import unicodedata
from typing import Any

from bot.llm.mask import without_places

LONGEST = 4000
"""Characters of one value."""
# Ends of our fences, the control words of chat templates, and headings that pretend a new speaker.
_FENCES = re.compile(r"<{3,}|>{3,}|`{3,}")
_CONTROL = re.compile(
    r"<\|[^|<>]{0,40}\|>|<\|+|\|+>|\[/?INST\]|<</?SYS>>|</?s>|<\w{1,12}_of_turn>", re.IGNORECASE
)
_SPEAKER = re.compile(
    r"^(\s*#*\s*)(system|assistant|developer|user|tool)(\s*:)", re.IGNORECASE | re.MULTILINE
)
_KEPT_FORMAT = "\u200c\u200d"
"""Joiners that Indic scripts and Urdu are written with."""


def fenced(value: Any) -> Any:
    """A value as it may stand in a prompt. Applied to every one of them, by the prompts' environment."""
    if not isinstance(value, str):
        return value
    text = "".join(char for char in value[:LONGEST] if _seen(char))
    text = _FENCES.sub(" ", _CONTROL.sub(" ", text))
    return without_places(_SPEAKER.sub(r"\1\2 -", text))


def _seen(char: str) -> bool:
    """Not a control sign, a turn of direction, or one of the letters that nobody sees (tags, selectors)."""
    if char.isprintable() or char in "\n\t" or char in _KEPT_FORMAT:
        point = ord(char)
        return not (0xFE00 <= point <= 0xFE0F or 0xE0000 <= point <= 0xE0FFF)
    return unicodedata.category(char) == "Zs"
