"""Which language a message is written in. Script first; in Latin letters, by its words."""

import re
import unicodedata
from functools import lru_cache
from pathlib import Path

from bot.knowledge.tokens import fold
from bot.yaml_text import read_yaml

_SCRIPTS: tuple[tuple[int, int, str], ...] = (
    (0x0900, 0x097F, "hi"),
    (0x0980, 0x09FF, "bn"),
    (0x0A00, 0x0A7F, "pa"),
    (0x0A80, 0x0AFF, "gu"),
    (0x0B00, 0x0B7F, "or"),
    (0x0B80, 0x0BFF, "ta"),
    (0x0C00, 0x0C7F, "te"),
    (0x0C80, 0x0CFF, "kn"),
    (0x0D00, 0x0D7F, "ml"),
    (0x0D80, 0x0DFF, "si"),
    (0x0600, 0x06FF, "ur"),
)
_LATIN_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
_SHARED = 0.4
"""What a word counts for English that romanised Hindi has as well ("the", "is", "do")."""
_ENOUGH = 20
"""Letters below which langdetect is a coin toss."""
_DEVANAGARI = ("hi", "mr", "ne")


def detect(text: str, spoken_here: tuple[str, ...] = (), before: str = "") -> str:
    """The language of a text, or `before` when the text does not tell ("ok", a number).

    `spoken_here` are the business's languages: Marathi and Nepali are looked for only where they are spoken.
    """
    counts: dict[str, int] = {}
    latin = 0
    if text.isascii():
        latin = 1
    else:
        for char in text[:400]:
            code = ord(char)
            if code < 0x0250:
                latin += char.isalpha()
                continue
            lang = _of_script(code)
            if lang:
                counts[lang] = counts.get(lang, 0) + 1
    if counts:
        lang = max(counts, key=lambda name: counts[name])
        # A Latin brand name in a Hindi sentence, or one Hindi word in an English one.
        if counts[lang] * 3 >= latin:
            return _devanagari(text, spoken_here) if lang == "hi" else lang
    return _latin(text) or before


@lru_cache(maxsize=4096)
def _of_script(code: int) -> str:
    """The language of a letter's script; digits and marks of punctuation tell nothing."""
    if unicodedata.category(chr(code))[0] not in "LM":
        return ""
    return next((lang for first, last, lang in _SCRIPTS if first <= code <= last), "")


@lru_cache(maxsize=1)
def _words() -> dict[str, float]:
    """Word -> its weight: positive for romanised Hindi, negative for English."""
    lists = read_yaml((Path(__file__).parent / "language.yaml").read_text(encoding="utf-8"))
    weights = dict.fromkeys(lists["both_but_mostly_en"].split(), -_SHARED)
    weights |= dict.fromkeys(lists["en"].split(), -1.0)
    return weights | dict.fromkeys(lists["hi-Latn"].split(), 1.0)


def _latin(text: str) -> str:
    """en or hi-Latn; empty when no word tells."""
    weights = _words()
    score = seen = 0.0
    for word in _LATIN_WORD.findall(fold(text[:400])):
        weight = weights.get(word, 0.0)
        score += weight
        seen += abs(weight)
    if not seen:
        return ""
    return "hi-Latn" if score > 0 else "en"


def _devanagari(text: str, spoken_here: tuple[str, ...]) -> str:
    rivals = [lang for lang in _DEVANAGARI if lang in spoken_here]
    if len(rivals) < 2 or len(text) < _ENOUGH:
        return rivals[0] if rivals and "hi" not in rivals else "hi"
    return _langdetect(text, tuple(rivals))


def _langdetect(text: str, rivals: tuple[str, ...]) -> str:
    """langdetect among a few languages. Slow (milliseconds), so only where it decides something."""
    from langdetect import DetectorFactory, LangDetectException, detect_langs

    DetectorFactory.seed = 0
    try:
        return next((str(guess.lang) for guess in detect_langs(text) if guess.lang in rivals), rivals[0])
    except LangDetectException:
        return rivals[0]
