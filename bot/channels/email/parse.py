"""A raw mail into our vocabulary. Pure; takes any bytes."""

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime

from bot.channels.email.text import reply_text, text_from_html
from bot.messages import Identity, InboundMessage, Media, MediaKind, Parsed, clean

TEXT_LIMIT = 100_000
_SUBJECT_LIMIT = 500
_KEY_LIMIT = 250
_PARTS_LIMIT = 200
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,250}>")
_REFERENCE = re.compile(r"\[ref:([A-Za-z0-9_-]{4,64})\]")
_BULK = frozenset({"bulk", "list", "junk", "auto_reply"})


def parse_mail(raw: bytes, address: str, sender: str | None = None, recipients: Sequence[str] = ()) -> Parsed:
    """One mail to our `address`. `sender` and `recipients` are the envelope's, where there is one."""
    # compat32 keeps headers as they came; the newer policy fails on some that real mail holds.
    mail = message_from_bytes(raw, policy=policy.compat32)
    name, author = _author(mail, sender)
    if not author:
        return Parsed(unhandled=("mail:no-sender",))
    message_id = next(iter(_MESSAGE_ID.findall(_header(mail, "Message-ID"))), "")
    key = message_id if 0 < len(message_id) <= _KEY_LIMIT else f"sha256:{hashlib.sha256(raw).hexdigest()}"
    subject = re.sub(r"\s+", " ", _header(mail, "Subject")).strip()[:_SUBJECT_LIMIT]
    body, media = _content(mail)
    return Parsed(
        messages=(
            InboundMessage(
                event_key=key,
                channel="email",
                account=address,
                address=author,
                external_id=message_id or key,
                text=reply_text(body)[:TEXT_LIMIT],
                at=_date(mail),
                sender_name=name,
                # A From header is a claim that anybody can write.
                identities=(Identity("email", author, verified=False),),
                media=media,
                reply_to=next(iter(_MESSAGE_ID.findall(_header(mail, "In-Reply-To"))), None),
                subject=subject,
                thread=_thread(mail, address, recipients, f"{subject}\n{body}"),
                automatic=_automatic(mail, sender, author, address),
            ),
        )
    )


def is_ours(recipient: str, address: str) -> bool:
    """Our address, or our address with a `+token`."""
    return _token(recipient, address) is not None


def _token(recipient: str, address: str) -> str | None:
    """The token of `local+token@domain`, "" without one, None for an address that is not ours."""
    local, _, domain = recipient.strip().rpartition("@")
    our_local, _, our_domain = address.rpartition("@")
    if domain.lower() != our_domain.lower():
        return None
    if local.lower() == our_local.lower():
        return ""
    base, plus, token = local.rpartition("+")
    return token if plus and token and base.lower() == our_local.lower() else None


def _thread(mail: Message, address: str, recipients: Sequence[str], text: str) -> tuple[str, ...]:
    """Message-IDs oldest first, then `token:…` where the mail carries one of our references."""
    ids = _MESSAGE_ID.findall(f"{_header(mail, 'References')} {_header(mail, 'In-Reply-To')}")
    named = [*recipients]
    for header in ("To", "Cc", "Delivered-To", "X-Original-To"):
        named.extend(found for _, found in _addresses(mail, header))
    tokens = [token for token in (_token(recipient, address) for recipient in named) if token]
    tokens.extend(_REFERENCE.findall(text))
    return tuple(dict.fromkeys([*ids, *(f"token:{token}" for token in tokens)]))


def _automatic(mail: Message, sender: str | None, author: str, address: str) -> bool:
    """Whether a machine wrote it: answering one starts a loop."""
    submitted = _header(mail, "Auto-Submitted").partition(";")[0].strip().lower()
    return (
        submitted not in ("", "no")
        or _header(mail, "Precedence").strip().lower() in _BULK
        or any(mail.get(name) is not None for name in ("X-Autoreply", "X-Autorespond", "List-Id"))
        or sender == ""
        or _header(mail, "Return-Path").strip() == "<>"
        or mail.get_content_type() in ("multipart/report", "message/delivery-status")
        or author.partition("@")[0] in ("mailer-daemon", "postmaster")
        or is_ours(author, address)
    )


def _author(mail: Message, sender: str | None) -> tuple[str, str]:
    """Name and lower-case address of who wrote it; the envelope's sender where From is unreadable."""
    for name, found in [*_addresses(mail, "From"), ("", sender or "")]:
        local, at, domain = found.strip().rpartition("@")
        if at and local and domain and len(found) <= 254 and not re.search(r"\s", found.strip()):
            return name, found.strip().lower()
    return "", ""


def _addresses(mail: Message, name: str) -> list[tuple[str, str]]:
    values = [str(value) for value in mail.get_all(name, [])]
    return [(clean(_decoded(shown)).strip(), clean(found)) for shown, found in getaddresses(values)]


def _header(mail: Message, name: str) -> str:
    value = mail.get(name)
    return clean(_decoded(str(value))) if value is not None else ""


def _decoded(value: str) -> str:
    """Encoded words as text; what cannot be decoded stays as it came."""
    try:
        pieces = decode_header(value)
    except (ValueError, LookupError):
        return value
    return "".join(
        _text_of(piece, charset) if isinstance(piece, bytes) else piece for piece, charset in pieces
    )


def _text_of(raw: bytes, charset: str | None) -> str:
    for name in (charset, "utf-8"):
        try:
            return raw.decode(name or "utf-8")
        except (UnicodeError, LookupError, ValueError):
            continue
    return raw.decode("latin-1")


def _date(mail: Message) -> datetime | None:
    try:
        found = parsedate_to_datetime(_header(mail, "Date"))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _content(mail: Message) -> tuple[str, tuple[Media, ...]]:
    """The mail's text, plain before HTML, and its files."""
    plain: list[str] = []
    html: list[str] = []
    media: list[Media] = []
    for number, part in enumerate(mail.walk()):
        if number >= _PARTS_LIMIT:
            break
        if part.is_multipart():
            continue
        payload = part.get_payload(decode=True)
        raw = payload if isinstance(payload, bytes) else b""
        filename = _filename(part)
        kind = part.get_content_type()
        if kind in ("text/plain", "text/html") and not filename and not _is_attachment(part):
            text = clean(_text_of(raw, part.get_content_charset()))
            (plain if kind == "text/plain" else html).append(text)
        elif raw and not kind.startswith("multipart/"):
            media.append(_file(len(media) + 1, kind, filename, raw))
    text = "\n".join(plain)
    if not text.strip():
        text = text_from_html("\n".join(html)) if html else ""
    return text[: 2 * TEXT_LIMIT], tuple(media)


def _is_attachment(part: Message) -> bool:
    return str(part.get("Content-Disposition", "")).strip().lower().startswith("attachment")


def _filename(part: Message) -> str:
    try:
        name = part.get_filename() or ""
    except (ValueError, LookupError, TypeError):
        name = ""
    # Only the last part of a path, whoever's slashes they are.
    return re.split(r"[/\\]", clean(_decoded(name)))[-1].strip()[:200]


def _file(number: int, mime: str, filename: str, raw: bytes) -> Media:
    try:
        kind = MediaKind(mime.partition("/")[0])
    except ValueError:
        kind = MediaKind.DOCUMENT
    return Media(
        kind=kind,
        ref=f"attachment:{number}",
        mime=clean(mime),
        filename=filename,
        size=len(raw),
        content=raw,
    )
