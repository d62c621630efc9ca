"""Any script in Latin letters, as South Asian names are commonly written in them.

The scripts of the Brahmi family give their vowels whole. Arabic and Urdu write no short vowels, Tamil one
letter for k and g, t and d, p and b: their words are handed on with `POOR` before them, to be compared by
consonants alone. Other scripts go through anyascii; of these it would leave out inherent vowels (`lksmi`).
"""

import re
import unicodedata
from functools import lru_cache
from pathlib import Path

import yaml
from anyascii import anyascii

LETTERS = yaml.safe_load((Path(__file__).parent / "letters.yaml").read_text("utf-8"))
POOR = "P"
"""Stands before a word whose script says less than Latin does; the rest is lower case."""


def pairs(row: str) -> dict[str, str]:
    """`a b c d` as {a: b, c: d}."""
    parts = row.split()
    return dict(zip(parts[::2], parts[1::2], strict=True))


_BLOCKS = range(0x0900, 0x0D80, 0x80)
_TAMIL = range(0x0B80, 0x0C00)
# Scripts in which a last letter without a sign is spoken with its vowel: Tamil to Sinhala.
_LAST_VOWEL_SPOKEN = 0x0B80
_LAST_NASAL_IS_M = range(0x0C00, 0x0D80)


def _brahmic() -> dict[str, tuple[str, str]]:
    """Letter -> (what kind, its Latin), for all blocks."""
    table: dict[str, tuple[str, str]] = {}
    for rows, blocks in (("brahmic", _BLOCKS), ("own", range(0x0900, 0x0901))):
        for kind, row in LETTERS[rows].items():
            latin = (
                pairs(row) if kind in ("consonants", "vowels", "signs") else dict.fromkeys(row.split(), "")
            )
            for letter, written in latin.items():
                for block in blocks:
                    table[chr(ord(letter) - 0x0900 + block)] = (kind, written)
    return table


_BRAHMIC = _brahmic()
_ARABIC = pairs(LETTERS["arabic"])
_DOTTED = pairs(LETTERS["dotted"])
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe00-\ufe0f\ufeff]")
_RUN = re.compile(
    r"(?P<brahmic>[\u0900-\u0963\u0971-\u0df3]+)|(?P<arabic>[\u0610-\u061a\u0620-\u065f\u066e-\u06d3\u06d5-\u06ef\u06fa-\u06ff]+)"
    r"|[^\x00-\x7f]+"
)
_QUOTES = str.maketrans("", "", "'`")
_APOSTROPHES = str.maketrans(dict.fromkeys("\u2018\u2019\u02bc", "'"))
_TAMIL_SOUNDS = (
    (re.compile("ts"), "ks"),
    (re.compile("thth"), "th"),
    (re.compile("(?<=[aeioun])k(?=[aeiou])"), "g"),
    (re.compile("(?<=[nm])p"), "b"),
    (re.compile("(?<=n)t(?!h)"), "d"),
    (re.compile("ñs"), "nj"),
    (re.compile("ss"), "ch"),
)


def to_latin(text: str, *, unfinished: bool = False) -> str:
    """A text in lower-case ASCII, words of poorer scripts marked.

    `unfinished`: words are as typed so far, so that a last letter before a space promises no vowel yet."""
    if text.isascii():
        return text.lower()
    text = _UNSEEN.sub("", unicodedata.normalize("NFKC", text).casefold()).translate(_APOSTROPHES)

    def run(match: re.Match[str]) -> str:
        if match.lastgroup == "brahmic":
            return _from_brahmic(match[0], unfinished and not text[match.end() : match.end() + 1].strip())
        if match.lastgroup == "arabic":
            return POOR + _from_arabic(match[0])
        return _other(match[0])

    return _RUN.sub(run, text)


def _other(text: str) -> str:
    """What only anyascii knows; the quotes it writes for soft signs are no letters."""
    return anyascii(text).lower().translate(_QUOTES)


@lru_cache(maxsize=4096)
def _from_brahmic(word: str, unfinished: bool) -> str:
    """A run of one or more Brahmic scripts."""
    out: list[str] = []
    bare = False  # the last consonant has had no vowel yet
    joined = False  # it was joined to the one before
    before = ""
    for place, letter in enumerate(word):
        kind, latin = _BRAHMIC.get(letter, ("", ""))
        if kind == "nukta" and out:
            out[-1] = _DOTTED.get(out[-1], out[-1])
        elif kind == "virama":
            bare = False
        elif kind == "signs":
            out.append(latin)
            bare = False
        elif kind != "silent":
            if bare:
                out.append("a")
            bare = kind == "consonants"
            joined = before == "virama"
            if kind == "nasals":
                latin = _nasal(letter, word[place + 1 : place + 2])
            out.append(latin if kind else _other(letter))
        before = kind
    if bare and not unfinished and (joined or ord(word[-1]) >= _LAST_VOWEL_SPOKEN):
        out.append("a")
    latin = "".join(out)
    if ord(word[0]) in _TAMIL:
        for pattern, sound in _TAMIL_SOUNDS:
            latin = pattern.sub(sound, latin)
        latin = POOR + latin
    return latin.replace("jñ", "jny").replace("ñ", "n")


def _nasal(sign: str, following: str) -> str:
    """m before a lip's sound, and at the end of a southern word."""
    if not following:
        return "m" if ord(sign) in _LAST_NASAL_IS_M else "n"
    return "m" if _BRAHMIC.get(following, ("", ""))[1][:1] in ("p", "b", "m") else "n"


@lru_cache(maxsize=4096)
def _from_arabic(word: str) -> str:
    """A word whose alef, waw, yeh, heh and ain are letters or vowels by their place."""
    letters = [_ARABIC[letter] if letter in _ARABIC else _mark(letter) for letter in word]
    letters = [letter for letter in letters if letter]
    out: list[str] = []
    for place, (letter, after) in enumerate(zip(letters, [*letters[1:], ""], strict=False)):
        if letter == _WAW:
            spoken = not out or after in ("a", _YEH, "e") or letters[place - 1] == "a"
            letter = "v" if spoken else "u"
        elif letter == _YEH:
            letter = "y" if after and (not out or after == "a") else "i"
        elif letter == _HAH:
            letter = "h" if not out or letters[place - 1] in _VOWELS else "ah"
        elif letter == _HEH:
            between = out and letters[place - 1] not in _VOWELS
            letter = ("ah" if after else "a") if between else "h"
        elif letter == _AIN:
            letter = "" if out else "a"
        out.append(letter)
    return "".join(out)


_WAW, _YEH, _HEH, _HAH, _AIN = LETTERS["by_place"].split()
_VOWELS = frozenset(("a", "e", _WAW, _YEH))


def _mark(letter: str) -> str:
    """Vowel marks, the aspirating heh and hamza are left out; other languages' go through anyascii."""
    skipped = unicodedata.category(letter) in ("Mn", "Lm") or letter in LETTERS["unheard"]
    return "" if skipped else _other(letter)
