"""The page of a rule over HTTP: its editor step by step, the live check, a trial, its runs and versions."""

import asyncio
import dataclasses
import re
from html import unescape
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from bot.automation.consumer import advance
from bot.automation.run import RETRY, retry_now
from bot.conversations.gate import Reason
from bot.crm.api_key import make_api_key
from bot.crm.lead import LEAD
from bot.crm.notification import NOTIFICATION
from bot.crm.rule import RULE, RULE_RUN, RUN_STATES
from bot.crm.rule_action import ACTIONS, READ
from bot.crm.rule_check import KINDS, triggers_of
from bot.crm.user import USER, actor_by_id
from bot.errors import Conflict, Forbidden, NotFound
from bot.i18n import Words
from bot.ids import new_id
from bot.records.access import Access
from bot.records.actor import SYSTEM, Actor
from bot.records.change import change_record, create_record
from bot.records.store import Store
from bot.records.tx import Record, Tx
from bot.web.console.records.reader import Reader
from bot.web.console.rules.draft import of_row
from bot.web.console.rules.log import PAGE, runs, versions
from bot.web.console.rules.trial import attempt, match
from tests.support.rules import Scene
from tests.support.web import bearer, serving
from tests.web.conftest import Site, Staff
from tests.web.test_records_console import get, made, row_of

PATH = "/console/records/rules"


def form_of(page: str) -> list[tuple[str, str]]:
    """What a browser would post of the rule's form as it stands, without a button."""
    form = page[page.index('<form id="rule-form"') :]
    form = form[: form.index("</form>")]
    given: list[tuple[str, str]] = []
    pattern = r"<input([^>]*)>|<textarea([^>]*)>(.*?)</textarea>|<select([^>]*)>(.*?)</select>"
    for plain, area, text, select, options in re.findall(pattern, form, re.DOTALL):
        attributes = plain or area or select
        name = re.search(r'\bname="([^"]+)"', attributes)
        if name is None or name[1] == "csrf":
            continue
        if area:
            given.append((name[1], unescape(text)))
        elif select:
            chosen = re.search(r'value="([^"]*)" selected', options) or re.search(r'value="([^"]*)"', options)
            given.append((name[1], unescape(chosen[1]) if chosen else ""))
        elif 'type="checkbox"' not in plain or " checked" in plain:
            value = re.search(r'\bvalue="([^"]*)"', plain)
            given.append((name[1], unescape(value[1]) if value else ""))
    return given


async def posted(
    one: Staff,
    path: str,
    fields: list[tuple[str, str]],
    status: int = 200,
    *,
    htmx: bool = False,
    **more: str,
) -> str:
    """Post a form as a browser does: `more` in place of what it holds."""
    data = [(name, value) for name, value in fields if name not in more] + list(more.items())
    headers = {"X-CSRF-Token": one.csrf} | ({"HX-Request": "true"} if htmx else {})
    async with one.http.post(path, data=data, headers=headers) as answer:
        body = await answer.text()
        assert answer.status == status, (path, answer.status, re.sub(r"<[^>]+>|\s+", " ", body)[:600])
        return body


async def deed(one: Staff, page: str, do: str, **more: str) -> str:
    """Press one of the form's buttons, without scripts: the whole page again."""
    return await posted(one, f"{PATH}/draft", form_of(page), do=do, **more)


def test_every_choice_of_the_editor_has_words() -> None:
    words = Words.load(strict=True)
    triggers = {trigger for kind in KINDS for trigger in triggers_of(kind)}
    parameters = {name for action in ACTIONS.values() for name in action.parameters}
    wanted = [
        *(f"kind.{kind}" for kind in KINDS),
        *(f"rule.trigger.{one}" for one in triggers),
        *(f"rule.action.{one}" for one in ACTIONS),
        *(f"rule.parameter.{one}" for one in parameters),
        *(f"rule.wrong.{one}" for one in READ),
        *(f"rule.reason.{one}" for one in (*get_args(Reason), "no_conversation", "switched_off")),
        *(f"value.state.{one}" for one in RUN_STATES),
    ]
    assert [key for key in wanted if not words.has(key)] == []


