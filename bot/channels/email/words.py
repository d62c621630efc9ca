"""Bytes and encoded words of a mail as text. Pure."""

from email.errors import HeaderParseError
from email.header import decode_header


def decoded(value: str) -> str:
    """Encoded words as text; what cannot be decoded stays as it came."""
    try:
        pieces = decode_header(value)
    except (ValueError, LookupError, HeaderParseError):
        return value
    return "".join(
        text_of(piece, charset) if isinstance(piece, bytes) else piece for piece, charset in pieces
    )


def text_of(raw: bytes, charset: str | None) -> str:
    """The bytes in their charset, else UTF-8, else Latin-1, which takes anything."""
    for name in (charset, "utf-8"):
        try:
            return raw.decode(name or "utf-8")
        except (UnicodeError, LookupError, ValueError):
            continue
    return raw.decode("latin-1")
