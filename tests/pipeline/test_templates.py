"""Approved templates: read from the provider, shown, filled in, and sent when the window is closed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.channels.whatsapp import WhatsApp
from bot.conversations.conversation import CONVERSATION
from bot.errors import ChannelRejected
from bot.messages import WebhookRequest
from bot.records.actor import SYSTEM
from bot.records.tx import Tx
from bot.settings import load_settings
from bot.testing import WhatsAppEmulator
from bot.web.console.door import SESSION
from tests.pipeline.test_agents_files import begin, desk, say
from tests.support.recordings import picture
from tests.support.world import World, customer_of
from tests.web.conftest import BUSY, CHROMIUM, CHROMIUM_ARGS, PATIENCE_MS, Staff, need_browser


def meta(name: str, *components: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": f"id-{name}-{more.get('language', 'en')}",
        "name": name,
        "language": "en",
        "category": "UTILITY",
        "status": "APPROVED",
        "rejected_reason": "NONE",
        "components": list(components),
    } | more


DELIVERY = meta(
    "delivery_today",
    {"type": "HEADER", "format": "TEXT", "text": "Order {{1}}", "example": {"header_text": ["A-17"]}},
    {
        "type": "BODY",
        "text": "Dear {{1}}, we come at {{2}}.",
        "example": {"body_text": [["Asha", "5 pm"]]},
    },
    {"type": "FOOTER", "text": "Asha Kitchens"},
    {
        "type": "BUTTONS",
        "buttons": [
            {"type": "QUICK_REPLY", "text": "Another day"},
            {"type": "URL", "text": "Follow", "url": "https://shop.example/{{1}}", "example": ["a17"]},
        ],
    },
)
NAMED = meta(
    "named",
    {
        "type": "BODY",
        "text": "नमस्ते {{customer}}",
        "example": {"body_text_named_params": [{"param_name": "customer", "example": "आशा"}]},
    },
    language="hi",
)
PHOTO = meta("photo", {"type": "HEADER", "format": "IMAGE"}, {"type": "BODY", "text": "Your new kitchen"})
ORDER = {
    "sid": f"HX{1:032x}",
    "friendly_name": "order",
    "language": "en",
    "variables": {},
    "types": {"twilio/text": {"body": "On its way"}},
    "approval_requests": {"status": "approved", "category": "UTILITY", "name": "order"},
}
REJECTED = meta(
    "sale", {"type": "BODY", "text": "Buy"}, status="REJECTED", rejected_reason="TAG_CONTENT_MISMATCH"
)
CAROUSEL = meta("cards", {"type": "BODY", "text": "See"}, {"type": "CAROUSEL", "cards": []})


def _long_ago(tx: Tx, conversation: str) -> None:
    table = CONVERSATION.table
    past = tx.now - timedelta(hours=30)
    tx.execute(table.update().where(table.c.id == conversation).values(last_inbound_at=past))


@dataclass
class Scene:
    """A conversation `which`, and the ids of the templates by name."""

    world: World
    emulator: Any
    one: Staff
    which: str
    ids: dict[str, str]

    @property
    def path(self) -> str:
        return f"/console/conversations/{self.which}"

    async def send(self, name: str, expected: int = 200, **values: str) -> str:
        form = {f"v:{key.replace('__', '.')}": value for key, value in values.items()}
        return await self.one.post(f"{self.path}/templates/{self.ids[name]}", expected, **form)

    async def sent(self, number: int) -> dict[str, Any]:
        """The newest of so many messages of the agent's, once it has left."""

        def left(rows: list[dict[str, Any]]) -> bool:
            return len(rows) == number and rows[-1]["status"] not in ("queued", "sending")

        query = {"where": "author = agent", "order": "created_at"}
        return (await self.world.api.until("messages", left, **query))[-1]


@asynccontextmanager
async def scene(tmp_path: Path, way: str, **listed: Any) -> AsyncIterator[Scene]:
    """The window is closed, and the provider's templates are known."""
    async with customer_of(way, tmp_path / "data") as (world, emulator, sender), desk(world) as one:
        for name, value in listed.items():
            setattr(emulator, name, value)
        conversation = await begin(way, world, emulator, sender)
        await world.app.store.run(_long_ago, SYSTEM, conversation)
        await one.post("/console/templates/sync", 303)
        wanted = sum(len(value) for value in listed.values())
        rows = await world.api.until("templates", lambda rows: len(rows) == wanted)
        yield Scene(world, emulator, one, conversation, {row["name"]: row["id"] for row in rows})


