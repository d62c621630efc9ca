"""One record's page in the console: forms, one field in place, clashes, deletion, timeline, who may what."""

import json
import re
from html import unescape
from typing import Any

import pytest

from bot.ids import new_id
from bot.records.access import ACTIONS, TABLE
from bot.records.change import change_record
from bot.records.defining import set_access
from bot.records.tx import Tx
from tests.web.conftest import PASSWORD, Site, Staff
from tests.web.test_records_console import SYSTEM, actor, get, made, row_of


def change(site: Site, kind: str, record_id: str, /, **given: Any) -> None:
    """Somebody else changes a record."""

    def work(tx: Tx) -> None:
        change_record(tx, tx.schema.entity(kind), record_id, given)

    site.app.store.write_now(work, SYSTEM)


def base_of(page: str) -> dict[str, str]:
    """What a form began with."""
    found = re.search(r'name="base" value="([^"]*)"', page)
    assert found is not None
    return dict(json.loads(unescape(found[1])))


async def test_a_record_is_made_by_its_form_and_wrong_values_are_told_beside_them(
    site: Site, staff: Any
) -> None:
    one = await staff("rep", "North")
    form = await get(one, "records/opportunities/new")
    assert form.index('name="name"') < form.index('name="account_id"') and 'inputmode="decimal"' in form
    assert form.index("Stage</label>") > 0 and '<option value="Negotiation"' in form
    account = made(site, "accounts", name="Lakshmi Textiles")
    good = {"name": "Hotel sofas", "account_id": account, "amount": "12,50,000.50", "currency": "INR"}
    good |= {"stage": "Proposal", "tags": "diwali, hotel", "close_date": "2027-01-31"}
    path = "/console/records/opportunities"
    missing = await one.post(path, 400, **{**good, "name": " "})
    assert missing.count("must be filled in") == 1 and 'aria-invalid="true"' in missing
    assert 'value="12,50,000.50"' in missing and "Lakshmi Textiles" in missing  # nothing typed is lost
    assert "such as 12,50,000" in await one.post(path, 400, **{**good, "amount": "much"})
    assert "from 0 to 100" in await one.post(path, 400, **{**good, "probability": "101"})
    assert "Choose a record" in await one.post(path, 409, **{**good, "account_id": new_id()})
    headers = {"X-CSRF-Token": one.csrf, "HX-Request": "true"}
    async with one.http.post(path, data=good, headers=headers) as answer:
        assert answer.status == 200
        where = answer.headers["HX-Redirect"]
    page = await one.text(where)
    for shown in ("Hotel sofas", "₹12,50,000.50", "Lakshmi Textiles", "diwali", "31 Jan 2027", "50%"):
        assert shown in page, shown
    row = row_of(site, "opportunities", where.rpartition("/")[2])
    assert row["amount"] == 125000050 and row["tags"] == ["diwali", "hotel"] and row["probability"] == 50
    assert row["owner_id"] is not None and row["team_id"] is not None


async def test_a_new_contact_has_numbers_and_looks_records_up(site: Site, staff: Any) -> None:
    one, mark = await staff("rep", "North"), new_id()[-8:]
    made(site, "accounts", name=f"Zenith {mark}")
    hidden = actor(site, site.user("rep", "South"))
    made(site, "accounts", hidden, name=f"Zenith hidden {mark}")
    options = await get(one, "records/accounts/lookup", q=f"zenith {mark}")
    assert f"Zenith {mark}" in options and "hidden" not in options
    assert "rep-" in await get(one, "records/users/lookup", q="rep-")
    assert "Nothing fits" in await get(one, "records/users/lookup", q="no such colleague")
    path = "/console/records/contacts"
    await one.post(
        path, 200, name=f"Asha {mark}", phones="98765 43210, 022 2345 6789", emails="asha@example.com"
    )
    listed = await get(one, "records/contacts", q=f"Asha {mark}")
    assert "+919876543210" in listed and "+912223456789" in listed
    wrong = await one.post(path, 400, name="Ravi", emails="not an address")
    assert "is-wrong" in wrong and "not an address" in wrong


