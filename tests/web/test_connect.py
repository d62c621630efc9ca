"""Channels connected in the console: the whole path over HTTP, with the providers' emulators."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.app import open_app
from bot.conversations.channel_account import CHANNEL_ACCOUNT
from bot.crm.user import add_user
from bot.embedded import EmbeddedValkey
from bot.records.actor import SYSTEM
from bot.settings import load_settings
from bot.testing import MailEmulator, MessengerEmulator, TelegramEmulator, TwilioEmulator, WhatsAppEmulator
from bot.testing.mail import free_port
from tests.support.world import World, samvad
from tests.web.conftest import PASSWORD, Staff


class Door:
    """As much of a Site as signing in needs."""

    def __init__(self, world: World) -> None:
        self.url = world.url


@asynccontextmanager
async def signed_in(world: World, role: str = "admin") -> AsyncIterator[Staff]:
    email = f"{role}@shop.example"
    await world.app.store.run(add_user, SYSTEM, email, role, password=PASSWORD)  # type: ignore[arg-type]
    one = Staff(Door(world))  # type: ignore[arg-type]
    try:
        assert (await one.sign_in(email)).status == 200
        one.csrf = one.csrf or ""
        yield one
    finally:
        await one.http.close()


def server(name: str, url: str, user: str = "", password: str = "") -> dict[str, str]:
    """A server's fields in the form."""
    host, port = url.rpartition("/")[2].split(":")
    parts = {"host": host, "port": port, "safety": "starttls", "user": user, "password": password}
    return {f"{name}.{part}": value for part, value in parts.items()}


def whatsapp_form(emulator: WhatsAppEmulator, **other: str) -> dict[str, str]:
    given = {
        "whatsapp_phone_number_id": emulator.phone_number_id,
        "whatsapp_access_token": emulator.access_token,
        "whatsapp_app_secret": emulator.app_secret,
    }
    return given | other


async def until_listening(staff: Staff) -> str:
    """The live test's findings once the mail listener is up."""
    for _ in range(200):
        if "answers at" in (found := await staff.post("/console/channels/email/test")):
            return found
        await asyncio.sleep(0.05)
    pytest.fail(found)


async def saved_verify_token(staff: Staff) -> str:
    """As the page shows it for pasting."""
    page = await staff.text("/console/channels/whatsapp")
    return page.split('data-copy="')[2].split('"')[0]


async def test_whatsapp_is_connected_tested_rotated_and_removed(tmp_path: Path) -> None:
    async with WhatsAppEmulator() as meta, samvad(tmp_path, whatsapp_api_url=meta.url) as world:
        meta.target = world.url
        sender = "919876543210"
        assert await meta.say("hello", sender=sender) == 404
        async with signed_in(world) as admin:
            page = await admin.text("/console/channels")
            assert page.count(">Off<") == 5 and ">On<" in page
            await admin.post("/console/channels/whatsapp", 200, **whatsapp_form(meta))
            meta.verify_token = await saved_verify_token(admin)
            async with meta.http.get(
                f"{world.url}/channels/whatsapp",
                params={
                    "hub.mode": "subscribe",
                    "hub.verify_token": meta.verify_token,
                    "hub.challenge": "42",
                },
            ) as answer:
                assert (answer.status, await answer.text()) == (200, "42")
            assert await meta.say("hello", sender=sender) == 200
            await meta.wait_reply(sender)

            # The live test, while all is well but the webhook's address is not set at Meta.
            found = await admin.post("/console/channels/whatsapp/test")
            assert "Asha Kitchens" in found and "app secret is right" in found
            assert "does not expire" in found and "no address to send messages to" in found
            meta.callback = f"{world.url}/channels/whatsapp"
            assert 'class="bad"' not in await admin.post("/console/channels/whatsapp/test")

            # Nothing that was saved is shown again, to anybody.
            page = await admin.text("/console/channels/whatsapp")
            assert meta.access_token not in page and meta.app_secret not in page
            assert f"ends in …{meta.access_token[-4:]}" in page

            # The token is rotated at Meta: sending fails, the test says why, the new one mends it.
            meta.access_token = "wa-access-token-new"
            found = await admin.post("/console/channels/whatsapp/test")
            assert "access token has expired" in found and 'class="bad"' in found
            assert await meta.say("anybody there?", sender=sender) == 200
            await world.settled()
            page = await admin.text("/console/channels/whatsapp")
            assert "access token has expired" in page and ">Trouble<" in page
            parked = await admin.text("/console/parked")
            assert "access token has expired" in parked and "Refused" in parked
            form = whatsapp_form(meta, whatsapp_app_secret="")
            await admin.post("/console/channels/whatsapp", 200, **form)
            assert 'class="bad"' not in await admin.post("/console/channels/whatsapp/test")
            before = len(await meta.replies(sender))
            await admin.post("/console/parked/resend?kind=refused", 200)
            await meta.wait_reply(sender, count=before + 1)
            assert "Everything went through" in await admin.text("/console/parked")
            assert len(meta.sent) == before + 1

            # A wrong app secret.
            await admin.post(
                "/console/channels/whatsapp", 200, **whatsapp_form(meta, whatsapp_app_secret="other-secret")
            )
            assert "does not belong to this token" in await admin.post("/console/channels/whatsapp/test")
            assert await meta.say("forged now", sender=sender) == 403

            await admin.post("/console/channels/whatsapp/remove", 200)
            assert await meta.say("gone", sender=sender) == 404
            await admin.post("/console/channels/whatsapp/test", 409)
        rows = await world.app.store.read(
            lambda tx: tx.rows(
                sa.select(CHANNEL_ACCOUNT.table).where(CHANNEL_ACCOUNT.table.c.adapter == "whatsapp")
            ),
            SYSTEM,
        )
        assert [(row["active"], row["credentials"]) for row in rows] == [(False, None)]


