"""A message as understanding reads it: without what nobody sees, and in the letters it pretends to be in.

What the customer wrote is kept as it came; only the reading of it changes.
"""

import re
import unicodedata

MARKS = 3
"""Combining marks that a letter may carry; more are ornament."""
RUN = 12
"""How often in a row a character is read."""
# Control signs, zero-width space, word joiner, turns of direction, invisible operators, selectors, tags. The
# two joiners stay: Indic scripts and Urdu are written with them.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U000e0000-\U000e0fff]"
)
_RUNS = re.compile(rf"(.)\1{{{RUN},}}", re.DOTALL)
# Letters and signs that are another font's: full width, mathematical, in circles or boxes.
_STYLED = re.compile("[\u2100-\u214f\u2460-\u24ff\uff01-\uff5e\U0001d400-\U0001d7ff\U0001f100-\U0001f189]")
_MIXED = re.compile(r"[^\W\d_]+")
_LATIN = re.compile("[A-Za-z]")
_LIKE_LATIN = str.maketrans(
    "АВЕЅІЈКМНОРСТУХаеіјорсухѕԁһԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧαορνικ",
    "ABESIJKMHOPCTYXaeijopcyxsdhqwABEZHIKMNOPTYXaopvik",
)


def legible(text: str) -> str:
    """The text to be understood. Costs nothing for plain ones."""
    if text.isascii() and text.isprintable() and not _RUNS.search(text):
        return text
    text = _UNSEEN.sub("", text.replace("\r", "\n"))
    if not text.isascii():
        text = _STYLED.sub(lambda sign: unicodedata.normalize("NFKC", sign.group()), text)
        text = _MIXED.sub(_one_script, _fewer_marks(unicodedata.normalize("NFC", text)))
    return _RUNS.sub(lambda run: run.group()[:RUN], text)


def _one_script(word: re.Match[str]) -> str:
    """A Latin word with a few Cyrillic or Greek letters in it, all in Latin."""
    letters = word.group()
    return letters.translate(_LIKE_LATIN) if _LATIN.search(letters) else letters


def _fewer_marks(text: str) -> str:
    """Letters with a tower of marks upon them lose all but a few."""
    kept: list[str] = []
    marks = 0
    for char in text:
        marks = marks + 1 if unicodedata.combining(char) or unicodedata.category(char) == "Me" else 0
        if marks <= MARKS:
            kept.append(char)
    return "".join(kept)
