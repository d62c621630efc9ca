"""A shop's own website on another origin, with the widget in it, and ways to look at what a visitor sees."""

import html
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt

from bot.clock import now
from tests.web.conftest import PATIENCE_MS, SECRET, Site, until

PAGE = """<!doctype html><html lang="{lang}"><head><meta charset="utf-8"><title>Asha's shop</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/shop.css"></head>
<body><main><h1>Pots and pans</h1><p>Everything for the kitchen.</p><div class="tall"></div></main>
<script src="{samvad}/widget.js" {attributes}></script></body></html>"""
STYLE = "body { font-family: sans-serif; margin: 2rem; } .tall { height: 3000px; } button { color: red; } "


@dataclass
class Shop:
    """The website. `samvad` is where the widget comes from; `csp` forbids all that the docs do not name."""

    url: str
    samvad: str
    attributes: dict[str, str] = field(default_factory=dict)
    lang: str = "en"
    csp: str = ""

    def strict(self) -> None:
        """Send the policy that docs/widget.md gives."""
        here = self.samvad
        line = here.replace("http", "ws", 1)
        self.csp = (
            f"default-src 'none'; script-src 'self' {here}; style-src 'self'; img-src 'self' {here}; "
            f"media-src {here}; connect-src {here} {line}; form-action 'self'; base-uri 'none'"
        )

    def page(self) -> str:
        """The page as the shop's server writes it."""
        written = " ".join(f'data-{name}="{html.escape(value)}"' for name, value in self.attributes.items())
        return PAGE.format(samvad=self.samvad, attributes=written, lang=self.lang)


@contextmanager
def open_shop(samvad: str) -> Iterator[Shop]:
    """Serve the shop on a port of its own."""
    shop = Shop("", samvad)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_style = self.path == "/shop.css"
            body = (STYLE if is_style else shop.page()).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/css" if is_style else "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            if shop.csp:
                self.send_header("Content-Security-Policy", shop.csp)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    shop.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield shop
    finally:
        server.shutdown()
        server.server_close()


def user_token(user: str, *, secret: str = SECRET, minutes: float = 60, **claims: Any) -> str:
    """What the shop's server signs for a signed-in user."""
    return jwt.encode({"sub": user, "exp": now() + timedelta(minutes=minutes), **claims}, secret, "HS256")


class Visitor:
    """Somebody in a browser on the shop's page."""

    def __init__(self, page: Any, site: Site) -> None:
        self.page, self.site = page, site
        self.widget = page.locator("#samvad-widget")
        self.told: list[str] = []
        page.on("console", lambda message: self.told.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.told.append(f"error: {error}"))

    def hears(self, *words: str) -> None:
        """Wait until the page's console has told something of all these words."""
        for _ in range(PATIENCE_MS // 50):
            if any(all(word in told for word in words) for told in self.told):
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(self.told)

    def connected(self) -> None:
        """Wait until the server has welcomed the page."""
        self.until("Object.keys(localStorage).some((k) => k.endsWith(':token'))")

    def until(self, holds: str) -> None:
        """Wait until a script's expression holds."""
        until(self.page, holds)

    def uploaded(self) -> None:
        """Wait until no upload runs."""
        self.until("!document.querySelector('#samvad-widget').shadowRoot.querySelector('progress')")

    def open(self) -> None:
        """Press the launcher, unless the panel was left open."""
        if not self.widget.locator(".panel").is_visible():
            self.widget.locator(".launcher").click()
        self.widget.locator("textarea").wait_for()

    def write(self, text: str) -> None:
        """Write a message and send it."""
        self.widget.locator("textarea").fill(text)
        self.page.keyboard.press("Enter")

    @property
    def visitor(self) -> str:
        """The visitor's id."""
        value: str = self.page.evaluate(
            "JSON.parse(localStorage.getItem(Object.keys(localStorage).find((k) => k.endsWith(':token'))))"
        )
        return value.split(".")[0].removeprefix("visitor:").partition("@")[0]
