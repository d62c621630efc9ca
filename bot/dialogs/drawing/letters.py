"""How wide a text will be, and where it breaks: there is no browser here to ask, so rather too wide."""

import unicodedata

SIZE = 13
"""Pixels of the letters."""
_NARROW, _WIDE = frozenset("iljftr.,:;'|!()[] "), frozenset("mwMW@%—–")


def width(text: str) -> float:
    """About how wide a line is, in pixels."""
    return sum(_letter(letter) for letter in text)


def _letter(letter: str) -> float:
    kind = unicodedata.category(letter)
    if kind in ("Mn", "Me", "Cf"):
        return 0.0
    if letter in _NARROW:
        return SIZE * 0.36
    if letter in _WIDE or unicodedata.east_asian_width(letter) in "WF":
        return SIZE * 0.98
    if letter > "\u08ff":  # Indic letters are wider than Latin ones
        return SIZE * (0.4 if kind == "Mc" else 0.72)
    return SIZE * (0.68 if letter.isupper() else 0.57)


def wrap(text: str, widest: float, most: int) -> tuple[str, ...]:
    """At most so many lines of a text; what is left out shows as an ellipsis."""
    lines: list[str] = []
    line = ""
    for word in _words(text, widest):
        longer = f"{line} {word}" if line else word
        if line and width(longer) > widest:
            lines.append(line)
            line = word
        else:
            line = longer
    lines += [line] if line else []
    if len(lines) <= most:
        return tuple(lines)
    last = lines[most - 1]
    while last and width(f"{last}…") > widest:
        last = last[:-1]
    return (*lines[: most - 1], f"{last.rstrip()}…")


def _words(text: str, widest: float) -> list[str]:
    """The words; one that is wider than a line in pieces."""
    words: list[str] = []
    for word in text.split():
        while width(word) > widest:
            cut = next(n for n in range(1, len(word) + 1) if width(word[: n + 1]) > widest)
            words.append(word[:cut])
            word = word[cut:]
        words.append(word)
    return words