async def test_one_field_is_changed_in_its_place(site: Site, staff: Any) -> None:
    one, mark = await staff("manager"), new_id()[-8:]
    which = made(site, "opportunities", name=f"Deal {mark}", amount=5000)
    path = f"/console/records/opportunities/{which}"
    form = await one.text(f"{path}/fields/amount")
    assert 'name="amount"' in form and "<html" not in form and base_of(form) == {"amount": "5000"}
    base = json.dumps(base_of(form))
    headers = {"X-CSRF-Token": one.csrf, "HX-Request": "true"}
    async with one.http.post(
        f"{path}/fields/amount", data={"amount": "x", "base": base}, headers=headers
    ) as answer:
        assert answer.status == 400 and "HX-Retarget" not in answer.headers
        assert "such as 12,50,000" in await answer.text()
    async with one.http.post(
        f"{path}/fields/amount", data={"amount": "7500", "base": base}, headers=headers
    ) as answer:
        assert answer.status == 200 and answer.headers["HX-Retarget"] == "#facts"
        assert "₹7,500" in await answer.text()
    story = await one.text(f"{path}/timeline")
    assert "<del" in story and "5,000" in story and "7,500" in story
    await one.post(f"{path}/fields/status", 403, status="won", base="{}")
    await one.post(f"{path}/fields/amount", 400, amount="1", base="[1]")
    await one.post(f"{path}/fields/nothing", 403, nothing="1", base="{}")


async def test_what_others_changed_meanwhile_is_shown_and_not_lost(site: Site, staff: Any) -> None:
    one = await staff("manager")
    which = made(site, "contacts", name="Asha", city="Pune", title="Buyer")
    path = f"/console/records/contacts/{which}"
    base = base_of(await one.text(f"{path}/edit"))
    change(site, "contacts", which, city="Surat", title="Owner")
    mine = {**base, "city": "Agra", "description": "Likes teak"}
    clash = await one.post(path, 409, **mine, base=json.dumps(base))
    assert "Somebody else changed this" in clash and "Surat" in clash and 'value="Agra"' in clash
    assert row_of(site, "contacts", which)["city"] == "Surat"
    anew = base_of(clash)
    await one.post(path, 200, **mine, base=json.dumps(anew))
    row = row_of(site, "contacts", which)
    # Mine where both changed, theirs where only they did.
    assert (row["city"], row["title"], row["description"]) == ("Agra", "Owner", "Likes teak")
    field = json.dumps({"city": "Pune"})
    told = await one.post(f"{path}/fields/city", 409, city="Delhi", base=field)
    assert "Take theirs" in told and "Agra" in told
    assert "Agra" in await one.text(f"{path}/facts")


async def test_deleted_says_so_and_comes_back(site: Site, staff: Any) -> None:
    manager, rep = await staff("manager"), await staff("rep", "North")
    which = made(site, "cases", contact_id=made(site, "contacts", name="Asha"), subject="Leak")
    path = f"/console/records/cases/{which}"
    await rep.post(f"{path}/delete", 403)
    await manager.post(f"{path}/delete")
    gone = await manager.text(path)
    assert "This record is deleted" in gone and f'action="{path}/restore"' in gone and "Edit" not in gone
    assert "This record is deleted" not in await rep.text(path, 404)
    await manager.post(f"{path}/fields/subject", 404, subject="x", base="{}")
    await manager.post(f"{path}/restore")
    assert "Leak" in await manager.text(path)
    assert "Brought back" in await manager.text(f"{path}/timeline")
    account = made(site, "accounts", name="Firm")
    made(site, "contacts", name="Ravi", account_id=account)
    refused = await manager.post(f"/console/records/accounts/{account}/delete", 409)
    assert "still belongs to this" in refused


