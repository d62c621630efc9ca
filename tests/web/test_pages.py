"""The front door, the help pages, and what all pages promise a browser."""

import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest

import bot.web
from bot.crm.article import save_article
from bot.records.actor import SYSTEM
from bot.web.pages.markdown import to_html
from bot.web.pages.site import direction
from tests.web.conftest import Site

WEB = Path(bot.web.__file__).parent


@pytest.fixture
async def http(site: Site) -> Any:
    async with aiohttp.ClientSession(site.url) as session:
        yield session


@pytest.fixture(scope="module", autouse=True)
def article(site: Site) -> None:
    body = "# Big\n\nTwo **years**. [More](https://example.com)\n\n<script>alert(1)</script>\n\n[x](javascript:alert(1))"
    site.app.store.write_now(save_article, SYSTEM, "warranty", "en", "How long is the <warranty>?", body)
    site.app.store.write_now(save_article, SYSTEM, "hidden", "en", "Not yet", "Soon", "draft")


@pytest.mark.parametrize("lang", ["en", "hi", "hi-Latn", "ur"])
async def test_front_door_speaks_every_language(http: Any, lang: str) -> None:
    answer = await http.get("/", params={"lang": lang})
    page = await answer.text()
    assert answer.status == 200 and f'<html lang="{lang}" dir="{direction(lang)}">' in page
    assert page.count("data-say=") == 3 and 'src="/widget.js"' in page and "Asha Kitchens" in page


async def test_language_follows_the_browser(http: Any) -> None:
    page = await (await http.get("/", headers={"Accept-Language": "hi-IN,hi;q=0.9,en;q=0.8"})).text()
    assert '<html lang="hi"' in page


@pytest.mark.parametrize("path", ["/help/en/none", "/help/en/hidden", "/help/xx", "/help/xx/warranty"])
async def test_what_is_not_there_is_said_kindly(http: Any, path: str) -> None:
    answer = await http.get(path)
    assert answer.status == 404 and "Ask us" in await answer.text()


@pytest.mark.parametrize("path", ["/", "/help/en", "/help/en/none", "/console/sign-in"])
async def test_pages_run_nothing_but_our_files(http: Any, path: str) -> None:
    answer = await http.get(path)
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    page = await answer.text()
    assert not re.search(r"<script(?![^>]*\ssrc=)|\sstyle=|\son[a-z]+=", page)
    fetched = re.sub(r'<link rel="(?:canonical|alternate)"[^>]*>', "", page)
    assert not re.search(r"""(?:src|href)=["']https?://""", fetched)


async def test_static_files_are_kept_for_ever_under_their_digest(http: Any) -> None:
    page = await (await http.get("/")).text()
    found = re.search(r'href="(/static/[^"]+samvad\.css)"', page)
    assert found is not None
    answer = await http.get(found[1])
    assert "immutable" in answer.headers["Cache-Control"] and answer.content_type == "text/css"
    assert "immutable" not in (await http.get("/static/old/pages/samvad.css")).headers["Cache-Control"]
    assert (await http.get("/static/x/../../../etc/passwd")).status == 404


def test_markdown_cannot_smuggle() -> None:
    html = to_html("<img src=x onerror=alert(1)> [a](data:text/html,x) ![i](javascript:x) `<b>`")
    assert "<img src=x" not in html and "data:" not in re.sub("&[a-z]+;", "", html.split("[a]")[0])
    assert 'href="data' not in html and "javascript:" not in html.replace("](javascript:", "")


def test_direction() -> None:
    assert (direction("ur"), direction("ur-PK"), direction("hi")) == ("rtl", "rtl", "ltr")


def _luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = "".join(char * 2 for char in digits) if len(digits) == 3 else digits
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_colours_can_be_read(scheme: int) -> None:
    css = (WEB / "pages/static/samvad.css").read_text("utf-8")
    blocks = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    tokens = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", blocks[0]))
    if scheme:
        tokens |= dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", blocks[1]))
    for ink, ground in (
        *(("ink", ground) for ground in ("bg", "surface", "raised", "accent-soft")),
        *(("ink-2", ground) for ground in ("bg", "surface", "raised", "accent-soft")),
        *(("link", ground) for ground in ("bg", "surface", "accent-soft")),
        *(("on-accent", "accent"), ("warn", "warn-soft"), ("bad", "bad-soft"), ("bad", "bg"), ("warn", "bg")),
    ):
        assert _contrast(tokens[ink], tokens[ground]) >= 4.5, (ink, ground)
    for edge in ("bg", "surface", "raised"):
        assert _contrast(tokens["edge"], tokens[edge]) >= 3, edge
        assert _contrast(tokens["accent"], tokens[edge]) >= 3, edge