async def test_a_rule_is_built_step_by_step_without_scripts(site: Site, staff: Any) -> None:
    admin, mark = await staff("admin"), new_id()[-6:]
    page = await get(admin, "records/rules/new", entity="leads")
    assert "Nothing yet" in page and "When one of these fields changes" not in page
    page = await deed(admin, page, "", trigger="updated")
    assert "When one of these fields changes" in page
    page = await deed(admin, page, "", name=f"Fair {mark}", trigger="due", due_minutes="2", due_side="before")
    assert "When one of these fields changes" not in page and 'id="r-due_field"' in page
    page = await deed(admin, page, "", **{"due_minutes.unit": "days", "due_field": "created_at"})
    assert '<option value="days" selected' in page and '<option value="before" selected' in page
    page = await deed(admin, page, "", trigger="created")
    for action in ("set_fields", "create_task", "escalate", "notify"):
        page = await deed(admin, page, "add", add=action)
    assert (
        '<option value="escalate"' not in page
    )  # it is nothing for leads: only one who is set on it adds it
    page = await deed(admin, page, "up:3")
    kinds = re.findall(r'name="a(\d+)\.action" value="(\w+)"', page)
    assert [kind for _, kind in kinds] == ["set_fields", "create_task", "notify", "escalate"]
    by_kind = {kind: key for key, kind in kinds}
    wrong = await posted(admin, PATH, form_of(page), 400)  # nothing is filled in yet
    assert "Choose a field, and a value" in wrong and wrong.count('class="why" role="alert"') == 1
    page = await deed(admin, page, f"remove:{by_kind['escalate']}")
    fields = f"a{by_kind['set_fields']}.fields"
    page = await deed(admin, page, "", **{f"{fields}.0.name": "status"})
    assert f'name="{fields}.0.value"' in page and f'name="{fields}.1.name"' in page
    filled = {
        f"{fields}.0.value": "working",
        f"a{by_kind['create_task']}.subject": "Call about {need}",
        f"a{by_kind['create_task']}.due_minutes": "2",
        f"a{by_kind['create_task']}.due_minutes.unit": "hours",
        f"a{by_kind['notify']}.to": "role:admin",
        f"a{by_kind['notify']}.text": "Look",
    }
    page = await deed(admin, page, "check", condition=f"sorce = fair-{mark}", **filled)
    assert "<mark>sorce</mark>" in page and f"source = fair-{mark}" in page
    page = await deed(admin, page, "check", condition=f"source = fair-{mark}")
    assert "0 records match now" in page
    wrong = await posted(
        admin, PATH, form_of(page), 400, **{f"a{by_kind['create_task']}.subject": "Dear {nmae}"}
    )
    assert "in braces only fields" in wrong and wrong.count('class="why" role="alert"') == 1
    saved = await posted(admin, PATH, form_of(page))
    assert "Saved as version 1." in saved and "It has not run yet." in saved
    (rule,) = await rules_called(site, f"Fair {mark}")
    assert rule["condition"] == f"source = fair-{mark}" and rule["run_as_id"]
    assert [one["action"] for one in rule["actions"]] == [
        kind for _, kind in re.findall(r'name="a(\d+)\.action" value="(\w+)"', page)
    ]
    task = next(one for one in rule["actions"] if one["action"] == "create_task")
    assert task == {
        "action": "create_task",
        "subject": "Call about {need}",
        "due_minutes": 120,
        "owner": "owner",
    }
    assert {"action": "set_fields", "fields": {"status": "working"}} in rule["actions"]


async def rules_called(site: Site, name: str) -> list[Record]:
    statement = sa.select(RULE.table).where(RULE.table.c.name == name)
    return await asyncio.to_thread(site.app.store.read_now, Tx.rows, SYSTEM, statement)


