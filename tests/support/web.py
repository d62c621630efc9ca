"""The API over a Store, without the rest of the program: what of App its handlers touch, and no more."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bot.adapter import Features
from bot.crm.business import Profile
from bot.dialogs import publishing
from bot.dialogs.understanding import Model, Understanding
from bot.i18n import Words
from bot.records.store import Store
from bot.records.tokens import Tokens
from bot.settings import Settings
from bot.web import api, errors
from bot.web.keys import APP
from tests.support.world import trained


class Runtime:
    """Channels whose window is a day."""

    def features(self, _account_id: str) -> Features:
        """The same for every account."""
        return Features(text_limit=4096, window=timedelta(hours=24))


@dataclass
class StandIn:
    """In App's place."""

    store: Store
    settings: Settings = field(default_factory=Settings)
    profile: Profile = field(
        default_factory=lambda: Profile("Samvad", "IN", "Asia/Kolkata", ("en", "hi"), "INR")
    )
    words: Words = field(default_factory=Words.load)
    runtime: Runtime = field(default_factory=Runtime)

    @property
    def understanding(self) -> Understanding:
        """That of the flows that ship."""
        return Understanding(publishing.shipped(), self.words, Model.read(trained()))

    def sign(self, value: str) -> str:
        """As App does, with a key of its own."""
        return Tokens(b"stand-in").sign(value)


Client = TestClient[web.Request, web.Application]


@asynccontextmanager
async def serving(
    store: Store, *routes: web.RouteDef, settings: Settings | None = None
) -> AsyncIterator[Client]:
    """A client of the API, and of further routes."""
    web_app = web.Application(middlewares=[errors.middleware])
    web_app[APP] = StandIn(store, settings or Settings())  # type: ignore[assignment]
    api.setup(web_app)
    web_app.add_routes(routes)
    async with TestClient(TestServer(web_app)) as client:
        yield client


def bearer(key: str) -> dict[str, Any]:
    """Keyword arguments of a request that carries the key."""
    return {"headers": {"Authorization": f"Bearer {key}"}}
