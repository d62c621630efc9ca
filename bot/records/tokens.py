"""Tokens in links: a value anybody may read, with a signature that only we can make."""

import base64
import hashlib
import hmac


class Tokens:
    """Signs with one key."""

    def __init__(self, key: bytes) -> None:
        """`key` is derived from the secret (`bot.records.keys.derive`)."""
        self._key = key

    def sign(self, value: str) -> str:
        """A token that only we could have made for this value."""
        return f"{value}.{self._signature(value)}"

    def unsign(self, token: str) -> str | None:
        """The value of a token of ours, None for any other text."""
        value, _, signature = token.rpartition(".")
        given, right = signature.encode("utf-8", "replace"), self._signature(value).encode()
        return value if value and hmac.compare_digest(given, right) else None

    def digest(self, value: str) -> str:
        """64 characters that are the same for the same value, and from which nobody finds it without our key,
        however few values there are to try."""
        return hmac.digest(self._key, b"digest:" + value.encode("utf-8", "replace"), hashlib.sha256).hex()

    def _signature(self, value: str) -> str:
        digest = hmac.digest(self._key, value.encode("utf-8", "replace"), hashlib.sha256)
        return base64.urlsafe_b64encode(digest[:18]).decode()
