"""The mailbox: unseen mails, marked seen only when they are stored. The server tells of new ones (IDLE)."""

import asyncio
import imaplib
import logging
import random
import re
import ssl
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from urllib.parse import unquote, urlsplit

from imap_tools import BaseMailBox, MailBox, MailBoxUnencrypted, MailMessageFlags
from imap_tools.errors import ImapToolsError

from bot.adapter import Check, Receive
from bot.channels.email.listen import SIZE_LIMIT
from bot.channels.email.parse import parse_mail
from bot.errors import ChannelRejected, ChannelRetryable
from bot.messages import Parsed

_TIMEOUT_SECONDS = 30
_OURSELVES = frozenset({"localhost", "127.0.0.1", "::1"})
"""Where nobody listens in, and certificates are seldom right."""
_PROBE_SECONDS = 8
_BATCH = 50
_FIRST_DELAY, _LAST_DELAY = 1.0, 60.0
_log = logging.getLogger(__name__)


class Mailbox:
    """One mailbox. Mails are told apart by UIDVALIDITY and UID, as the standard asks."""

    def __init__(
        self,
        url: str,
        address: str,
        every_seconds: float = 15.0,
        idle_seconds: float = 60.0,
        trusted: str = "",
    ) -> None:
        """Asked every `every_seconds` where the server has no IDLE; else it tells us, and is asked
        every `idle_seconds` beside, should it have died without a word. `trusted` as in `parse_mail`."""
        self._url = urlsplit(url)
        self._address = address
        self._every = every_seconds
        self._idle = idle_seconds
        self._trusted = trusted
        # Stored, but not yet marked on the server: the mark may fail when the mail did not.
        self._stored: set[tuple[str, str]] = set()
        self.connections = 0
        """How often a connection was made."""

    async def run(self, receive: Receive) -> None:
        """Take mails until cancelled; connect again, ever more slowly, while the server is away."""
        delay = _FIRST_DELAY
        while True:
            try:
                async with aclosing(self._rounds(receive)) as rounds:
                    async for _ in rounds:
                        delay = _FIRST_DELAY
            except (ImapToolsError, imaplib.IMAP4.error, OSError) as error:
                _log.warning("the mailbox cannot be read: %s", error)
            except Exception:
                _log.exception("mails could not be stored")
            # Not all at once when a server comes back.
            await asyncio.sleep(delay * random.uniform(0.75, 1.0))  # noqa: S311
            delay = min(2 * delay, _LAST_DELAY)

    async def poll(self, receive: Receive) -> int:
        """One round with a connection of its own; how many mails were stored."""
        box = await self._open()
        try:
            return await self._take(box, receive)
        finally:
            await asyncio.to_thread(_leave, box)

    async def check(self) -> Check:
        """Sign in and count what is unread. Raises ChannelRejected, ChannelRetryable."""
        try:
            box = await asyncio.wait_for(self._open(), _PROBE_SECONDS)
        except (ImapToolsError, imaplib.IMAP4.error) as error:
            raise ChannelRejected(
                f"The mailbox did not accept our user, password or folder: {error}"
            ) from error
        except OSError as error:
            raise ChannelRetryable(f"The mailbox cannot be reached: {error}") from error
        try:
            _, unseen = await asyncio.to_thread(_unseen, box)
        finally:
            await asyncio.to_thread(_leave, box)
        return Check("check.email.imap", "ok", {"host": self._url.hostname, "unread": len(unseen)})

    async def _rounds(self, receive: Receive) -> AsyncGenerator[None, None]:
        """Take, wait for news, take again, over one connection; yields after each round."""
        box = await self._open()
        try:
            can_idle = await asyncio.to_thread(_can_idle, box)
            while True:
                while await self._take(box, receive) == _BATCH:
                    pass
                yield
                if can_idle:
                    await self._news(box)
                else:
                    await asyncio.sleep(self._every)
        finally:
            await asyncio.to_thread(_leave, box, politely=False)

    async def _take(self, box: BaseMailBox, receive: Receive) -> int:
        validity, unseen = await asyncio.to_thread(_unseen, box)
        count = 0
        for uid in unseen[:_BATCH]:
            if (validity, uid) not in self._stored:
                await receive(await asyncio.to_thread(self._read, box, uid))
                self._stored.add((validity, uid))
                count += 1
            await asyncio.to_thread(box.flag, [uid], MailMessageFlags.SEEN, True)
            self._stored.discard((validity, uid))
        return count

    async def _news(self, box: BaseMailBox) -> None:
        """Until the server has something to say. Waits on the loop, so that it can be cancelled."""
        loop, woken = asyncio.get_running_loop(), asyncio.Event()
        await asyncio.to_thread(box.idle.start)
        if not await asyncio.to_thread(_has_said_more, box):
            place = box.client.sock.fileno()
            loop.add_reader(place, woken.set)
            try:
                async with asyncio.timeout(self._idle):
                    await woken.wait()
            except TimeoutError:
                _log.debug("no news from the mailbox")
            finally:
                loop.remove_reader(place)
        await asyncio.to_thread(box.idle.stop)

    async def _open(self) -> BaseMailBox:
        box = await asyncio.to_thread(self._connect)
        self.connections += 1
        return box

    def _connect(self) -> BaseMailBox:
        host = self._url.hostname or "localhost"
        if self._url.scheme == "imaps":
            box: BaseMailBox = MailBox(host, self._url.port or 993, timeout=_TIMEOUT_SECONDS)
        else:
            box = MailBoxUnencrypted(host, self._url.port or 143, timeout=_TIMEOUT_SECONDS)
            if "STARTTLS" in box.client.capabilities and host not in _OURSELVES:
                box.client.starttls(ssl.create_default_context())
        folder = self._url.path.strip("/") or "INBOX"
        try:
            box.login(unquote(self._url.username or ""), unquote(self._url.password or ""), folder)
        except BaseException:
            _leave(box)
            raise
        return box

    def _read(self, box: BaseMailBox, uid: str) -> Parsed:
        size = re.search(rb"RFC822\.SIZE (\d+)", b" ".join(_fetch(box, uid, "(RFC822.SIZE)")))
        if size and int(size[1]) > SIZE_LIMIT:
            _log.error("a mail of %s bytes is too large; it stays in the mailbox", int(size[1]))
            return Parsed(unhandled=("mail:too-large",))
        pieces = list(_fetch(box, uid, "(BODY.PEEK[])"))
        return parse_mail(max(pieces, key=len, default=b""), self._address, trusted=self._trusted)


