"""Words of a text, in any of our scripts, folded and lightly stemmed so that a question meets its answer."""

import re
import unicodedata
from functools import lru_cache
from pathlib import Path

from bot.yaml_text import read_yaml

# `\w` knows no combining marks: without these an Indic word falls apart at its vowel signs.
MARKS = "\u0300-\u036f\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0963\u0966-\u0df4"
WORD = re.compile(rf"[\w{MARKS}]+(?:['’][a-z]+)?")
# What is not seen: joiners, and what turns the direction of writing (phones put it around numbers).
_UNSEEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
# Urdu's letters for those of an Arabic keyboard.
_URDU_LETTERS = str.maketrans("يىۓكهةۂۀ", "ییےکہہہہ", "\u0640")
# What Urdu writes this way or that, and the marks that few people type.
_URDU_VARIANTS = str.maketrans(
    "ئؤأإٱ", "یوااا", "\u064b\u064c\u064d\u064e\u064f\u0650\u0651\u0652\u0654\u0670"
)
_URDU_FIRST_H = re.compile(r"\bھ")
# Urdu writes no short vowels: three letters of a word are its least.
_URDU_ENDINGS = ("یاں", "یوں", "وں", "یں", "ے", "ی", "ا", "ہ")
_HINDI_ENDINGS = (
    "ियाँ", "ियां", "ियों", "ाओं", "ाएँ", "ाएं", "ों", "ें", "ीं", "ाँ", "ां", "ो", "े", "ी", "ा", "ि", "ु", "ू",
)  # fmt: skip


def _listed(name: str) -> frozenset[str]:
    """A list of words.yaml."""
    lists = read_yaml((Path(__file__).parent / "words.yaml").read_text(encoding="utf-8"))
    return frozenset(fold(word) for word in lists[name].split())


def fold(text: str) -> str:
    """A text as it is compared: one spelling whatever its writer's habits, case folded."""
    return text.lower() if text.isascii() else spelled(text).translate(_URDU_VARIANTS).casefold()


def spelled(text: str) -> str:
    """A text as it may be kept: composed, without what is not seen, in Urdu's letters and not Arabic's."""
    if text.isascii():
        return text
    text = _UNSEEN.sub("", unicodedata.normalize("NFC", text)).translate(_URDU_LETTERS)
    return _URDU_FIRST_H.sub("ہ", text)


STOP_WORDS = _listed("stop")
NUMBER_WORDS = _listed("numbers")
OPPOSITES = _listed("opposites")
RUPEES = _listed("rupees")
FOLLOW_WORDS = _listed("follow")


@lru_cache(maxsize=16384)
def stem(word: str) -> str:
    """A word without the ending that number or tense gives it, then by its synonym's name."""
    known = _synonyms().get(word)
    if known:
        return known
    stemmed = _english(word) if word.isascii() else _indian(word)
    return _synonyms().get(stemmed, stemmed)


def _english(word: str) -> str:
    word = word.split("'", 1)[0]
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    if len(word) > 5 and word.endswith("ing"):
        word = word[:-3]
        return word[:-1] if word[-1] == word[-2] and word[-1] not in "ls" else word
    if len(word) > 4 and word.endswith("ed"):
        return word[:-2].removesuffix("i")
    if len(word) > 4 and word.endswith(("ches", "shes", "sses", "xes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word[:-1] if len(word) > 4 and word.endswith("e") else word


def _indian(word: str) -> str:
    """A Hindi or Urdu word without its ending."""
    for endings, least in ((_HINDI_ENDINGS, 2), (_URDU_ENDINGS, 3)):
        for ending in endings:
            if word.endswith(ending) and len(word) - len(ending) >= least:
                return word[: -len(ending)]
    return word


@lru_cache(maxsize=1)
def _synonyms() -> dict[str, str]:
    """Each word of a row of synonyms.yaml -> the row's name."""
    rows = read_yaml((Path(__file__).parent / "synonyms.yaml").read_text(encoding="utf-8"))
    table: dict[str, str] = {}
    for name, words in rows.items():
        for word in (name, *words):
            folded = fold(str(word))
            table[folded] = name
            table.setdefault(_english(folded) if folded.isascii() else _indian(folded), name)
    return table


def words(text: str) -> list[str]:
    """The folded words of a text, in order."""
    return WORD.findall(fold(text))


def terms(text: str) -> list[str]:
    """The stems of a text's content words, in order."""
    return [stem(word) for word in words(text) if word not in STOP_WORDS]
