"""An activity's page: the records it is linked to, its outcome, its series, its guests."""

import re
from typing import Any

import sqlalchemy as sa

from bot.ids import new_id
from tests.web.conftest import Site
from tests.web.test_records_console import SYSTEM, actor, get, made, row_of, statements


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


async def test_an_activity_is_finished_with_its_outcome_and_the_next_task(site: Site, staff: Any) -> None:
    one, mark = await staff("rep", "North"), f"Zf{new_id()[-5:]}"
    person = made(site, "contacts", name=f"Asha {mark}")
    about = {"about": "contacts", "about_id": person}
    call = made(site, "activities", kind="call", subject=f"Ring {mark}", **about)
    path = f"/console/records/activities/{call}"
    assert f'hx-get="{path}/happening"' in await one.text(path)
    form = await one.text(f"{path}/happening")
    assert 'name="follow_up_due"' in form and '<option value="interested"' in form and "/later" not in form
    half = await one.post(
        f"{path}/done", 400, outcome="interested", note="Wants teak", follow_up_subject="Quote"
    )
    assert "both a subject and a time" in half and "Wants teak" in half and 'value="Quote"' in half
    assert row_of(site, "activities", call)["done_at"] is None
    await one.post(f"{path}/done", 400, outcome="nonsense")
    given = {"outcome": "interested", "note": "Wants teak", "follow_up_subject": f"Quote {mark}"}
    await one.post(f"{path}/done", 200, **given, follow_up_due="2027-02-01T11:00")
    row = row_of(site, "activities", call)
    assert row["done_at"] is not None and row["outcome"] == "interested"
    story = await get(one, f"records/contacts/{person}/timeline")
    for shown in ("Wants teak", f"Quote {mark}", "1 Feb 2027, 11:00"):
        assert shown in story, shown
    await one.post(f"{path}/done", 409)
    assert "follow_up_due" not in await one.text(f"{path}/happening")
    theirs = made(site, "activities", actor(site, site.user("rep", "South")), kind="call", subject="Far")
    await one.post(f"/console/records/activities/{theirs}/done", 404)


async def test_this_and_all_later_ones_of_a_series_are_changed_and_called_off(site: Site, staff: Any) -> None:
    one, mark = await staff("manager"), f"Zs{new_id()[-5:]}"
    first = made(
        *(site, "activities", SYSTEM),
        kind="event",
        subject=f"Review {mark}",
        starts_at="2027-01-04T10:00:00+05:30",
        rrule="FREQ=WEEKLY;COUNT=5",
    )

    def all_of() -> list[dict[str, Any]]:
        table = sa.table(
            "activities", *map(sa.column, ("id", "subject", "starts_at", "deleted_at", "occurs_at"))
        )
        chosen = sa.select(table).where(table.c.subject.like(f"%{mark}"), table.c.deleted_at.is_(None))
        rows = site.app.store.read_now(lambda tx: tx.rows(chosen.order_by(table.c.occurs_at)), SYSTEM)
        return [dict(row) for row in rows]

    ids = [row["id"] for row in all_of()]
    path = f"/console/records/activities/{ids[2]}"
    form = await one.text(f"{path}/happening")
    assert "Repeats" in form and "Monday" in form and 'name="rrule"' in form and 'name="due_at"' not in form
    values = dict(re.findall(r'name="(subject|starts_at|ends_at|rrule)"[^>]*value="([^"]*)"', form))
    wrong = await one.post(f"{path}/later", 400, **{**values, "rrule": "FREQ=SOMETIMES"})
    assert "cannot be read" in wrong and "FREQ=SOMETIMES" in wrong
    await one.post(f"{path}/later", 200, **{**values, "subject": f"Planning {mark}"})
    subjects = [row["subject"].split()[0] for row in all_of()]
    assert subjects == ["Review"] * 2 + ["Planning"] * (len(subjects) - 2) and len(subjects) > 3
    ids = [row["id"] for row in all_of()]
    await one.post(f"/console/records/activities/{ids[3]}/later/delete", 200)
    assert [row["id"] for row in all_of()] == ids[:3]
    single = made(site, "activities", kind="task", subject="Once")
    await one.post(f"/console/records/activities/{single}/later/delete", 409)
    rep = await staff("rep", "South")
    await rep.post(f"/console/records/activities/{first}/later/delete", 403)


async def test_guests_are_invited_answer_and_are_taken_off(site: Site, staff: Any) -> None:
    one, mark = await staff("rep", "North"), f"zg{new_id()[-5:]}"
    person = made(site, "contacts", name=f"Asha {mark}", emails=[f"{mark}@example.com"])
    start = "2027-01-04T10:00:00+05:30"
    event = made(site, "activities", kind="event", subject="Visit", starts_at=start)
    path = f"/console/records/activities/{event}"
    found = await get(one, "search/people", q=f"asha {mark}")
    assert f'data-id="contacts/{person}"' in found
    colleague = site.user("agent")
    assert 'data-id="users/' in await get(one, "search/people", q=colleague)
    assert 'data-id="email/x@example.org"' in await get(one, "search/people", q="x@example.org")
    assert "Choose a contact" in await one.post(f"{path}/guests", 400, who="teams/x")
    panel = await one.post(f"{path}/guests", 200, who=f"contacts/{person}")
    assert f"Asha {mark}" in panel and f"{mark}@example.com" in panel and "not told by mail" in panel
    assert "invited already" in await one.post(f"{path}/guests", 400, who=f"contacts/{person}")
    assert "x@example.org" in await one.post(f"{path}/guests", 200, who="email/x@example.org")
    await one.post(f"{path}/guests", 400, who=f"contacts/{new_id()}")
    guest = re.findall(r"/guests/([0-9a-f-]{36})/remove", panel)[0]
    answered = await one.post(f"{path}/guests/{guest}/answer", 200, answer="accepted")
    assert '<option value="accepted" selected>' in answered
    await one.post(f"{path}/guests/{guest}/answer", 400, answer="perhaps")
    other = made(site, "activities", kind="event", subject="Other", starts_at=start)
    await one.post(f"/console/records/activities/{other}/guests/{guest}/remove", 404)
    assert f"Asha {mark}" not in await one.post(f"{path}/guests/{guest}/remove")
    far = actor(site, site.user("rep", "South"))
    theirs = made(site, "activities", far, kind="event", subject="Far", starts_at=start)
    await get(one, f"records/activities/{theirs}/guests", 404)
    await one.post(f"/console/records/activities/{theirs}/guests", 404, who="email/x@example.org")
