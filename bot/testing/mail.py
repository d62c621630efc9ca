"""A mail server that keeps what it takes, and customers who write mail to our listener."""

import asyncio
import socket
import uuid
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import formataddr, formatdate
from types import TracebackType
from typing import Self

import aiosmtplib
from aiosmtpd.smtp import SMTP, Envelope, Session

from bot.testing.customers import Waits


class MailSink:
    """An SMTP server on the loopback. Set `.url` as SAMVAD_EMAIL_SMTP_URL."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        """What was taken, in order."""
        self.raw: list[bytes] = []
        """The same, byte for byte."""
        self.answers: list[str] = []
        """Answers to DATA for the next mails, like `451 busy`; a 2xx takes the mail, the rest refuse it."""
        self.refused: dict[str, str] = {}
        """Answers to RCPT, by address."""
        self._server: asyncio.Server | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """`smtp://host:port`."""
        return f"smtp://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(self, hostname="sink.test", enable_SMTPUTF8=True, loop=loop), "127.0.0.1", 0
        )
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
            await asyncio.sleep(0)

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """aiosmtpd's hook: take any receiver that is not refused."""
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """aiosmtpd's hook: keep the mail."""
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer.startswith("2"):
            content = envelope.content or b""
            raw = content.encode() if isinstance(content, str) else content
            self.raw.append(raw)
            self.mails.append(message_from_bytes(raw, policy=policy.default))
        return answer

    def texts_to(self, address: str) -> list[str]:
        """Plain texts of the mails to an address."""
        found = []
        for mail in self.mails:
            if str(mail["To"]).lower() == address.lower():
                part = mail.get_body(("plain",))
                found.append(str(part.get_content()).strip() if part is not None else "")
        return found


class MailEmulator(MailSink, Waits):
    """Customers who write by mail. `target` is `host:port` of our listener, `address` ours."""

    def __init__(self, target: str = "", *, address: str = "help@samvad.test") -> None:
        super().__init__()
        self.target = target
        self.address = address

    @property
    def settings(self) -> dict[str, str]:
        """Keyword arguments for `load_settings`, without the listener's address."""
        return {"email_address": self.address, "email_smtp_url": self.url}

    async def say(
        self,
        text: str,
        *,
        sender: str,
        name: str = "Asha",
        message_id: str | None = None,
        button: str | None = None,
        subject: str = "",
    ) -> int:
        """A customer writes a mail; it answers the last one that they had from us, as mail programs do."""
        mail = EmailMessage(policy=policy.SMTP)
        mail["From"] = formataddr((name, sender))
        mail["Date"] = formatdate()
        mail["Message-ID"] = message_id or f"<{uuid.uuid4().hex}@customer.test>"
        last = next((m for m in reversed(self.mails) if str(m["To"]).lower() == sender.lower()), None)
        to = self.address
        if last is not None:
            to = str(last["Reply-To"] or self.address)
            mail["In-Reply-To"] = str(last["Message-ID"])
            mail["References"] = f"{last['References'] or ''} {last['Message-ID']}".strip()
            subject = subject or str(last["Subject"])
        mail["To"] = to
        mail["Subject"] = subject or "Question"
        # Mail has no buttons: the customer types what the button says.
        mail.set_content(text)
        return await submit_mail(self.target, mail.as_bytes(), sender=sender, recipients=[to])

    async def replies(self, sender: str) -> list[str]:
        """The texts of mails to that customer so far."""
        return self.texts_to(sender)


async def submit_mail(target: str, raw: bytes, *, sender: str, recipients: list[str]) -> int:
    """Hand raw bytes to the SMTP server at `host:port`. Returns the last SMTP code."""
    host, _, port = target.rpartition(":")
    smtp = aiosmtplib.SMTP(hostname=host, port=int(port), start_tls=False, timeout=20)
    try:
        await smtp.connect()
        await smtp.sendmail(sender, recipients, raw)
    except aiosmtplib.SMTPRecipientsRefused as error:
        return error.recipients[0].code
    except aiosmtplib.SMTPResponseException as error:
        return error.code
    finally:
        smtp.close()
    return 250


def free_port() -> int:
    """A port that was free a moment ago, for settings that must name one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