async def test_a_rule_is_tried_runs_and_tells_its_versions(site: Site, staff: Any) -> None:
    admin, manager, mark = await staff("admin"), await staff("manager"), new_id()[-6:]
    task = {"action": "create_task", "subject": "Call about {need}"}
    lead = {"contact_id": made(site, "contacts", name=f"Asha {mark}"), "need": f"a sofa {mark}"}
    fair = made(site, "leads", **lead, source=mark)
    other = made(site, "leads", **lead, source="web")
    page = await get(admin, "records/rules/new")
    for action in ("create_task", "set_fields"):
        page = await deed(admin, page, "add", add=action)
    page = await deed(admin, page, "", **{"a1.fields.0.name": "need"})
    fields = {"name": f"R {mark}", "condition": f"source = {mark}", "a0.subject": task["subject"]}
    form = [*form_of(page), *(("changed", one) for one in ("source",))]
    form = [(name, value) for name, value in form if name != "trigger"] + [("trigger", "updated")]
    tasks = len(await tasks_about(site, fair))
    more = {**fields, "a1.fields.0.value": "=", "a1.fields.0.copy": "source"}
    tried = await posted(admin, f"{PATH}/draft", form, htmx=True, do="try", record=fair, **more)
    assert "The condition holds" in tried and f"Call about a sofa {mark}" in tried
    assert f">{mark}</ins>" in tried and "<form" not in tried  # what the field would be; a part of the page
    assert "does not hold" in await posted(
        admin, f"{PATH}/draft", form, htmx=True, do="try", record=other, **more
    )
    newest = await posted(admin, f"{PATH}/draft", form, htmx=True, do="try", **more)
    assert newest.count("The condition") >= 2
    assert "cannot be tried yet" in await posted(
        admin, f"{PATH}/draft", form, htmx=True, do="try", **{**more, "a0.subject": ""}
    )
    assert (await tasks_about(site, fair), row_of(site, "leads", fair)["need"]) == (
        [],
        lead["need"],
    ) and not tasks
    saved = await posted(admin, PATH, form, **more)
    (rule,) = await rules_called(site, fields["name"])
    assert (rule["changed"], rule["trigger"]) == (["source"], "updated")
    assert rule["actions"][1] == {"action": "set_fields", "fields": {"need": "={source}"}}
    here = f"{PATH}/{rule['id']}"

    await work(site)
    await asyncio.to_thread(site.app.store.write_now, _change, SYSTEM, other, mark)
    await work(site)
    page = await admin.text(here)
    assert "It has not run yet." not in page and "Version 1" in page
    assert "Also changed, not kept in this log: " in page and len(await tasks_about(site, other)) == 1

    changed = await posted(admin, here, form_of(saved), condition="", position="5", active="")
    assert "Saved as version 2." in changed and "Switched off" in changed
    assert re.search(rf"<del[^>]*>source = {mark}</del>", changed)
    clash = await posted(admin, here, form_of(saved), 409, name="Mine")
    assert "Somebody else changed this rule" in clash and 'value="Mine"' in clash
    assert "Saved as version 3." in await posted(admin, here, form_of(clash), name=f"R {mark}")

    seen = await manager.text(here)
    assert " disabled" in seen and ">Save<" not in seen and "Version 2" in seen
    await posted(manager, f"{PATH}/draft", form_of(changed), 403, htmx=True, do="check")
    await posted(manager, here, form_of(changed), 403)
    again = f"{here}/runs/{new_id()}/again"
    await posted(
        admin, f"{PATH}/draft", [*form_of(seen), ("a" + "9" * 5000 + ".action", "escalate")], htmx=True
    )
    await manager.post(again, 403)
    await admin.post(again, 404)
    rep = await staff("rep", "North")
    for path in (here, f"{here}/runs", f"{here}/versions", f"{PATH}/new"):
        await rep.text(path, 403)
    await admin.post(f"{here}/delete")
    gone = await admin.text(here)
    assert "This record is deleted" in gone
    await admin.post(f"{here}/restore")
    assert "rule-form" in await admin.text(here)
    assert "rule-form" in await admin.text(f"{here}/edit")
    await admin.text(f"{PATH}/{new_id()}", 404)


