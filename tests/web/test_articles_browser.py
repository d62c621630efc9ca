"""The editor in a real browser: marks, preview, pictures, a text that outlives its session, no script."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from bot.crm.article import ARTICLE, edit_article, save_article
from bot.records.actor import SYSTEM
from tests.support.recordings import picture
from tests.web.conftest import BUSY, PASSWORD, Site


@pytest.fixture
def pages(browser: Any) -> Iterator[Any]:
    """`pages(**options)` is a page of a fresh profile; what its console complains of fails the test."""
    wrong: list[str] = []
    contexts = []

    def make(**options: Any) -> Any:
        contexts.append(context := browser.new_context(viewport={"width": 1280, "height": 860}, **options))
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        return page

    yield make
    for context in contexts:
        context.close()
    assert wrong == []


def enter(page: Any, email: str) -> None:
    page.fill("#email", email)
    page.fill("#password", PASSWORD)
    page.click("button[type=submit]")


def body_of(site: Site, key: str) -> str:
    table = ARTICLE.table
    found = site.app.store.read_now(lambda tx: tx.row(sa.select(table).where(table.c.key == key)), SYSTEM)
    return str(found["body"]) if found is not None else ""


def test_an_article_is_written_lost_and_found_again(site: Site, pages: Any, tmp_path: Path) -> None:
    (tmp_path / "filter.png").write_bytes(picture("PNG"))
    page, email = pages(), site.user("agent")
    page.goto(f"{site.url}/console/articles/new")
    enter(page, email)
    text = page.locator("#body")
    page.locator("[data-marks]").wait_for()
    page.fill("#key", "browser-filters")
    page.fill("#title", "Filters")
    text.fill("Every six months")
    text.press("Control+a")
    text.press("Control+b")
    expect(text).to_have_value("**Every six months**")
    text.press("Control+b")
    expect(text).to_have_value("Every six months")
    text.press("Control+End")
    page.get_by_role("button", name="List", exact=True).click()
    expect(text).to_have_value("- Every six months")
    text.press("Control+End")
    page.get_by_role("button", name="Table").click()
    expect(text).to_have_value("- Every six months\n\n| First | Second |\n| --- | --- |\n|  |  |\n\n")
    page.set_input_files("[data-picture]", tmp_path / "filter.png")
    expect(page.locator("#preview img[alt=filter]")).to_have_js_property("naturalWidth", 80)
    expect(page.locator("#preview th")).to_have_count(2)
    written = text.input_value()
    # The session ends before anything was saved: what was typed waits for the same person.
    page.context.clear_cookies()
    page.goto(f"{site.url}/console/articles/new")
    enter(page, email)
    page.get_by_role("button", name="Go on with it").click()
    expect(text).to_have_value(written)
    page.fill("#key", "browser-filters")
    text.press("Control+s")
    page.locator("[data-done]").wait_for()
    assert body_of(site, "browser-filters") == written.strip()
    page.goto(f"{site.url}/console/articles/new")
    expect(page.locator("[data-kept]")).to_be_hidden()


def test_news_of_another_save_come_by_themselves(site: Site, pages: Any) -> None:
    which = site.app.store.write_now(save_article, SYSTEM, "browser-news", "en", "News", "Old", "draft")
    page = pages(locale="ur")
    page.goto(f"{site.url}/console/articles/{which}?lang=ur")
    enter(page, site.user("manager"))
    page.locator("[data-marks]").wait_for()
    expect(page.locator(BUSY)).to_have_count(0)
    warning = page.locator("#meanwhile .notice")
    for number in range(100):  # until the page hears the news
        site.app.store.write_now(edit_article, SYSTEM, which, {"body": f"New {number}"})
        page.wait_for_timeout(100)
        if warning.count():
            break
    warning.wait_for()
    assert page.evaluate("document.documentElement.dir") == "rtl"


@pytest.mark.parametrize(("lang", "width"), [("en", 1280), ("ur", 390)])
def test_the_rooms_are_accessible_and_fit(site: Site, pages: Any, lang: str, width: int) -> None:
    write = site.app.store.write_now
    write(save_article, SYSTEM, "browser-axe", "en", "Axe", "Old", "published")
    which = write(save_article, SYSTEM, "browser-axe", "ur", "کلہاڑی", "پرانا", "published", category="اوزار")
    write(edit_article, SYSTEM, which, {"body": "نیا"})
    page = pages()
    page.set_viewport_size({"width": width, "height": 860})
    page.goto(f"{site.url}/console/articles")
    enter(page, site.user("manager"))
    page.goto(f"{site.url}/console/language?to={lang}&back=/console/articles")
    for room in ("articles?state=missing", "articles/new", f"articles/{which}", f"articles/{which}/versions"):
        page.goto(f"{site.url}/console/{room}")
        expect(page.locator(BUSY)).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, room
        found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found] == [], room


def test_saving_works_without_a_script(site: Site, pages: Any) -> None:
    page = pages(java_script_enabled=False)
    page.goto(f"{site.url}/console/articles/new")
    enter(page, site.user("manager"))
    for name, value in (("key", "browser-bare"), ("title", "Bare"), ("body", "No script")):
        page.fill(f"#{name}", value)
    page.get_by_role("button", name="Publish").click()
    page.locator("[data-done]").wait_for()
    assert body_of(site, "browser-bare") == "No script"
