"""Providers that post inbound mail: SendGrid Inbound Parse and Mailgun routes. Pure.

Both post a form: either the raw mail in one field, or its pieces in many. The pieces are put together
to a mail again, so that there is one way to read mail.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email import policy
from email.errors import MessageError
from email.message import EmailMessage, Message
from urllib.parse import parse_qs, parse_qsl, urlsplit

from bot.channels.email.parse import parse_mail
from bot.channels.email.recipients import is_ours
from bot.channels.email.words import text_of
from bot.errors import SignatureInvalid, Unreadable
from bot.messages import Parsed, WebhookRequest

_FIELDS_LIMIT = 500
_AGE_SECONDS = 24 * 3600
"""Mailgun tries again for eight hours; whoever shows an older signature has kept it."""
_HEADER = re.compile(r"[!-9;-~]{1,100}:[^\r\n]{0,10000}(?:\r?\n[ \t][^\r\n]{0,10000}){0,200}")
_OF_THE_BODY = ("content-type:", "content-transfer-encoding:", "mime-version:", "content-disposition:")


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    filename: str
    mime: str
    content: bytes
    content_id: str = ""


@dataclass(slots=True)
class _Form:
    """What was posted."""

    values: dict[str, bytes] = field(default_factory=dict)
    files: list[_File] = field(default_factory=list)

    def text(self, name: str) -> str:
        """A field in the charset that `charsets` names, as SendGrid sends each in its mail's own."""
        charset = self.json("charsets").get(name)
        return text_of(self.values.get(name, b""), charset if isinstance(charset, str) else None)

    def json(self, name: str) -> dict[str, object]:
        """A field that holds a JSON object, {} for any other."""
        try:
            found = json.loads(self.values.get(name, b"{}"))
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


def read_webhook(
    request: WebhookRequest,
    address: str,
    token: str | None,
    signing_key: str | None,
    now: datetime,
    trusted: str = "",
) -> Parsed:
    """The mail a provider posts to us. `token` must be in the URL, or Mailgun's signature under
    `signing_key` in the form; `trusted` as in `parse_mail`. Raises SignatureInvalid, Unreadable."""
    given = parse_qs(urlsplit(request.url).query).get("token", [""])[-1]
    proven = bool(token) and hmac.compare_digest(given.encode(), (token or "").encode())
    if not proven and not signing_key:
        raise SignatureInvalid("the token in the URL is missing or wrong")
    try:
        form = _read_form(request.headers.get("content-type", ""), request.body)
    except Unreadable:
        if proven:
            raise
        raise SignatureInvalid("no signature that can be read") from None
    if not proven and not _signed(form, signing_key or "", now):
        raise SignatureInvalid("neither the token in the URL nor Mailgun's signature is right")
    return _read_mail(form, address, trusted)


def _signed(form: _Form, signing_key: str, now: datetime) -> bool:
    timestamp = form.values.get("timestamp", b"")
    expected = hmac.new(
        signing_key.encode(), timestamp + form.values.get("token", b""), hashlib.sha256
    ).hexdigest()
    if not hmac.compare_digest(expected.encode(), form.values.get("signature", b"").lower()):
        return False
    return timestamp.isdigit() and abs(now.timestamp() - int(timestamp[:12])) < _AGE_SECONDS


def _read_mail(form: _Form, address: str, trusted: str) -> Parsed:
    raw = form.values.get("email") or form.values.get("body-mime")
    if raw is None:
        raw = next((one.content for one in form.files if one.name in ("email", "body-mime")), None)
    if raw is None:
        raw = _assembled(form)
    sender, recipients = _envelope(form)
    if recipients and not any(is_ours(one, address) for one in recipients):
        return Parsed(unhandled=("mail:not-for-us",))
    return parse_mail(raw, address, sender, recipients, trusted)


def _envelope(form: _Form) -> tuple[str | None, Sequence[str]]:
    """SMTP's sender and receivers; None and () where the provider does not say."""
    envelope = form.json("envelope")
    if envelope:
        to = envelope.get("to")
        receivers = [one for one in to if isinstance(one, str)] if isinstance(to, list) else []
        sender = envelope.get("from")
        return (sender.strip("<>") if isinstance(sender, str) else None), receivers
    named = re.split(r"\s{0,9},\s{0,9}", form.text("recipient"))
    return (form.text("sender") or None) if "sender" in form.values else None, [one for one in named if one]


