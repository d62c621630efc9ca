"""Who a visitor is: an id of ours in a signed token that the browser keeps. No cookie, no guessing."""

import re
from typing import Protocol

from bot.ids import new_id

_PREFIX = "visitor:"
_ID = re.compile(r"[0-9a-f-]{36}")


class Signer(Protocol):
    """What `App` can do about tokens."""

    def sign(self, value: str) -> str:
        """A token that holds `value` and proves that we wrote it."""

    def unsign(self, token: str) -> str | None:
        """The value of a token of ours, else None."""


def recognise(signer: Signer, token: object) -> tuple[str, str]:
    """(visitor id, token): the ones shown when they are ours, else new ones."""
    if isinstance(token, str) and len(token) <= 400:
        value = signer.unsign(token)
        if value is not None and value.startswith(_PREFIX):
            visitor = value.removeprefix(_PREFIX)
            if _ID.fullmatch(visitor):
                return visitor, token
    visitor = new_id()
    return visitor, signer.sign(_PREFIX + visitor)
