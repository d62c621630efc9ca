"""What a message is by a few plain words, whatever it is about: a question, no answer, an end."""

import re
from functools import lru_cache

from bot.dialogs.slots import NO
from bot.dialogs.understanding.exact import bare
from bot.dialogs.understanding.examples import courtesy, words_of
from bot.knowledge.tokens import WORD, fold, spelled

SHORT = 5
"""Words up to which a message may be just a value."""
_LONGEST_NONE = 12
"""Words up to which "I have none" is no more than that."""
_PARTS = re.compile(r"[.!?।,;۔؟،؛\n]+")


def passes_over(text: str) -> bool:
    """Whether a message passes over a question: "skip", or few words with "don't know" among them."""
    said = bare(text)
    if said in _skips():
        return True
    few = 1 < len(said.split()) <= SHORT
    return few and any(" " in skip and f" {skip} " in f" {said} " for skip in _skips())


def has_none(text: str) -> bool:
    """Whether somebody says that they have not what they are asked for: no figure, and a word of denial."""
    words = [fold(word) for word in WORD.findall(text)]
    if len(words) > _LONGEST_NONE or any(char.isdecimal() for char in text):
        return False
    return any(word in NO or word in _lacks() for word in words)


def denies(text: str) -> bool:
    """Whether a word of denial stands anywhere in a text."""
    return any(fold(word) in NO for word in WORD.findall(text))


def asks_to_write(text: str) -> bool:
    """Whether a few words ask that something is put down: "4 likh do", "make it 5"."""
    return any(fold(word) in _writes() for word in WORD.findall(text))


def gives_up(text: str) -> bool:
    """Whether a clause of a text leaves it at that: "leave it", "rehne do", "ignore all this"."""
    if bare(text) in _skips():
        return False
    clauses = [bare(clause) for clause in _PARTS.split(text)]
    return any(pattern.search(clause) for clause in clauses if clause for pattern in _ends())


def asks_why(text: str) -> bool:
    """Whether a customer wants to know why they are asked: with words of asking, or "why?" alone."""
    said = bare(text)
    return said in words_of("whys") or any(f"{why} " in f"{said} " for why in words_of("whys") if " " in why)


def is_question(text: str) -> bool:
    """Whether a text asks: by a question mark or a question's words, in Hindi and Urdu anywhere."""
    if "?" in text or "؟" in text:
        return True
    words = WORD.findall(fold(text))
    if len(words) < 2:
        return False
    begins = " ".join(words[:3]) + " "
    if any(begins.startswith(f"{start} ") for start in _question_words("en")):
        return True
    anywhere = _question_words("hi") | _question_words("hi-Latn") | _question_words("ur")
    return any(word in anywhere for word in words) or _asks_what(words)


def _asks_what(words: list[str]) -> bool:
    """Urdu writes "what" and "did" alike: "did" stands beside who did it, or in "was done"."""
    what = courtesy()["what_or_did"]["ur"]
    word = fold(what["word"])
    if word not in words or word in (words[0], words[-1]):
        return word in words
    done = {fold(after) for after in what["did_before"]}
    return fold(what["doer"]) not in words and words[words.index(word) + 1] not in done


@lru_cache(maxsize=4)
def _question_words(lang: str) -> frozenset[str]:
    return frozenset(fold(word) for word in courtesy()["questions"][lang])


@lru_cache(maxsize=1)
def _skips() -> frozenset[str]:
    return frozenset(bare(word) for word in words_of("skip"))


@lru_cache(maxsize=1)
def _writes() -> frozenset[str]:
    return frozenset(fold(word) for word in words_of("writes"))


@lru_cache(maxsize=1)
def _lacks() -> frozenset[str]:
    return frozenset(fold(word) for phrase in words_of("lacks") for word in WORD.findall(phrase))


@lru_cache(maxsize=1)
def _ends() -> tuple[re.Pattern[str], ...]:
    rows = courtesy()["ends"]
    return tuple(re.compile(spelled(pattern)) for lang in rows.values() for pattern in lang)
