"""What every emulator can do for a customer, so that one scenario runs over all channels."""

import asyncio
import time
from abc import ABC, abstractmethod
from typing import Protocol


class CustomerEmulator(Protocol):
    """A provider with customers behind it."""

    target: str
    """Where Samvad listens: its http address, or `host:port` of its mail listener."""

    async def say(
        self,
        text: str,
        *,
        sender: str,
        name: str = "Asha",
        message_id: str | None = None,
        button: str | None = None,
    ) -> int:
        """A customer writes, or presses `button` that says `text`. Returns the HTTP or SMTP code."""

    async def replies(self, sender: str) -> list[str]:
        """The texts sent to that customer so far, in order."""

    async def wait_reply(self, sender: str, count: int = 1, timeout: float = 10.0) -> list[str]:
        """The same once there are at least `count` of them. Raises TimeoutError that shows what came."""


class Waits(ABC):
    """`wait_reply` for every emulator."""

    @abstractmethod
    async def replies(self, sender: str) -> list[str]:
        """The texts sent to that customer so far, in order."""

    async def wait_reply(self, sender: str, count: int = 1, timeout: float = 10.0) -> list[str]:
        """The replies once there are at least `count` of them. Raises TimeoutError that shows what came."""
        deadline = time.monotonic() + timeout
        while len(found := await self.replies(sender)) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{sender} has {len(found)} of {count} replies: {found}")
            await asyncio.sleep(0.01)
        return found