async def work(site: Site) -> None:
    """What the worker does: read the log to its end."""
    while await site.app.store.run(advance, SYSTEM, site.app.runtime):
        pass


def _change(tx: Tx, record_id: str, source: str) -> None:
    change_record(tx, LEAD, record_id, {"source": source})


async def tasks_about(site: Site, record_id: str) -> list[Record]:
    table = site.app.store.schema.entity("activities").table
    statement = sa.select(table).where(table.c.about_id == record_id, table.c.kind == "task")
    return await asyncio.to_thread(site.app.store.read_now, Tx.rows, SYSTEM, statement)


@pytest.mark.parametrize("lang", ["hi", "hi-Latn", "ur"])
async def test_the_editor_in_every_language(site: Site, staff: Any, lang: str) -> None:
    admin = await staff("admin")
    await admin.text(f"/console/language?to={lang}&back=/console/articles")
    page = await get(admin, "records/rules/new")
    for action in ACTIONS:
        page = await deed(admin, page, "add", add=action, entity="cases")
    assert len(re.findall(r'name="a\d+\.action"', page)) == len(ACTIONS)
    assert not re.search(r">\s*(rule|records|field|value)\.[a-z_.]+\s*<", page)
    await posted(admin, f"{PATH}/draft", [*form_of(page)], htmx=True, do="try", name="x")


def _activate(tx: Tx, user_id: str, active: bool) -> None:
    tx.execute(sa.update(USER.table).where(USER.table.c.id == user_id).values(active=active))


def _who_may_change_rules(actor: Actor) -> Actor:
    kinds = ("rules", "rule_runs")
    table = {kind: {str(actor.role): frozenset({"read", "update"})} for kind in kinds}
    return dataclasses.replace(actor, access=Access(table={**actor.access.table, **table}))


def test_the_log_and_a_trial_on_each_database(store: Store, tmp_path: Path) -> None:
    scene = Scene.opened(store, tmp_path / "data")
    profile = scene.runtime.profile
    reader = Reader(
        scene.runtime.words,
        "en",
        store.schema,
        ZoneInfo(profile.time_zone),
        profile.country,
        profile.currency,
    )
    people = scene.business.users
    rule = scene.rule(
        *("Sell", "leads", "created"),
        {"action": "assign", "user_id": people["mate"]},
        {"action": "send_message", "text": "Namaste"},
        {"action": "notify", "to": ["owner", people["stranger"]], "text": "New: {need}"},
        condition="source = expo",
    )
    contact = scene.business.rows["contacts"]["self"]
    for number in range(PAGE + 3):
        scene.do(create_record, LEAD, {"contact_id": contact, "need": f"sofa {number}", "source": "expo"})
    draft = of_row(scene.row(RULE, rule))
    found = scene.do(match, reader, draft)
    assert (found.count, found.more, len(found.lines)) == (PAGE + 3, False, 5)
    trial = scene.do(attempt, reader, scene.runtime, draft, "")
    assert len(trial.results) == 10 and all(one.matches and len(one.deeds) == 3 for one in trial.results)
    assert trial.results[0].deeds[0].lines[0].after == "Mate"
    assert scene.rows(RULE_RUN) == [] and scene.rows(NOTIFICATION, key="notify.rule") == []
    scene.work()
    first, cursor = scene.do(runs, reader, rule, "")
    rest, end = scene.do(runs, reader, rule, cursor)
    assert (len(first), len(rest), end) == (PAGE, 3, "")
    assert first[0].state == "Done" and first[0].href.startswith("/console/records/leads/")
    assert [deed.label for deed in first[0].deeds] == ["Assign", "Write to the customer", "Tell colleagues"]

    def drop(tx: Tx) -> None:
        """The first action goes: it waits for a user who is there no more."""
        change_record(tx, RULE, rule, {"actions": [{"action": "assign", "user_id": people["loner"]}]})

    scene.do(drop)
    scene.do(_activate, people["loner"], False)
    scene.do(create_record, LEAD, {"contact_id": contact, "need": "late", "source": "expo"})
    scene.work()
    failed = scene.do(runs, reader, rule, "")[0][0]
    assert "not active any more" in failed.error and failed.again and failed.tone == "warn"
    with pytest.raises(Conflict):
        scene.do(retry_now, rule, first[0].id)
    scene.do(_activate, people["loner"], True)
    with pytest.raises(Forbidden):
        scene.do(retry_now, rule, failed.id, actor=scene.do(actor_by_id, people["mate"]))
    other = scene.rule("Else", "leads", "created", {"action": "notify", "to": ["owner"], "text": "x"})
    with pytest.raises(NotFound):  # a run is tried again from its own rule's page
        scene.do(retry_now, other, failed.id)
    scene.do(retry_now, rule, failed.id)
    with pytest.raises(Forbidden):  # nor does anybody lend themselves what the rule's user may
        mate = _who_may_change_rules(scene.do(actor_by_id, people["mate"]))
        scene.do(retry_now, rule, failed.id, actor=mate)
    assert scene.fire() == [RETRY]
    mended = scene.do(runs, reader, rule, "")[0][0]
    assert (mended.id, mended.state, mended.tries, mended.error) == (failed.id, "Done", 2, "")
    newest, oldest = scene.do(versions, reader, rule, "")[0]
    assert (newest.number, oldest.number, oldest.lines) == (2, 1, [])
    (line,) = newest.lines
    assert "Write to the customer: Namaste" in line.before and "Loner" in line.after