async def test_credentials_are_sealed_and_survive_a_restart(tmp_path: Path) -> None:
    async with TelegramEmulator() as telegram:
        async with samvad(tmp_path, telegram_api_url=telegram.url) as world, signed_in(world) as admin:
            await admin.post(
                "/console/channels/telegram", 200, telegram_bot_token=telegram.token, telegram_mode="polling"
            )
            await telegram.say("hello", sender="4001")
            await telegram.wait_reply("4001")
            found = await admin.post("/console/channels/telegram/test")
            assert "@samvad_bot" in found and "nothing stands in the way" in found
        database = (tmp_path / "samvad.db").read_bytes() + (tmp_path / "keys.db").read_bytes()
        assert telegram.token.encode() not in database and b"telegram-token" not in database
        settings = load_settings(data_dir=tmp_path, telegram_api_url=telegram.url, gather_ms=0)
        async with open_app(settings, redis_url="") as app:
            assert app.channels["telegram"].accounts == (("telegram", "4242"),)
            before = len(telegram.sent)
            await telegram.say("hello again", sender="4002")
            await telegram.wait_reply("4002")
            assert len(telegram.sent) > before
        # Another secret cannot read them: the program starts, the channel does not.
        (tmp_path / "secret_key").write_text("another secret of enough length")
        (tmp_path / "keys.db").unlink()
        async with open_app(settings, redis_url="") as app:
            assert "telegram" not in app.channels
            assert "telegram" in app.connections.unusable


async def test_mail_is_connected_by_servers_and_passwords(tmp_path: Path) -> None:
    async with MailEmulator() as mail, samvad(tmp_path) as world, signed_in(world) as admin:
        port = free_port()
        form = {"email_address": mail.address, "email_listen": f"127.0.0.1:{port}"}
        form |= server("email_smtp_url", mail.url)
        await admin.post("/console/channels/email", 200, **form)
        mail.target = f"127.0.0.1:{port}"
        found = await until_listening(admin)
        assert "takes our mail" in found and 'class="bad"' not in found
        assert await mail.say("Where is my order?", sender="asha@customer.example") == 250
        await mail.wait_reply("asha@customer.example")

        # The listener moves to another port: the old one is free, the new one answers.
        other = free_port()
        await admin.post("/console/channels/email", 200, **form | {"email_listen": f"127.0.0.1:{other}"})
        mail.target = f"127.0.0.1:{other}"
        await until_listening(admin)
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", port)
        assert await mail.say("And now?", sender="ravi@customer.example") == 250
        await mail.wait_reply("ravi@customer.example")


