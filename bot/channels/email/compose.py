"""Our messages as mail. Pure."""

import re
from email import policy
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import formatdate
from html import escape

from bot.errors import ChannelRejected
from bot.messages import OutboundMessage

_THREAD_LIMIT = 20
_BRACKETED = re.compile(r"<[!-;=?-~]{1,900}>")
_REFERENCE = re.compile(r"[A-Za-z0-9._-]{1,60}")


def compose(message: OutboundMessage, address: str) -> bytes:
    """The mail to send from our `address`. Raises ChannelRejected for what cannot be a mail."""
    local, _, domain = address.rpartition("@")
    mail = EmailMessage(policy=policy.SMTP)
    try:
        mail["From"] = address
        mail["To"] = message.address
        mail["Subject"] = " ".join(message.subject.split()) if message.calendar else _subject(message.subject)
        mail["Date"] = formatdate(usegmt=True)
        mail["Message-ID"] = message_id(message.id, domain)
        if message.reference:
            if not _REFERENCE.fullmatch(message.reference):
                raise ChannelRejected("The reference does not fit into an address.")
            mail["Reply-To"] = f"{local}+{message.reference}@{domain}"
        if message.unsubscribe:
            mail["Precedence"] = "bulk"
        if message.automatic:
            mail["Auto-Submitted"] = "auto-generated" if message.unsubscribe else "auto-replied"
            # Should it come back by somebody's forwarding, we know it again.
            mail["X-Loop"] = address
            # Exchange and Outlook keep their out-of-office answers to themselves for this one.
            mail["X-Auto-Response-Suppress"] = "OOF, AutoReply"
        _fill(mail, message)
        return _references(message) + mail.as_bytes()
    except (ValueError, MessageError, IndexError) as error:
        raise ChannelRejected(f"This cannot be sent as a mail: {error}") from error


def message_id(outbox_id: str, domain: str) -> str:
    """The same for every try, so that a mail sent twice arrives as one."""
    return f"<{outbox_id}@{domain}>"


def _references(message: OutboundMessage) -> bytes:
    """Headers of ids and addresses in angle brackets, written by hand: the library breaks a long one into
    encoded words, and then no mail program knows it any more."""
    # Beside Message-IDs a thread may hold our own `token:…`.
    thread = [item for item in message.thread if _BRACKETED.fullmatch(item)][-_THREAD_LIMIT:]
    headers = []
    if thread:
        headers += [f"In-Reply-To: {thread[-1]}", "References: " + "\r\n ".join(thread)]
    if message.unsubscribe:
        link = f"<{message.unsubscribe}>"
        if not _BRACKETED.fullmatch(link):
            raise ChannelRejected("The link to unsubscribe is no plain address; look at SAMVAD_BASE_URL.")
        headers.append(f"List-Unsubscribe: {link}")
        if message.unsubscribe.startswith("https://"):  # mail programs post to no other (RFC 8058)
            headers.append("List-Unsubscribe-Post: List-Unsubscribe=One-Click")
    return "".join(f"{line}\r\n" for line in headers).encode("ascii")


def _fill(mail: EmailMessage, message: OutboundMessage) -> None:
    mail.set_content(message.text + "\n", cte="quoted-printable")
    mail.add_alternative(_html(message.text), subtype="html", cte="quoted-printable")
    if message.calendar is not None:
        method, document = message.calendar
        mail.add_alternative(
            document, maintype="text", subtype="calendar", params={"method": method, "charset": "utf-8"}
        )
    for media in message.media:
        if media.content is None:
            raise ChannelRejected("The file's bytes are not at hand.")
        main, _, sub = media.mime.partition("/")
        name = media.filename or media.kind.value
        mail.add_attachment(
            media.content, maintype=main, subtype=sub or "octet-stream", filename=" ".join(name.split())
        )


def _subject(subject: str) -> str:
    """One line, with one `Re:` before it. Line ends would start another header."""
    line = " ".join(subject.split())
    if not line:
        return ""
    return line if re.match(r"(?i)re\s*:", line) else f"Re: {line}"


def _html(text: str) -> str:
    """Paragraphs, their lines kept, links made clickable, all else escaped."""
    paragraphs = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        lines = "<br>\n".join(_linked(line) for line in paragraph.split("\n"))
        paragraphs.append(f'<p dir="auto">{lines}</p>')
    return "<!doctype html>\n<html><body>\n" + "\n".join(paragraphs) + "\n</body></html>\n"


def _linked(line: str) -> str:
    pieces = re.split(r"(https?://[^\s<>\"']+[^\s<>\"'.,;:!?)])", line)
    return "".join(
        f'<a href="{escape(piece)}">{escape(piece)}</a>' if number % 2 else escape(piece)
        for number, piece in enumerate(pieces)
    )
