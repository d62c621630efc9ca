"""A raw mail into our vocabulary. Pure; takes any bytes."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.errors import MessageError
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime

from bot.channels.email.automatic import is_automatic
from bot.channels.email.bounce import Failure, read_bounce
from bot.channels.email.html import reply_from_html
from bot.channels.email.proof import is_proven
from bot.channels.email.recipients import token_of
from bot.channels.email.text import reply_text
from bot.channels.email.words import decoded, inner_of, text_of
from bot.messages import (
    Identity,
    InboundMessage,
    Media,
    MediaKind,
    Parsed,
    Status,
    StatusUpdate,
    clean,
)

TEXT_LIMIT = 100_000
_SUBJECT_LIMIT = 500
_KEY_LIMIT = 250
_PARTS_LIMIT = 200
_CALENDAR_LIMIT = 64_000
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,250}>")
_REFERENCE = re.compile(r"\[ref:([A-Za-z0-9_-]{4,64})\]")
_OUTBOX_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
_REASON_LIMIT = 300


def parse_mail(
    raw: bytes, address: str, sender: str | None = None, recipients: Sequence[str] = (), trusted: str = ""
) -> Parsed:
    """One mail to our `address`. `sender` and `recipients` are the envelope's, where there is one; `trusted`
    names the mail server whose word proves who wrote it."""
    # compat32 keeps headers as they came; the newer policy fails on some that real mail holds.
    mail = message_from_bytes(raw, policy=policy.compat32)
    name, author = _author(mail, sender)
    automatic = is_automatic(mail, sender, author, address)
    if automatic and (returned := _returned(mail, address)) is not None:
        return returned
    if not author:
        return Parsed(unhandled=("mail:no-sender",))
    message_id = next(iter(_MESSAGE_ID.findall(_header(mail, "Message-ID"))), "")
    key = message_id if 0 < len(message_id) <= _KEY_LIMIT else f"sha256:{hashlib.sha256(raw).hexdigest()}"
    subject = re.sub(r"\s+", " ", _header(mail, "Subject")).strip()[:_SUBJECT_LIMIT]
    body, media = _content(mail)
    answer = _calendar_answer(mail)
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
                identities=(Identity("email", author, verified=is_proven(mail, author, trusted)),),
                media=media,
                reply_to=next(iter(_MESSAGE_ID.findall(_header(mail, "In-Reply-To"))), None),
                subject=subject,
                thread=_thread(mail, address, recipients, f"{subject}\n{body}"),
                # A calendar program writes its answers by itself.
                automatic=automatic or bool(answer),
                kind="answer" if answer else "message",
                calendar=answer,
            ),
        )
    )


def _thread(mail: Message, address: str, recipients: Sequence[str], text: str) -> tuple[str, ...]:
    """Message-IDs oldest first, then `token:…` where the mail carries one of our references."""
    ids = _MESSAGE_ID.findall(f"{_header(mail, 'References')} {_header(mail, 'In-Reply-To')}")
    named = [*recipients]
    for header in ("To", "Cc", "Delivered-To", "X-Original-To"):
        named.extend(found for _, found in _addresses(mail, header))
    tokens = [token for token in (token_of(recipient, address) for recipient in named) if token]
    tokens.extend(_REFERENCE.findall(text))
    return tuple(dict.fromkeys([*ids, *(f"token:{token}" for token in tokens)]))


def _returned(mail: Message, address: str) -> Parsed | None:
    """A bounce of a mail of ours, as its status; None for any other mail."""
    bounce = read_bounce(mail)
    if bounce is None:
        return None
    outbox_id, _, domain = bounce.message_id.strip("<>").rpartition("@")
    if not outbox_id or domain.lower() != address.rpartition("@")[2].lower():
        return None
    if bounce.delayed:
        return Parsed(unhandled=("mail:delayed",))
    failure = next(one for one in bounce.failures if not one.delayed)
    status = StatusUpdate(
        event_key=f"{bounce.message_id}:failed",
        channel="email",
        account=address,
        external_id=bounce.message_id,
        status=Status.FAILED,
        at=_date(mail),
        outbox_id=outbox_id if _OUTBOX_ID.fullmatch(outbox_id) else None,
        address=clean(failure.address),
        reason=_reason(failure),
    )
    return Parsed(statuses=(status,))


def _reason(failure: Failure) -> str:
    """A sentence for an agent, with the mail server's own words."""
    said = " ".join(clean(failure.diagnosis).split())[:_REASON_LIMIT].rstrip(" .")
    if failure.hard:
        lead = "The address does not exist or takes no mail"
    else:
        lead = "The mail came back"
    return f"{lead}: {said}." if said else f"{lead}."


