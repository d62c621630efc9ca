"""The language that a customer asks for by its name."""

from collections.abc import Mapping
from functools import lru_cache

from bot.dialogs.turn import Turn
from bot.dialogs.understanding.examples import courtesy
from bot.knowledge.tokens import WORD, fold


def language_named(text: str, lang: str, turn: Turn) -> str | None:
    """The language a text asks for, the last one it names; Hindi asked for in Latin letters stays in them."""
    words = WORD.findall(fold(text))
    named = [_languages()[word] for word in words if word in _languages()]
    if not named:
        return None
    wanted = named[-1]
    if wanted == "hi" and lang == "hi-Latn" and "hi-Latn" in turn.business.languages:
        wanted = "hi-Latn"
    return wanted if wanted in turn.business.languages else None


@lru_cache(maxsize=1)
def _languages() -> Mapping[str, str]:
    return {fold(name): lang for lang, names in courtesy()["languages"].items() for name in names}
