"""Records in the console over HTTP: lists, pages, forms, views, what each role may, in four languages."""

import csv
import io
import re
from collections.abc import Callable
from html import unescape
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from bot.crm.user import USER, actor_of
from bot.i18n import Words
from bot.ids import new_id
from bot.records.actor import SYSTEM, Actor
from bot.records.change import create_record
from bot.records.tx import Tx
from bot.web.console.records.layout import LAYOUTS, MAIN, layout_of, sections_of
from bot.web.console.records.views import BUILT_IN
from tests.web.conftest import Site, Staff

LANGUAGES = ("en", "hi", "hi-Latn", "ur")


def made(site: Site, kind: str, whose: Actor = SYSTEM, /, **given: Any) -> str:
    """A record made from outside values; returns its id."""

    def make(tx: Tx) -> str:
        return str(create_record(tx, tx.schema.entity(kind), given)["id"])

    return site.app.store.write_now(make, whose)


def row_of(site: Site, kind: str, record_id: str) -> dict[str, Any]:
    """A record as it is in the database."""

    def read(tx: Tx) -> Any:
        table = tx.schema.entity(kind).table
        return tx.row(sa.select(table).where(table.c.id == record_id))

    return dict(site.app.store.read_now(read, SYSTEM))


def actor(site: Site, email: str) -> Actor:
    """Who has this address."""

    def read(tx: Tx) -> Actor:
        row = tx.row(sa.select(USER.table).where(USER.table.c.email == email))
        assert row is not None
        return actor_of(tx, row)

    return site.app.store.read_now(read, SYSTEM)


async def get(one: Staff, path: str, status: int = 200, **query: str) -> str:
    """A page of the console by its address and query."""
    async with one.http.get(f"/console/{path}", params=query) as answer:
        body = await answer.text()
        assert answer.status == status, (path, answer.status, body[:300])
        return body


