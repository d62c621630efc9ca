"""Articles in the console over HTTP: the shelf, the editor and its refusals, versions, pictures."""

import io
import re
from typing import Any

import aiohttp
import sqlalchemy as sa
from PIL import Image

from bot.crm.article import ARTICLE, edit_article, save_article
from bot.records.actor import SYSTEM
from bot.records.tx import Record
from tests.support.recordings import picture
from tests.web.conftest import Site, Staff

NEW = {"lang": "en", "title": "Returns", "body": "Within **30** days", "status": "draft"}


def row(site: Site, key: str, lang: str = "en") -> Record:
    table = ARTICLE.table
    same = sa.and_(table.c.key == key, table.c.lang == lang)
    found = site.app.store.read_now(lambda tx: tx.row(sa.select(table).where(same)), SYSTEM)
    assert found is not None
    return found


def fields(page: str) -> dict[str, str]:
    """The hidden fields of the editor."""
    form = page.partition('id="article-form"')[2]
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form))


async def test_an_agent_writes_and_a_marketer_publishes(site: Site, staff: Any) -> None:
    agent, marketer = await staff("agent"), await staff("marketer")
    new = {**NEW, "key": "agent-returns"}
    assert (
        ">Publish<" not in (page := await agent.text("/console/articles/new")) and ">Put to review<" in page
    )
    await agent.post("/console/articles", 403, **{**new, "status": "published"})
    refused = await agent.post(
        "/console/articles", 400, **{**new, "body": " ", "expires_at": "2026-12-01T09:00"}
    )
    assert "An article needs a text." in refused and 'value="2026-12-01T09:00"' in refused
    await agent.post("/console/articles", **new)
    which = row(site, "agent-returns")["id"]
    path = f"/console/articles/{which}"
    await agent.post(
        path, **fields(await agent.text(path)), title="Returns", body="Within 30 days", status="review"
    )
    assert "asks for a review: Returns" in await marketer.text("/console/notifications")
    page = await marketer.text(path)
    extra = {"category": "After buying", "audience": "customers", "publish_at": "2026-11-01T09:00"}
    await marketer.post(
        path, **fields(page), **extra, title="Returns", body="Within 30 days", status="published"
    )
    kept = row(site, "agent-returns")
    assert (kept["status"], kept["category"], kept["audience"]) == ("published", "After buying", "customers")
    assert kept["publish_at"].isoformat() == "2026-11-01T03:30:00+00:00"  # nine in the morning in India
    # An agent's change to what is published waits for somebody who may.
    answer = await agent.post(
        path, **fields(await agent.text(path)), title="Returns", body="In 60 days", status="published"
    )
    assert answer == "" and row(site, "agent-returns")["body"] == "Within 30 days"
    history = await marketer.text(f"{path}/versions")
    assert "Waits for a decision" in history and "<ins>In 60 days</ins>" in history
    event = re.search(rf'action="{path}/versions/([^"]+)"', history)
    assert event is not None
    await agent.post(f"{path}/versions/{event[1]}", 403)
    await marketer.post(f"{path}/versions/{event[1]}")
    assert row(site, "agent-returns")["body"] == "In 60 days"
    rep = await staff("rep")
    assert "<button" not in (await rep.text(path)).partition("buttons bottom")[2]


async def test_what_somebody_else_saved_meanwhile_is_not_written_over(site: Site, staff: Any) -> None:
    one, other = await staff("manager"), await staff("admin")
    await one.post("/console/articles", **{**NEW, "key": "clash"})
    path = f"/console/articles/{row(site, 'clash')['id']}"
    mine, theirs = fields(await one.text(path)), fields(await other.text(path))
    await other.post(path, **theirs, title="Returns", body="Within 20 days", status="draft")
    warned = await one.text(f"{path}/meanwhile?version={mine['version']}")
    assert "Somebody else has just saved" in warned
    assert (await one.text(f"{path}/meanwhile?version={row(site, 'clash')['version']}")).strip() == ""
    page = await one.post(path, 409, **mine, title="Returns", body="Within 40 days", status="draft")
    assert (
        "<del>Within 20 days</del>" in page
        and "<ins>Within 40 days</ins>" in page
        and "Within 40 days</textarea>" in page
    )
    assert row(site, "clash")["body"] == "Within 20 days"
    await one.post(path, **fields(page), title="Returns", body="Within 40 days", status="draft")
    assert row(site, "clash")["body"] == "Within 40 days"


