"""The built-in SMTP listener: takes mail for our address, and says 250 only when it is stored."""

import asyncio
import logging
from collections.abc import Callable

from aiosmtpd.smtp import SMTP, Envelope, Session

from bot.adapter import Receive
from bot.channels.email.parse import parse_mail
from bot.channels.email.recipients import is_ours

SIZE_LIMIT = 25 * 1024 * 1024
_log = logging.getLogger(__name__)


class _Handler:
    """aiosmtpd's hooks, by the names it calls them."""

    def __init__(self, address: str, receive: Receive, trusted: str) -> None:
        self._address = address
        self._receive = receive
        self._trusted = trusted

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Only our address, with or without a token: we relay for nobody."""
        if not is_ours(address, self._address):
            return "550 5.1.1 No such mailbox here"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Store it; the sender's server keeps the mail and tries again when we could not."""
        raw = envelope.content
        raw = raw.encode() if isinstance(raw, str) else raw or b""
        # Bounces come from nobody, which aiosmtpd spells `<>`.
        sender = (envelope.mail_from or "").strip("<>")
        try:
            # Large mails take long to read: beside the loop.
            recipients = tuple(envelope.rcpt_tos)
            parsed = await asyncio.to_thread(
                parse_mail, raw, self._address, sender, recipients, self._trusted
            )
            await self._receive(parsed)
        except Exception:
            _log.exception("a mail could not be stored")
            return "451 4.3.0 Could not be stored, please try again later"
        return "250 2.0.0 Stored"


async def serve_smtp(
    host: str,
    port: int,
    address: str,
    receive: Receive,
    listening: Callable[[str, int], None],
    trusted: str = "",
) -> None:
    """Listen until cancelled. `listening` is told where, which matters for port 0; `trusted` as in
    `parse_mail`."""
    loop = asyncio.get_running_loop()
    handler = _Handler(address, receive, trusted)
    hostname = address.rpartition("@")[2]

    def connection() -> SMTP:
        return SMTP(
            handler,
            data_size_limit=SIZE_LIMIT,
            enable_SMTPUTF8=True,
            hostname=hostname,
            ident="Samvad",
            timeout=120,
            loop=loop,
        )

    server = await loop.create_server(connection, host, port)
    async with server:
        listening(*server.sockets[0].getsockname()[:2])
        await server.serve_forever()
