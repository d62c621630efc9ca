"""Tokens that only we can have made: a value and its signature, in letters that fit into an address."""

import base64
import hashlib
import hmac
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Tokens:
    """`key`: 32 bytes derived from the secret for this purpose."""

    key: bytes = field(repr=False)

    def sign(self, value: str) -> str:
        """`value.signature` (HMAC-SHA256, 144 bits of it)."""
        return f"{value}.{self._signature(value)}"

    def unsign(self, token: str) -> str | None:
        """The value of a token of ours, None for any other text."""
        value, _, signature = token.rpartition(".")
        given, ours = signature.encode("utf-8", "replace"), self._signature(value).encode()
        return value if value and hmac.compare_digest(given, ours) else None

    def _signature(self, value: str) -> str:
        digest = hmac.digest(self.key, value.encode("utf-8", "replace"), hashlib.sha256)
        return base64.urlsafe_b64encode(digest[:18]).decode()