async def test_the_shelf_shows_what_is_missing_old_and_ending(site: Site, staff: Any) -> None:
    one = await staff("manager")
    write = site.app.store.write_now
    source = write(save_article, SYSTEM, "shelf-a", "en", "Shelf one", "Alpha", "published", category="Shelf")
    write(save_article, SYSTEM, "shelf-a", "hi", "शेल्फ़ एक", "अल्फ़ा", "published", category="शेल्फ़")
    write(
        save_article,
        SYSTEM,
        "shelf-b",
        "en",
        "Shelf two",
        "Beta",
        "draft",
        category="Shelf",
        audience="agents",
    )
    write(edit_article, SYSTEM, source, {"body": "Alpha changed"})

    async def keys(**asked: str) -> set[str]:
        query = "&".join(f"{name}={value}" for name, value in asked.items())
        page = await one.text(f"/console/articles?{query}")
        return set(re.findall(r'dir="ltr">(shelf-[a-z])<', page))

    assert await keys(category="Shelf") == {"shelf-a", "shelf-b"}
    assert await keys(category="Shelf", status="draft") == {"shelf-b"}
    assert await keys(q="Shelf", audience="agents") == {"shelf-b"}
    assert await keys(q="alpha") == {"shelf-a"}
    assert await keys(q="shelf", state="missing", lang="hi") == {"shelf-b"}
    assert await keys(q="shelf", state="stale") == {"shelf-a"}
    assert await keys(q="shelf", state="expiring") == set()
    write(edit_article, SYSTEM, source, {"expires_at": row(site, "shelf-a")["created_at"]})
    assert await keys(q="shelf", state="expiring") == {"shelf-a"}
    assert await keys(q="x" * 500, page="9") == set()
    # The translation says so beside its source, and saving it makes it current.
    page = await one.text(f"/console/articles/{row(site, 'shelf-a', 'hi')['id']}")
    assert "The original was changed" in page and "Alpha changed" in page
    kept = row(site, "shelf-a", "hi")
    await one.post(
        f"/console/articles/{kept['id']}",
        **fields(page),
        title=kept["title"],
        body=kept["body"],
        status="published",
    )
    assert await keys(q="shelf", state="stale") == set()
    page = await one.text("/console/articles/new?of=shelf-b&lang=ur")
    await one.post(
        "/console/articles", **fields(page), title="شیلف", body="بیٹا", status="draft", audience="agents"
    )
    assert row(site, "shelf-b", "ur")["translates"] == row(site, "shelf-b")["version"]


async def send(one: Staff, content: bytes, expected: int) -> Any:
    form = aiohttp.FormData()
    form.add_field("picture", content, filename="box.jpg")
    headers = {"X-CSRF-Token": one.csrf, "HX-Request": "true"}
    async with one.http.post("/console/articles/pictures", data=form, headers=headers) as answer:
        assert answer.status == expected, await answer.text()
        return await answer.json() if expected == 200 else await answer.text()


async def test_a_picture_is_shown_to_everybody_without_what_the_camera_says(site: Site, staff: Any) -> None:
    agent, rep = await staff("agent"), await staff("rep")
    photo = io.BytesIO()
    exif = Image.Exif()
    exif[0x010F] = "A camera"
    Image.new("RGB", (60, 40), "red").save(photo, "JPEG", exif=exif)
    await send(rep, photo.getvalue(), 403)
    assert "PNG, JPEG" in await send(agent, b"<svg/>", 400)
    assert "PNG, JPEG" in await send(agent, b"\xff\xd8\xff broken", 400)
    made = await send(agent, photo.getvalue(), 200)
    assert made["name"] == "box" and made == await send(agent, photo.getvalue(), 200)
    png = await send(agent, picture("PNG"), 200)
    async with aiohttp.ClientSession(site.url) as http:
        async with http.get(made["address"]) as answer:
            body = await answer.read()
            assert answer.status == 200 and answer.headers["Content-Type"] == "image/jpeg"
            assert "immutable" in answer.headers["Cache-Control"]
            assert not Image.open(io.BytesIO(body)).getexif() and b"A camera" not in body
        assert (await (await http.get(png["address"])).read()) == picture("PNG")
        for gone in (
            made["address"].replace(".jpg", ".png"),
            f"/help/pictures/{'0' * 64}.png",
            "/help/pictures/x",
        ):
            assert (await http.get(gone)).status == 404
    shown = await agent.post("/console/articles/preview", body=f"![box]({made['address']})")
    assert f'src="{made["address"]}"' in shown
