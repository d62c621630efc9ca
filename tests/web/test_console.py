"""The console over HTTP: the door, the list, the thread, what agents do, what they may not see."""

import asyncio
import json
import re
from typing import Any

import aiohttp
import pytest
import sqlalchemy as sa

from bot.crm.notification import notify_user
from bot.crm.user import USER
from bot.records.actor import SYSTEM, Actor
from bot.web.console import queries
from bot.web.console.door import SESSION
from bot.web.pages.site import direction
from tests.web.conftest import PASSWORD, Site, Staff


def actor_of(site: Site, email: str) -> Actor:
    table = USER.table
    row = site.app.store.read_now(lambda tx: tx.row(sa.select(table).where(table.c.email == email)), SYSTEM)
    assert row is not None
    return Actor("user", row["id"], row["role"], row["team_id"], row["name"])


async def until(one: Staff, path: str, text: str) -> None:
    """Wait for a page to show this text."""
    for _ in range(200):
        if text in await one.text(path):
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"{path} never showed {text!r}")


# --- the door ------------------------------------------------------------------------------------


async def test_a_wrong_password_and_an_unknown_address_look_alike(site: Site) -> None:
    one = Staff(site)
    email = site.user("agent")
    pages = []
    for address in (email, "nobody@shop.example"):
        answer = await one.sign_in(address, "wrong wrong wrong")
        assert answer.status == 401 and SESSION not in answer.cookies
        pages.append(re.sub(r'value="[^"]*"', "", await answer.text()))
    assert pages[0] == pages[1]
    answer = await one.sign_in(email)
    assert answer.status == 200
    cookie = answer.history[0].cookies[SESSION]
    assert cookie["httponly"] and cookie["samesite"] == "Lax" and not cookie["secure"]
    await one.http.close()


async def test_tries_are_limited_for_an_address(site: Site) -> None:
    one = Staff(site)
    email = site.user("agent")
    statuses = [(await one.sign_in(email, f"wrong number {n}")).status for n in range(9)]
    assert statuses == [401] * 8 + [429]
    assert (await one.sign_in(email)).status == 429
    await one.http.close()


async def test_forms_from_elsewhere_are_refused(site: Site, staff: Any) -> None:
    one = await staff()
    conversation = site.conversation()
    path = f"/console/conversations/{conversation}/take-over"
    for headers in (
        {},
        {"X-CSRF-Token": "made up"},
        {"X-CSRF-Token": one.csrf, "Sec-Fetch-Site": "cross-site"},
    ):
        answer = await one.http.post(path, headers=headers)
        assert answer.status == 403
    other = await staff()
    assert (await other.http.post(path, headers={"X-CSRF-Token": one.csrf})).status == 403
    bare = await one.http.post("/console/sign-in", data={"email": "a@b.example", "password": PASSWORD})
    assert bare.status == 403


@pytest.mark.parametrize(
    "target", ["https://evil.example", "//evil.example", "/console//evil", "/\\evil", ""]
)
async def test_signing_in_leads_nowhere_else(site: Site, target: str) -> None:
    one = Staff(site)
    form = await one.text("/console/sign-in")
    token = re.search(r'name="csrf" value="([^"]+)"', form)
    assert token is not None
    data = {"email": site.user("admin"), "password": PASSWORD, "csrf": token[1], "next": target}
    answer = await one.http.post("/console/sign-in", data=data, allow_redirects=False)
    assert answer.status == 303 and answer.headers["Location"] == "/console"
    await one.http.close()


async def test_who_is_not_signed_in_is_led_to_the_door(site: Site) -> None:
    async with aiohttp.ClientSession(site.url) as http:
        answer = await http.get("/console/conversations?tab=mine", allow_redirects=False)
        assert answer.status == 303
        assert answer.headers["Location"] == "/console/sign-in?next=%2Fconsole%2Fconversations%3Ftab%3Dmine"
        part = await http.get("/console/list", headers={"HX-Request": "true"}, allow_redirects=False)
        assert part.status == 401 and part.headers["HX-Redirect"] == "/console/sign-in"
        live = await http.get("/console/live", headers={"Accept": "text/event-stream"})
        assert live.status == 401


