"""Who a visitor is: an id of ours in a signed token that the browser keeps. No cookie, no guessing.

Once the site has vouched for a signed-in user, the token is bound to that user: whoever comes next in the
same browser, another user or nobody, is somebody else and sees nothing of it.
"""

import re
from dataclasses import dataclass
from typing import Protocol

_VALUE = re.compile(r"visitor:([0-9a-f-]{36})(?:@([0-9a-f]{32}))?")


class Signer(Protocol):
    """What `App` can do about tokens."""

    def sign(self, value: str) -> str:
        """A token that holds `value` and proves that we wrote it."""

    def unsign(self, token: str) -> str | None:
        """The value of a token of ours, else None."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """`user` marks the signed-in user that this visitor is, empty for an anonymous one."""

    id: str
    user: str = ""


def recognise(signer: Signer, token: object) -> Visitor | None:
    """The visitor that a token of ours names; None for any other."""
    if not isinstance(token, str) or len(token) > 400:
        return None
    found = _VALUE.fullmatch(signer.unsign(token) or "")
    return Visitor(found[1], found[2] or "") if found else None


def token_of(signer: Signer, visitor: Visitor) -> str:
    """The token that the visitor's browser keeps."""
    return signer.sign(f"visitor:{visitor.id}" + (f"@{visitor.user}" if visitor.user else ""))