def _unseen(box: BaseMailBox) -> tuple[str, list[str]]:
    folder = box.folder.get() or "INBOX"
    validity = str(box.folder.status(folder, ["UIDVALIDITY"]).get("UIDVALIDITY", ""))
    return validity, box.uids("UNSEEN")


def _fetch(box: BaseMailBox, uid: str, parts: str) -> Iterator[bytes]:
    """The bytes of an answer: imaplib gives a literal as a pair (line, bytes), the rest as lines."""
    _, data = box.client.uid("FETCH", uid, parts)
    for item in data or ():
        if isinstance(item, tuple):
            yield item[1]
        elif isinstance(item, bytes):
            yield item


def _can_idle(box: BaseMailBox) -> bool:
    """Asked after signing in: many servers only then say what they can."""
    _, found = box.client.capability()
    return b"IDLE" in b" ".join(one for one in found if isinstance(one, bytes)).upper().split()


def _has_said_more(box: BaseMailBox) -> bool:
    """Whether news came along with the answer to IDLE: they lie in a buffer, the socket stays silent."""
    if box.client.untagged_responses.get("EXISTS"):
        return True
    source, buffered = box.client.sock, getattr(box.client, "file", None)
    timeout = source.gettimeout()
    try:
        source.settimeout(0)
        return bool(buffered is not None and buffered.peek(1))
    except (OSError, ValueError):
        return False
    finally:
        source.settimeout(timeout)


def _leave(box: BaseMailBox, politely: bool = True) -> None:
    try:
        if politely:
            box.logout()
        else:
            # In the middle of something, and perhaps with nobody there to answer.
            box.client.shutdown()
    except (ImapToolsError, imaplib.IMAP4.error, OSError):
        _log.debug("the mailbox had gone already")