async def test_signing_out_ends_the_session(staff: Any) -> None:
    one = await staff()
    kept = next(cookie.value for cookie in one.http.cookie_jar if cookie.key == SESSION)
    await one.post("/console/sign-out", 303)
    answer = await one.http.get("/console/list", cookies={SESSION: kept}, allow_redirects=False)
    assert answer.status == 303


# --- the list ------------------------------------------------------------------------------------


async def test_the_list_is_one_statement_however_long(site: Site) -> None:
    for _ in range(3):
        site.conversation()
    seen: list[str] = []
    engine = site.app.store.database.engines[1]

    def count(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    sa.event.listen(engine, "before_cursor_execute", count)
    try:
        page = site.app.store.read_now(queries.list_conversations, SYSTEM, "all")
    finally:
        sa.event.remove(engine, "before_cursor_execute", count)
    assert len(page.rows) >= 3
    assert len([one for one in seen if "conversations" in one]) == 1


def test_pages_of_the_list_neither_miss_nor_repeat(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(7):
        site.conversation()
    whole = {row["id"] for row in _pages(site)}
    monkeypatch.setattr(queries, "PAGE", 3)
    paged = [row["id"] for row in _pages(site)]
    assert len(paged) == len(set(paged)) and whole <= set(paged)


def _pages(site: Site) -> list[Any]:
    rows: list[Any] = []
    after: str | None = ""
    while after is not None:
        page = site.app.store.read_now(queries.list_conversations, SYSTEM, "all", after)
        rows += page.rows
        after = page.after
    return rows


async def test_tabs(site: Site, staff: Any) -> None:
    waiting = site.conversation("I want to talk to a person")
    plain = site.conversation("Hello")
    one = await staff()
    assert waiting in await one.text("/console/list?tab=waiting")
    assert plain not in await one.text("/console/list?tab=waiting")
    assert plain not in await one.text("/console/list?tab=mine")
    await one.post(f"/console/conversations/{plain}/take-over")
    assert plain in await one.text("/console/list?tab=mine")
    assert (await one.http.get("/console/list?after=rubbish")).status == 400


async def test_no_agent_sees_another_teams_conversations(site: Site, staff: Any) -> None:
    ours = await staff("agent", "North")
    theirs = await staff("agent", "South")
    manager = await staff("manager")
    conversation = site.conversation("A private matter")
    await theirs.post(f"/console/conversations/{conversation}/take-over")
    for path in ("", "/messages", "/panel"):
        assert (await ours.http.get(f"/console/conversations/{conversation}{path}")).status == 404
    for deed in ("take-over", "hand-back", "block", "say"):
        await ours.post(f"/console/conversations/{conversation}/{deed}", 404, text="x", mode="note")
    for tab in ("waiting", "mine", "all"):
        assert conversation not in await ours.text(f"/console/list?tab={tab}")
    assert conversation in await manager.text("/console/list?tab=all")


async def test_a_marketer_is_led_to_articles(staff: Any) -> None:
    one = await staff("marketer")
    assert "/console/articles/new" in await one.text("/console")
    assert (await one.http.get("/console/conversations")).status == 403


# --- the thread ----------------------------------------------------------------------------------


async def test_take_over_reply_note_hand_back(site: Site, staff: Any) -> None:
    one = await staff("agent", "Care")
    conversation = site.conversation("Where is my <b>order</b>?")
    path = f"/console/conversations/{conversation}"
    page = await one.text(path)
    assert "Take over" in page and "&lt;b&gt;order&lt;/b&gt;" in page
    taken = await one.post(f"{path}/take-over")
    assert "Hand back" in taken and 'hx-swap-oob="true"' in taken and "took over" in taken
    await one.post(f"{path}/say", text="On its way", mode="reply")
    await until(one, f"{path}/messages", "On its way")
    assert "Ctrl" in await one.text(path)
    noted = await one.post(f"{path}/say", text="Call them <script>", mode="note")
    assert "Call them &lt;script&gt;" in noted and "Private note by" in noted
    await one.post(f"{path}/say", 400, text="  ", mode="reply")
    back = await one.post(f"{path}/hand-back")
    assert "Take over" in back and "handed back" in back


async def test_a_private_note_refuses_files_instead_of_losing_them(site: Site, staff: Any) -> None:
    one = await staff("agent", "Care")
    path = f"/console/conversations/{site.conversation()}"
    form = aiohttp.FormData({"text": "See the bill", "mode": "note"})
    form.add_field("files", b"%PDF-1.4", filename="bill.pdf", content_type="application/pdf")
    headers = {"X-CSRF-Token": one.csrf, "HX-Request": "true"}
    async with one.http.post(f"{path}/say", data=form, headers=headers) as answer:
        assert answer.status == 400 and "a private note takes none" in await answer.text()
    assert "See the bill" not in await one.text(f"{path}/messages")


@pytest.mark.parametrize(
    ("role", "rooms"),
    [
        (
            "admin",
            {
                *("conversations", "records", "articles", "templates", "channels", "admin", "parked"),
                *("business", "flows"),
            },
        ),
        ("manager", {"conversations", "records", "articles", "templates", "channels", "parked", "business"}),
        ("agent", {"conversations", "records", "articles", "templates", "parked"}),
        ("marketer", {"records", "articles", "templates"}),
    ],
)
async def test_who_may_not_enter_a_room_is_not_shown_its_door(staff: Any, role: str, rooms: set[str]) -> None:
    one = await staff(role)
    bar = (await one.text("/console/articles")).partition("<nav")[2].partition('id="bell"')[0]
    doors = set(re.findall(r'href="/console/([\w/]+)"', bar))
    assert {door.partition("/")[0] for door in doors} == {"search", *rooms}
    for door in doors:
        await one.text(f"/console/{door}")


async def test_a_blocked_sender_is_marked_and_nothing_leaves(site: Site, staff: Any) -> None:
    one = await staff()
    conversation = site.conversation()
    path = f"/console/conversations/{conversation}"
    blocked = await one.post(f"{path}/block")
    assert "Unblock sender" in blocked and "is blocked" in blocked
    refused = await one.post(f"{path}/say", 409, text="hello?", mode="reply")
    assert "Unblock them to write" in refused
    assert "Unblock sender" not in await one.post(f"{path}/unblock")


async def test_without_scripts_the_buttons_still_work(site: Site, staff: Any) -> None:
    one = await staff()
    path = f"/console/conversations/{site.conversation()}"
    answer = await one.http.post(f"{path}/take-over", data={"csrf": one.csrf}, allow_redirects=False)
    assert answer.status == 303 and answer.headers["Location"] == path


async def test_starting_on_a_channel_that_is_off(staff: Any) -> None:
    one = await staff()
    assert "No channel is set up" in await one.text("/console/start")
    data = {"channel": "sms", "address": "98765 43210", "text": "Hello", "name": ""}
    await one.post("/console/start", 404, **data)
    refused = await one.post("/console/start", 400, **{**data, "channel": "webchat"})
    assert "Nobody can be written to first" in refused


# --- live ----------------------------------------------------------------------------------------


async def test_live_news_are_ids_and_a_console_that_was_away_catches_up(site: Site, staff: Any) -> None:
    one = await staff("agent", "East")
    answer = await one.http.get("/console/live")
    place, _ = await _event(answer)
    conversation = site.conversation("Something new")
    async with asyncio.timeout(10):
        while conversation not in (await _event(answer))[1].get("conversations", ()):
            pass
    answer.close()
    again = await one.http.get("/console/live", headers={"Last-Event-ID": place})
    await _event(again)
    _, news = await _event(again)
    assert conversation in news["conversations"] and "Something" not in json.dumps(news)
    again.close()
    other = await staff("agent", "West")
    await one.post(f"/console/conversations/{conversation}/take-over")
    hidden = await other.http.get("/console/live", headers={"Last-Event-ID": place})
    await _event(hidden)
    assert conversation not in (await _event(hidden))[1]["conversations"]
    hidden.close()


async def _event(answer: aiohttp.ClientResponse) -> tuple[str, dict[str, Any]]:
    place, data = "", None
    async with asyncio.timeout(10):
        while data is None:
            line = (await answer.content.readline()).decode().rstrip("\n")
            if line.startswith("id: "):
                place = line[4:]
            elif line.startswith("data: "):
                data = json.loads(line[6:])
    return place, data


async def test_an_open_console_counts_as_present(site: Site) -> None:
    one = Staff(site)
    email = site.user("agent")
    await one.sign_in(email)
    table = USER.table
    seen = sa.select(table.c.seen_at).where(table.c.email == email)
    assert site.app.store.read_now(lambda tx: tx.execute(seen).scalar(), SYSTEM) is None
    answer = await one.http.get("/console/live")
    for _ in range(200):
        if site.app.store.read_now(lambda tx: tx.execute(seen).scalar(), SYSTEM) is not None:
            break
        await asyncio.sleep(0.05)
    else:
        pytest.fail("the user was never marked as seen")
    answer.close()
    await one.http.close()


# --- articles and notifications ------------------------------------------------------------------


async def test_writing_an_article(site: Site, staff: Any) -> None:
    one = await staff("agent")
    new = {
        "key": "returns",
        "lang": "en",
        "title": "Returns",
        "body": "Within **30** days",
        "status": "draft",
    }
    await one.post("/console/articles", **new)
    assert "Returns" in await one.text("/console/articles")
    await one.post("/console/articles", 409, **new)
    assert "lower-case" in await one.post("/console/articles", 400, **{**new, "key": "Not A Key"})
    shown = await one.post("/console/articles/preview", body="**30** <script>alert(1)</script>")
    assert "<strong>30</strong>" in shown and "<script>" not in shown
    rep = await staff("rep")
    await rep.post("/console/articles", 403, **{**new, "key": "other"})


async def test_notifications_are_read_and_marked(site: Site) -> None:
    one = Staff(site)
    email = site.user("manager")
    await one.sign_in(email)
    me = actor_of(site, email)
    data = {"name": "Ravi", "channel": "webchat", "level": 1}
    site.app.store.write_now(notify_user, SYSTEM, me.id or "", "notify.handoff_waiting", data, "/console")
    assert "(1)" in await one.text("/console/bell")
    assert "Ravi is waiting for a person (Web chat)" in await one.text("/console/notifications")
    await one.post("/console/notifications/read", 303)
    assert "(1)" not in await one.text("/console/bell")
    await one.http.close()


@pytest.mark.parametrize("lang", ["en", "hi", "hi-Latn", "ur"])
async def test_every_room_opens_in_every_language(site: Site, staff: Any, lang: str) -> None:
    one = await staff("admin")
    conversation = site.conversation("I want to talk to a person")
    await one.text(f"/console/language?to={lang}&back=/console/articles")
    rooms = (
        "conversations",
        f"conversations/{conversation}",
        "start",
        "articles",
        "articles/new",
        "notifications",
        "business",
    )
    for name in rooms:
        page = await one.text(f"/console/{name}")
        assert f'<html lang="{lang}" dir="{direction(lang)}"' in page
        assert not re.search(r"<script(?![^>]*\ssrc=)|\sstyle=|\son[a-z]+=", page)
        assert not re.search(r">\s*(?:console|page|widget)\.[a-z_.]+\s*<", page)
