"""Which language a message is in: by its script, then within the script by words, endings and letters.

Evidence within a script comes from word lists of our own (`language.yaml`), from langdetect's counts of
letters (`profiles.py`) and, between Hindi, Marathi and Nepali, from cld2's longer runs. Romanised Indian
languages no library knows: those are told by the lists alone.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pycld2

from bot.dialogs.understanding.profiles import likely
from bot.knowledge.tokens import fold
from bot.yaml_text import read_yaml

_SCRIPTS: tuple[tuple[int, int, str], ...] = (
    (0x0370, 0x03FF, "el"),
    (0x0400, 0x052F, "ru"),
    (0x0590, 0x05FF, "he"),
    (0x0600, 0x077F, "Arab"),
    (0x0780, 0x07BF, "dv"),
    (0x0900, 0x097F, "Deva"),
    (0x0980, 0x09FF, "Beng"),
    (0x0A00, 0x0A7F, "pa"),
    (0x0A80, 0x0AFF, "gu"),
    (0x0B00, 0x0B7F, "or"),
    (0x0B80, 0x0BFF, "ta"),
    (0x0C00, 0x0C7F, "te"),
    (0x0C80, 0x0CFF, "kn"),
    (0x0D00, 0x0D7F, "ml"),
    (0x0D80, 0x0DFF, "si"),
    (0x0E00, 0x0E7F, "th"),
    (0x0F00, 0x0FFF, "bo"),
    (0x1000, 0x109F, "my"),
    (0x1C50, 0x1C7F, "sat"),
    (0x3040, 0x30FF, "ja"),
    (0x4E00, 0x9FFF, "zh"),
    (0xABC0, 0xABFF, "mni"),
    (0xAC00, 0xD7AF, "ko"),
    (0xFB50, 0xFDFF, "Arab"),
    (0xFE70, 0xFEFF, "Arab"),
)
_RIVALS: Mapping[str, tuple[str, ...]] = {
    "Deva": ("hi", "mr", "ne", "sa"),
    "Arab": ("ur", "ar", "fa", "sd", "ps"),
    "Beng": ("bn", "as"),
}
"""Script -> its languages, the commonest here first: an even score is its."""
_COUNTED = frozenset({"hi", "mr", "ne", "ur", "ar", "fa", "bn"})
"""Those of them that langdetect counted."""
_WORLD = ("en", "es", "fr", "de", "pt", "it", "id", "nl", "tr", "tl", "sw", "vi")
_LATIN_WORD = re.compile(r"[a-z\u00c0-\u024f]+(?:['’][a-z]+)?")
_WORD = re.compile(r"[^\W\d_][\w\u0900-\u0963\u0970-\u0dff\u200d]*")
_LONGEST = 400
_ENOUGH = 0.4
"""The part of English's score from which on an Indian language has it: who mixes English into Hindi writes
its nouns and verbs, but nobody puts "ke liye" into English."""
_ENOUGH_OF_ONE, _ONE_WORD = 0.6, 1.2
"""The same, where one word is all there is of it: it may be a name."""
_LITTLE = 0.5
"""Below this score the words tell nothing."""
_PLAIN = 0.4
"""What each word of a text counts for English that has English words and no Indian one."""
_SWITCHES = 1.5
"""Below this score a contact is not taken to speak another language than before: "yes", "thanks bhai"."""
_FOREIGN, _SCATTERED = 0.4, 0.15
"""The part of the words from which on a text is in a romanised language, whatever its letters look like; and
below which its words are there by chance."""


@dataclass(frozen=True, slots=True)
class _Lists:
    """language.yaml, read."""

    romanised: Mapping[str, tuple[str, ...]]
    english: Mapping[str, float]
    world: Mapping[str, tuple[str, ...]]
    words: Mapping[str, Mapping[str, tuple[str, ...]]]
    endings: Mapping[str, Mapping[str, tuple[str, ...]]]
    letters: Mapping[str, re.Pattern[str]]


def detect(text: str, spoken_here: tuple[str, ...] = (), before: str = "") -> str:
    """The language of a text, or `before` when the text does not tell ("ok", a number).

    `spoken_here` are the business's languages: among the languages of one script only those are looked for,
    if there are any. A text that tells little stays with `before`.
    """
    text = text[:_LONGEST]
    if not text.isascii():
        script = _script(text)
        if script in _RIVALS:
            return _within(script, text, spoken_here, before)
        if script:
            return script
    return _latin(text, spoken_here, before)


def _script(text: str) -> str:
    """The script (or its one language) that a text is written in; empty for Latin letters."""
    counts: dict[str, int] = {}
    latin = 0
    for char in text:
        code = ord(char)
        if code < 0x0250:
            latin += char.isalpha()
        elif script := _of_script(code):
            counts[script] = counts.get(script, 0) + 1
    if not counts:
        return ""
    script = max(counts, key=lambda name: counts[name])
    # A Latin brand name in a Hindi sentence, or one Hindi word in an English one.
    return script if counts[script] * 3 >= latin else ""


@lru_cache(maxsize=4096)
def _of_script(code: int) -> str:
    """The script of a letter; digits and marks of punctuation tell nothing."""
    if unicodedata.category(chr(code))[0] not in "LM":
        return ""
    return next((script for first, last, script in _SCRIPTS if first <= code <= last), "")


def _spoken(lang: str, spoken_here: tuple[str, ...]) -> bool:
    """Whether a language is spoken here, in its own letters or in Latin ones."""
    return lang in spoken_here or lang.split("-", 1)[0] in spoken_here


# Within one script


def _within(script: str, text: str, spoken_here: tuple[str, ...], before: str) -> str:
    """The language among those of a script."""
    rivals = _RIVALS[script]
    rivals = tuple(lang for lang in rivals if lang in spoken_here) or rivals
    if len(rivals) == 1:
        return rivals[0]
    scores = {lang: _LEANING.get(lang, 0.0) for lang in rivals}
    if before in scores:
        scores[before] += _STICKS
    for lang, score in _by_lists(script, unicodedata.normalize("NFC", text), rivals):
        scores[lang] += score
    counted = tuple(lang for lang in rivals if lang in _COUNTED)
    if len(counted) > 1:
        for lang, score in zip(counted, likely(text, counted), strict=True):
            scores[lang] += max(score * _PER_LETTER, -_MOST_BY_LETTERS)
    if script == "Deva":
        for lang, share in _by_cld2(text):
            if lang in scores:
                scores[lang] += share * _BY_CLD2
    return max(scores, key=lambda lang: scores[lang])


def _by_lists(script: str, text: str, rivals: tuple[str, ...]) -> Iterable[tuple[str, float]]:
    """What each word of a text says for which language."""
    lists = _lists()
    known, endings = lists.words[script], lists.endings[script]
    for word in _WORD.findall(text):
        if langs := known.get(word):
            yield from ((lang, _BY_WORD * len(langs) ** -1.5) for lang in langs if lang in rivals)
            continue
        for size in range(min(6, len(word) - 1), 0, -1):
            if langs := endings.get(word[-size:]):
                weight = _BY_ENDING * (1 + 0.3 * size) / len(langs)
                yield from ((lang, weight) for lang in langs if lang in rivals)
                break
        yield from ((lang, _BY_LETTER) for lang in rivals if lists.letters[lang].search(word))


_LEANING = {"hi": 0.75, "mr": -0.5, "ne": -0.75, "sa": -4.0, "ur": 6.0, "bn": 1.0}
_STICKS = 1.5
_BY_WORD, _BY_ENDING, _BY_LETTER, _BY_CLD2 = 2.0, 0.34, 3.0, 1.5
_PER_LETTER, _MOST_BY_LETTERS = 0.175, 4.0


def _by_cld2(text: str) -> list[tuple[str, float]]:
    """cld2's guess, once for what it is sure of and once for its best guess: (language, share)."""
    guesses: list[tuple[str, float]] = []
    for guess_anyway in (False, True):
        try:
            _, _, rows = pycld2.detect(text, bestEffort=guess_anyway)
        except (pycld2.error, UnicodeEncodeError):  # broken text
            return []
        guesses += [(row[1], row[2] / 100) for row in rows]
    return guesses