def statements(site: Site) -> tuple[list[str], Callable[[], None]]:
    """Every statement that reads, until the returned function is called."""
    seen: list[str] = []
    engine = site.app.store.database.engines[1]

    def count(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    sa.event.listen(engine, "before_cursor_execute", count)
    return seen, lambda: sa.event.remove(engine, "before_cursor_execute", count)


# --- words ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def words() -> Words:
    return Words.load()


def test_every_field_kind_and_value_on_a_page_has_words(site: Site, words: Words) -> None:
    schema, missing = site.app.store.schema, []
    for kind in LAYOUTS:
        entity = schema.entity(kind)
        missing += [key for key in (f"kind.{kind}", f"kind.{kind}.one") if not words.has(key)]
        for title, names in sections_of(entity, layout_of(entity)):
            missing += [f"section.{title}"] * (not words.has(f"section.{title}"))
            for name in names:
                if entity.fields[name].custom:  # admins name theirs themselves
                    continue
                missing += _unnamed(words, f"field.{{}}{name}", kind)
                for value in entity.fields[name].values:
                    if not any(words.has(key) for key in (f"value.{name}.{value}", f"value.{value}")):
                        missing += _unnamed(words, f"value.{{}}{name}.{value}", kind)
        for extra in entity.extras.names if entity.extras is not None else ():
            missing += _unnamed(words, f"field.{{}}{extra}", kind)
        missing += [
            f"view.{view.name}" for view in BUILT_IN.get(kind, ()) if not words.has(f"view.{view.name}")
        ]
    assert missing == []


def _unnamed(words: Words, key: str, kind: str) -> list[str]:
    own, shared = key.format(f"{kind}."), key.format("")
    return [] if words.has(own) or words.has(shared) else [own]


def test_every_layout_names_fields_that_exist(site: Site) -> None:
    """A field that went away in a kind must go from its layout: its column would be lost silently."""
    schema, unknown = site.app.store.schema, []
    for kind, layout in LAYOUTS.items():
        entity = schema.entity(kind)
        known = {*entity.fields, *(entity.extras.names if entity.extras is not None else ())}
        named = {*layout.columns, *layout.head, *(name for _, names in layout.sections for name in names)}
        unknown += [f"{kind}.{name}" for name in named - known]
        unknown += [
            f"{other}.{name}" for other, name in layout.related if name not in schema.entity(other).fields
        ]
        shown = [name for _, names in sections_of(entity, layout) for name in names]
        assert len(shown) == len(set(shown)), kind
    assert unknown == []


# --- lists ---------------------------------------------------------------------------------------


async def test_every_kind_has_a_list_a_form_and_its_views_in_every_language(site: Site, staff: Any) -> None:
    one = await staff("admin", "All")
    for kind in (*MAIN, "users", "teams", "territories", "categories", "stages", "custom_fields"):
        await get(one, f"records/{kind}")
        assert "<form" in await get(one, f"records/{kind}/new")
    for kind, views in BUILT_IN.items():
        for view in views:
            assert "is-wrong" not in await get(one, f"records/{kind}", view=view.name)
    for lang in LANGUAGES[1:]:
        await one.text(f"/console/language?to={lang}&back=/console/articles")
        page = await get(one, "records/opportunities")
        assert f'lang="{lang}"' in page and site.app.words.say("kind.opportunities", lang) in page
    assert (await one.http.get("/console/records/nothing")).status == 404
    assert (await one.http.get("/console/records/events")).status == 404


async def test_a_list_is_filtered_sorted_searched_and_paged_by_key(site: Site, staff: Any) -> None:
    one, mark = await staff("admin"), new_id()[-8:]
    for number in range(60):
        made(
            site,
            "accounts",
            name=f"Firm {number:02} {mark}",
            industry=mark,
            city="Pune" if number % 2 else "Agra",
        )
    where = f'industry = "{mark}"'
    first = await get(one, "records/accounts", where=where, order="name")
    found = re.findall(rf"Firm (\d\d) {mark}</a>", first)
    assert found == [f"{number:02}" for number in range(50)]
    following = unescape(re.search(r'hx-get="([^"]+after=[^"]+)"', first)[1])  # type: ignore[index]
    async with one.http.get(following, headers={"HX-Request": "true"}) as answer:
        rest = await answer.text()
    assert re.findall(rf"Firm (\d\d) {mark}</a>", rest) == [f"{number:02}" for number in range(50, 60)]
    assert "<html" not in rest and "after=" not in rest
    turned = await get(one, "records/accounts", where=f"{where} and city = Pune", order="name desc")
    assert re.findall(rf"Firm (\d\d) {mark}</a>", turned)[:2] == ["59", "57"]
    assert 'aria-sort="descending"' in turned and "OFFSET" not in turned
    assert f"Firm 07 {mark}" in await get(one, "records/accounts", q=f"Firm 07 {mark}")
    chosen = await get(one, "records/accounts", where=where, columns="name,created_at")
    assert re.findall(r'<td data-label="([^"]+)"', chosen)[:2] == ["Name", "Created"]


async def test_a_wrong_condition_is_pointed_at_and_mended(staff: Any) -> None:
    one = await staff()
    page = await get(one, "records/contacts", 400, where="city = Pune and citty = x")
    assert "<mark>citty</mark>" in page and "Did you mean “city”?" in page
    assert quote("city = Pune and city = x", safe="").replace("%20", "+") in page
    searched = await get(one, "records/contacts", 400, where="nothing =", q="asha")
    assert "<mark>" in searched and "~" not in re.search(r"<textarea[^>]*>([^<]*)<", searched)[1]  # type: ignore[index]


async def test_pickers_write_the_language(site: Site, staff: Any) -> None:
    one = await staff()
    query = {
        "pick.status": '"open"',
        "pick.owner_id": "me",
        "pick.close_date": "this month",
        "pick.tags": "big one",
    }
    async with one.http.get("/console/records/opportunities", params=query, allow_redirects=False) as answer:
        assert answer.status == 303
        target = answer.headers["Location"]
    page = await one.text(target)
    written = unescape(re.search(r"<textarea[^>]*>([^<]*)<", page)[1])  # type: ignore[index]
    parts = {'status = "open"', "owner_id = me", "close_date = this month", 'tags = "big one"'}
    assert set(written.split(" and ")) == parts
    both = {"where": "city = A or city = B", "pick.owner_id": "null"}
    async with one.http.get("/console/records/contacts", params=both) as answer:
        assert "(city = A or city = B) and owner_id = null" in unescape(await answer.text())


async def test_views_are_kept_shared_and_opened_first(site: Site, staff: Any) -> None:
    mate, one, other = await staff("rep", "North"), await staff("rep", "North"), await staff("rep", "South")
    manager = await staff("manager")
    mark = f"View {new_id()[-8:]}"
    kept = {"name": mark, "where": "city = Surat", "order": "name", "columns": "name,city", "shared": "team"}
    await one.post("/console/records/contacts/views", 200, **kept, default="1")
    mine = await get(one, "records/contacts")
    assert "city = Surat" in unescape(mine) and mark in mine and "opens first" in mine
    assert re.findall(r'name="columns" value="(\w+)" checked', mine) == ["name", "city"]
    assert mark in await get(mate, "records/contacts") and mark not in await get(other, "records/contacts")
    key = re.search(r"\?view=([0-9a-f-]{36})", mine)[1]  # type: ignore[index]
    await mate.post(f"/console/records/contacts/views/{key}/remove", 403)
    await mate.post("/console/records/contacts/views", 403, **{**kept, "view": key, "over": "1"})
    await one.post("/console/records/contacts/views", 403, **{**kept, "shared": "all"})
    await manager.post(
        "/console/records/contacts/views", 200, **{**kept, "shared": "all", "name": f"{mark} all"}
    )
    assert f"{mark} all" in await get(other, "records/contacts")
    await one.post("/console/records/contacts/views", 400, **{**kept, "where": "citty = x"})
    await one.post("/console/records/contacts/views/default", 404, view=new_id())
    await one.post(f"/console/records/contacts/views/{key}/remove")
    again = await get(one, "records/contacts")
    assert key not in again and "city = Surat" not in again


async def test_many_at_once_tell_what_became_of_each(site: Site, staff: Any) -> None:
    one, manager = await staff("rep", "North"), await staff("manager")
    mine, theirs = made(site, "contacts", name="Asha"), made(site, "contacts", name="Ravi")
    stranger = actor(site, site.user("rep", "South"))
    hidden = made(site, "contacts", stranger, name="Far away")
    path = "/console/records/contacts/bulk"

    async def press(who: Staff, *ids: str, **data: str) -> str:
        headers = {"X-CSRF-Token": who.csrf, "HX-Request": "true"}
        form = [*(("id", one) for one in ids), *data.items()]
        async with who.http.post(path, data=form, headers=headers) as answer:
            assert answer.status == 200
            return await answer.text()

    told = await press(one, mine, theirs, hidden, deed="tag", value="diwali")
    assert "Done: 2." in told and "Not done: 1." in told and "Far away" not in told
    assert [row_of(site, "contacts", which)["tags"] for which in (mine, theirs, hidden)] == [
        ["diwali"],
        ["diwali"],
        None,
    ]
    assert "Done: 1." in await press(manager, mine, deed="untag", value="diwali")
    assert "Done: 2." in await press(manager, mine, theirs, deed="owner", owner_id=str(stranger.id))
    assert row_of(site, "contacts", mine)["owner_id"] == stranger.id
    assert "Not done: 2." in await press(one, mine, theirs, deed="delete")
    assert "Done: 2." in await press(manager, mine, theirs, deed="delete")
    assert row_of(site, "contacts", mine)["deleted_at"] is not None


async def test_an_export_streams_all_pages_within_permissions(
    site: Site, staff: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bot.web.console.records import export

    monkeypatch.setattr(export, "PAGE", 3)
    one, mark = await staff("rep", "North"), new_id()[-8:]
    for number in range(8):
        made(
            site, "opportunities", name=f"=Deal {number}", source=mark, amount="12,50,000.50", currency="INR"
        )
    made(site, "opportunities", actor(site, site.user("rep", "South")), name="Hidden", source=mark)
    query = {"where": f"source = {mark}", "columns": "name,amount,stage", "order": "name"}
    async with one.http.get("/console/records/opportunities/export", params=query) as answer:
        assert answer.headers["Content-Disposition"] == 'attachment; filename="opportunities.csv"'
        raw = await answer.read()
    assert raw.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"))))
    assert rows[0] == ["Name", "Amount", "Currency", "Stage"]
    assert [row[0] for row in rows[1:]] == [f"'=Deal {number}" for number in range(8)]  # no formula
    assert rows[1][1:3] == ["1250000.5", "INR"]


async def test_a_list_and_a_page_cost_the_same_however_much_they_show(site: Site, staff: Any) -> None:
    one, mark = await staff("admin"), new_id()[-8:]
    account = made(site, "accounts", name=f"Firm {mark}")
    person = made(site, "contacts", name="Asha", account_id=account, description=mark)

    async def cost(path: str, **query: str) -> int:
        seen, stop = statements(site)
        try:
            await get(one, path, **query)
        finally:
            stop()
        return len(seen)

    list_before = await cost("records/contacts", where=f"account_id = {account}")
    page_before = await cost(f"records/contacts/{person}")
    story_before = await cost(f"records/contacts/{person}/timeline")
    for number in range(12):
        owner = actor(site, site.user("rep")) if number < 3 else SYSTEM
        firm = made(site, "accounts", name=f"Other {number} {mark}") if number else account
        made(
            site,
            "contacts",
            owner,
            name=f"Person {number}",
            account_id=account,
            phones=[f"+91987{number:07}"],
        )
        made(site, "cases", contact_id=person, subject=f"Case {number}", account_id=firm)
        made(
            site, "activities", subject="A", kind="note", about="contacts", about_id=person, contact_id=person
        )
    assert await cost("records/contacts", where=f"account_id = {account}") <= list_before + 1  # the owners
    assert await cost(f"records/contacts/{person}") <= page_before + 3  # names in the lists beside it
    assert await cost(f"records/contacts/{person}/timeline") <= story_before + 2
    assert list_before <= 10 and page_before <= 24, (list_before, page_before)