def _assembled(form: _Form) -> bytes:
    """A mail of the pieces: its headers as they came, its texts and files."""
    head = _headers(form)
    if not head and not form.values.keys() & {"text", "html", "body-plain", "body-html", "from"}:
        raise Unreadable("a form without a mail")
    body = EmailMessage(policy=policy.SMTP)
    plain, html = form.text("text") or form.text("body-plain"), form.text("html") or form.text("body-html")
    try:
        body.set_content(plain or ("" if html else "\n"))
        if html:
            if plain:
                body.add_alternative(html, subtype="html")
            else:
                body.set_content(html, subtype="html")
        for file in form.files:
            _attach(body, file)
        content = body.as_bytes()
    except (ValueError, LookupError, MessageError) as error:
        raise Unreadable(f"the pieces make no mail: {error}") from error
    return "".join(f"{line}\r\n" for line in head).encode("utf-8", "replace") + content


def _attach(body: EmailMessage, file: _File) -> None:
    main, _, sub = file.mime.partition("/")
    if main in ("message", "multipart") or not re.fullmatch(r"[A-Za-z0-9.+-]{1,80}", sub or " "):
        main, sub = "application", "octet-stream"
    name = " ".join(file.filename.split()) or file.name
    body.add_attachment(file.content, maintype=main, subtype=sub, filename=name, cid=file.content_id or None)


def _headers(form: _Form) -> list[str]:
    """Header lines without those that describe a body, which is another now."""
    lines = [found[0] for found in _HEADER.finditer(form.text("headers"))]
    if not lines:
        try:
            pairs = json.loads(form.values.get("message-headers", b"[]"))
        except (ValueError, RecursionError):
            pairs = []
        lines = [f"{one[0]}: {one[1]}" for one in pairs if isinstance(one, list) and len(one) == 2]
    lines = [" ".join(line.split("\n")).replace("\r", "") for line in lines]
    kept = [line for line in lines if not line.lower().startswith(_OF_THE_BODY)]
    there = {line.partition(":")[0].strip().lower() for line in kept}
    for name in ("from", "to", "cc", "subject"):
        value = " ".join(form.text(name).split())
        if value and name not in there:
            kept.append(f"{name.title()}: {value}")
    return [line for line in kept if _HEADER.fullmatch(line)]


def _read_form(content_type: str, body: bytes) -> _Form:
    """Raises Unreadable for what is no form."""
    described = Message()
    described["Content-Type"] = content_type
    kind = described.get_content_type()
    form = _Form()
    if kind == "application/x-www-form-urlencoded":
        try:
            # Latin-1 there and back keeps the bytes, whatever charset they are in.
            posted = body.decode("latin-1")
            pairs = parse_qsl(
                posted, keep_blank_values=True, encoding="latin-1", max_num_fields=_FIELDS_LIMIT
            )
        except ValueError as error:
            raise Unreadable(f"too many fields: {error}") from error
        for name, value in pairs:
            form.values.setdefault(name, value.encode("latin-1"))
        return form
    boundary = described.get_boundary()
    if kind != "multipart/form-data" or not boundary:
        raise Unreadable(f"a form was expected, not {kind}")
    # The delimiter stands at the start of a line; the first may begin the body.
    pieces = (b"\n" + body).split(b"\n--" + boundary.encode("utf-8", "replace"))
    for piece in pieces[1 : _FIELDS_LIMIT + 1]:
        if piece.startswith(b"--"):
            break
        _add_piece(form, piece)
    ids = form.json("content-ids")
    if ids:
        names = {str(name): str(cid) for cid, name in ids.items()}
        form.files = [
            _File(one.name, one.filename, one.mime, one.content, f"<{names[one.name]}>")
            if re.fullmatch(r"[^\s<>]{1,200}", names.get(one.name, ""))
            else one
            for one in form.files
        ]
    return form


def _add_piece(form: _Form, piece: bytes) -> None:
    found = re.search(rb"\r?\n\r?\n", piece)
    if found is None:
        return
    head, content = piece[: found.start()], piece[found.end() :].removesuffix(b"\r")
    described = Message()
    for line in head.decode("utf-8", "replace").splitlines():
        header, colon, value = line.partition(":")
        if colon and header.strip().isascii():
            described[header.strip()] = value.strip()
    name = described.get_param("name", header="content-disposition")
    if not isinstance(name, str):
        return
    filename = described.get_filename()
    if filename is None:
        form.values.setdefault(name, content)
    else:
        form.files.append(_File(name, filename, described.get_content_type(), content))