async def test_a_mail_password_does_not_follow_to_another_server(tmp_path: Path) -> None:
    async with samvad(tmp_path) as world, signed_in(world) as admin:
        form = {"email_address": "help@shop.example"}
        first = server("email_smtp_url", "smtp://127.0.0.1:2", "asha", "very/secret@word")
        await admin.post("/console/channels/email", 200, **form, **first)
        assert "very/secret@word" not in await admin.text("/console/channels/email")
        same = server("email_smtp_url", "smtp://127.0.0.1:3", "asha")
        await admin.post("/console/channels/email", 200, **form, **same)
        assert world.app.channels["email"]._smtp.password == "very%2Fsecret%40word"  # type: ignore[attr-defined]
        elsewhere = server("email_smtp_url", "smtp://evil.example:3", "asha")
        await admin.post("/console/channels/email", 200, **form, **elsewhere)
        assert not world.app.channels["email"]._smtp.password  # type: ignore[attr-defined]


async def test_twilio_and_messenger_say_what_is_wrong(tmp_path: Path) -> None:
    async with (
        TwilioEmulator() as twilio,
        MessengerEmulator() as meta,
        samvad(tmp_path, twilio_api_url=twilio.url, messenger_api_url=meta.url) as world,
        signed_in(world) as admin,
    ):
        twilio.target, meta.target = world.url, world.url
        form = {
            "twilio_account_sid": twilio.account_sid,
            "twilio_auth_token": "not the token",
            "twilio_sms_from": "+1 555 000 1111",
        }
        refused = await admin.post("/console/channels/twilio", 400, **form)
        assert "spaces in it" in refused and "twilio" not in world.app.channels
        form["twilio_auth_token"] = "not-the-token"
        await admin.post("/console/channels/twilio", 200, **form)
        assert "did not accept our account and token" in await admin.post("/console/channels/twilio/test")
        form["twilio_auth_token"] = twilio.auth_token
        await admin.post("/console/channels/twilio", 200, **form)
        twilio.sms_url = "https://demo.twilio.com/welcome"
        assert "https://demo.twilio.com/welcome" in await admin.post("/console/channels/twilio/test")
        twilio.sms_url = f"{world.url}/channels/twilio/messages"
        assert 'class="bad"' not in await admin.post("/console/channels/twilio/test")
        twilio.status_of_account = "suspended"
        assert "is suspended" in await admin.post("/console/channels/twilio/test")
        assert await twilio.say("hello", sender="+919876543210") == 200
        await twilio.wait_reply("+919876543210")

        page = {
            "messenger_page_id": meta.page_id,
            "messenger_access_token": meta.access_token,
            "messenger_app_secret": meta.app_secret,
            "messenger_instagram_id": "17841999",
        }
        await admin.post("/console/channels/messenger", 200, **page)
        meta.callback, meta.subscribed, meta.token_until = "https://other.example/hook", False, 1_900_000_000
        found = await admin.post("/console/channels/messenger/test")
        for words in ("17841999 is not linked", "https://other.example/hook", "2030-03-17", "does not get"):
            assert words in found, words
        page["messenger_instagram_id"] = meta.instagram_id
        await admin.post("/console/channels/messenger", 200, **page)
        meta.callback, meta.subscribed, meta.token_until = f"{world.url}/channels/messenger", True, 0
        found = await admin.post("/console/channels/messenger/test")
        assert 'class="bad"' not in found and "@ashakitchens" in found
        assert await meta.say("hello", sender="24512345678901") == 200
        await meta.wait_reply("24512345678901")
        meta.delay = 0


async def test_a_provider_that_is_down_is_told_in_words(tmp_path: Path) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    async with samvad(tmp_path, whatsapp_api_url=nobody) as world, signed_in(world) as admin:
        await admin.post("/console/channels/whatsapp", 200, **whatsapp_form(WhatsAppEmulator()))
        found = await admin.post("/console/channels/whatsapp/test")
        assert "No answer" in found and "cannot be reached" in found
        assert "answers at" in await admin.post("/console/channels/webchat/test")


@pytest.mark.parametrize(
    ("adapter", "form", "words"),
    [
        ("whatsapp", {"whatsapp_phone_number_id": "+91 98765"}, "digits only"),
        ("whatsapp", {"whatsapp_phone_number_id": "12345"}, "access token is missing"),
        ("telegram", {"telegram_bot_token": "hello"}, "looks like 123456:ABC"),
        ("email", {"email_address": "nobody"}, "no mail address"),
        ("email", {"email_address": "a@b.example"}, "name and port are needed"),
        ("twilio", {"twilio_account_sid": "AC1"}, "34 characters"),
        ("twilio", {"twilio_account_sid": "AC" + "0" * 32, "twilio_auth_token": "abcdef"}, "Give a number"),
    ],
)
async def test_what_is_wrong_in_the_form_is_said(
    tmp_path: Path, adapter: str, form: dict[str, str], words: str
) -> None:
    async with samvad(tmp_path, articles=False) as world, signed_in(world) as admin:
        assert words in await admin.post(f"/console/channels/{adapter}", 400, **form)
        assert adapter not in world.app.channels


