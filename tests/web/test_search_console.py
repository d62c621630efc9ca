"""Search over everything in the console: ranked, told apart, within what the reader may see."""

from typing import Any

from bot.ids import new_id
from bot.records.defining import set_access
from tests.web.conftest import Site
from tests.web.test_records_console import SYSTEM, actor, get, made, row_of


async def test_everything_is_found_in_any_spelling_and_told_apart(site: Site, staff: Any) -> None:
    one, mark = await staff("rep", "North"), f"Zq{new_id()[-5:]}"
    account = made(site, "accounts", name=f"Lakshmi Textiles {mark}", city="Surat")
    person = made(
        site, "contacts", name=f"Asha {mark}", account_id=account, phones=["+919812345678"], city="Pune"
    )
    case = made(
        site, "cases", contact_id=person, subject="Leak", description=f"{'long ago ' * 40}{mark} drips"
    )
    page = await get(one, "search", q=mark)
    for shown in (f"Asha <mark>{mark}</mark>", "Account", "Case", f"/console/records/cases/{case}", "<html"):
        assert shown in page, shown
    assert page.index(f"contacts/{person}") < page.index(f"cases/{case}")  # a name before a description
    assert "Description:" in page and f"<mark>{mark}</mark> drips" in page and "…long ago" in page
    assert page.count("long ago") < 20
    found = await get(one, "search", q=f"laxmi {mark}")
    assert f"<mark>Lakshmi</mark> Textiles <mark>{mark}</mark>" in found and "Surat" in found
    assert f"accounts/{account}" in await get(one, "search", q=f"लक्ष्मी {mark}")
    by_number = await get(one, "search", q="98123 45678")
    assert f"contacts/{person}" in by_number and "<mark>+919812345678</mark>" in by_number
    only = await get(one, "search", q=mark, kind="accounts")
    assert f"accounts/{account}" in only and f"contacts/{person}" not in only
    number = f"C-{row_of(site, 'cases', case)['number']}"
    assert f"cases/{case}" in await get(one, "search", q=number)


async def test_the_box_stands_on_every_page_and_its_list_is_short(site: Site, staff: Any) -> None:
    one, mark = await staff("manager"), f"Zw{new_id()[-5:]}"
    for number in range(12):
        made(site, "accounts", name=f"Firm {number} {mark}")
    for path in ("conversations", "records/contacts", "articles", "notifications", "search"):
        page = await get(one, path)
        assert page.count('role="search" data-seek') == 1 and 'action="/console/search"' in page, path
    headers = {"HX-Request": "true"}
    async with one.http.get("/console/search", params={"q": mark}, headers=headers) as answer:
        short = await answer.text()
    assert short.count('data-href="/console/records/accounts/') == 8 and "<html" not in short
    assert f'data-href="/console/search?q={mark}"' in short
    assert (await get(one, "search", q=mark)).count('class="hit-title"') == 12
    assert "Nothing found" in await get(one, "search", q=new_id())
    assert "at most ten words" in await get(one, "search", 400, q=" ".join("abcdefghijkl"))
    assert "at most ten words" in await get(one, "search", 400, q="x" * 300)
    assert "<script>x" not in await get(one, "search", q="<script>x")


async def test_nothing_is_found_that_the_reader_may_not_see(site: Site, staff: Any) -> None:
    one, mark = await staff("rep", "North"), f"Zk{new_id()[-5:]}"
    theirs = actor(site, site.user("rep", "South"))
    made(site, "contacts", theirs, name=f"Far {mark}")
    near = made(site, "contacts", name=f"Near {mark}", city=f"Town{mark}")
    page = await get(one, "search", q=mark)
    assert f"contacts/{near}" in page and "Far" not in page
    site.app.store.write_now(set_access, SYSTEM, "rep", "contacts", "hidden", field="city")
    try:
        assert f"contacts/{near}" not in await get(one, "search", q=f"Town{mark}")
        assert f"Town{mark}" not in await get(one, "search", q=f"Near {mark}")
    finally:
        site.app.store.write_now(set_access, SYSTEM, "rep", "contacts", None, field="city")
    marketer = await staff("marketer")
    case = made(site, "cases", contact_id=near, subject=f"Secret {mark}")
    found = await get(marketer, "search", q=mark)
    assert f"cases/{case}" not in found and "kind=cases" not in found
