"""The pages of flows over plain HTTP: who may do what, what is refused and how, what needs no script."""

import html
import re
from pathlib import Path
from typing import Any

from bot.crm.flow_version import FLOW_VERSION
from bot.dialogs.publishing import shipped, shipped_source
from bot.ids import new_id
from bot.records.actor import SYSTEM
from tests.web.conftest import Site, Staff, running

OWN = """name: {name}
version: 1
description: Ask for a <b>day</b>.
keywords:
  en: ["{word}"]
steps:
  - collect: day
    type: date
    ask: visit.ask_day
  - say: lead.thanks
"""
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def own(word: str = "") -> tuple[str, str]:
    """A new flow's name and YAML."""
    name = f"own_{new_id()[-6:]}"
    return name, OWN.format(name=name, word=word or name)


def version_of(site: Site, name: str, state: str) -> str:
    table = FLOW_VERSION.table
    found = table.select().where(table.c.name == name, table.c.state == state)
    [row] = site.app.store.read_now(lambda tx: tx.rows(found), SYSTEM)
    return str(row["id"])


async def test_only_admins_change_flows_and_managers_see_them(site: Site, staff: Any) -> None:
    admin, manager, agent = await staff("admin"), await staff("manager"), await staff("agent")
    assert "/console/flows" in await admin.text("/console/flows")
    assert 'href="/console/flows"' not in await manager.text("/console/articles")
    name, source = own()
    assert await admin.post("/console/flows", 200, source=source, do="save") == ""
    draft = version_of(site, name, "draft")
    for path in ("", "/open_case", f"/{name}", f"/{name}/versions/{draft}"):
        page = await manager.text(f"/console/flows{path}")
        assert "/edit" not in page and "<form method" not in page.split("<main")[1]
        await agent.text(f"/console/flows{path}", 403)
    for one in (manager, agent):
        await one.text(f"/console/flows/{name}/edit", 403)
        await one.text("/console/flow-editor/new", 403)
        for path in ("flows", "flow-editor/check", "flow-editor/try", f"flows/{name}/retire"):
            await one.post(f"/console/{path}", 403, source=source)
        await one.post(f"/console/flows/{name}/versions/{draft}/publish", 403)
    async with admin.http.post("/console/flows", data={"source": source}) as answer:
        assert answer.status == 403, "a form without its token"


async def test_every_flow_has_its_page_in_every_language(staff: Any) -> None:
    admin = await staff("admin")
    page = await admin.text("/console/flows?lang=ur")
    assert 'dir="rtl"' in page
    for name in shipped():
        assert f"/console/flows/{name}" in page
        body = await admin.text(f"/console/flows/{name}?in=ur")
        assert "<svg xmlns" in body and 'direction="rtl"' in body, name
        assert ("/edit" in body) == (name not in ("stop", "start"))
    await admin.text("/console/flows/no_such_flow", 404)
    await admin.text(f"/console/flows/open_case/versions/{new_id()}", 404)
    await admin.text(f"/console/flows/open_case/edit?version={new_id()}", 404)
    copied = await admin.text("/console/flow-editor/new?from=open_case")
    assert "name: open_case_2\n" in html.unescape(copied)
    assert "name: stop" not in await admin.text("/console/flow-editor/new?from=stop")


async def test_without_a_script_errors_stand_on_the_page_and_the_text_is_kept(staff: Any) -> None:
    admin = await staff("admin")
    _, source = own()
    for wrong, said in (
        (source.replace("lead.thanks", "no.such</textarea>words"), "Line 10"),
        (source.replace("  - say", "  - shout"), "Line 10"),
        (source + "  - goto: nowhere\n", "Line 11"),
        ("steps: [", "Line 1"),
        ("", "a flow is a mapping"),
        ("x" * 120_000, "too long"),
    ):
        data = {"source": wrong.replace("\n", "\r\n"), "csrf": admin.csrf}
        async with admin.http.post("/console/flow-editor/check", data=data) as answer:
            page = await answer.text()
        assert answer.status == 200 and said in page, wrong[:80]
        [kept] = re.findall(r"<textarea.*?>\n(.*?)</textarea>", page, re.S)
        assert html.unescape(kept) == wrong[:100_001]
    async with admin.http.post("/console/flows", data={"source": "steps: [", "csrf": admin.csrf}) as answer:
        assert answer.status == 400 and "steps: [" in await answer.text()
    page = await admin.post("/console/flow-editor/check", 200, source=source)
    assert "No errors" in page and 'hx-swap-oob="innerHTML"' in page and "<b>day" not in page
    # What is wrong may be kept, and is not published.
    name, source = own()
    await admin.post("/console/flows", 200, source=source.replace("lead.thanks", "no.words"))
    draft = version_of(admin.site, name, "draft")
    assert "no.words" in await admin.text(f"/console/flows/{name}/edit")
    assert "/publish" not in await admin.text(f"/console/flows/{name}/versions/{draft}")
    refused = await admin.post(f"/console/flows/{name}/versions/{draft}/publish", 400)
    assert "no words for no.words" in refused
    await admin.post(f"/console/flows/open_case/versions/{draft}/publish", 404)