async def test_notes_calls_and_tasks_are_added_beside_a_record(site: Site, staff: Any) -> None:
    one = await staff("rep", "North")
    person = made(site, "contacts", name="Asha")
    case = made(site, "cases", contact_id=person, subject="Leak")
    path = f"/console/records/cases/{case}"
    assert "What was said" in await get(one, f"records/cases/{case}/activities", kind="call")
    assert "must be filled in" in await one.post(f"{path}/activities", 400, kind="note", text="  ")
    await one.post(f"{path}/activities", 400, kind="secret", text="x")
    await one.post(f"{path}/activities", 200, kind="note", text="Ask for the bill\nand the photo <b>")
    await one.post(
        f"{path}/activities", 200, kind="call", text="Rang", direction="outbound", outcome="answered"
    )
    await one.post(f"{path}/activities", 200, kind="task", text="Send a plumber", due_at="2027-01-05T10:30")
    story = await one.text(f"{path}/timeline")
    for shown in (
        "Ask for the bill",
        "photo &lt;b&gt;",
        "Outgoing · Answered",
        "Send a plumber",
        "5 Jan 2027, 10:30",
    ):
        assert shown in story, shown
    page = await one.text(path)
    task = re.search(r'/console/records/activities/([0-9a-f-]{36})" dir="auto">Send a plumber', page)
    assert task is not None
    await one.post(f"/console/records/activities/{task[1]}/done")
    assert row_of(site, "activities", task[1])["done_at"] is not None
    assert row_of(site, "activities", task[1])["about_id"] == case
    assert "Send a plumber" in await one.text(f"/console/records/contacts/{person}")  # the case's contact


async def test_the_timeline_comes_in_pages_and_leads_to_the_talk(site: Site, staff: Any) -> None:
    one = await staff("manager")
    conversation = site.conversation("Do you have teak sofas?")
    person = row_of(site, "conversations", conversation)["contact_id"]
    for number in range(25):
        change(site, "contacts", person, city=f"City {number}")
    path = f"/console/records/contacts/{person}/timeline"
    seen, address = "", path
    for _ in range(6):
        page = await one.text(address)
        seen += page
        more = re.search(r"\?before=([0-9a-f-]{36})", page)
        if more is None:
            break
        address = f"{path}?before={more[1]}"
    assert re.findall(r">(City \d+)</ins>", seen) == [f"City {n}" for n in range(24, -1, -1)]
    assert "Do you have teak sofas?" in seen and f"/console/conversations/{conversation}" in seen
    await one.text(f"{path}?before=nonsense", 400)


async def test_hidden_and_locked_fields_and_other_teams_records(site: Site, staff: Any) -> None:
    one = await staff("rep", "North")
    which = made(site, "contacts", name="Asha", city="Pune", title="Buyer")
    path = f"records/contacts/{which}"
    hidden = made(site, "contacts", actor(site, site.user("rep", "South")), name="Far away")
    for address in ("", "/edit", "/facts", "/timeline", "/activities"):
        if address != "/activities":
            await get(one, f"records/contacts/{hidden}{address}", 404)
    for deed, data in (
        ("", {"base": "{}"}),
        ("/activities", {"kind": "note", "text": "x"}),
        ("/shares", {"who": f"users/{new_id()}"}),
    ):
        await one.post(f"/console/records/contacts/{hidden}{deed}", 404, **data)
    site.app.store.write_now(set_access, SYSTEM, "rep", "contacts", "hidden", field="city")
    site.app.store.write_now(set_access, SYSTEM, "rep", "contacts", "read_only", field="title")
    try:
        page = await get(one, path)
        assert (
            "Pune" not in page
            and "Buyer" in page
            and "/fields/city" not in page
            and "/fields/title" not in page
        )
        assert 'name="city"' not in await get(one, f"{path}/edit")
        assert 'name="title"' not in await get(one, f"{path}/edit")
        listed = await get(one, "records/contacts", columns="name,city")
        assert 'data-label="City"' not in listed and 'data-label="Name"' in listed
        await get(one, "records/contacts", 400, where="city = Pune")
        await get(one, f"{path}/fields/title", 403)
        await one.post(f"/console/{path}/fields/city", 403, city="x", base="{}")
        await one.post(f"/console/{path}", 403, title="x", base='{"title": "Buyer"}')
        change(site, "contacts", which, city="Agra")
        assert "Agra" not in await get(one, f"{path}/timeline")
    finally:
        for name in ("city", "title"):
            site.app.store.write_now(set_access, SYSTEM, "rep", "contacts", None, field=name)
    marketer = await staff("marketer")
    assert "/edit" not in await get(marketer, path) and 'class="bulk"' not in await get(
        marketer, "records/contacts"
    )
    await get(marketer, "records/contacts/new", 403)
    await marketer.post("/console/records/contacts", 403, name="x")
    await get(marketer, "records/cases", 403)


