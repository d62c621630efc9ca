"""The IMAP poll: unseen mails of a mailbox, marked seen only when they are stored."""

import asyncio
import imaplib
import logging
import re
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from imap_tools import BaseMailBox, MailBox, MailBoxUnencrypted, MailMessageFlags
from imap_tools.errors import ImapToolsError

from bot.channels.email.listen import SIZE_LIMIT
from bot.channels.email.parse import parse_mail
from bot.messages import Parsed, Receive

_TIMEOUT_SECONDS = 30
_BATCH = 50
_log = logging.getLogger(__name__)


class Mailbox:
    """One mailbox, polled. Mails are told apart by UIDVALIDITY and UID, as the standard asks."""

    def __init__(self, url: str, address: str, every_seconds: float = 15.0) -> None:
        self._url = urlsplit(url)
        self._address = address
        self._every = every_seconds
        # Stored, but not yet marked on the server: the mark may fail when the mail did not.
        self._stored: set[tuple[str, str]] = set()

    async def run(self, receive: Receive) -> None:
        """Poll until cancelled."""
        while True:
            try:
                await self.poll(receive)
            except (ImapToolsError, imaplib.IMAP4.error, OSError) as error:
                _log.warning("the mailbox cannot be read: %s", error)
            except Exception:
                _log.exception("mails could not be stored")
            await asyncio.sleep(self._every)

    async def poll(self, receive: Receive) -> int:
        """One round; how many mails were stored."""
        box = await asyncio.to_thread(self._connect)
        try:
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
        finally:
            await asyncio.to_thread(_leave, box)

    def _connect(self) -> BaseMailBox:
        host = self._url.hostname or "localhost"
        if self._url.scheme == "imaps":
            box: BaseMailBox = MailBox(host, self._url.port or 993, timeout=_TIMEOUT_SECONDS)
        else:
            box = MailBoxUnencrypted(host, self._url.port or 143, timeout=_TIMEOUT_SECONDS)
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
        return parse_mail(max(pieces, key=len, default=b""), self._address)


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


def _leave(box: BaseMailBox) -> None:
    try:
        box.logout()
    except (ImapToolsError, imaplib.IMAP4.error, OSError):
        _log.debug("the mailbox had gone already")
