"""Beside a record on its page: its files with their versions, and with whom it is shared."""

import re
from typing import Any

import aiohttp

from bot.ids import new_id
from bot.records.defining import set_access
from tests.web.conftest import Site, Staff
from tests.web.test_records_console import SYSTEM, actor, get, made, row_of


async def send(one: Staff, path: str, status: int, name: str, body: bytes, **texts: str) -> str:
    """Post a file as the page does."""
    form = aiohttp.FormData(quote_fields=False)
    for key, value in texts.items():
        form.add_field(key, value)
    form.add_field("file", body, filename=name)
    headers = {"X-CSRF-Token": one.csrf, "HX-Request": "true"}
    async with one.http.post(path, data=form, headers=headers) as answer:
        page = await answer.text()
        assert answer.status == status, (answer.status, page[:300])
        return page


async def test_files_are_put_replaced_dated_handed_out_and_deleted(site: Site, staff: Any) -> None:
    one, other = await staff("rep", "North"), await staff("rep", "South")
    which = made(site, "contacts", actor(site, one.email), name="Asha")
    path = f"/console/records/contacts/{which}"
    assert f'hx-get="{path}/files"' in await one.text(path)
    page = await send(one, f"{path}/files", 200, "offer <1>.txt", b"the first", expires_on="2026-01-01")
    assert "offer &lt;1&gt;.txt" in page and "expired on 1 Jan 2026" in page and "9 B" in page
    found = re.search(r"/files/([0-9a-f-]{36})/versions", page)
    assert found is not None
    file, content = found[1], f"/console/records/files/{found[1]}/content"
    newer = await send(one, f"{path}/files/{file}/versions", 200, "offer 2.txt", b"the second one")
    assert "offer 2.txt" in newer and f"{content}?version=1" in newer
    async with one.http.get(content) as answer:
        assert await answer.read() == b"the second one"
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert await one.text(f"{content}?version=1") == "the first"
    await one.text(f"{content}?version=0", 400)
    assert "expired" not in await one.post(f"{path}/files/{file}/end", 200, expires_on="")
    assert "Enter a date" in await one.post(f"{path}/files/{file}/end", 400, expires_on="soon")
    assert "not empty" in await send(one, f"{path}/files", 400, "none.txt", b"")
    hidden = await send(one, f"{path}/files", 200, "mine.txt", b"mine", private="true")
    assert "only its owner and managers" in hidden
    too_large = b"x" * (site.app.settings.file_mb * 1024 * 1024 + 1)
    assert "too large" in await send(one, f"{path}/files", 400, "large.bin", too_large)

    await get(other, f"records/contacts/{which}/files", 404)
    await other.text(content, 404)
    await send(other, f"{path}/files", 400, "x.txt", b"x")
    await send(other, f"{path}/files/{file}/versions", 404, "x.txt", b"x")
    second = made(site, "contacts", actor(site, one.email), name="Ravi")
    await one.post(f"/console/records/contacts/{second}/files/{file}/remove", 404)
    assert "offer 2.txt" not in await one.post(f"{path}/files/{file}/remove", 200)
    assert row_of(site, "files", file)["deleted_at"] is not None
    marketer, nobodys = await staff("marketer"), made(site, "contacts", name="Nobody's")
    assert 'type="file"' not in await get(marketer, f"records/contacts/{nobodys}/files")
    await send(marketer, f"/console/records/contacts/{nobodys}/files", 403, "x.txt", b"x")
    await get(one, f"records/teams/{which}/files", 404)
    # Without the token of the page nothing is taken in.
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("file", b"x", filename="x.txt")
    async with one.http.post(f"{path}/files", data=form) as answer:
        assert answer.status == 403


async def test_shares_are_listed_made_and_taken_back(site: Site, staff: Any) -> None:
    one, other = await staff("rep", "North"), await staff("rep", "South")
    me, them = actor(site, one.email), actor(site, other.email)
    which = made(site, "contacts", me, name="Asha")
    path = f"/console/records/contacts/{which}"
    assert "Nobody beyond" in await one.text(f"{path}/shares")
    await other.text(path, 404)
    assert f'data-id="users/{them.id}"' in await get(one, "search/staff", q=other.email)
    assert f'data-id="teams/{them.team_id}"' in await get(one, "search/staff", q="South")
    assert "Choose a colleague" in await one.post(f"{path}/shares", 400, who="contacts/x")
    assert "nobody that" in await one.post(f"{path}/shares", 400, who=f"users/{me.id}")
    page = await one.post(f"{path}/shares", 200, who=f"users/{them.id}", level="read")
    share = re.search(r"/shares/([0-9a-f-]{36})/remove", page)
    assert share is not None
    seen = await other.text(f"{path}/shares")
    assert "/remove" not in seen and 'name="who"' not in seen  # who only sees it neither shares nor ends it
    await other.post(f"{path}/shares", 403, who=f"users/{new_id()}")
    await other.post(f"{path}/shares/{share[1]}/remove", 403)
    again = await one.post(f"{path}/shares", 200, who=f"users/{them.id}", level="write")
    assert again.count("/remove") == 1
    assert "South" in await one.post(f"{path}/shares", 200, who=f"teams/{them.team_id}")
    second = made(site, "contacts", me, name="Ravi")
    await one.post(f"/console/records/contacts/{second}/shares/{share[1]}/remove", 404)
    left = await one.post(f"{path}/shares/{share[1]}/remove", 200)
    assert left.count("/remove") == 1
    team = re.search(r"/shares/([0-9a-f-]{36})/remove", left)
    assert team is not None
    await one.post(f"{path}/shares/{team[1]}/remove", 200)
    await other.text(path, 404)
    site.app.store.write_now(set_access, SYSTEM, "rep", "shares", "none")
    try:
        assert "/shares" not in await one.text(path)
        await one.text(f"{path}/shares", 404)
    finally:
        site.app.store.write_now(set_access, SYSTEM, "rep", "shares", None)