def _author(mail: Message, sender: str | None) -> tuple[str, str]:
    """Name and lower-case address of who wrote it; the envelope's sender where From is unreadable."""
    for name, found in [*_addresses(mail, "From"), ("", sender or "")]:
        local, at, domain = found.strip().rpartition("@")
        if at and local and domain and len(found) <= 254 and not re.search(r"\s", found.strip()):
            return name, found.strip().lower()
    return "", ""


def _addresses(mail: Message, name: str) -> list[tuple[str, str]]:
    values = [str(value) for value in mail.get_all(name, [])]
    return [(clean(decoded(shown)).strip(), clean(found)) for shown, found in getaddresses(values)]


def _header(mail: Message, name: str) -> str:
    value = mail.get(name)
    return clean(decoded(str(value))) if value is not None else ""


def _date(mail: Message) -> datetime | None:
    try:
        found = parsedate_to_datetime(_header(mail, "Date"))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def body_of(mail: Message) -> str:
    """The mail's text as it came, quotes and all."""
    return _content(mail)[0]


def _content(mail: Message) -> tuple[str, tuple[Media, ...]]:
    """The mail's text, plain before HTML, and its files."""
    plain: list[str] = []
    html: list[str] = []
    media: list[Media] = []
    for part in _leaves(mail):
        raw = _bytes_of(part)
        filename = _filename(part)
        kind = part.get_content_type()
        if kind in ("text/plain", "text/html") and not filename and not _is_attachment(part):
            text = clean(text_of(raw, part.get_content_charset()))
            (plain if kind == "text/plain" else html).append(text)
        elif raw and not kind.startswith("multipart/"):
            media.append(_file(len(media) + 1, kind, filename, raw))
    text = "\n".join(plain)
    if not text.strip():
        text = reply_from_html("\n".join(html)) if html else ""
    return text[: 2 * TEXT_LIMIT], tuple(media)


def _calendar_answer(mail: Message) -> str:
    """The document of an answer to an invitation that this mail brings, if it brings one."""
    for part in _leaves(mail):
        method = part.get_param("method", "")
        if part.get_content_type() == "text/calendar" and str(method).upper() == "REPLY":
            raw = _bytes_of(part)
            return clean(text_of(raw, part.get_content_charset())) if len(raw) <= _CALENDAR_LIMIT else ""
    return ""


def _leaves(mail: Message) -> Iterator[Message]:
    """The parts that hold something; a mail inside the mail is one file."""
    waiting, seen = [mail], 0
    while waiting and seen < _PARTS_LIMIT:
        part = waiting.pop(0)
        seen += 1
        if part.get_content_maintype() == "multipart" and part.is_multipart():
            waiting = inner_of(part) + waiting
        else:
            yield part


def _bytes_of(part: Message) -> bytes:
    if part.is_multipart():
        try:
            return b"\n".join(one.as_bytes() for one in inner_of(part))
        except (ValueError, LookupError, TypeError, AttributeError, MessageError, RecursionError):
            # What cannot be written again as it was; its text is better than nothing.
            return b"\n".join(_bytes_of(one) for one in inner_of(part) if not one.is_multipart())
    decoded_payload = part.get_payload(decode=True)
    return decoded_payload if isinstance(decoded_payload, bytes) else b""


def _is_attachment(part: Message) -> bool:
    return str(part.get("Content-Disposition", "")).strip().lower().startswith("attachment")


def _filename(part: Message) -> str:
    try:
        name = part.get_filename() or ""
    except (ValueError, LookupError, TypeError):
        name = ""
    # Only the last part of a path, whoever's slashes they are.
    return re.split(r"[/\\]", clean(decoded(name)))[-1].strip()[:200]


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
