"""The page of the business over HTTP: week, closed days, visits, people, and the times that come of it."""

import re
from html import unescape
from typing import Any

import pytest
import sqlalchemy as sa

from bot.crm.business import BUSINESS_PROFILE
from bot.crm.user import USER
from bot.records.actor import SYSTEM
from bot.records.events import events
from tests.web.conftest import Site, Staff

PATH = "/console/business"


def form_of(page: str) -> dict[str, list[str]]:
    """What a browser would post of the form as it stands, without a button."""
    form = page[page.index('<form id="business-form"') :]
    form = form[: form.index("</form>")]
    given: dict[str, list[str]] = {}
    for plain, select, options in re.findall(
        r"<input([^>]*)>|<select([^>]*)>(.*?)</select>", form, re.DOTALL
    ):
        name = re.search(r'\bname="([^"]+)"', plain or select)
        if name is None or ('type="checkbox"' in plain and " checked" not in plain):
            continue
        value = re.search(r'value="([^"]*)" selected', options) or re.search(
            r'value="([^"]*)"', options or plain
        )
        given.setdefault(name[1], []).append(unescape(value[1]) if value else "")
    return given


async def send(staff: Staff, path: str, form: dict[str, list[str]], **headers: str) -> tuple[int, str]:
    """Post a form as a browser without scripts does."""
    pairs = [(name, value) for name, values in form.items() for value in values]
    async with staff.http.post(path, data=pairs, headers=headers, allow_redirects=False) as answer:
        return answer.status, await answer.text()


async def profile(site: Site) -> dict[str, Any]:
    rows = await site.app.store.read(lambda tx: tx.rows(sa.select(BUSINESS_PROFILE.table)), SYSTEM)
    return dict(rows[0])


async def test_an_admin_sets_when_customers_book(site: Site, staff: Any) -> None:
    one = await staff("admin")
    before = await profile(site)
    page = await one.text(PATH)
    assert "The next free times" in page and "Asia/Kolkata" in page
    form = form_of(page)

    # Monday with a break goes to every day, without anything being saved; a row for a closed day is added.
    form |= {"mon.open": ["1"], "mon.0.from": ["09:30"], "mon.0.until": ["13:00"]}
    form |= {"mon.1.from": ["16:00"], "mon.1.until": ["20:00"], "copy": ["mon"], "do": ["copy"]}
    status, page = await send(one, f"{PATH}/draft", form)
    copied = form_of(page)
    assert status == 200 and copied["sun.open"] == ["1"] and copied["sun.1.until"] == ["20:00"]
    status, page = await send(one, f"{PATH}/draft", copied | {"do": ["add"]})
    form = form_of(page)
    assert "closed.1.day" in form and (await profile(site))["opening_hours"] == before["opening_hours"]

    # What is wrong is told beside each field, all at once, and nothing is saved.
    form |= {"tue.1.from": ["12:00"], "wed.0.until": ["09:00"], "closed.1.name": ["Diwali"]}
    form |= {"thu.0.from": [""], "thu.0.until": [""], "thu.1.from": [""], "thu.1.until": [""]}
    form |= {"visit_minutes": ["3"], "visit_lead_minutes": ["2"], "visit_lead_minutes.unit": ["days"]}
    status, page = await send(one, PATH, form)
    assert status == 400 and "Not saved yet" in page
    for name, words in {
        "tue": "The two pairs overlap",
        "wed": "Fill in both times",
        "thu": "take the tick away",
        "closed.1": "Choose the date",
        "visit_minutes": "from 5 to 480",
    }.items():
        assert words in page.split(f'id="why-{name}"')[1].split("</small>")[0]
    assert form_of(page)["closed.1.name"] == ["Diwali"] and await profile(site) == before

    # Mended: saved as the API would save it, with its event; the preview is what customers are offered.
    form = form_of(page) | {"tue.1.from": ["16:00"], "wed.0.until": ["13:00"], "closed.1.day": ["2030-10-26"]}
    form |= {"visit_minutes": ["45"]}
    form.pop("thu.open")
    form.pop("sun.open")
    user_id = (await site.app.store.read(lambda tx: tx.rows(sa.select(USER.table.c.id)), SYSTEM))[0]["id"]
    form["bookable"] = [user_id]
    status, part = await send(one, f"{PATH}/draft", form | {"do": ["check"]}, **{"HX-Request": "true"})
    assert status == 200 and "10:15 am" in part.replace("\u202f", " ") and "<form" not in part
    assert await profile(site) == before
    status, _ = await send(one, PATH, form)
    assert status == 303
    saved = await profile(site)
    assert saved["opening_hours"] == "mon-wed 09:30-13:00 16:00-20:00; fri-sat 09:30-13:00 16:00-20:00"
    assert saved["closed_days"] == "2030-10-26 Diwali"
    assert (saved["visit_minutes"], saved["visit_lead_minutes"]) == (45, 2880)
    rows = await site.app.store.read(
        lambda tx: tx.rows(sa.select(events).where(events.c.record_id.in_([saved["id"], user_id]))), SYSTEM
    )
    told = {(row["entity"], *row["changes"]) for row in rows if row["action"] == "updated"}
    assert ("users", "bookable") in told and any(one[0] == "business" for one in told)

    # The page that somebody had open before does not overwrite it unasked; then all is taken back.
    status, page = await send(one, PATH, form | {"visit_minutes": ["60"]})
    assert status == 409 and "changed this meanwhile" in page and await profile(site) == saved
    form = form_of(page) | {"closed.0.day": [""], "closed.0.name": [""], "closed.1.day": [""]}
    form |= {"closed.1.name": [""], "begun": [user_id]}
    form.pop("bookable")
    for day in ("mon", "tue", "wed", "fri", "sat"):
        form.pop(f"{day}.open")
    status, _ = await send(one, PATH, form)
    assert status == 303 and "There is no free time" in await one.text(PATH)
    saved = await profile(site)
    assert (saved["opening_hours"], saved["closed_days"], saved["visit_minutes"]) == ("", "", 60)
    names = ("opening_hours", "closed_days", "visit_minutes", "visit_lead_minutes")
    form = form_of(await one.text(PATH)) | {"visit_minutes": [str(before["visit_minutes"])]}
    form |= {
        "visit_lead_minutes": [str(before["visit_lead_minutes"])],
        "visit_lead_minutes.unit": ["minutes"],
    }
    for day in ("mon", "tue", "wed", "thu", "fri", "sat"):
        form |= {f"{day}.open": ["1"], f"{day}.0.from": ["10:00"], f"{day}.0.until": ["19:00"]}
    assert (await send(one, PATH, form))[0] == 303
    saved = await profile(site)
    assert [saved[name] for name in names] == [before[name] for name in names]


@pytest.mark.parametrize(("role", "status"), [("manager", 200), ("agent", 403)])
async def test_who_sets_when_customers_book(site: Site, staff: Any, role: str, status: int) -> None:
    one = await staff(role)
    page = await one.text(PATH, status)
    before = await profile(site)
    if role == "agent":
        assert (await send(one, PATH, {"csrf": [one.csrf]}))[0] in (400, 403)
        assert (await send(one, f"{PATH}/draft", {"csrf": [one.csrf], "do": ["check"]}))[0] == 403
        return
    # A manager sets the hours but marks nobody; and no form works without its token.
    assert "Only those who may change users" in page
    assert (await send(one, PATH, form_of(page) | {"bookable": [before["id"]]}))[0] == 403
    assert (await send(one, PATH, form_of(page) | {"csrf": ["x"]}))[0] == 403
    assert await profile(site) == before
