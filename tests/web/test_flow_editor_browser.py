"""An admin writes a flow in a real browser, mends it, tries it, publishes it, and the bot speaks by it."""

import time
from typing import Any

import pytest

from bot.conversations.message import MESSAGE
from bot.ids import new_id
from bot.records.actor import SYSTEM
from tests.web.conftest import Site, until
from tests.web.test_records_console_browser import AXE, pages

__all__ = ["pages"]

FLOW = """name: {name}
version: 1
description: Ask for a day.
title: flow.book_appointment
keywords:
  en: ["{word}"]
steps:
  - collect: day
    type: date
    ask: visit.ask_day
    after: now
  - say: lead.thanks
"""
DAY = "Which day would suit you?"


def answer(site: Site, text: str) -> str:
    """What the bot says to a customer who writes this on the web chat."""
    which = site.conversation(text)
    table = MESSAGE.table
    found = table.select().where(table.c.conversation_id == which, table.c.direction == "outbound")
    return " ".join(row["text"] for row in site.app.store.read_now(lambda tx: tx.rows(found), SYSTEM))


def serves(site: Site, name: str, whether: bool) -> None:
    """Wait until the running bot has taken up what was published."""
    for _ in range(600):
        if (name in site.app.runtime.flows) == whether:
            return
        time.sleep(0.05)
    raise AssertionError(name)


def test_a_flow_is_written_mended_tried_published_and_spoken(site: Site, pages: Any) -> None:
    mark = new_id()[-6:]
    name, word = f"day_{mark}", f"zebra {mark}"
    source = FLOW.format(name=name, word=word)
    page = pages(1440, site, "admin")
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(f"{site.url}/console/flows")
    page.get_by_role("link", name="New flow").click()
    page.locator("#checked", has_text="No errors").wait_for()

    # What is wrong stands beside its line, as it is typed; a press leads there.
    page.fill("#source", source.replace("visit.ask_day", "visit.no_such_words"))
    page.locator("#checked li", has_text="there are no words for visit.no_such_words").wait_for()
    assert page.locator(".gutter .is-error").inner_text() == "8"
    assert page.locator(".bands .is-error").is_visible()
    page.keyboard.press("Control+s")
    page.locator(".notice", has_text="Draft saved").wait_for()
    assert page.url.endswith(f"/console/flows/{name}/edit?saved=1")
    page.locator("[data-go='8']").click()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Home")
    page.keyboard.press("Shift+End")
    page.keyboard.insert_text("    ask: visit.ask_day")
    page.keyboard.press("Enter")
    page.keyboard.insert_text("digits: 3")
    page.locator("#checked li", has_text="digits goes with text").wait_for()
    until(page, "document.querySelector('#source').value.includes('\\n    digits: 3\\n')")
    page.keyboard.press("Control+z")
    page.fill("#source", source)
    page.locator("#checked", has_text="No errors").wait_for()
    page.locator("#picture", has_text=DAY).wait_for()

    # The draft is talked to; the picture shows where it waits.
    page.get_by_role("button", name="Send").click()
    page.locator(".talk .ours", has_text=DAY).wait_for()
    assert page.locator("#picture .is-waiting").get_attribute("data-step") == "day"
    page.fill("#say", "yesterday")
    page.keyboard.press("Enter")
    page.locator(".talk .mine", has_text="yesterday").wait_for()
    assert page.locator("#trial-now .slots dd").count() == 0
    page.fill("#say", "tomorrow")
    page.keyboard.press("Enter")
    page.locator("#trial-now", has_text="The flow is over").wait_for()
    assert page.input_value("#say") == ""
    assert name not in site.app.runtime.flows

    page.get_by_role("button", name="Publish …").click()
    page.locator(".diff ins", has_text=f"name: {name}").wait_for()
    page.get_by_role("button", name="Publish", exact=True).click()
    page.locator(".notice", has_text="Published").wait_for()
    serves(site, name, True)
    assert DAY in answer(site, word)

    page.locator("summary[aria-label]", has=page.locator("svg")).last.click()
    page.get_by_role("button", name="Take out of use").click()
    page.wait_for_url("**/console/flows")
    serves(site, name, False)
    assert DAY not in answer(site, word)


@pytest.mark.parametrize("width", [1440, 390])
def test_the_pages_of_flows_are_accessible_and_fit(site: Site, pages: Any, width: int) -> None:
    page = pages(width, site, "admin")
    for path in (
        "flows",
        "flows/book_appointment",
        "flows/book_appointment/edit",
        "flow-editor/new",
        "flows/order_status?lang=ur",
    ):
        page.goto(f"{site.url}/console/{path}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        page.evaluate(AXE)
        found = page.evaluate("axe.run()")["violations"]
        assert found == [], [(one["id"], [node["target"] for node in one["nodes"]][:3]) for one in found]