async def test_a_template_leaves_when_the_window_is_closed(tmp_path: Path) -> None:
    async with scene(tmp_path, "whatsapp", templates=[DELIVERY, NAMED]) as at:
        page = await at.one.text(at.path)
        assert "lets only a template out" in page
        await say(at.one, at.which, "Are you at home today?")
        chooser = await at.one.text(f"{at.path}/templates")
        assert "delivery_today" in chooser and "named" in chooser
        shown = await at.one.text(f"{at.path}/templates/{at.ids['delivery_today']}")
        assert 'placeholder="5 pm"' in shown and "Dear {{1}}, we come at {{2}}." in shown
        preview = f"{at.path}/templates/{at.ids['delivery_today']}/preview?v:body.1=Asha"
        assert "Dear Asha, we come at {{2}}." in await at.one.text(preview)
        values = {"header__1": "A-17", "body__1": " Asha\n Rao ", "body__2": "5 pm", "button.1__1": "a17"}
        await at.send("delivery_today", **values)
        message = await at.sent(2)
        assert message["text"] == "Order A-17\n\nDear Asha Rao, we come at 5 pm.\n\nAsha Kitchens"
        body = at.emulator.sent[-1]["template"]
        assert (body["name"], body["language"]) == ("delivery_today", {"code": "en"})
        assert [part["parameters"] for part in body["components"]] == [
            [{"type": "text", "text": "A-17"}],
            [{"type": "text", "text": "Asha Rao"}, {"type": "text", "text": "5 pm"}],
            [{"type": "text", "text": "a17"}],
        ]
        await at.send("named", body__customer="आशा")
        await at.emulator.wait_reply(at.emulator.sent[-1]["to"], 3)
        assert (
            at.emulator.sent[-1]["template"]["components"][0]["parameters"][0]["parameter_name"] == "customer"
        )
        held = await at.world.api.until("messages", lambda rows: len(rows) == 1, where="status = queued")
        assert [row["text"] for row in held] == ["Are you at home today?"]  # free words go on waiting
        assert "delivery_today" in await at.one.text(at.path)


async def test_in_the_browser(tmp_path: Path) -> None:
    need_browser()
    from playwright.async_api import async_playwright, expect

    expect.set_options(timeout=PATIENCE_MS)
    wrong: list[str] = []
    async with (
        scene(tmp_path, "whatsapp", templates=[DELIVERY, NAMED]) as at,
        async_playwright() as driver,
        await driver.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS) as chromium,
    ):
        page = await chromium.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        (cookie,) = [one for one in at.one.http.cookie_jar if one.key == SESSION]
        site = {"url": f"{at.world.url}/console", "name": SESSION, "value": cookie.value}
        await page.context.add_cookies([site])  # type: ignore[list-item]
        await page.goto(f"{at.world.url}{at.path}")
        await page.get_by_role("button", name="Template", exact=True).click()
        await expect(page.locator(".picker [data-filter]")).to_be_focused()
        await page.keyboard.type("deliv")
        await expect(page.locator(".picker li:visible")).to_have_count(1)
        await expect(page.locator(BUSY)).to_have_count(0)
        await page.get_by_role("button", name="delivery_today").click()
        await expect(page.locator("#v1")).to_be_focused()
        await expect(page.locator(BUSY)).to_have_count(0)
        for place, value in enumerate(("A-17", "Asha", "5 pm", "a17"), 1):
            await page.fill(f"#v{place}", value)
        await page.locator("#template-preview", has_text="Dear Asha, we come at 5 pm.").wait_for()
        await page.locator("form.picker [type=submit]").click()
        await page.locator(".message.outbound", has_text="Dear Asha, we come at 5 pm.").wait_for()
        assert (await at.sent(1))["status"] != "failed"
        assert await page.locator("#composer textarea").is_visible()
        assert wrong == []


async def test_a_picture_heads_a_template(tmp_path: Path) -> None:
    async with scene(tmp_path, "whatsapp", templates=[PHOTO]) as at:
        path = f"{at.path}/templates/{at.ids['photo']}"
        headers = {"X-CSRF-Token": at.one.csrf, "HX-Request": "true"}
        for name, content, mime, status in (
            ("new.webp", picture("WEBP"), "image/webp", 200),
            ("bill.pdf", b"%PDF", "application/pdf", 400),
        ):
            form = aiohttp.FormData()
            form.add_field("files", content, filename=name, content_type=mime)
            async with at.one.http.post(path, data=form, headers=headers) as answer:
                assert answer.status == status, await answer.text()
        await at.send("photo", 400)
        await at.sent(1)
        (header,) = at.emulator.sent[-1]["template"]["components"]
        assert at.emulator.files[header["parameters"][0]["image"]["id"]].startswith(b"\xff\xd8")


async def test_what_is_not_filled_in_or_not_approved_does_not_leave(tmp_path: Path) -> None:
    listed = [DELIVERY, REJECTED, CAROUSEL]
    async with scene(tmp_path, "whatsapp", templates=listed) as at:
        assert "Fill in all" in await at.send("delivery_today", 400, body__1="Asha")
        assert "not approved" in await at.send("sale", 409)
        await at.send("cards", 409)
        page = await at.one.text("/console/templates")
        assert "TAG_CONTENT_MISMATCH" in page and "CAROUSEL" in page
        assert "sale" not in await at.one.text(f"{at.path}/templates")
        assert await at.world.api.rows("messages", where="author = agent") == []
        (row,) = await at.world.api.rows("conversations")
        assert row["owner"] == "bot"


