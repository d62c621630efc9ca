"""How played customers write: on our web page through its socket, or on WhatsApp."""

import asyncio
from abc import ABC, abstractmethod

import aiohttp

from bot import clock
from bot.errors import Unavailable
from bot.ids import new_id
from bot.testing import WhatsAppEmulator

_WAIT_S = 30.0


class Line(ABC):
    """One customer's way in. `address` is theirs, as their lane has it."""

    channel: str
    address: str

    @abstractmethod
    async def say(self, text: str, button: str = "") -> None:
        """Write, or press a button that says `text`; returns when it was taken in."""


class WebChatLine(Line):
    """A visitor of our page."""

    channel = "webchat"

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, visitor: str) -> None:
        self._socket = socket
        self.address = visitor

    @classmethod
    async def open(cls, socket: aiohttp.ClientWebSocketResponse) -> "WebChatLine":
        """Say hello as a page does."""
        await socket.send_json({"type": "hello", "token": None, "lang": "en", "after": None})
        welcome = await socket.receive_json(timeout=_WAIT_S)
        return cls(socket, welcome["visitor"])

    async def say(self, text: str, button: str = "") -> None:
        """Send a frame and wait until it was accepted. Raises Unavailable when it is refused."""
        frame = {"type": "message", "id": new_id(), "text": text}
        await self._socket.send_json(frame | ({"button": button} if button else {}))
        async with asyncio.timeout(_WAIT_S):
            while (said := await self._socket.receive_json()).get("id") != frame["id"]:
                pass
        if said["type"] != "accepted":
            raise Unavailable(f"The web chat refused a message: {said}")


class WhatsAppLine(Line):
    """Somebody with a number. Their profile shows no name."""

    channel = "whatsapp"

    def __init__(self, emulator: WhatsAppEmulator, phone: str) -> None:
        self._emulator = emulator
        self.address = phone.removeprefix("+")

    async def say(self, text: str, button: str = "") -> None:
        """Have the webhook called. Raises Unavailable when it is refused."""
        status = await self._emulator.say(
            text, sender=self.address, name="", button=button or None, at=clock.now().timestamp()
        )
        if status != 200:
            raise Unavailable(f"The webhook answered {status}")
