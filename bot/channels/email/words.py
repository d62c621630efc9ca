"""Bytes and encoded words of a mail as text. Pure."""

from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message


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


def inner_of(part: Message) -> list[Message]:
    """The parts that a part holds. To ask for the payload of one that holds none would decode it, in whatever
    charset it names, and the standard library fails on some names."""
    inner = part.get_payload() if part.is_multipart() else []
    return [one for one in inner if isinstance(one, Message)] if isinstance(inner, list) else []
