"""Personal data that must not leave: hidden in what is sent, put back into what returns."""

import re
from typing import Any

_EMAIL = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
# Seven digits or more, however they are grouped; sums and dates are shorter or have other separators.
_PHONE = re.compile(r"(?<![\w.,])\+?\(?\d(?:[\s().-]?\d){6,14}(?![\w])")
_PLACE = re.compile(r"\[(?:phone|email)-\d+\]")


class Mask:
    """One exchange: the same value has the same placeholder throughout."""

    def __init__(self) -> None:
        self._place_of: dict[str, str] = {}
        self._value_of: dict[str, str] = {}

    def hide(self, text: str) -> str:
        """The text with `[phone-1]`, `[email-1]` in place of numbers and addresses."""
        text = _EMAIL.sub(lambda match: self._place("email", match.group()), text)
        return _PHONE.sub(lambda match: self._place("phone", match.group()), text)

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
