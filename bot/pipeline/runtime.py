"""What the pipe works with: one bundle that `bot.app` puts together."""

import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.adapter import Channel, Features
from bot.bus import Bus
from bot.bus.limits import Limits
from bot.conversations.channel_account import all_accounts
from bot.conversations.outbox import NOT_SET_UP
from bot.crm.business import Profile
from bot.dialogs.commands import Understood
from bot.dialogs.turn import SearchKnowledge, Turn
from bot.errors import ChannelRejected
from bot.i18n import Words
from bot.llm import LLM
from bot.media import MediaStore
from bot.media.links import FileLinks
from bot.messages import ChannelName
from bot.orders import Orders
from bot.records.actor import SYSTEM
from bot.records.store import Store
from bot.records.tokens import Tokens
from bot.settings import Settings


def process_name(pid: int | None = None) -> str:
    """host/pid/start time: tells whether a lease's holder still runs, whoever has its pid by now."""
    number = pid or os.getpid()
    return f"{socket.gethostname()[:40]}/{number}/{_started(number)}"


def is_gone(holder: str) -> bool:
    """Whether that process was one of this host and has ended."""
    host, _, rest = holder.partition("/")
    pid, _, started = rest.partition("/")
    if host != socket.gethostname()[:40] or not pid.isdigit():
        return False
    return _started(int(pid)) != started


def _started(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        pass
    try:
        os.kill(pid, 0)
    except OSError:
        return "gone"
    return "running"


@dataclass(slots=True)
class Runtime:
    """Everything a turn or a delivery needs. `understand` and `search` may wait for an LLM."""

    settings: Settings
    store: Store
    bus: Bus
    media: MediaStore
    words: Words
    profile: Profile
    channels: dict[str, Channel]
    """By name, as they are now: `Connections` puts in and takes out what the console connects."""
    accounts: dict[tuple[str, str, str], str]
    flows: Any
    understand: Callable[[Turn], Awaitable[Understood]]
    search: Callable[[SearchKnowledge], Awaitable[Any]]
    tokens: Tokens
    links: FileLinks
    limits: Limits = field(default_factory=Limits)
    orders: Orders | None = None
    llm: LLM | None = None
    """The language model, where one is configured."""
    holder: str = field(default_factory=process_name)

    def account(self, account_id: str) -> tuple[str, ChannelName, str]:
        """(adapter, channel, our address) of a channel account. Raises ChannelRejected when it is unknown."""
        for (adapter, channel, address), known in self.accounts.items():
            if known == account_id:
                return adapter, channel, address  # type: ignore[return-value]
        raise ChannelRejected(f"This channel account {NOT_SET_UP}")

    async def know(self, account_id: str) -> None:
        """Look an account up that was added since this process started."""
        if account_id not in self.accounts.values():
            await self.know_all()

    async def know_all(self) -> None:
        """Read the accounts anew."""
        found = await self.store.read(all_accounts, SYSTEM)
        self.accounts.update({parts: account for account, parts in found.items()})

    def channel(self, adapter: str) -> Channel:
        """The adapter. Raises ChannelRejected when it is not on."""
        found = self.channels.get(adapter)
        if found is None:
            raise ChannelRejected(f"The channel {adapter} {NOT_SET_UP}")
        return found

    def features(self, account_id: str) -> Features:
        """What that account's channel can do; a modest default when its adapter is not on."""
        try:
            adapter, channel, _ = self.account(account_id)
        except ChannelRejected:
            return Features(text_limit=1600)
        found = self.channels.get(adapter)
        if found is None:
            return Features(text_limit=0 if channel == "voice" else 1600)
        return found.features(channel)

    def gather_ms(self, account_id: str) -> int:
        """How long to wait for more of a burst."""
        given = self.settings.gather_ms
        return self.features(account_id).gather_ms if given is None else given
