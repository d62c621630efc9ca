"""The Telegram adapter against captured payloads and the emulator."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from telegram import error as telegram

from bot.channels.telegram import Telegram
from bot.channels.telegram.channel import derived_secret
from bot.channels.telegram.errors import to_channel_error
from bot.errors import ChannelRejected, ChannelRetryable, SamvadError, SignatureInvalid, Unreadable
from bot.messages import Button, Identity, Media, MediaKind, WebhookRequest
from bot.settings import load_settings
from bot.testing import TelegramEmulator
from tests.support.channels import JSON, opened

URL = "http://samvad.test/channels/telegram"
TOKEN = "4242:telegram-token"


def make(**given: object) -> Telegram:
    values = {"telegram_bot_token": TOKEN, "telegram_secret_token": "telegram-secret"}
    return Telegram(load_settings(**(values | given)))


def signed(body: bytes, secret: str = "telegram-secret") -> WebhookRequest:
    return WebhookRequest("POST", URL, {"x-telegram-bot-api-secret-token": secret}, body)


@pytest.fixture
async def emulator() -> AsyncIterator[TelegramEmulator]:
    async with TelegramEmulator() as running:
        yield running


@pytest.fixture
async def channel(emulator: TelegramEmulator) -> AsyncIterator[Telegram]:
    async with opened(make(telegram_api_url=emulator.url)) as running:
        yield running


def parse(payload, name):
    return make().parse(signed(json.dumps(payload("telegram", name)).encode()))


def read(payload, name):
    return parse(payload, name).messages[0]


def test_text(payload):
    message = read(payload, "text")
    assert message.text == "नमस्ते"
    assert (message.channel, message.account, message.address) == ("telegram", "4242", "4001")
    assert (message.event_key, message.external_id) == ("900", "11")
    assert message.at == datetime.fromtimestamp(1760000000, UTC)
    assert message.sender_name == "Asha Rao"
    assert message.identities == (Identity("telegram", "4001", verified=True),)
    assert read(payload, "reply").reply_to == "10"


def test_button(payload):
    message = read(payload, "button")
    assert (message.button, message.text, message.event_key) == ("book:tomorrow", "Tomorrow", "901")


@pytest.mark.parametrize(
    ("name", "kind", "ref", "mime", "filename"),
    [
        ("photo", MediaKind.IMAGE, "large", "image/jpeg", ""),
        ("voice", MediaKind.VOICE, "v1", "audio/ogg", ""),
        ("document", MediaKind.DOCUMENT, "d1", "application/pdf", "invoice.pdf"),
    ],
)
def test_media(payload, name, kind, ref, mime, filename):
    media = read(payload, name).media[0]
    assert (media.kind, media.ref, media.mime, media.filename) == (kind, ref, mime, filename)


def test_only_ones_own_contact_is_proof(payload):
    assert Identity("phone", "+919876543210", verified=True) in read(payload, "own_contact").identities
    other = read(payload, "other_contact")
    assert [identity.kind for identity in other.identities] == ["telegram"]
    assert other.shared_contacts == ("Meena, +91 98765 00000",)


def test_location(payload):
    location = read(payload, "location").location
    assert (location.latitude, location.longitude) == (12.97, 77.59)


@pytest.mark.parametrize(
    ("name", "unhandled"),
    [
        ("group", "message:supergroup"),
        ("service", "message:service"),
    ],
)
def test_unhandled(payload, name, unhandled):
    assert parse(payload, name).unhandled == (unhandled,)


@pytest.mark.parametrize(("status", "preference"), [("kicked", "stop"), ("member", "resume")])
def test_blocking_and_unblocking(payload, status, preference):
    raw = payload("telegram", "blocked")
    raw["my_chat_member"]["new_chat_member"]["status"] = status
    (message,) = make().parse(signed(json.dumps(raw).encode())).messages
    assert (message.kind, message.text, message.button) == ("preference", preference, "blocked")
    assert (message.address, message.event_key) == ("4001", "904")


def test_other_memberships(payload):
    raw = payload("telegram", "blocked")
    raw["my_chat_member"]["chat"] = {"id": -5, "type": "group", "title": "x"}
    assert make().parse(signed(json.dumps(raw).encode())).unhandled == ("my_chat_member:group:kicked",)
    for broken in ({}, None, {"chat": {}}, {"chat": {"id": "x"}, "new_chat_member": {"status": "kicked"}}):
        with pytest.raises(Unreadable):
            make().parse(signed(json.dumps(raw | {"my_chat_member": broken}).encode()))


@pytest.mark.parametrize(
    ("text", "shown", "source"),
    [
        ("/start web-home", "/start", "web-home"),
        ("/start", "/start", ""),
        ("/START@samvad_bot  a_b", "/START", "a_b"),
        ("/start a b", "/start", ""),
        (f"/start {'a' * 65}", "/start", ""),
        ("/help@samvad_bot now", "/help now", ""),
        ("/startle me", "/startle me", ""),
        ("please /start x", "please /start x", ""),
        ("a@b.test", "a@b.test", ""),
    ],
)
def test_commands_and_links(payload, text, shown, source):
    raw = payload("telegram", "text")
    raw["message"]["text"] = text
    (message,) = make().parse(signed(json.dumps(raw).encode())).messages
    assert (message.text, message.source) == (shown, source)


def test_edited(payload):
    edited = read(payload, "edited")
    assert edited.kind == "edit"
    assert edited.reply_to == edited.external_id


def test_secret(payload):
    body = json.dumps(payload("telegram", "text")).encode()
    for request in (
        signed(body, "wrong"),
        signed(body, ""),
        signed(body, "é"),
        WebhookRequest("POST", URL, {}, body),
    ):
        with pytest.raises(SignatureInvalid):
            make().parse(request)
    unset = make(telegram_secret_token="")
    with pytest.raises(SignatureInvalid):
        unset.parse(WebhookRequest("POST", URL, {}, body))
    assert unset.parse(signed(body, derived_secret(TOKEN))).messages


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"{}",
        b'{"update_id": "1"}',
        b'{"update_id": 1, "message": []}',
        b'{"update_id": 1, "message": {"text": "hi"}}',
        b'{"update_id": 1, "message": {"text": "hi", "message_id": 1, "date": 1, "chat": 5}}',
        b'{"update_id": 1, "callback_query": 5}',
    ],
)
def test_unreadable(body):
    with pytest.raises(Unreadable):
        make().parse(signed(body))


FIELDS = ["text", "photo", "voice", "document", "location", "contact", "from", "reply_to_message", "caption"]


@given(JSON)
def test_random_json_is_never_an_accident(value):
    with contextlib.suppress(SamvadError):
        make().parse(signed(json.dumps(value).encode()))


@given(
    st.fixed_dictionaries(
        {"message_id": JSON | st.just(1), "date": JSON | st.just(1)},
        optional=dict.fromkeys(FIELDS, JSON),
    ),
    st.fixed_dictionaries({"id": JSON | st.just(5), "type": st.just("private")}) | JSON,
    st.sampled_from(["message", "callback_query", "edited_message"]),
)
def test_random_messages_are_never_an_accident(message, chat, kind):
    update = {"update_id": 1, kind: message | {"chat": chat}}
    with contextlib.suppress(SamvadError):
        make().parse(signed(json.dumps(update).encode()))


def test_real_payloads(shared_data):
    """Two of them lack what Telegram always sends (a sticker's file, a message's id)."""
    seen = unreadable = 0
    for line in (shared_data("channels/opsdroid") / "payloads.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row["channel"] == "telegram":
            seen += 1
            try:
                parsed = make().parse(signed(json.dumps(row["payload"]).encode()))
                assert parsed.messages or parsed.unhandled, row
            except Unreadable:
                unreadable += 1
    assert (seen, unreadable <= 2) == (20, True)


async def test_send(channel, emulator, outbound):
    buttons = (Button("book:1", "Tomorrow"), Button("book:2", "Later"))
    receipt = await channel.send(outbound("telegram", "4242", "4001", buttons=buttons, reply_to="11"))
    sent = emulator.sent[0]
    assert receipt.external_id == str(sent["message_id"])
    assert sent["text"] == "Hello"
    assert json.loads(sent["reply_parameters"])["message_id"] == 11
    rows = json.loads(sent["reply_markup"])["inline_keyboard"]
    assert [row[0]["callback_data"] for row in rows] == ["book:1", "book:2"]
    assert await emulator.replies("4001") == ["Hello"]


async def test_send_file(channel, emulator, outbound):
    media = Media(MediaKind.DOCUMENT, "media:1", "application/pdf", "quote.pdf", content=b"%PDF")
    await channel.send(outbound("telegram", "4242", "4001", "Your quote", media=(media,)))
    assert emulator.sent[0]["document"] == b"%PDF"
    assert emulator.sent[0]["caption"] == "Your quote"


async def test_a_press_is_answered(channel, emulator, payload, outbound):
    channel.parse(signed(json.dumps(payload("telegram", "button")).encode()))
    await channel.send(outbound("telegram", "4242", "4001"))
    await channel.send(outbound("telegram", "4242", "4001"))
    for _ in range(100):
        if emulator.answered:
            break
        await asyncio.sleep(0.01)
    assert emulator.answered == ["77"]


async def test_fetch_media(channel, emulator):
    emulator.files["large"] = b"x" * 100_000
    chunks = [chunk async for chunk in channel.fetch_media(Media(MediaKind.IMAGE, "large"))]
    assert b"".join(chunks) == b"x" * 100_000
    with pytest.raises(ChannelRejected):
        _ = [chunk async for chunk in channel.fetch_media(Media(MediaKind.IMAGE, "gone"))]


async def test_faults(channel, emulator, outbound):
    message = outbound("telegram", "4242", "4001")
    emulator.fail_next(status=429, retry_after=5)
    with pytest.raises(ChannelRetryable) as limited:
        await channel.send(message)
    assert (limited.value.delay, limited.value.maybe_sent) == (5.0, False)
    emulator.fail_next(status=502)
    with pytest.raises(ChannelRetryable) as broken:
        await channel.send(message)
    assert not broken.value.maybe_sent
    emulator.cut_next()
    with pytest.raises(ChannelRetryable) as dropped:
        await channel.send(message)
    assert dropped.value.maybe_sent
    emulator.fail_next(status=403)
    with pytest.raises(ChannelRejected, match="blocked"):
        await channel.send(message)
    for bad in (
        outbound("telegram", "4242", "4001", "x" * 4097),
        outbound("telegram", "4242", "nobody"),
        outbound("telegram", "4242", "4001", buttons=(Button("é" * 33, "Long"),)),
    ):
        with pytest.raises(ChannelRejected):
            await channel.send(bad)


async def test_nobody_there_is_surely_unsent(outbound):
    async with TelegramEmulator() as gone:
        url = gone.url
    channel = make(telegram_api_url=url)
    await channel.open()
    with pytest.raises(ChannelRetryable) as refused:
        await channel.send(outbound("telegram", "4242", "4001"))
    await channel.close()
    assert not refused.value.maybe_sent


async def test_webhook_is_set_for_an_address_telegram_can_call(emulator):
    channel = make(telegram_api_url=emulator.url, base_url="https://chat.example.com")
    await channel.open()
    await channel.close()
    assert emulator.webhook == "https://chat.example.com/channels/telegram"
    assert emulator.secret_token == "telegram-secret"
    async with TelegramEmulator() as gone:
        url = gone.url
    offline = make(telegram_api_url=url, base_url="https://chat.example.com")
    await offline.open()
    await offline.close()


async def test_poll_confirms_only_what_is_stored(emulator, inbox, monkeypatch):
    monkeypatch.setattr("bot.channels.telegram.channel._PAUSE_SECONDS", 0.01)
    emulator.webhook = "https://old.example.com"
    await emulator.say("one", sender="4001")
    await emulator.post({"update_id": 50, "message": {"text": "broken"}})
    await emulator.post({"update_id": 51, "edited_message": {}})
    channel = make(telegram_api_url=emulator.url, telegram_mode="polling")
    await channel.open()
    (listener,) = channel.listeners()
    assert listener.exclusive
    inbox.fails = 1
    task = asyncio.create_task(listener.run(inbox))
    for _ in range(300):
        if emulator.confirmed == 52:
            break
        await asyncio.sleep(0.01)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await channel.close()
    assert inbox.texts == ["one"]
    assert [parsed.unhandled for parsed in inbox.parsed[1:]] == [("unreadable",), ("edited_message:service",)]
    assert emulator.confirmed == 52


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "expected", "maybe_sent"),
    [
        (telegram.RetryAfter(3), ChannelRetryable, False),
        (telegram.TimedOut(), ChannelRetryable, True),
        (caused(telegram.TimedOut(), httpx.ReadTimeout("")), ChannelRetryable, True),
        (caused(telegram.TimedOut(), httpx.ConnectTimeout("")), ChannelRetryable, False),
        (caused(telegram.TimedOut(), httpx.PoolTimeout("")), ChannelRetryable, False),
        (telegram.NetworkError("Bad Gateway"), ChannelRetryable, False),
        (caused(telegram.NetworkError(""), httpx.ConnectError("")), ChannelRetryable, False),
        (caused(telegram.NetworkError(""), httpx.ReadError("")), ChannelRetryable, True),
        (telegram.Conflict("other getUpdates"), ChannelRetryable, False),
        (telegram.Forbidden("bot was blocked by the user"), ChannelRejected, None),
        (telegram.BadRequest("chat not found"), ChannelRejected, None),
        (telegram.InvalidToken(), ChannelRejected, None),
        (telegram.EndPointNotFound("x"), ChannelRejected, None),
        (telegram.ChatMigrated(-100), ChannelRejected, None),
        (telegram.PassportDecryptionError("x"), ChannelRejected, None),
        (telegram.TelegramError("something new"), ChannelRejected, None),
    ],
)
def test_every_error_is_mapped(error, expected, maybe_sent):
    translated = to_channel_error(error)
    assert type(translated) is expected
    assert translated.message
    if maybe_sent is not None:
        assert translated.maybe_sent is maybe_sent


def test_the_table_above_is_complete():
    named = {
        value
        for value in vars(telegram).values()
        if isinstance(value, type) and issubclass(value, telegram.TelegramError)
    }
    marks = next(m for m in test_every_error_is_mapped.pytestmark if m.name == "parametrize")
    assert named == {type(row[0]) for row in marks.args[1]}