async def test_publishing_going_back_and_the_shipped_one_again(site: Site, staff: Any) -> None:
    admin = await staff("admin")
    first = shipped_source("feedback").replace("description: Take", "description: (1) Take")
    second = first.replace("(1)", "(2)")
    ids = []
    for source in (first, second):
        await admin.post("/console/flows", 200, source=source, do="publish")
        ids.append(version_of(site, "feedback", "draft"))
        page = await admin.text(f"/console/flows/feedback/versions/{ids[-1]}")
        assert "<ins>+ description: (" in page and "<del>- description: " in page
        await admin.post(f"/console/flows/feedback/versions/{ids[-1]}/publish")
        assert version_of(site, "feedback", "published") == ids[-1]
    assert "(2) Take" in await admin.text("/console/flows/feedback")
    assert "Go back to this version" in await admin.text(f"/console/flows/feedback/versions/{ids[0]}")
    await admin.post(f"/console/flows/feedback/versions/{ids[0]}/publish")
    page = await admin.text("/console/flows/feedback")
    assert "(1) Take" in page
    assert admin.email in page or admin.email.split("@")[0].title() in page, page.split("versions-title")[-1]
    assert "(2) Take" in html.unescape(await admin.text(f"/console/flows/feedback/edit?version={ids[1]}"))
    await admin.post("/console/flows/feedback/retire")
    page = await admin.text("/console/flows/feedback")
    assert "(1) Take" not in page and "Comes with Samvad" in page


async def test_a_trial_is_a_conversation_that_leaves_nothing_behind(site: Site, staff: Any) -> None:
    admin = await staff("admin")
    source = shipped_source("open_case")
    before = site.app.store.read_now(
        lambda tx: [tx.rows(tx.schema.entity(kind).table.select()) for kind in ("cases", "conversations")],
        SYSTEM,
    )

    async def says(**given: str) -> tuple[str, str]:
        page = await admin.post("/console/flow-editor/try", 200, **{"source": source, **given})
        [state] = re.findall(r'name="state" value="([^"]*)"', page)
        return html.unescape(page), html.unescape(state)

    page, state = await says()
    assert 'data-waits="description"' in page
    page, state = await says(state=state, say="The mixer does not start since Monday")
    assert "The mixer does not start since Monday" in page and "C-…" in page and "would be kept" in page
    for name in shipped().keys() - {"stop", "start"}:
        page, state = await says(source=shipped_source(name))
        await says(source=shipped_source(name), state=state, say="1042")
    for odd in ("{", "[]", '{"frames": 3}', "null"):
        await says(state=odd, say="hello")
    now = site.app.store.read_now(
        lambda tx: [tx.rows(tx.schema.entity(kind).table.select()) for kind in ("cases", "conversations")],
        SYSTEM,
    )
    assert now == before
    page = await admin.post("/console/flow-editor/try", 200, source=source + "  - goto: nowhere\n")
    assert "Mend the errors first" in page


async def test_examples_that_sound_like_another_flow_are_told(tmp_path: Path) -> None:
    with running(tmp_path / "data", embeddings=False) as site:
        admin = Staff(site)
        assert (await admin.sign_in(site.user("admin"))).status == 200
        told = {name: await admin.text(f"/console/flows/{name}") for name in shipped()}
        await admin.http.close()
    confused = [page for page in told.values() if "like those of" in page]
    assert confused and all("<q dir" in page and "Worth a look" in page for page in confused)
    assert any("told from all others" in page for page in told.values())