async def test_what_the_environment_sets_is_read_only(tmp_path: Path) -> None:
    async with WhatsAppEmulator() as meta, samvad(tmp_path, **meta.settings) as world:  # noqa: SIM117
        async with signed_in(world) as admin:
            page = await admin.text("/console/channels/whatsapp")
            assert "The settings of the server" in page and 'name="whatsapp_access_token"' not in page
            assert meta.verify_token not in page
            refused = await admin.post("/console/channels/whatsapp", 409, **whatsapp_form(meta))
            assert "Change it there" in refused
            await admin.post("/console/channels/whatsapp/remove", 409)
            assert "Asha Kitchens" in await admin.post("/console/channels/whatsapp/test")


@pytest.mark.parametrize("role", ["agent", "rep", "marketer", "manager"])
async def test_who_may_see_and_change_channels(tmp_path: Path, role: str) -> None:
    async with WhatsAppEmulator() as meta, samvad(tmp_path, articles=False) as world:  # noqa: SIM117
        async with signed_in(world, role) as one:
            seen = 200 if role == "manager" else 403
            page = await one.text("/console/channels", seen)
            await one.text("/console/channels/whatsapp", seen)
            assert ('href="/console/channels/whatsapp"' in page) == (role == "manager")
            await one.post("/console/channels/whatsapp", 403, **whatsapp_form(meta))
            await one.post("/console/channels/whatsapp/remove", 403)
            await one.post("/console/channels/webchat/test", 403)
            assert "whatsapp" not in world.app.channels


async def until(check: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for another process's part."""
    for _ in range(int(seconds / 0.02)):
        if check():
            return
        await asyncio.sleep(0.02)
    pytest.fail("it never came")


async def test_every_process_takes_a_change_up(tmp_path: Path) -> None:
    """Two that serve and one that works off jobs, on one database and bus; a poll runs in one of them."""
    valkey = EmbeddedValkey(tmp_path / "valkey")
    (tmp_path / "valkey").mkdir()
    valkey.start()
    try:
        await valkey.wait_ready()
        async with AsyncExitStack() as stack:
            telegram = await stack.enter_async_context(TelegramEmulator())
            given = {"telegram_api_url": telegram.url, "redis_url": valkey.url}
            world = await stack.enter_async_context(samvad(tmp_path / "data", **given))
            settings = world.app.settings
            second = await stack.enter_async_context(open_app(settings, redis_url=valkey.url))
            worker = await stack.enter_async_context(open_app(settings, redis_url=valkey.url, serve=False))
            admin = await stack.enter_async_context(signed_in(world))
            form = {"telegram_bot_token": telegram.token, "telegram_mode": "polling"}
            await admin.post("/console/channels/telegram", 200, **form)
            for app in (second, worker):
                await until(lambda app=app: "telegram" in app.channels)
            for number in range(5):
                await telegram.say("hello", sender=str(4001 + number))
            for number in range(5):
                await telegram.wait_reply(str(4001 + number))

            # Rotated at Telegram first, while a customer writes: an answer that met the old token waits in
            # the list, and nothing is lost or said twice.
            old = second.channels["telegram"]
            telegram.token = "4242:rotated-token"
            await telegram.say("still there?", sender="4100")
            form["telegram_bot_token"] = telegram.token
            await admin.post("/console/channels/telegram", 200, **form)
            await until(lambda: second.channels["telegram"] is not old)
            for app in (world.app, second):
                assert app.pipe is not None
                await until(lambda pipe=app.pipe: pipe.idle)
            await admin.post("/console/parked/resend?kind=refused", 200)
            await telegram.wait_reply("4100", timeout=20)
            await telegram.say("and now?", sender="4101")
            await telegram.wait_reply("4101", timeout=20)
            answered = [str(sent["chat_id"]) for sent in telegram.sent]
            assert sorted(answered) == [*(str(4001 + number) for number in range(5)), "4100", "4101"]

            await admin.post("/console/channels/telegram/remove", 200)
            for app in (world.app, second, worker):
                await until(lambda app=app: "telegram" not in app.channels)
    finally:
        valkey.stop()
