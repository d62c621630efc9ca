"""A whole Samvad for tests: the real program over HTTP on a free port, with providers beside it."""

import asyncio
import getpass
import shutil
import tempfile
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import aiohttp

from bot.app import App, open_app
from bot.commands.people import add_or_equip
from bot.dialogs.actions import ACTIONS
from bot.dialogs.flows import load_flows
from bot.dialogs.understanding.examples import examples
from bot.dialogs.understanding.shelf import Kind, file_of, make
from bot.ids import new_id
from bot.knowledge.files import import_articles
from bot.records.actor import SYSTEM
from bot.settings import load_settings
from bot.shipped import shipped
from bot.testing import MailEmulator, MessengerEmulator, TelegramEmulator, TwilioEmulator, WhatsAppEmulator
from bot.testing.customers import Waits
from bot.testing.mail import free_port
from bot.web.server import make_web, served
from tests.support.databases import sqlite_template

MODELS = Path(tempfile.gettempdir()) / f"samvad-test-models-{getpass.getuser()}"
"""Trained once for these flows and shared by every run; its file's name is the digest of the examples."""


@cache
def trained(kind: Kind = "words") -> Path:
    """The file of a model for the shipped flows. Meaning takes too long to learn in quick tests."""
    rows = examples(load_flows(actions=ACTIONS))
    with ThreadPoolExecutor(1) as apart:  # whether or not a loop runs in this thread
        apart.submit(asyncio.run, make(rows, MODELS, kind)).result()
    return file_of(rows, MODELS, kind)


def share_model(data_dir: Path) -> None:
    """Spare a test's Samvad the training, unless it has models of its own."""
    if (data_dir / "models").exists():
        return
    trained()
    data_dir.mkdir(parents=True, exist_ok=True)
    (data_dir / "models").symlink_to(MODELS)


def share_schema(data_dir: Path) -> None:
    """Spare it the migrations, where its database is SQLite's."""
    if not (data_dir / "samvad.db").exists():
        shutil.copytree(sqlite_template(), data_dir, dirs_exist_ok=True)


