"""An admin builds a rule in a real browser, tries it, and sees what it did."""

import re
from typing import Any

import pytest

from bot.automation.consumer import advance
from bot.crm.rule import RULE
from bot.ids import new_id
from bot.records.actor import SYSTEM
from tests.web.conftest import BUSY, Site
from tests.web.test_records_console import made, row_of
from tests.web.test_records_console_browser import AXE, pages

__all__ = ["pages"]


def work(site: Site) -> None:
    """What the worker does: read the log to its end."""
    while site.app.store.write_now(advance, SYSTEM, site.app.runtime):
        pass


def add(page: Any, action: str) -> None:
    """Choose an action and put it at the end."""
    page.select_option("#r-add", action)
    page.click("#r-adds")
    page.locator(f".deed input[value={action}]").wait_for(state="attached")
    settled(page)


def settled(page: Any) -> None:
    """Nothing is fetched or half in its place."""
    for _ in range(200):
        if page.locator(BUSY).count() == 0:
            return
        page.wait_for_timeout(25)
    raise AssertionError("htmx is busy for ever")


def test_a_rule_is_built_tried_and_runs(site: Site, pages: Any) -> None:
    mark = new_id()[-6:]
    work(site)
    lead = {"contact_id": made(site, "contacts", name=f"Asha {mark}"), "need": f"a sofa {mark}"}
    which = made(site, "leads", **lead, source=mark)
    page = pages(1440, site, "admin")
    page.goto(f"{site.url}/console/records/rules")
    page.keyboard.press("n")
    page.wait_for_url("**/rules/new")
    page.fill("#r-name", f"Fair {mark}")
    page.fill("#r-condition", f"sorce = {mark}")
    page.locator("#match mark", has_text="sorce").wait_for()
    page.locator("#match [data-mend]").click()
    page.locator("#match", has_text="1 record matches now.").wait_for()
    assert page.input_value("#r-condition") == f"source = {mark}"

    add(page, "create_task")
    page.fill("#p-a0-subject", "Call about ")
    page.focus("#p-a0-subject")
    page.keyboard.press("End")
    page.select_option("[data-insert=p-a0-subject]", "need")
    assert page.input_value("#p-a0-subject") == "Call about {need}"
    add(page, "set_fields")
    page.select_option("#p-a1-fields-0", "status")
    page.locator("[name='a1.fields.0.value']").select_option("working")
    page.focus("#up-1")
    page.keyboard.press("Enter")
    page.locator(".deed:first-child h3", has_text="Set fields").wait_for()
    settled(page)
    assert page.evaluate("document.activeElement.id") == "up-1"  # the focus goes along
    assert page.input_value("#p-a0-subject") == "Call about {need}"

    page.get_by_role("button", name="Try", exact=True).click()
    tried = page.locator(".tried > li", has_text="The condition holds")
    tried.wait_for()
    assert re.search(rf"New\s*→\s*Working[\s\S]*Call about a sofa {mark}", tried.inner_text())
    assert row_of(site, "leads", which)["status"] == "new"

    page.focus("#r-name")
    page.keyboard.press("Control+Enter")
    page.get_by_text("Saved as version 1.").wait_for()
    rule = page.url.rpartition("/")[2].partition("?")[0]
    assert [one["action"] for one in row_of(site, RULE.name, rule)["actions"]] == [
        "set_fields",
        "create_task",
    ]
    later = made(site, "leads", **lead, source=mark)
    work(site)
    assert row_of(site, "leads", later)["status"] == "working"
    page.reload()
    run = page.locator("section", has_text="What it did").locator("li", has_text="Done").first
    run.locator("summary").click()
    assert re.search(r"Status:\s*New\s*→\s*Working", run.inner_text())


@pytest.mark.parametrize(("width", "lang"), [(390, "ur"), (1440, "en")])
def test_the_editor_fits_and_shuts_nobody_out(site: Site, pages: Any, width: int, lang: str) -> None:
    page = pages(width, site, "admin")
    page.goto(f"{site.url}/console/language?to={lang}&back=/console/articles")
    page.goto(f"{site.url}/console/records/rules/new?entity=cases")
    page.select_option("#r-trigger", "due")
    page.locator("#r-due_field").wait_for()
    for action in ("set_fields", "assign", "create_task", "notify", "send_message", "share", "escalate"):
        add(page, action)
    page.select_option("#p-a0-fields-0", "priority")
    page.locator("[name='a0.fields.0.value']").wait_for()
    page.fill("#r-condition", "prioriti = urgent")
    page.locator("#match mark").wait_for()
    settled(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate(AXE)
    found = page.evaluate("async () => (await axe.run()).violations")
    assert [(one["id"], [node["html"][:150] for node in one["nodes"]][:3]) for one in found] == []
