"""The real program behind real HTTP, in a thread of its own, for tests of pages and browsers."""

import asyncio
import os
import re
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import pytest

from bot.app import App, open_app
from bot.channels.webchat import inbound_from_page
from bot.conversations.conversation import CONVERSATION
from bot.crm.user import add_user
from bot.ids import new_id
from bot.messages import Parsed
from bot.records.actor import SYSTEM
from bot.settings import load_settings
from bot.web.server import make_web, served
from tests.support.world import share_model

T = TypeVar("T")
PASSWORD = "a long enough one"
LANGUAGES = "en,hi,hi-Latn,ur"
SECRET = "a secret that the shop and Samvad share 0123456789"
CHROMIUM = "/usr/bin/chromium"
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-background-networking",
    # A microphone that hums, so that voice notes can be recorded.
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
BUSY = ".htmx-request, .htmx-swapping, .htmx-settling"
"""What htmx fetches, or has brought and not wired yet: `expect(page.locator(BUSY)).to_have_count(0)`."""
PATIENCE_MS = 30_000
"""How long a browser is waited for. A check of a condition takes as long as the condition does."""


@dataclass
class Site:
    """A running program: its address, and a way to call into it from a test."""

    url: str = ""
    app: App = field(default=None)  # type: ignore[assignment]
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the program's own loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)

    def user(self, role: str, team: str | None = None) -> str:
        """A new staff member; returns the e-mail address. The password is `PASSWORD`."""
        email = f"{role}-{new_id()[-12:]}@shop.example"
        self.app.store.write_now(add_user, SYSTEM, email, role, password=PASSWORD, team=team)  # type: ignore[arg-type]
        return email

    def conversation(self, text: str = "Hello", visitor: str | None = None) -> str:
        """A customer writes on the web chat; returns the conversation's id once the turn is over."""
        who = visitor or new_id()
        message = inbound_from_page({"type": "message", "id": new_id(), "text": text}, who)
        return self.do(self._converse(Parsed(messages=(message,)), who))

    async def _converse(self, parsed: Parsed, visitor: str) -> str:
        await self.app.receive(parsed, "webchat")
        table = CONVERSATION.table
        for _ in range(400):
            rows = await self.app.store.read(
                lambda tx: tx.rows(table.select().where(table.c.address == visitor)), SYSTEM
            )
            if rows and rows[0]["last_message_at"] is not None:
                return str(rows[0]["id"])
            await asyncio.sleep(0.02)
        raise TimeoutError("no turn took this message")


@contextmanager
def running(folder: Path, **given: object) -> Iterator[Site]:
    """The program on a data directory, in a thread of its own, until the block ends."""
    made = Site()
    ready: Future[None] = Future()
    if not (folder / "models").exists():
        share_model(folder)

    async def run(stop: asyncio.Event) -> None:
        chosen = {
            "gather_ms": 0,
            "business_name": "Asha Kitchens",
            "base_url": "",
            "languages": LANGUAGES,
            "widget_secret": SECRET,
            **given,
        }
        port = int(str(chosen.pop("port", 0)))
        async with (
            open_app(load_settings(data_dir=folder, **chosen)) as app,
            served(make_web(app), port) as bound,
        ):
            made.app, made.url = app, f"http://127.0.0.1:{bound}"
            ready.set_result(None)
            await stop.wait()

    def thread() -> None:
        asyncio.set_event_loop(made.loop)
        try:
            made.loop.run_until_complete(run(stop))
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)
            raise

    stop = asyncio.Event()
    runner = threading.Thread(target=thread, daemon=True)
    runner.start()
    ready.result(100)
    try:
        yield made
    finally:
        made.loop.call_soon_threadsafe(stop.set)
        runner.join(20)
        made.loop.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One program for all tests of this folder that ask for it."""
    with running(tmp_path_factory.mktemp("site")) as made:
        yield made


class Staff:
    """A signed-in member of staff over plain HTTP."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.http = aiohttp.ClientSession(site.url, cookie_jar=aiohttp.CookieJar(unsafe=True))
        self.csrf = self.email = ""

    async def sign_in(self, email: str, password: str = PASSWORD) -> aiohttp.ClientResponse:
        """Go through the form as a browser does; keeps the page's token."""
        self.email = email
        form = await self.text("/console/sign-in")
        data = {"email": email, "password": password, "csrf": csrf_of(form), "next": "/console"}
        answer = await self.http.post("/console/sign-in", data=data)
        if answer.status == 200 and 'name="password"' not in (page := await answer.text()):
            self.csrf = csrf_of(page)
        return answer

    async def text(self, path: str, status: int = 200) -> str:
        """The body of a page."""
        async with self.http.get(path) as answer:
            assert answer.status == status, (path, answer.status)
            return await answer.text()

    async def post(self, path: str, expected: int = 200, /, **data: str) -> str:
        """Press a button as htmx does."""
        headers = {"X-CSRF-Token": self.csrf, "HX-Request": "true"}
        async with self.http.post(path, data=data, headers=headers, allow_redirects=False) as answer:
            body = await answer.text()
            assert answer.status == expected, (path, answer.status, body[:300])
            return body


def csrf_of(page: str) -> str:
    """The token in a page's forms."""
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found is not None, page[:500]
    return found[1]


@pytest.fixture
async def staff(site: Site) -> AsyncIterator[Any]:
    """`await staff(role, team)` is a signed-in `Staff`."""
    made: list[Staff] = []

    async def make(role: str = "manager", team: str | None = None) -> Staff:
        one = Staff(site)
        made.append(one)
        assert (await one.sign_in(site.user(role, team))).status == 200
        return one

    yield make
    for one in made:
        await one.http.close()


def need_browser() -> None:
    """Skip a test where there is no browser; in CI there must be one."""
    if not os.path.exists(CHROMIUM):  # noqa: PTH110
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI needs a browser: install chromium so that {CHROMIUM} is there")
        pytest.skip(f"no browser: install chromium so that {CHROMIUM} is there")


def until(page: Any, holds: str) -> None:
    """Wait until a script's expression holds. `page.wait_for_function` would ask by `eval`: under the pages'
    policy it works only where it need not wait."""
    for _ in range(PATIENCE_MS // 50):
        if page.evaluate(holds):
            return
        page.wait_for_timeout(50)
    raise AssertionError(holds)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's chromium, driven by playwright."""
    need_browser()
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        yield chromium
        chromium.close()