# In Latin letters


def _latin(text: str, spoken_here: tuple[str, ...], before: str) -> str:
    """English, a romanised Indian language, or one of the world's; `before` when the words tell little."""
    words = [word.replace("’", "'") for word in _LATIN_WORD.findall(fold(text))]
    english, romanised = _by_words(words)
    if spoken_here:
        romanised = {lang: score for lang, score in romanised.items() if _spoken(lang, spoken_here)}
    top = max(romanised, key=lambda lang: romanised[lang] + _HINDI_FIRST * (lang == "hi-Latn"), default="")
    score = romanised.get(top, 0.0)
    needed = english * (_ENOUGH if score > _ONE_WORD else _ENOUGH_OF_ONE)
    lang, told = (top, score) if score >= max(_LITTLE, needed) else ("en", english)
    if lang == "en" and english and score < _ONE_WORD:
        told = max(told, (len(words) - 2 * score) * _PLAIN)
    if told < _LITTLE:
        lang = ""
    if not spoken_here and told < len(words) * _FOREIGN:
        world = (
            _surely(text) if lang == top and told >= len(words) * _SCATTERED else _of_the_world(words, text)
        )
        if world and (world != "en" or not lang):
            return before if before and len(words) < 3 else world
    if not lang:
        return before
    return before if before and told < _SWITCHES and lang.split("-")[0] != before.split("-")[0] else lang