@dataclass
class Api:
    """The REST API with a key."""

    url: str
    key: str
    session: aiohttp.ClientSession

    async def call(self, method: str, path: str, body: Any = None, **query: str) -> tuple[int, Any]:
        """(status, decoded answer)."""
        headers = {"Authorization": f"Bearer {self.key}"}
        async with self.session.request(
            method, f"{self.url}/api/v1/{path}", params=query, json=body, headers=headers
        ) as answer:
            return answer.status, None if answer.status == 204 else await answer.json()

    async def rows(self, kind: str, **query: str) -> list[dict[str, Any]]:
        """All rows of a kind that match."""
        status, found = await self.call("GET", kind, limit="200", **query)
        assert status == 200, found
        return found["data"]

    async def until(self, kind: str, check: Any, seconds: float = 10.0, **query: str) -> list[dict[str, Any]]:
        """The rows once `check` holds for them."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while not check(rows := await self.rows(kind, **query)):
            assert loop.time() < deadline, rows
            await asyncio.sleep(0.03)
        return rows


@dataclass
class World:
    """A Samvad that serves, and a key of an admin."""

    app: App
    url: str
    api: Api

    async def settled(self, seconds: float = 20.0) -> None:
        """Until nothing waits or runs in the pipe."""
        pipe = self.app.pipe
        assert pipe is not None
        async with asyncio.timeout(seconds):
            while True:
                await asyncio.sleep(0.02)
                if pipe.idle:
                    return


@asynccontextmanager
async def samvad(data_dir: Path, *, articles: bool = True, **given: Any) -> AsyncIterator[World]:
    """Open and serve one."""
    share_model(data_dir)
    share_schema(data_dir)
    port = free_port()
    given = {"gather_ms": 0, "embeddings": False, "base_url": f"http://127.0.0.1:{port}", **given}
    settings = load_settings(data_dir=data_dir, port=port, **given)
    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(open_app(settings, redis_url=given.get("redis_url", "")))
        if articles:
            await app.store.run(import_articles, SYSTEM, shipped("knowledge_base"))
            await app.library.refresh()
        _, key = await app.store.run(
            add_or_equip,
            SYSTEM,
            "boss@example.com",
            "admin",
            name="Boss",
            team="",
            password="",
            api_key=True,
        )
        await stack.enter_async_context(served(make_web(app), port))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        yield World(app, settings.public_url, Api(settings.public_url, key or "", session))


class Visitor(Waits):
    """A customer of the web chat, through its real WebSocket."""

    def __init__(self) -> None:
        self.target = ""
        self.settings: dict[str, Any] = {}
        self._sockets: dict[str, aiohttp.ClientWebSocketResponse] = {}
        self._heard: dict[str, list[str]] = {}
        self._stack = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Visitor":
        self._session = await self._stack.enter_async_context(aiohttp.ClientSession())
        return self

    async def __aexit__(self, *_: object) -> None:
        for socket in self._sockets.values():
            await socket.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stack.aclose()

    async def _socket(self, sender: str) -> aiohttp.ClientWebSocketResponse:
        if sender not in self._sockets:
            socket = await self._session.ws_connect(f"{self.target}/widget/ws")
            await socket.send_json({"type": "hello", "token": None, "lang": "en", "after": None})
            self._sockets[sender], self._heard[sender] = socket, []
            self._tasks.append(asyncio.create_task(self._hear(socket, sender)))
        return self._sockets[sender]

    async def _hear(self, socket: aiohttp.ClientWebSocketResponse, sender: str) -> None:
        async for frame in socket:
            data = frame.json()
            if data["type"] == "message" and data["message"].get("author") != "contact":
                self._heard[sender].append(data["message"]["text"])

    async def say(
        self,
        text: str,
        *,
        sender: str,
        name: str = "",
        message_id: str | None = None,
        button: str | None = None,
    ) -> int:
        """Write; 200 when the socket took it."""
        socket = await self._socket(sender)
        frame = {"type": "message", "id": message_id or new_id(), "text": text}
        await socket.send_json(frame | ({"button": button} if button else {}))
        return 200

    async def replies(self, sender: str) -> list[str]:
        """What came back so far."""
        return list(self._heard.get(sender, []))


WAYS_IN: dict[str, tuple[Any, str, str]] = {
    "webchat": (Visitor, "webchat", "visitor"),
    "whatsapp": (WhatsAppEmulator, "whatsapp", "919876543210"),
    "twilio-sms": (TwilioEmulator, "sms", "+919876543210"),
    "twilio-whatsapp": (lambda: TwilioEmulator(speaks="whatsapp"), "whatsapp", "+919876543210"),
    "telegram": (TelegramEmulator, "telegram", "4001"),
    "messenger": (MessengerEmulator, "messenger", "24512345678901"),
    "instagram": (lambda: MessengerEmulator(speaks="instagram"), "instagram", "17841498765432"),
    "email": (MailEmulator, "email", "asha@customer.example"),
}
"""name -> (emulator, channel, a customer's address)."""


@asynccontextmanager
async def customer_of(way: str, data_dir: Path, **given: Any) -> AsyncIterator[tuple[World, Any, str]]:
    """A Samvad and a provider's emulator of one way in, pointed at each other."""
    make, _, sender = WAYS_IN[way]
    async with make() as emulator:
        settings = dict(emulator.settings)
        if way == "email":
            settings["email_listen"] = f"127.0.0.1:{free_port()}"
        async with samvad(data_dir, **settings, **given) as world:
            emulator.target = settings.get("email_listen", world.url)
            if hasattr(emulator, "public_url"):
                emulator.public_url = world.url
            if hasattr(emulator, "auto_status"):
                emulator.auto_status = True
            if way == "email":
                await asyncio.sleep(0.2)
            yield world, emulator, sender
            if hasattr(emulator, "settle"):
                await emulator.settle()
