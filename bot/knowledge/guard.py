"""Whether an answer that a language model wrote stands in the passage it cites.

An answer passes only if every number, link, address and date-like word is in the passage, and each
sentence shares enough content words with it. What does not pass is not said: the passage itself is.
"""

import re

from bot.knowledge.tokens import NUMBER_WORDS, fold, terms

OVERLAP = 0.6
"""The share of a sentence's content words that the passage must hold."""

_LINK = re.compile(r"(?:https?://|www\.)[^\s<>)\]]+|[\w.+-]+@[\w-]+\.[\w.]+")
_BARE_LINK = re.compile(
    r"\b[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|in|org|net|io|co|app|info|shop|store|link|me|ly)\b(?:/\S*)?"
)
_SENTENCE = re.compile(r"(?<=[.!?।۔؟])\s+|\n+")
_DIGITS = re.compile(r"\d+")
_GROUPED = re.compile(r"(?<=\d)[,\u00a0\u202f](?=\d)")


def stands(answer: str, source: str) -> bool:
    """Whether the answer may be delivered."""
    if not answer.strip():
        return False
    said, held = _fold(answer), _fold(source)
    if not set(_DIGITS.findall(said)) <= set(_DIGITS.findall(held)):
        return False
    links = {link.rstrip(".,;:!?)") for pattern in (_LINK, _BARE_LINK) for link in pattern.findall(said)}
    if any(not _whole(link, held) for link in links):
        return False
    known = set(terms(held))
    bare = set(re.findall(r"[^\s.,;:!?()।۔؟،؛]+", held))
    numbers = {word for word in re.findall(r"[^\s.,;:!?()।۔؟،؛]+", said) if word in NUMBER_WORDS}
    if not numbers <= bare:
        return False
    return all(_overlaps(sentence, known) for sentence in _SENTENCE.split(said) if sentence.strip())


def _fold(text: str) -> str:
    """Folded, with digits of all scripts as 0-9 and no separators inside numbers."""
    digits = "".join(str(int(char)) if char.isdecimal() else char for char in fold(text))
    return _GROUPED.sub("", digits)


def _whole(link: str, held: str) -> bool:
    """The link stands there, and is not the beginning of a longer one."""
    return re.search(re.escape(link) + r"(?![\w/-])", held) is not None


def _overlaps(sentence: str, known: set[str]) -> bool:
    words = [term for term in terms(_LINK.sub(" ", sentence)) if not term.isdecimal()]
    return not words or sum(word in known for word in words) / len(words) >= OVERLAP
