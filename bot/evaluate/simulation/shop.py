"""The business that played customers meet: the whole program, served over HTTP, on SQLite, with its order
system, WhatsApp and SMS beside it."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
import sqlalchemy as sa

from bot import clock
from bot.app import App, open_app
from bot.conversations.conversation import CONVERSATION
from bot.conversations.lane import NewLane, ensure_lanes, lanes, set_conversation
from bot.crm.contact import add_contact
from bot.crm.visit import book_visit
from bot.dialogs.flows.model import Flows
from bot.evaluate.simulation.lines import Line, WebChatLine, WhatsAppLine
from bot.knowledge.files import import_articles
from bot.pipeline.load import new_conversation
from bot.records.actor import BOT, SYSTEM
from bot.records.tx import Tx
from bot.records.write import create
from bot.settings import load_settings
from bot.shipped import shipped
from bot.storage import metadata
from bot.testing import OrdersEmulator, TwilioEmulator, WhatsAppEmulator
from bot.web.server import make_web, served

ZONE = ZoneInfo("Asia/Kolkata")
NOW = datetime(2026, 11, 23, 10, tzinfo=ZONE)
PHONE = "+919876500123"
"""The customer's own number: that of their WhatsApp, and of every order."""
ORDERS: dict[str, dict[str, str]] = {
    "48213": {"status": "shipped", "expected_on": "2026-11-26"},
    "48377": {"status": "delivered"},
    "50991": {"status": "packed"},
    "51002": {"status": "out_for_delivery"},
}
BOOKED = datetime(2026, 11, 24, 11, tzinfo=ZONE)
"""The visit that whoever would change one has."""
_CODE = re.compile(r"\b\d{6}\b")
_WAIT_S = 30.0


@dataclass
class Shop:
    """The program and the providers around it."""

    app: App
    url: str
    whatsapp: WhatsAppEmulator
    sms: TwilioEmulator
    session: aiohttp.ClientSession
    empty: tuple[sa.Table, ...]
    """The tables that were empty before the first customer came."""

    @property
    def flows(self) -> Flows:
        """The flows that are served."""
        flows: Flows = self.app.runtime.flows
        return flows

    @asynccontextmanager
    async def line(self, channel: str) -> AsyncIterator[Line]:
        """A customer's way in; on the web a new visitor, on WhatsApp always the one number."""
        if channel == "whatsapp":
            yield WhatsAppLine(self.whatsapp, PHONE)
            return
        async with self.session.ws_connect(f"{self.url}/widget/ws") as socket:
            yield await WebChatLine.open(socket)

    async def settled(self) -> None:
        """Until nothing waits or runs in the pipe."""
        pipe = self.app.pipe
        assert pipe is not None
        async with asyncio.timeout(_WAIT_S):
            quiet = 0
            while quiet < 2:  # a commit's notice is on its way for a moment
                await asyncio.sleep(0.005)
                quiet = quiet + 1 if pipe.idle else 0

    async def code(self) -> str:
        """The last one-time code that went to the customer's number; empty when none did."""
        texts = [*await self.whatsapp.replies(PHONE.removeprefix("+")), *await self.sms.replies(PHONE)]
        codes = [match.group() for text in texts if (match := _CODE.search(text))]
        return codes[-1] if codes else ""

    async def has_visit(self, line: Line) -> None:
        """Let the customer of a line have a visit booked: tomorrow at eleven, at the dentist's."""
        await self.app.store.run(_book, BOT, self._lane(line), line.channel)

    def _lane(self, line: Line) -> NewLane:
        found = (id for (_, channel, _), id in self.app.runtime.accounts.items() if channel == line.channel)
        return NewLane(next(found), line.address)

    def lane_id(self, line: Line) -> str:
        """The lane of a line."""
        return self._lane(line).id

    @contextmanager
    def day(self) -> Iterator[None]:
        """A customer's day: it is that Monday at ten."""
        with clock.beginning_at(NOW):
            yield

    async def forget(self) -> None:
        """As if no customer had ever come."""
        await self.settled()
        await self.app.store.run(_wipe, SYSTEM, self.empty)
        self.sms.sent.clear()
        self.whatsapp.sent.clear()


def _book(tx: Tx, lane: NewLane, channel: Any) -> None:
    contact_id = add_contact(tx, source="channel")
    ensure_lanes(tx, [lane])
    row = tx.row(sa.select(lanes).where(lanes.c.id == lane.id))
    assert row is not None
    values = new_conversation(row, contact_id, channel, "")
    conversation_id = create(tx, CONVERSATION, values)
    set_conversation(tx, lane.id, contact_id, conversation_id)
    tx.flush()
    book_visit(tx, contact_id, conversation_id, "Dentist", BOOKED)


def _empty(tx: Tx) -> tuple[sa.Table, ...]:
    """The tables without a row, those first that refer to others."""
    return tuple(
        table
        for table in reversed(metadata.sorted_tables)
        if tx.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).scalar() is None
    )


def _wipe(tx: Tx, tables: tuple[sa.Table, ...]) -> None:
    # A serving process knows which lanes there are: they stay, with nobody in them.
    nobody = dict.fromkeys(("contact_id", "conversation_id", "stopped_at"))
    tx.execute(lanes.update().values(nobody))
    for table in tables:
        if table is not lanes:
            tx.execute(table.delete())


@asynccontextmanager
async def open_shop(data_dir: Path, **given: Any) -> AsyncIterator[Shop]:
    """Open the shop in a folder of its own; what is `given` are settings."""
    async with AsyncExitStack() as stack:
        stack.enter_context(clock.beginning_at(NOW))
        orders = await stack.enter_async_context(OrdersEmulator())
        sms = await stack.enter_async_context(TwilioEmulator())
        whatsapp = await stack.enter_async_context(WhatsAppEmulator())
        for number, told in ORDERS.items():
            orders.add(number, phone=PHONE, **told)
        settings = load_settings(
            data_dir=data_dir,
            **{**_SETTINGS, **orders.settings, **sms.settings, **whatsapp.settings, **given},
        )
        app = await stack.enter_async_context(open_app(settings, redis_url=""))
        await app.store.run(import_articles, SYSTEM, shipped("knowledge_base"))
        await app.library.refresh()
        port = await stack.enter_async_context(served(make_web(app)))
        url = f"http://127.0.0.1:{port}"
        whatsapp.target = sms.target = sms.public_url = url
        session = await stack.enter_async_context(aiohttp.ClientSession())
        empty = await app.store.read(_empty, SYSTEM)
        yield Shop(app, url, whatsapp, sms, session, empty)
        await whatsapp.settle()
        await sms.settle()


_SETTINGS: dict[str, Any] = {
    "business_name": "Sharma Home & Health",
    "opening_hours": "mon-sat 10:00-19:00",
    "gather_ms": 80,  # a burst is one turn; what follows an answer is the next
    # One customer after another from one network address, each quicker than any person types.
    "flood_sender": 0,
    "flood_account": 0,
    "flood_address": 0,
    "flood_kept": 0,
    "log_level": "critical",
}
