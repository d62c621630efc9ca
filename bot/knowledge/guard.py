"""Whether an answer that a language model wrote stands in the passage it cites.

An answer passes only if every number with its unit, price, link, address, name, day and month is in the
passage, and each sentence shares enough content words with it and does not turn the nearest one into its
opposite. What does not pass is not said: the passage itself is.
"""

import re

from bot.knowledge.tokens import NUMBER_WORDS, OPPOSITES, RUPEES, STOP_WORDS, fold, stem, terms, words

OVERLAP = 0.6
"""The share of a sentence's content words that the passage must hold."""

_LINK = re.compile(r"(?:https?://|www\.)[^\s<>)\]]+|[\w.+-]+@[\w-]+\.[\w.]+")
_BARE_LINK = re.compile(
    r"\b[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|in|org|net|io|co|app|info|shop|store|link|me|ly)\b(?:/\S*)?"
)
_SENTENCE = re.compile(r"(?<=[.!?।۔؟])\s+|\n+")
_NAME = re.compile(r"(?<=[^\s.!?:।۔؟•-])[ ]+([A-Z][\w'’]*[a-z]\w*)")
"""A word with a capital that does not begin a sentence."""
_SIGNS = dict.fromkeys(RUPEES, "₹")
_SIGN = "|".join((r"[₹$€£%]", "usd", "taka", *sorted(RUPEES, key=len, reverse=True)))
_AMOUNT = re.compile(rf"(?:(?<!\w)({_SIGN})\.?\s?)?(\d+(?:\.\d+)?)(?:\s?({_SIGN})(?!\w))?")
_COUNTED = re.compile(r"\d\s+([^\W\d_]+)")
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
    if not _amounts(said) <= _amounts(held):
        return False
    known, spelled = set(terms(held)), set(words(held))
    told = {word for word in words(said) if word in NUMBER_WORDS}
    if not told <= spelled or not _units(said) <= known | STOP_WORDS:
        return False
    if any(fold(name) not in spelled | _SIGNS.keys() for name in _NAME.findall(answer)):
        return False
    sources = [(set(terms(sentence)), _opposite(sentence)) for sentence in _sentences(held)]
    return all(_overlaps(sentence, known) and _agrees(sentence, sources) for sentence in _sentences(said))


def _sentences(text: str) -> list[str]:
    return [sentence for sentence in _SENTENCE.split(text) if sentence.strip()]


def _amounts(text: str) -> set[tuple[str, str]]:
    """Prices and percentages: a sign with its number, on whichever side it stands."""
    found = set()
    for before, number, after in _AMOUNT.findall(text):
        sign = before or after
        if sign:
            found.add((_SIGNS.get(sign, sign), number))
    return found


def _units(text: str) -> set[str]:
    """What is counted: the word behind each number."""
    return {stem(word) for word in _COUNTED.findall(_LINK.sub(" ", text)) if word not in STOP_WORDS}


def _opposite(sentence: str) -> bool:
    return any(word in OPPOSITES for word in words(sentence))


def _agrees(sentence: str, sources: list[tuple[set[str], bool]]) -> bool:
    """Whether the source's sentence that is nearest by its words says no where this one does."""
    asked = set(terms(sentence))
    most = max((len(asked & held) for held, _ in sources), default=0)
    said = _opposite(sentence)
    return not most or any(said == opposite for held, opposite in sources if len(asked & held) == most)


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