async def test_the_business_account_is_set_or_found_by_the_token(tmp_path: Path) -> None:
    async with WhatsAppEmulator() as meta:
        meta.templates = [NAMED]
        for given, found in (({}, ["named"]), ({"whatsapp_business_account_id": "1"}, None)):
            channel = WhatsApp(load_settings(data_dir=tmp_path, **meta.settings, **given))
            await channel.open()
            try:
                assert [one.name for one in await channel.templates()] == found
            except ChannelRejected:
                assert found is None  # no such account at Meta
            meta.phone_number_id = "another"
            with pytest.raises(ChannelRejected):
                await channel.templates()
            meta.phone_number_id = "100200300"
            await channel.close()


async def test_our_copy_follows_the_provider(tmp_path: Path) -> None:
    many = [meta(f"t{number}", {"type": "BODY", "text": f"Hello {number}"}) for number in range(130)]
    async with scene(tmp_path, "whatsapp", templates=many) as at:
        at.emulator.templates = [many[1] | {"status": "PAUSED"}]
        note = {"message_template_name": "t1", "message_template_language": "en", "event": "PAUSED"}
        assert await at.emulator.change("message_template_status_update", note) == 200
        (row,) = await at.world.api.until("templates", lambda rows: len(rows) == 1)
        assert (row["id"], row["status"]) == (at.ids["t1"], "paused")
        at.emulator.templates = [many[1], many[2]]
        await at.one.post("/console/templates/sync", 303)
        rows = await at.world.api.until("templates", lambda rows: len(rows) == 2)
        assert {row["name"]: row["id"] for row in rows} == {name: at.ids[name] for name in ("t1", "t2")}


async def test_while_the_provider_is_down_our_copy_stays(tmp_path: Path) -> None:
    async with scene(tmp_path, "whatsapp", templates=[DELIVERY]) as at:
        token, at.emulator.access_token = at.emulator.access_token, "another"
        await at.one.post("/console/templates/sync", 303)
        await asyncio.sleep(0.3)
        assert len(await at.world.api.rows("templates")) == 1
        at.emulator.access_token = token


@pytest.mark.parametrize("way", ["whatsapp", "twilio-whatsapp"])
async def test_a_body_nobody_could_read_stands_in_nobodys_way(tmp_path: Path, way: str) -> None:
    async with customer_of(way, tmp_path / "data") as (world, emulator, _), desk(world) as one:
        adapter = "whatsapp" if way == "whatsapp" else "twilio"
        request = WebhookRequest("POST", f"{world.url}/channels/{adapter}", {}, b"{}")
        assert world.app.pipe is not None
        await world.app.pipe.receiver.quarantine(adapter, request, "nobody knows")
        await world.app.runtime.know_all()
        listed = {"templates": [DELIVERY]} if way == "whatsapp" else {"contents": [ORDER]}
        for name, value in listed.items():
            setattr(emulator, name, value)
        await one.post("/console/templates/sync", 303)
        (row,) = await world.api.until("templates", lambda rows: len(rows) == 1)
        assert row["name"] in await one.text("/console/templates")


async def test_nobody_may_send_to_who_said_stop(tmp_path: Path) -> None:
    async with scene(tmp_path, "whatsapp", templates=[PHOTO, NAMED]) as at:
        sender = at.emulator.sent[-1]["to"]
        await at.emulator.say("STOP", sender=sender)
        await at.world.settled()
        told = await at.send("named", 409, body__customer="आशा")
        assert "STOP" in told


async def test_by_twilio(tmp_path: Path) -> None:
    contents = [
        {
            "sid": f"HX{number:032x}",
            "friendly_name": name,
            "language": "en",
            "account_sid": "AC",
            "variables": {"1": "Asha", "2": "a17"},
            "types": {
                kind: {
                    "body": "Dear {{1}}, your order is on its way",
                    "actions": [{"title": "Follow", "url": "https://shop.example/{{2}}", "type": "URL"}],
                }
            },
            "approval_requests": {"status": status, "category": "UTILITY", "name": name},
        }
        for number, (name, kind, status) in enumerate(
            [("order", "twilio/call-to-action", "approved"), ("odd", "twilio/flows", "approved")]
        )
    ]
    async with scene(tmp_path, "twilio-whatsapp", contents=contents) as at:
        await at.send("odd", 409)
        shown = await at.one.text(f"{at.path}/templates/{at.ids['order']}")
        assert shown.count('name="v:any.') == 2
        await at.send("order", any__1="Asha", any__2="a17")
        row = await at.sent(1)
        assert row["text"] == "Dear Asha, your order is on its way" and row["status"] != "failed"
        assert at.emulator.sent[-1]["ContentVariables"] == '{"1": "Asha", "2": "a17"}'


@pytest.mark.parametrize(("role", "status"), [("agent", 403), ("manager", 303)])
async def test_who_may_have_them_read_again(tmp_path: Path, role: str, status: int) -> None:
    async with customer_of("whatsapp", tmp_path / "data") as (world, _, _):
        from tests.web.conftest import Site

        site = Site(world.url, world.app)
        one = Staff(site)
        assert (await one.sign_in(await asyncio.to_thread(site.user, role))).status == 200
        assert "Templates" in await one.text("/console/templates")
        await one.post("/console/templates/sync", status)
        await one.http.close()
