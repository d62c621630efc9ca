"""Slips on the keys: letters swapped, dropped, doubled; never in names, numbers, addresses and what must be
found on record again."""

import random
import re

from bot.evaluate.simulation.script import Conversation

SLIPS = 0.12
"""Of the words that may have one."""
LEAST = 4
"""Letters of a word in which somebody slips."""
_WORD = re.compile(r"[^\W\d_]+(?:[\u0900-\u0963]+[^\W\d_]*)*")
_SIGNS = {0x93F: 0x940, 0x940: 0x93F, 0x941: 0x942, 0x942: 0x941}
"""In Devanagari one slips on the length of a vowel: the signs of short and long i and u."""


class Typing:
    """How one customer types."""

    def __init__(self, conversation: Conversation, dice: random.Random) -> None:
        self._dice = dice
        answers = conversation.answers
        kept = [str(value) for value in conversation.wanted.values()]
        kept += [answers[slot] for slot in ("name", "contact", "code", "email") if slot in answers]
        self._kept = {word.casefold() for text in kept for word in _WORD.findall(text)}

    def slips(self, text: str) -> str:
        """The text with slips."""
        if "@" in text:
            return text
        return _WORD.sub(lambda match: self._slip(match.group()), text)

    def _slip(self, word: str) -> str:
        if len(word) < LEAST or word.casefold() in self._kept or self._dice.random() >= SLIPS:
            return word
        if not word.isascii():
            return word.translate(_SIGNS)
        at = self._dice.randrange(1, len(word) - 1)
        swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        return self._dice.choice((swapped, word[:at] + word[at + 1 :], word[:at] + word[at] + word[at:]))