async def test_what_is_hidden_shows_on_no_page_and_breaks_none(site: Site, staff: Any) -> None:
    one, mark = await staff("rep", "North"), new_id()[-8:]
    person = made(site, "contacts", name=f"Secret {mark}", city="Pune", phones=["+919800000017"])
    case = made(site, "cases", contact_id=person, subject=f"Whisper {mark}")
    number = f"#{row_of(site, 'cases', case)['number']}".lstrip("#")
    about = {"about": "contacts", "about_id": person, "contact_id": person}
    note = made(site, "activities", kind="note", subject="Called", body=f"Quiet {mark}", **about)
    site.app.store.write_now(change_owner, SYSTEM, note, actor(site, site.user("rep", "North")).id)
    hidden = {"activities": ("body", "outcome", "due_at"), "contacts": ("name",), "cases": ("subject",)}
    hidden |= {"users": ("name", "email", "active"), "stages": ("position",)}
    every = [(kind, name) for kind, names in hidden.items() for name in names]
    kinds = {"contacts": person, "cases": case, "activities": note}
    before = await get(one, f"records/contacts/{person}/timeline")
    assert f"Quiet {mark}" in before and f"Secret {mark}" in await get(one, f"records/activities/{note}")
    for kind, name in every:
        site.app.store.write_now(set_access, SYSTEM, "rep", kind, "hidden", field=name)
    try:
        for kind, record_id in kinds.items():
            path = f"records/{kind}/{record_id}"
            pages = [await get(one, f"records/{kind}"), await get(one, f"{path}/facts")]
            pages += [await get(one, f"{path}{part}") for part in ("", "/timeline")]
            pages += [await get(one, f"records/{kind}/lookup")]
            if kind != "cases":  # which reps only read
                pages += [await get(one, f"{path}/edit"), await get(one, f"records/{kind}/new")]
            data = {"id": record_id, "deed": "owner", "owner_id": new_id()}
            pages += [await one.post(f"/console/records/{kind}/bulk", 200, **data)]
            for word in ("Secret", "Whisper", "Quiet"):
                assert not [page for page in pages if f"{word} {mark}" in page], (kind, word)
            named = number if kind == "cases" else "Called" if kind == "activities" else record_id[-6:]
            assert [named in page for page in (pages[0], pages[2], pages[-1])] == [True] * 3, kind
        for kind in ("accounts", "leads", "opportunities", "users", "stages"):
            await get(one, f"records/{kind}")
        for path in ("records/opportunities/board", "records/opportunities/new", "records/users/lookup"):
            await get(one, path)
    finally:
        for kind, name in every:
            site.app.store.write_now(set_access, SYSTEM, "rep", kind, None, field=name)


def change_owner(tx: Tx, record_id: str, owner_id: str | None) -> None:
    """An activity gets an owner."""
    change_record(tx, tx.schema.entity("activities"), record_id, {"owner_id": owner_id})


