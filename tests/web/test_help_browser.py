"""The help centre in a real browser: at every width, for everybody, and without scripts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest

from bot.knowledge.files import import_articles
from bot.records.actor import SYSTEM
from bot.shipped import shipped
from tests.web.conftest import Site, running

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("help")) as made:
        made.app.store.write_now(import_articles, SYSTEM, shipped("knowledge_base"))
        made.do(made.app.library.refresh())
        yield made


@pytest.mark.parametrize(
    ("lang", "scheme", "width"), [("hi", "light", 390), ("ur", "dark", 390), ("ur", "light", 1440)]
)
def test_nobody_is_kept_out(centre: Site, browser: Any, lang: str, scheme: str, width: int) -> None:
    size = {"width": width, "height": 844}
    context = browser.new_context(viewport=size, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    for path in ("", "/warranty", "/search?q=warranty", "/warranty?voted=no", "/none"):
        page.goto(f"{centre.url}/help/{lang}{path}")
        page.evaluate(AXE)
        found = page.evaluate("async () => (await axe.run()).violations")
        assert [f"{one['id']}: {one['nodes'][0]['html'][:120]}" for one in found] == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()


def test_a_reader_finds_reads_and_says_no_without_scripts(centre: Site, browser: Any) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{centre.url}/help/en")
    page.get_by_role("searchbox").fill("warranty of a fridge")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="warranty").first.click()
    page.locator("article h2 > a").first.click()
    assert "#" in page.url
    page.get_by_role("button", name="No", exact=True).click()
    page.get_by_label("What is missing or wrong?").fill("The price of a visit")
    page.get_by_role("button", name="Send").click()
    page.get_by_text("We read every remark").wait_for()
    assert context.cookies() == []
    context.close()