def _by_words(words: list[str]) -> tuple[float, dict[str, float]]:
    """What the words say for English and for each romanised language."""
    lists = _lists()
    english = 0.0
    romanised: dict[str, float] = {}
    for word in words:
        weight = lists.english.get(word, 0.0)
        english += weight
        if weight in (_TELLS, _BORROWED):
            continue
        langs = lists.romanised.get(spelling(word), ())
        for lang in langs:
            romanised[lang] = romanised.get(lang, 0.0) + (weight or 1.0) * len(langs) ** -0.5
    return english, romanised


_TELLS, _SHARED, _BORROWED = 1.0, 0.4, 0.2
_HINDI_FIRST = 0.5
_ALIKE = (
    ("aa", "a"), ("ee", "i"), ("ii", "i"), ("oo", "u"), ("uu", "u"), ("ph", "f"), ("w", "v"), ("z", "j"),
    ("chh", "ch"), ("jh", "j"),
)  # fmt: skip
_DOUBLED = re.compile(r"(.)\1+")


@lru_cache(maxsize=8192)
def spelling(word: str) -> str:
    """A romanised word in one of the ways people spell it: long vowels short, no double letters."""
    for many, one in _ALIKE:
        word = word.replace(many, one)
    return _DOUBLED.sub(r"\1", word)


def _surely(text: str) -> str:
    """The language of Latin letters that cld2 is sure of."""
    try:
        sure, _, rows = pycld2.detect(text)
    except (pycld2.error, UnicodeEncodeError):  # broken text
        return ""
    return str(rows[0][1]) if sure and rows[0][1] in _WORLD else ""


def _of_the_world(words: list[str], text: str) -> str:
    """English, or a language of Latin letters that is none of India's; empty when the letters do not tell."""
    if sure := _surely(text):
        return sure
    lists = _lists()
    if all(word in lists.english for word in words):
        return ""
    scores = dict(zip(_WORLD, likely(" ".join(words), _WORLD), strict=True))
    scores["en"] += _ENGLISH_FIRST
    for word in words:
        for lang in lists.world.get(word, ()):
            scores[lang] += _BY_WORLD_WORD
    return max(scores, key=lambda lang: scores[lang])


_ENGLISH_FIRST = 8.0
_BY_WORLD_WORD = 4.0


@lru_cache(maxsize=1)
def _lists() -> _Lists:
    rows = read_yaml((Path(__file__).parent / "language.yaml").read_text(encoding="utf-8"))
    romanised: dict[str, set[str]] = {}
    verbs = rows["hindi_verbs"]
    inflected = [stem + end for stem in verbs["stems"].split() for end in verbs["endings"].split()]
    for lang, text in rows["romanised"].items():
        for word in (*text.split(), *(inflected if lang == "hi-Latn" else ())):
            romanised.setdefault(spelling(word), set()).add(lang)
    english: dict[str, float] = {}
    for name, weight in (("borrowed", _BORROWED), ("tells", _TELLS), ("shared", _SHARED)):
        english |= dict.fromkeys(rows["english"][name].split(), weight)
    within = rows["scripts"]
    return _Lists(
        {word: tuple(sorted(langs)) for word, langs in romanised.items()},
        english,
        _owners(rows["world"], "words", tuple(rows["world"])),
        {script: _owners(within, "words", langs) for script, langs in _RIVALS.items()},
        {script: _owners(within, "endings", langs) for script, langs in _RIVALS.items()},
        {lang: re.compile("|".join(map(re.escape, _split(of["letters"])))) for lang, of in within.items()},
    )


def _owners(within: Mapping[str, Any], kind: str, langs: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    """Word or ending -> the languages that list it."""
    owners: dict[str, tuple[str, ...]] = {}
    for lang in langs:
        for word in dict.fromkeys(_split(within[lang][kind])):
            owners[word] = (*owners.get(word, ()), lang)
    return owners


def _split(text: str) -> list[str]:
    return [unicodedata.normalize("NFC", word) for word in text.split()]
