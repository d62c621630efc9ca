"""Whether a message swears at whoever reads it. Nothing is blocked for it."""

import re
from functools import lru_cache
from pathlib import Path

from bot.knowledge.tokens import MARKS, fold
from bot.yaml_text import read_yaml

_LONGEST = 1000


def is_abusive(text: str) -> bool:
    """Whether one of the listed words stands in it."""
    return bool(_pattern().search(fold(text[:_LONGEST])))


@lru_cache(maxsize=1)
def _pattern() -> re.Pattern[str]:
    lists = read_yaml((Path(__file__).parent / "abuse.yaml").read_text(encoding="utf-8"))
    words = {fold(word) for listed in lists.values() for word in listed}
    # The longest first; an Indic word does not end where `\w` says.
    known = "|".join(re.escape(word).replace(r"\ ", r"\s+") for word in sorted(words, key=len, reverse=True))
    return re.compile(rf"(?<![\w{MARKS}])(?:{known})(?![\w{MARKS}])")
