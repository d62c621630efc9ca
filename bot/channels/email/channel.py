"""The e-mail adapter: listeners in, SMTP out."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from urllib.parse import SplitResult, unquote, urlsplit

import aiosmtplib

from bot import clock
from bot.adapter import Check, Features, Listener, MediaLimit, Receive
from bot.channels.checking import attempt
from bot.channels.email.compose import compose, message_id
from bot.channels.email.errors import to_channel_error
from bot.channels.email.imap import Mailbox
from bot.channels.email.listen import SIZE_LIMIT, serve_smtp
from bot.channels.email.parse import TEXT_LIMIT
from bot.channels.email.signing import read_signer
from bot.channels.email.webhook import read_webhook
from bot.errors import ChannelRejected, ConfigurationInvalid, NotFound
from bot.messages import (
    ChannelName,
    Media,
    MediaKind,
    OutboundMessage,
    Parsed,
    Receipt,
    WebhookRequest,
)
from bot.settings import Settings

_FEATURES = Features(
    text_limit=TEXT_LIMIT,
    media={kind: MediaLimit(SIZE_LIMIT * 2 // 3) for kind in MediaKind}
    | {MediaKind.VOICE: MediaLimit(SIZE_LIMIT * 2 // 3, ("audio/mp4", "audio/mpeg"))},
    files=20,
    captioned=frozenset(MediaKind),
    caption_limit=TEXT_LIMIT,
    gather_ms=0,
)
_TIMEOUT_SECONDS = 30.0
_PROBE_SECONDS = 6.0


class Email:
    """One mail address of ours."""

    name = "email"

    def __init__(self, settings: Settings) -> None:
        self.address = settings.email_address.strip().lower()
        if not all(part.strip() for part in self.address.rpartition("@")):
            raise ConfigurationInvalid("SAMVAD_EMAIL_ADDRESS must be a mail address, like help@example.com")
        self._smtp = _server(settings.email_smtp_url.get_secret_value(), "smtp")
        self._signer = read_signer(settings, self.address)
        imap_url = settings.email_imap_url.get_secret_value()
        self._trusted = settings.email_trusted_authserv.strip()
        self.mailbox = None
        if imap_url and _server(imap_url, "imap"):
            self.mailbox = Mailbox(imap_url, self.address, trusted=self._trusted)
        self._token = settings.email_webhook_token.get_secret_value()
        self._signing_key = settings.email_mailgun_signing_key.get_secret_value()
        self._listen = _host_port(settings.email_listen) if settings.email_listen else None
        self.listening_at: tuple[str, int] | None = None
        """Where the built-in listener listens, once it does."""

    @property
    def accounts(self) -> Sequence[tuple[ChannelName, str]]:
        """Our address."""
        return (("email", self.address),)

    def features(self, channel: ChannelName) -> Features:
        """What a mail takes."""
        return _FEATURES

    def listeners(self) -> Sequence[Listener]:
        """The SMTP listener and the mailbox, as far as they are set."""
        found = []
        if self._listen is not None:
            found.append(Listener("email-smtp", self._serve))
        if self.mailbox is not None:
            found.append(Listener("email-imap", self.mailbox.run, exclusive=True))
        return tuple(found)

    def verify(self, request: WebhookRequest) -> str:
        """No provider of mail asks for a hand-shake. Raises NotFound."""
        raise NotFound("mail has no hand-shake")

    def parse(self, request: WebhookRequest) -> Parsed:
        """A mail that a provider posts. Raises NotFound (not set up), SignatureInvalid, Unreadable."""
        if not self._token and not self._signing_key:
            raise NotFound("mail has no webhook here: SAMVAD_EMAIL_WEBHOOK_TOKEN is not set")
        now = clock.now()
        return read_webhook(request, self.address, self._token, self._signing_key, now, self._trusted)

    async def open(self) -> None:
        """Nothing to open: every mail has a connection of its own."""

    async def close(self) -> None:
        """Nothing to close: listeners end when they are cancelled."""

    async def send(self, message: OutboundMessage) -> Receipt:
        """Hand a mail to the SMTP server. Raises ChannelRetryable, ChannelRejected."""
        mail = await asyncio.to_thread(self._raw, message)
        smtp = self._client(_TIMEOUT_SECONDS)
        handed_over = False
        try:
            # connect() also upgrades to TLS where the server offers it, and signs in.
            await smtp.connect()
            handed_over = True
            await smtp.sendmail(self.address, [message.address], mail)
            with suppress(aiosmtplib.SMTPException, OSError):
                await smtp.quit()
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise to_channel_error(error, handed_over) from error
        finally:
            smtp.close()
        return Receipt(message_id(message.id, self.address.rpartition("@")[2]))

    def _raw(self, message: OutboundMessage) -> bytes:
        raw = compose(message, self.address)
        return raw if self._signer is None else self._signer.sign(raw)

    def _client(self, timeout: float) -> aiosmtplib.SMTP:
        return aiosmtplib.SMTP(
            hostname=self._smtp.hostname,
            port=self._smtp.port or (465 if self._smtp.scheme == "smtps" else 25),
            username=unquote(self._smtp.username) if self._smtp.username else None,
            password=unquote(self._smtp.password) if self._smtp.password else None,
            use_tls=self._smtp.scheme == "smtps",
            timeout=timeout,
        )

    async def check(self) -> tuple[Check, ...]:
        """The mail server's sign-in, the mailbox's, and the built-in listener's door."""
        found = [await attempt(self._smtp_check())]
        if self.mailbox is not None:
            found.append(await attempt(self.mailbox.check()))
        if self._listen is not None:
            found.append(await self._listener_check(*self._listen))
        if not (self.mailbox or self._listen or self._token or self._signing_key):
            found.append(Check("check.email.one_way", "warn"))
        return tuple(found)

    async def _smtp_check(self) -> Check:
        smtp = self._client(_PROBE_SECONDS)
        try:
            await smtp.connect()
            await smtp.noop()
            with suppress(aiosmtplib.SMTPException, OSError):
                await smtp.quit()
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise to_channel_error(error, False) from error
        finally:
            smtp.close()
        return Check("check.email.smtp", "ok", {"host": self._smtp.hostname})

    async def _listener_check(self, host: str, port: int) -> Check:
        values = {"address": f"{host}:{port}"}
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                reader, writer = await asyncio.open_connection(host, port)
                greeting = await reader.readline()
                writer.close()
        except OSError:  # a time-out is one too
            greeting = b""
        if greeting.startswith(b"220"):
            return Check("check.email.listening", "ok", values)
        return Check("check.email.not_listening", "bad", values)

    async def fetch_media(self, media: Media) -> AsyncIterator[bytes]:
        """Attachments arrive inside the mail, so there is nothing to fetch. Raises ChannelRejected."""
        if media.content is None:
            raise ChannelRejected("The attachment was not kept with its mail.")
        yield media.content

    async def _serve(self, receive: Receive) -> None:
        if self._listen is None:
            raise ConfigurationInvalid("SAMVAD_EMAIL_LISTEN is not set")

        def listening(host: str, port: int) -> None:
            self.listening_at = (host, port)

        host, port = self._listen
        try:
            await serve_smtp(host, port, self.address, receive, listening, self._trusted)
        except OSError as error:
            raise ConfigurationInvalid(
                f"SAMVAD_EMAIL_LISTEN: cannot listen on {host}:{port}: {error.strerror or error}"
            ) from error
        finally:
            self.listening_at = None


def _server(url: str, scheme: str) -> SplitResult:
    setting = f"SAMVAD_EMAIL_{scheme.upper()}_URL"
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in (scheme, f"{scheme}s") or not parts.hostname or port == -1:
        raise ConfigurationInvalid(f"{setting} must look like {scheme}://user:password@host:port")
    return parts


def _host_port(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) < 65_536):
        raise ConfigurationInvalid("SAMVAD_EMAIL_LISTEN must look like 127.0.0.1:2525")
    return host.strip("[]") or "127.0.0.1", int(port)