async def test_admins_give_fields_rules_and_rights(site: Site, staff: Any) -> None:
    admin, rep = await staff("admin"), await staff("rep", "North")
    mark = new_id()[-6:]
    field = {
        "entity": "leads",
        "label": f"Finish {mark}",
        "type": "enum",
        "values": "teak, oak",
        "position": "1",
    }
    assert "needs its values" in await admin.post(
        "/console/records/custom_fields", 400, **{**field, "values": ""}
    )
    await rep.post("/console/records/custom_fields", 403, **field)
    await admin.post("/console/records/custom_fields", 200, **field)
    person = made(site, "contacts", name="Asha")
    form = await get(rep, "records/leads/new", contact_id=person)
    name = re.search(r'<label for="c-(x_\w+)">Finish', form)[1]  # type: ignore[index]
    assert '<option value="teak"' in form and ">Asha<" not in form and 'value="Asha"' in form
    rule = {
        "entity": "leads",
        "field": "source",
        "kind": "format",
        "pattern": "[a-z]+",
        "message": f"Small letters {mark}",
    }
    await admin.post("/console/records/validation_rules", 200, **rule, active="true")
    assert f"Small letters {mark}" in await rep.post(
        "/console/records/leads", 400, contact_id=person, source="ABC"
    )
    await rep.post("/console/records/leads", 200, contact_id=person, source="fair", **{name: "oak"})
    assert "oak" in await get(rep, "records/leads", where=f"{name} = oak", columns=f"number,{name}")
    await get(rep, "admin/access", 403)
    assert 'name="rep.delete"' in await get(admin, "admin/access")
    table = await get(admin, "admin/access")
    known = site.app.store.schema.entities
    for kind in known.keys() & TABLE:
        assert f'id="{kind}"' in table and f">{kind}<" not in table, kind
    assert 'id="access_rules"' not in table
    await get(admin, "admin/access/access_rules", 404)
    await admin.post("/console/admin/access/shares", 200, **{"agent.read": "1"})
    assert site.app.store.schema.access.actions("rep", "shares") == frozenset()
    everything = {f"{role}.{deed}": "1" for role in ("agent", "rep", "manager") for deed in ACTIONS}
    await admin.post("/console/admin/access/shares", 200, **everything)
    assert site.app.store.schema.access.actions("rep", "shares") == frozenset(ACTIONS)
    every = {f"{role}.read": "1" for role in ("agent", "manager", "marketer")}
    await rep.post("/console/admin/access/categories", 403, **every)
    await admin.post("/console/admin/access/categories", 200, **every)
    await get(rep, "records/categories", 403)
    usual = {**every, "rep.read": "1", "manager.create": "1", "manager.update": "1", "manager.delete": "1"}
    await admin.post("/console/admin/access/categories", 200, **usual)
    await get(rep, "records/categories")
    assert site.app.store.schema.access.actions("manager", "categories") == {
        "read",
        "create",
        "update",
        "delete",
    }
    await admin.post("/console/admin/access/leads/fields", 200, **{"rep.timeline": "hidden"})
    assert "By when" not in await get(rep, "records/leads/new")
    assert 'value="hidden" selected' in await get(admin, "admin/access/leads")
    await admin.post("/console/admin/access/leads/fields", 200, **{"rep.timeline": "normal"})


async def test_staff_leave_with_a_hand_over_and_have_keys(site: Site, staff: Any) -> None:
    admin, email = await staff("admin"), site.user("rep", "North")
    leaving, heir = actor(site, email), actor(site, site.user("rep", "North"))
    deal = made(site, "opportunities", leaving, name="Deal")
    path = f"/console/records/users/{leaving.id}"
    key = await admin.post(f"{path}/keys", 200, name="Till", scopes="contacts:read")
    token = re.search(r"samvad_[\w-]{20,}", key)[0]  # type: ignore[index]
    assert token not in await admin.text(f"{path}/account") and "Till" in await admin.text(f"{path}/account")
    assert "A limit is" in await admin.post(f"{path}/keys", 400, name="x", scopes="everything")
    assert "ten characters" in await admin.post(f"{path}/password", 400, password="short")
    assert "who takes over" in await admin.post(f"{path}/leave", 409)
    await admin.post(f"{path}/leave", 200, to_user=str(heir.id))
    assert row_of(site, "opportunities", deal)["owner_id"] == heir.id
    one = Staff(site)
    assert (await one.sign_in(email, PASSWORD)).status == 401
    await one.http.close()
    await admin.post(f"{path}/return")
    assert row_of(site, "users", str(leaving.id))["active"]
    rep = await staff("rep")
    await rep.post(f"{path}/keys", 403, name="x")
    await rep.post(f"{path}/leave", 403, to_user=str(heir.id))