async def test_a_rule_is_tried_over_the_api(store: Store, tmp_path: Path) -> None:
    scene = Scene.opened(store, tmp_path / "data")
    rule = scene.rule(
        *("Sell", "leads", "created"),
        {"action": "set_fields", "fields": {"status": "working", "timeline": "={need}"}},
        {"action": "create_task", "subject": "About {need}", "due_minutes": 5},
        condition="source = expo",
    )
    gone = scene.rule("Gone", "leads", "deleted", {"action": "notify", "to": "run_as", "text": "x"})
    lead = scene.do(
        create_record,
        LEAD,
        {"contact_id": scene.business.rows["contacts"]["self"], "need": "a sofa", "source": "expo"},
    )["id"]
    key = store.write_now(make_api_key, SYSTEM, scene.boss.id)
    async with serving(store) as client:

        async def ask(which: str, body: dict[str, Any], status: int = 200) -> Any:
            path = f"/api/v1/rules/{which}/try"
            async with client.post(path, json=body, **bearer(key)) as answer:
                told = await answer.json()
                assert answer.status == status, told
                return told

        (one,) = (await ask(rule, {"record_id": lead}))["data"]
        assert (one["record_id"], one["matches"], one["error"], one["due_at"]) == (lead, True, "", None)
        fields, task = one["actions"]
        assert fields["changes"] == {"status": ["new", "working"], "timeline": [None, "a sofa"]}
        assert task["text"] == "About a sofa" and task["changes"] == {}
        everything = (await ask(rule, {}))["data"]
        assert [row["matches"] for row in everything].count(True) == 1 and len(everything) > 1
        assert len((await ask(rule, {"where": "source = expo"}))["data"]) == 1
        assert (await ask(rule, {"where": "sorce = expo"}, 400))["position"] == 0
        await ask(rule, {"where": "", "record_id": lead}, 400)
        await ask(rule, {"colour": "red"}, 400)
        await ask(rule, {"record_id": new_id()}, 404)
        await ask(new_id(), {}, 404)
        assert "deleted" in (await ask(gone, {}, 409))["detail"]
    assert scene.row(LEAD, lead)["status"] == "new" and scene.rows(RULE_RUN) == []
