"""An activity's page: the records it is linked to, its outcome, its series, its guests."""

import re
from typing import Any

from bot.ids import new_id
from tests.web.conftest import Site
from tests.web.test_records_console import actor, get, made, statements


async def test_an_activity_is_linked_to_further_records_and_told_beside_them(site: Site, staff: Any) -> None:
    one, mark = await staff("rep", "North"), f"Zl{new_id()[-5:]}"
    person = made(site, "contacts", name=f"Asha {mark}")
    deal = made(site, "opportunities", name=f"Sofas {mark}", amount=5000)
    call = made(site, "activities", kind="call", subject=f"Rang {mark}", about="contacts", about_id=person)
    path = f"/console/records/activities/{call}"
    assert f'hx-get="{path}/links"' in await one.text(path)
    before = await one.text(f"{path}/links")
    assert f"Asha {mark}" in before and "what it is about" in before and "/remove" not in before
    options = await get(one, "search/records", q=f"sofas {mark}")
    assert f'data-id="opportunities/{deal}"' in options and "Nothing fits" in await get(one, "search/records")
    assert "Choose a record" in await one.post(f"{path}/links", 400, record="")
    assert "cannot be linked" in await one.post(f"{path}/links", 400, record=f"users/{person}")
    after = await one.post(f"{path}/links", 200, record=f"opportunities/{deal}")
    assert f"Sofas {mark}" in after and after.count("/remove") == 1
    assert "linked already" in await one.post(f"{path}/links", 400, record=f"opportunities/{deal}")
    page = await get(one, f"records/opportunities/{deal}")
    assert f'/console/records/activities/{call}" dir="auto">Rang {mark}' in page
    assert f"Rang {mark}" in await get(one, f"records/opportunities/{deal}/timeline")
    link = re.search(r"/links/([0-9a-f-]{36})/remove", after)
    assert link is not None
    other = made(site, "activities", kind="note", subject="Other")
    await one.post(f"/console/records/activities/{other}/links/{link[1]}/remove", 404)
    assert f"Sofas {mark}" not in await one.post(f"{path}/links/{link[1]}/remove")
    assert f"Rang {mark}" not in await get(one, f"records/opportunities/{deal}/timeline")
    assert f"Sofas {mark}" in await one.post(f"{path}/links", 200, record=f"opportunities/{deal}")
    far = made(site, "activities", actor(site, site.user("rep", "South")), kind="note", subject="Far")
    await get(one, f"records/activities/{far}/links", 404)
    await one.post(f"/console/records/activities/{far}/links", 404, record=f"opportunities/{deal}")


async def test_the_activities_of_a_record_come_in_pages_with_as_many_statements(
    site: Site, staff: Any
) -> None:
    one = await staff("rep", "North")
    person, friend = made(site, "contacts", name="Asha"), made(site, "contacts", name="Ravi")
    subjects = [f"Talk {number:02}" for number in range(30)]
    for number, subject in enumerate(subjects):
        about = {"about": "contacts", "about_id": person if number % 2 else friend}
        activity = made(site, "activities", kind="note", subject=subject, **about)
        if not number % 2:
            link = {"activity_id": activity, "entity": "contacts", "record_id": person}
            made(site, "activity_links", **link)
    page = await get(one, f"records/contacts/{person}")
    seen = re.findall(r">(Talk \d\d)<", page)
    counts = []
    while more := re.search(r"/linked\?before=([0-9a-f-]{36})", page):
        queries, stop = statements(site)
        page = await get(one, f"records/contacts/{person}/linked", before=more[1])
        stop()
        counts.append(len(queries))
        seen += re.findall(r">(Talk \d\d)<", page)
    assert seen == subjects[::-1] and len(counts) == 2 and len(set(counts)) == 1
    await get(one, f"records/contacts/{person}/linked", 400, before="x")
    await get(one, f"records/teams/{person}/linked", 404)