async def test_sharing_shows_a_record_to_a_colleague(site: Site, staff: Any) -> None:
    owner = await staff("rep", "North")
    south = site.user("rep", "South")
    await owner.post("/console/records/contacts", 200, name="Asha shared")
    which = re.search(
        r'records/contacts/([0-9a-f-]{36})"', await get(owner, "records/contacts", q="Asha shared")
    )[1]  # type: ignore[index]
    await owner.post(f"/console/records/contacts/{which}/shares", 400, level="read")
    colleague = actor(site, south)
    await owner.post(
        f"/console/records/contacts/{which}/shares", 200, who=f"users/{colleague.id}", level="read"
    )
    other = Staff(site)
    await other.sign_in(south)
    page = await get(other, f"records/contacts/{which}")
    assert "Asha shared" in page and "/edit" not in page
    await other.http.close()


@pytest.mark.parametrize("lang", ["hi", "ur"])
async def test_values_and_names_in_the_readers_language(site: Site, staff: Any, lang: str) -> None:
    one = await staff("manager")
    await one.text(f"/console/language?to={lang}&back=/console/articles")
    person = made(site, "contacts", name="Asha")
    which = made(site, "leads", contact_id=person, budget="1,23,45,678", status="working")
    page = await get(one, f"records/leads/{which}")
    say = site.app.words.say
    for shown in (say("field.budget", lang), say("value.leads.status.working", lang), "1,23,45,678"):
        assert shown in page, shown
    assert say("told.action.created", lang) in await get(one, f"records/leads/{which}/timeline")
    assert say("records.wrong.money", lang) in await one.post(
        "/console/records/leads", 400, contact_id=person, budget="x"
    )


async def test_the_board_sums_stages_and_moves_deals_by_the_same_rules(site: Site, staff: Any) -> None:
    one, mark = await staff("rep", "North"), new_id()[-8:]
    deals = [
        made(
            site,
            "opportunities",
            name=f"{name} {mark}",
            source=mark,
            stage=stage,
            amount=amount,
            currency=currency,
        )
        for name, stage, amount, currency in (
            ("Sofas", "Proposal", "1,00,000", "INR"),
            ("Beds", "Proposal", "50,000.50", "INR"),
            ("Chairs", "Proposal", "700", "USD"),
            ("Desks", "Negotiation", None, "INR"),
        )
    ]
    hidden = made(
        site, "opportunities", actor(site, site.user("rep", "South")), name="Far", source=mark, amount=9
    )
    board = await get(one, "records/opportunities/board", where=f"source = {mark}")
    column = re.search(r'data-stage="Proposal".*?</section>', board, re.DOTALL)[0]  # type: ignore[index]
    assert (
        "3 in all" in column and "₹1,50,000.50" in column and "$700" in column and f"Sofas {mark}" in column
    )
    assert "Far" not in board and "draggable" in board
    path = f"/console/records/opportunities/{deals[0]}/stage?where=source+%3D+{mark}"
    moved = await one.post(path, 200, stage="Won")
    won = re.search(r'data-stage="Won".*?</section>', moved, re.DOTALL)[0]  # type: ignore[index]
    assert f"Sofas {mark}" in won and "<html" not in moved
    row = row_of(site, "opportunities", deals[0])
    assert (row["status"], row["probability"]) == ("won", 100) and row["closed_at"] is not None
    refused = await one.post(path, 200, stage="Nowhere")
    assert "There is no such stage" in refused and row_of(site, "opportunities", deals[0])["stage"] == "Won"
    assert 'role="alert"' in await one.post(
        f"/console/records/opportunities/{hidden}/stage", 200, stage="Won"
    )
    agent = await staff("agent")
    looked = await get(agent, "records/opportunities/board")
    assert 'draggable="true"' not in looked and "<select" not in looked
    async with one.http.get(
        "/console/records/opportunities/board?where=nonsense", allow_redirects=False
    ) as answer:
        assert answer.status == 303 and answer.headers["Location"].endswith("where=nonsense")
