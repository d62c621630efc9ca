"""What an SMS costs: how many parts a text is billed as, and the same text for fewer of them. Pure.

A text of GSM-7 characters alone has 160 places, anything else 70. Longer ones are joined of parts with a
header in each: 153 places, or 67. What takes two places is never cut between two parts.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""GSM 03.38: one place each."""
EXTENSION = frozenset("\f^{}\\[~]|€")
"""Its extension table: an escape and the character, two places."""

_LEAN = str.maketrans(
    {
        **dict.fromkeys("“”„‟«»〝〞″", '"'),
        **dict.fromkeys("‘’‚‛‹›′ʼ", "'"),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        # Spaces that are wider, narrower or do not break.
        **dict.fromkeys("\u00a0\u2002\u2003\u2007\u2008\u2009\u200a\u202f", " "),
        "…": "...",
    }
)


@dataclass(frozen=True, slots=True)
class Segments:
    """What is billed: `parts` messages, of `units` places in all."""

    encoding: Literal["GSM-7", "UCS-2"]
    units: int
    parts: int


def is_gsm7(text: str) -> bool:
    """Whether every character is in GSM 03.38."""
    return BASIC.union(EXTENSION).issuperset(text)


def count(text: str) -> Segments:
    """What the text is billed as."""
    if is_gsm7(text):
        sizes = [2 if sign in EXTENSION else 1 for sign in text]
        return Segments("GSM-7", sum(sizes), _parts(sizes, 160, 153))
    # UCS-2 writes what lies beyond the first 65,536 characters (emoji) as a pair.
    sizes = [2 if ord(sign) > 0xFFFF else 1 for sign in text]
    return Segments("UCS-2", sum(sizes), _parts(sizes, 70, 67))


def _parts(sizes: Iterable[int], alone: int, joined: int) -> int:
    """How many parts hold characters of these sizes, none of them cut."""
    parts, used, total = 1, 0, 0
    for size in sizes:
        total += size
        if used + size > joined:
            parts, used = parts + 1, 0
        used += size
    return 1 if total <= alone else parts


def lean(text: str) -> str:
    """The text with plain quotes, dashes, dots and spaces, where they alone make it GSM-7; else as it is."""
    plain = text.translate(_LEAN)
    return plain if is_gsm7(plain) else text
