"""A rep works through a record in a real browser, by keyboard and by phone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest

from bot.crm.article import ARTICLE
from bot.ids import new_id
from bot.records.actor import SYSTEM
from bot.records.write import create
from tests.web.conftest import PASSWORD, Site
from tests.web.test_records_console import made, row_of

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")


@pytest.fixture
def pages(browser: Any) -> Iterator[Any]:
    """`pages(width)` is a page of a fresh browser profile; what its console complains of fails the test."""
    wrong: list[str] = []
    contexts = []

    def make(width: int, site: Site, role: str = "manager") -> Any:
        context = browser.new_context(viewport={"width": width, "height": 860})
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.goto(f"{site.url}/console/sign-in?next=/console/records/contacts")
        page.fill("#email", site.user(role, "North"))
        page.fill("#password", PASSWORD)
        page.click("button[type=submit]")
        page.wait_for_url("**/console/records/contacts")
        return page

    yield make
    for context in contexts:
        context.close()
    assert wrong == []


def test_a_record_from_its_making_to_its_return(site: Site, pages: Any) -> None:
    mark = new_id()[-6:]
    account = made(site, "accounts", name=f"Lakshmi Textiles {mark}")
    page = pages(1440, site)
    page.on("dialog", lambda dialog: dialog.accept())
    page.keyboard.press("n")
    page.wait_for_url("**/records/contacts/new")
    page.fill("#c-name", f"Asha {mark}")
    page.fill("#c-phones", "98765 43210")
    page.locator("#c-account_id").press_sequentially(f"Lakshmi Textiles {mark}"[:12])
    page.locator("#c-account_id-list [data-id]", has_text=mark).wait_for()
    while mark not in page.locator("#c-account_id-list [aria-selected=true]").all_inner_texts().__str__():
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.focus("#c-name")
    page.keyboard.press("Control+Enter")
    page.locator("h1", has_text=f"Asha {mark}").wait_for()
    which = page.url.rpartition("/")[2]
    assert row_of(site, "contacts", which)["account_id"] == account

    page.goto(f"{site.url}/console/records/contacts")
    page.keyboard.press("f")
    page.keyboard.type(f"Asha {mark}")
    page.keyboard.press("Enter")
    page.locator("tr[data-line]", has_text=f"Asha {mark}").wait_for()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.locator(".bulk", has_text="1 chosen").wait_for()
    page.fill(".bulk [name=value]", "vip")
    page.get_by_role("button", name="Add tag").click()
    page.locator(".outcomes", has_text="Done: 1.").wait_for()
    page.locator("tr[data-line] a.to").first.click()
    page.locator("#facts .badge", has_text="vip").first.wait_for()

    fact = page.locator(".fact", has_text="City")
    fact.hover()
    fact.get_by_role("button", name="Edit: City").click()
    page.locator("#c-in-city").fill("Surat")
    page.keyboard.press("Enter")
    page.locator("#facts .fact", has_text="Surat").wait_for()
    page.locator("#timeline .changes", has_text="Surat").wait_for()  # without a reload
    page.get_by_role("button", name="Log a call").click()
    page.locator("#doing select").first.wait_for()
    page.fill("#doing-text", "Wants a quotation")
    page.locator("#doing form").get_by_role("button").click()
    page.locator("#timeline li", has_text="Wants a quotation").wait_for()

    page.locator("main details.menu > summary").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_text("This record is deleted.").wait_for()
    page.get_by_role("button", name="Undo").click()
    page.locator("#facts").wait_for()
    assert row_of(site, "contacts", which)["deleted_at"] is None


def test_a_deal_is_dragged_and_chosen_onward(site: Site, pages: Any) -> None:
    mark = new_id()[-6:]
    which = made(site, "opportunities", name=f"Sofas {mark}", source=mark, amount=5000)
    page = pages(1440, site)
    page.goto(f"{site.url}/console/records/opportunities/board?where=source+%3D+{mark}")
    card = page.locator(".deal", has_text=mark)
    card.drag_to(page.locator(".stage[data-stage=Proposal]"))
    page.locator(".stage[data-stage=Proposal] .deal", has_text=mark).wait_for()
    card.locator("select").select_option("Won")
    page.locator(".stage[data-stage=Won] .deal", has_text=mark).wait_for()
    assert row_of(site, "opportunities", which)["status"] == "won"


@pytest.mark.parametrize(("width", "lang"), [(390, "ur"), (1440, "en")])
def test_pages_of_records_fit_and_shut_nobody_out(site: Site, pages: Any, width: int, lang: str) -> None:
    firm = "Mohammed Abdul Rahman Cloth Merchants & Sons Private Limited, Hyderabad"
    account = made(site, "accounts", name=firm)
    person = made(
        site,
        "contacts",
        name="Asha",
        account_id=account,
        emails=["a-very-long-address@subdomain.example.com"],
    )
    made(site, "opportunities", name="Sofas", account_id=account, amount="9,99,99,999", contact_id=person)
    page = pages(width, site, "admin")
    page.goto(f"{site.url}/console/language?to={lang}&back=/console/articles")
    rooms = [f"records/contacts/{person}", "records/opportunities/board", "records/opportunities/new"]
    for room in (*rooms, "records/contacts?where=city+%3D+null", "admin/access"):
        page.goto(f"{site.url}/console/{room}")
        if "timeline" in page.content():
            page.locator("#timeline li").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, room
        page.evaluate(AXE)
        found = page.evaluate("async () => (await axe.run()).violations")
        assert [(one["id"], [node["html"][:150] for node in one["nodes"]][:3]) for one in found] == [], room


def test_everything_is_searched_by_keyboard_from_any_page(site: Site, pages: Any) -> None:
    mark = f"Zb{new_id()[-6:]}"
    account = made(site, "accounts", name=f"Lakshmi Mills {mark}")
    made(site, "contacts", name=f"Ravi {mark}")
    page = pages(1440, site)
    page.goto(f"{site.url}/console/notifications")
    page.keyboard.press("/")
    page.keyboard.type(f"Laxmi {mark}")
    page.locator(".seek [data-href]", has_text="Lakshmi Mills").wait_for()
    page.keyboard.press("ArrowDown")
    page.locator(".seek [aria-selected=true]", has_text="Lakshmi Mills").wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/records/accounts/{account}")
    page.keyboard.press("/")
    page.keyboard.type(mark)
    page.keyboard.press("Enter")  # nothing is chosen: all hits
    page.locator(".hits li", has_text=f"Ravi {mark}").wait_for()
    page.goto(f"{site.url}/console/search?q={mark}")
    page.evaluate(AXE)
    assert page.evaluate("async () => (await axe.run()).violations.map(one => one.id)") == []


def test_articles_are_offered_while_a_case_is_written(site: Site, pages: Any) -> None:
    mark = f"zq{new_id()[-6:]}"
    for key, given in (("x", {}), ("y", {"audience": "agents"}), ("z", {"status": "draft"})):
        article = {
            "key": f"{mark}-{key}",
            "lang": "en",
            "title": f"A {mark} {key}",
            "body": f"The {mark} seal.",
        }
        site.app.store.write_now(create, SYSTEM, ARTICLE, {"status": "published", **article, **given})
    site.do(site.app.library.refresh())
    page = pages(390, site)
    page.goto(f"{site.url}/console/records/cases/new")
    page.fill("#c-subject", f"The {mark}")
    page.fill("#c-description", "seal of the cooker is torn")
    links = page.locator(".offers a")
    links.nth(1).wait_for()
    shown = links.all_inner_texts()
    assert len(shown) == 2 and sum("Not public" in one for one in shown) == 1
    assert f"/help/en/{mark}-x" in [link.get_attribute("href") for link in links.all()]
    page.evaluate(AXE)
    assert page.evaluate("async () => (await axe.run()).violations.map(one => one.id)") == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
