"""Personal data that must not leave: hidden in what is sent, put back into what returns.

Sums of money stay: they name nobody, and a message is not understood without them.
"""

import re
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

# Also a UPI name, which is an address without a dot.
_EMAIL = re.compile(r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})*")
# Seven digits or more, however they are grouped: phones, cards, accounts, Aadhaar; sums and dates are shorter
# or have other separators.
_PHONE = re.compile(r"(?<![\w.,])\+?\(?\d(?:[\s().-]?\d){6,18}(?![\w])")
_TAX = re.compile(r"(?<!\w)[A-Z]{5}\d{4}[A-Z](?!\w)")
_PATTERNS = (("email", _EMAIL), ("phone", _PHONE), ("id", _TAX))
_PLACE = re.compile(r"\[([a-z_]{2,20}-\d{1,4})\]")
LEAST = 3
"""Letters of a part of a name that is hidden alone, too."""


def without_places(text: str) -> str:
    """A text that cannot be taken for one of our placeholders."""
    return _PLACE.sub(r"(\1)", text)


class Mask:
    """One exchange: the same value has the same placeholder throughout."""

    def __init__(self, private: Mapping[str, str] = MappingProxyType({})) -> None:
        """`private`: values that are known to be personal -> what they are ("name", "address")."""
        self._place_of: dict[str, str] = {}
        self._value_of: dict[str, str] = {}
        self._known = {
            part.casefold(): kind
            for value, kind in private.items()
            for part in ((value, *value.split()) if kind == "name" else (value,))
            if len(part) >= LEAST
        }
        # The longest first, so that a whole name is one.
        parts = "|".join(re.escape(part) for part in sorted(self._known, key=len, reverse=True))
        self._pattern = re.compile(rf"(?<!\w)(?:{parts})(?!\w)", re.IGNORECASE) if parts else None

    def hide(self, text: str) -> str:
        """The text with `[name-1]`, `[phone-2]`, `[email-3]` in place of names, numbers and addresses."""
        for kind, pattern in _PATTERNS:
            text = pattern.sub(partial(self._found, kind), text)
        return self._pattern.sub(self._known_place, text) if self._pattern is not None else text

    def _found(self, kind: str, match: re.Match[str]) -> str:
        return self._place(kind, match.group())

    def _known_place(self, match: re.Match[str]) -> str:
        return self._place(self._known.get(match.group().casefold(), "value"), match.group())

    def _place(self, kind: str, value: str) -> str:
        if value not in self._place_of:
            place = f"[{kind}-{len(self._place_of) + 1}]"
            self._place_of[value] = place
            self._value_of[place] = value
        return self._place_of[value]

    def show(self, value: Any) -> Any:
        """The same value, however nested, with what was hidden put back."""
        if isinstance(value, str):
            return _PLACE.sub(lambda match: self._value_of.get(match.group(), match.group()), value)
        if isinstance(value, dict):
            return {key: self.show(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.show(item) for item in value]
        return value
