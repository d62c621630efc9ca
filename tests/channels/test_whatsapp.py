"""The WhatsApp adapter against captured payloads and the emulator."""

import contextlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from bot.channels.whatsapp import WhatsApp
from bot.channels.whatsapp.errors import REASONS, to_channel_error
from bot.channels.whatsapp.parse import parse_payload
from bot.errors import ChannelRejected, ChannelRetryable, SamvadError, Unreadable
from bot.messages import Button, Identity, Media, MediaKind, Parsed, Status, WebhookRequest
from bot.settings import load_settings
from bot.testing import Server, WhatsAppEmulator
from tests.support.channels import JSON, opened, signed_by_meta

ACCOUNT = "100200300"
URL = "http://samvad.test/channels/whatsapp"


def make(**given: object) -> WhatsApp:
    return WhatsApp(
        load_settings(
            whatsapp_phone_number_id=ACCOUNT,
            whatsapp_access_token="wa-access-token",
            whatsapp_app_secret="wa-app-secret",
            whatsapp_verify_token="wa-verify-token",
            **given,
        )
    )


def signed(body: bytes, secret: bytes = b"wa-app-secret") -> WebhookRequest:
    return signed_by_meta(URL, body, secret)


@pytest.fixture
async def emulator() -> AsyncIterator[WhatsAppEmulator]:
    async with WhatsAppEmulator() as running:
        yield running


@pytest.fixture
async def channel(emulator: WhatsAppEmulator) -> AsyncIterator[WhatsApp]:
    async with opened(make(whatsapp_api_url=emulator.url)) as running:
        yield running


def read(payload, name, **changed):
    """The one message of a captured payload, with fields of the message changed."""
    body = payload("whatsapp", name)
    body["entry"][0]["changes"][0]["value"]["messages"][0] |= changed
    parsed = make().parse(signed(json.dumps(body).encode()))
    assert len(parsed.messages) == 1, parsed
    return parsed.messages[0]


def test_text(payload):
    message = read(payload, "text")
    assert message.text == "नमस्ते, is the blue one in stock?"
    assert (message.channel, message.account, message.address) == ("whatsapp", ACCOUNT, "919876543210")
    assert message.event_key == message.external_id == "wamid.TEST1"
    assert message.at == datetime.fromtimestamp(1760000000, UTC)
    assert message.sender_name == "Asha Rao"
    assert message.identities == (
        Identity("whatsapp", "919876543210", verified=True),
        Identity("phone", "+919876543210", verified=True),
        Identity("whatsapp", "IN.4455667788", verified=True),
    )


def test_hidden_number_has_no_phone(payload):
    message = read(payload, "hidden_number")
    assert message.address == "IN.99887766"
    assert message.identities == (Identity("whatsapp", "IN.99887766", verified=True),)
    assert message.sender_name == "Ravi"


@pytest.mark.parametrize(
    ("name", "kind", "ref", "mime", "filename", "text"),
    [
        ("image", MediaKind.IMAGE, "7001", "image/jpeg", "", "my receipt"),
        ("voice", MediaKind.VOICE, "7002", "audio/ogg", "", ""),
        ("document", MediaKind.DOCUMENT, "7003", "application/pdf", "invoice.pdf", ""),
    ],
)
def test_media(payload, name, kind, ref, mime, filename, text):
    message = read(payload, name)
    assert message.media == (Media(kind, ref, mime, filename),)
    assert message.text == text


@pytest.mark.parametrize(
    ("name", "button", "text"),
    [
        ("button_reply", "book:tomorrow", "Tomorrow"),
        ("list_reply", "slot:4", "4 pm"),
        ("template_button", "yes", "Yes, please"),
        ("form", None, "city: Pune"),
    ],
)
def test_choices(payload, name, button, text):
    message = read(payload, name)
    assert (message.button, message.text) == (button, text)


def test_other_content(payload):
    assert read(payload, "reply_to").reply_to == "wamid.OURS"
    assert read(payload, "contacts").shared_contacts == ("Meena, +91 98765 00000",)
    location = read(payload, "location").location
    assert (location.latitude, location.longitude, location.name) == (12.97, 77.59, "Shop")


def test_what_meta_tells_of_the_account(payload):
    parsed = parse_payload(payload("whatsapp", "template_status"), "100200300")
    assert not parsed.messages
    (notice,) = parsed.notices
    assert notice.account == "100200300"
    assert "APPROVED" in notice.text or "REJECTED" in notice.text


def test_unhandled(payload):
    body = payload("whatsapp", "text")
    body["entry"][0]["changes"][0]["field"] = "flows"
    parsed = parse_payload(body)
    assert parsed.unhandled == ("field:flows",)
    assert not parsed.messages


def test_amendments(payload):
    reaction = read(payload, "reaction")
    assert (reaction.kind, reaction.text, reaction.reply_to) == ("reaction", "👍", "wamid.OURS")
    moved = read(payload, "system")
    assert moved.kind == "moved"
    assert [one.value for one in moved.identities if one.kind == "phone"] == ["+919800000000"]
    item = {"original_message_id": "wamid.1", "message": {"type": "text", "text": {"body": "new"}}}
    edited = read(payload, "text", type="edit", edit=item)
    assert (edited.kind, edited.text, edited.reply_to) == ("edit", "new", "wamid.1")
    taken_back = read(payload, "text", type="revoke", revoke={"original_message_id": "wamid.1"})
    assert (taken_back.kind, taken_back.reply_to) == ("deletion", "wamid.1")


@pytest.mark.parametrize("kind", ["unsupported", "interactive", "poll"])
def test_what_meta_does_not_hand_on_is_a_message_all_the_same(payload, kind):
    errors = [{"code": 131051, "title": "Message type unknown"}]
    message = read(payload, "location", type=kind, errors=errors)
    assert (message.unsupported, message.text) == (kind, "")


def test_statuses(payload):
    delivered = parse_payload(payload("whatsapp", "status_delivered")).statuses[0]
    assert delivered.status is Status.DELIVERED
    assert delivered.event_key == "wamid.OURS:delivered"
    assert delivered.outbox_id == "outbox-1"
    failed = parse_payload(payload("whatsapp", "status_failed")).statuses[0]
    assert failed.status is Status.FAILED
    assert "24 hours" in failed.reason
    assert "131047" in failed.reason


@pytest.mark.parametrize(
    "body",
    [
        b'{"entry": {}}',
        b'{"entry": [{"changes": [{"field": "messages"}]}]}',
        b'{"entry": [{"changes": [{"field": "messages", "value": {"metadata": {"phone_number_id": 1}}}]}]}',
    ],
)
def test_unreadable(body):
    with pytest.raises(Unreadable):
        make().parse(signed(body))


def test_text_is_fit_for_every_database(payload):
    given_payload = payload("whatsapp", "text")
    value = given_payload["entry"][0]["changes"][0]["value"]
    value["messages"][0]["text"]["body"] = "a\x00b\ud83dc"
    assert parse_payload(given_payload).messages[0].text == "ab?c"


@given(
    st.fixed_dictionaries(
        {"id": JSON | st.just("w"), "type": st.sampled_from(["text", "image", "button", "order"]) | JSON},
        optional=dict.fromkeys(
            ["from", "timestamp", "text", "image", "interactive", "button", "order", "context"], JSON
        ),
    ),
    JSON,
)
def test_random_messages_are_never_an_accident(message, contact):
    value = {"metadata": {"phone_number_id": "1"}, "messages": [message], "contacts": [contact]}
    body = {"entry": [{"changes": [{"field": "messages", "value": value}]}]}
    with contextlib.suppress(SamvadError):
        make().parse(signed(json.dumps(body).encode()))


def test_a_call(shared_data):
    bodies = json.loads((shared_data("channels/whatsapp_cloud_pywa") / "call_connect.json").read_text())
    (call,) = parse_payload(bodies["user_initiated"]).messages
    assert (call.address, call.unsupported, call.sender_name) == ("972987654321", "call", "Test Name")
    assert parse_payload(bodies["business_initiated"]).unhandled == ("call:ours",)
    hidden = bodies["user_initiated"]
    del hidden["entry"][0]["changes"][0]["value"]["calls"][0]["from"]
    (call,) = parse_payload(hidden).messages
    assert call.address == "US.13491208655302741918"


def test_real_payloads(shared_data):
    seen = 0
    for file in sorted(shared_data("channels/whatsapp_cloud_pywa").glob("*.json")):
        for name, body in json.loads(file.read_text()).items():
            parsed = make().parse(signed(json.dumps(body).encode()))
            read_as = parsed.messages or parsed.statuses or parsed.notices or parsed.unhandled
            assert read_as, (file.name, name)
            seen += 1
    assert seen > 50


async def test_send_text(channel, emulator, outbound):
    receipt = await channel.send(outbound("whatsapp", ACCOUNT, "919876543210", reply_to="wamid.THEIRS"))
    body = emulator.sent[0]
    assert receipt.external_id == body["id"]
    assert body["to"] == "919876543210"
    assert body["text"] == {"body": "Hello", "preview_url": False}
    assert body["biz_opaque_callback_data"] == "outbox-1"
    assert body["context"] == {"message_id": "wamid.THEIRS"}
    assert await emulator.replies("919876543210") == ["Hello"]


async def test_send_to_a_hidden_number(channel, emulator, outbound):
    await channel.send(outbound("whatsapp", ACCOUNT, "IN.99887766"))
    assert emulator.sent[0]["recipient"] == "IN.99887766"
    assert "to" not in emulator.sent[0]


@pytest.mark.parametrize(("count", "kind"), [(1, "button"), (3, "button"), (4, "list"), (10, "list")])
async def test_send_buttons(channel, emulator, outbound, count, kind):
    buttons = tuple(Button(f"b{n}", f"{n} a title that is rather long") for n in range(count))
    await channel.send(outbound("whatsapp", ACCOUNT, "919876543210", buttons=buttons))
    assert emulator.sent[0]["interactive"]["type"] == kind


async def test_buttons_that_do_not_fit_become_numbers(channel, emulator, outbound):
    buttons = (Button("a", "Same"), Button("b", "Same"))
    await channel.send(outbound("whatsapp", ACCOUNT, "919876543210", buttons=buttons))
    assert emulator.sent[0]["text"]["body"] == "Hello\n1. Same\n2. Same"
    long = outbound("whatsapp", ACCOUNT, "919876543210", "x" * 2000, buttons=(Button("a", "Yes"),))
    await channel.send(long)
    assert emulator.sent[1]["text"]["body"].endswith("1. Yes")


async def test_send_file(channel, emulator, outbound):
    media = Media(MediaKind.DOCUMENT, "media:1", "application/pdf", "quote.pdf", content=b"%PDF")
    await channel.send(outbound("whatsapp", ACCOUNT, "919876543210", "Your quote", media=(media,)))
    item = emulator.sent[0]["document"]
    assert item["filename"] == "quote.pdf"
    assert item["caption"] == "Your quote"
    assert emulator.files[item["id"]] == b"%PDF"


async def test_fetch_media(channel, emulator):
    emulator.files["7001"] = b"x" * 200_000
    chunks = [chunk async for chunk in channel.fetch_media(Media(MediaKind.IMAGE, "7001"))]
    assert b"".join(chunks) == b"x" * 200_000
    emulator.files["7002"] = b"x" * 6_000_000
    with pytest.raises(ChannelRejected):
        _ = [chunk async for chunk in channel.fetch_media(Media(MediaKind.IMAGE, "7002"))]
    with pytest.raises(ChannelRejected):
        _ = [chunk async for chunk in channel.fetch_media(Media(MediaKind.IMAGE, "gone"))]


async def test_too_long_is_rejected(channel, emulator, outbound):
    for text in ("x" * 4097, "  "):
        with pytest.raises(ChannelRejected):
            await channel.send(outbound("whatsapp", ACCOUNT, "919876543210", text))
    assert not emulator.sent


async def test_faults(channel, emulator, outbound):
    message = outbound("whatsapp", ACCOUNT, "919876543210")
    emulator.fail_next(status=429, retry_after=7)
    with pytest.raises(ChannelRetryable) as limited:
        await channel.send(message)
    assert (limited.value.delay, limited.value.maybe_sent) == (7.0, False)
    emulator.fail_next(status=500)
    with pytest.raises(ChannelRetryable) as broken:
        await channel.send(message)
    assert not broken.value.maybe_sent
    emulator.cut_next()
    with pytest.raises(ChannelRetryable) as dropped:
        await channel.send(message)
    assert dropped.value.maybe_sent
    assert await channel.send(message)


async def test_nobody_there_is_surely_unsent(outbound):
    async with WhatsAppEmulator() as gone:
        url = gone.url
    channel = make(whatsapp_api_url=url)
    await channel.open()
    with pytest.raises(ChannelRetryable) as refused:
        await channel.send(outbound("whatsapp", ACCOUNT, "919876543210"))
    await channel.close()
    assert not refused.value.maybe_sent


async def test_wrong_token_is_explained(emulator, outbound):
    emulator.access_token = "another"
    channel = make(whatsapp_api_url=emulator.url)
    await channel.open()
    with pytest.raises(ChannelRejected, match="token has expired"):
        await channel.send(outbound("whatsapp", ACCOUNT, "919876543210"))
    await channel.close()


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (429, 4, ChannelRetryable),
        (400, 4, ChannelRetryable),
        (400, 80007, ChannelRetryable),
        (429, 130429, ChannelRetryable),
        (400, 131048, ChannelRetryable),
        (400, 131056, ChannelRetryable),
        (500, 131000, ChannelRetryable),
        (503, 2, ChannelRetryable),
        (502, None, ChannelRetryable),
        (404, None, ChannelRejected),
        (403, 200, ChannelRejected),
        (400, 999999, ChannelRejected),
        *((400, code, ChannelRejected) for code in REASONS),
    ],
)
def test_every_error_is_mapped(status, code, expected):
    error = to_channel_error(status, {"error": {"code": code}} if code is not None else None, None)
    assert type(error) is expected
    assert error.message


class App(Server):
    """Our side of the webhook."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Parsed] = []
        self._app.router.add_post("/channels/whatsapp", self._hook)

    async def _hook(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.seen.append(make().parse(WebhookRequest("POST", URL, headers, await request.read())))
        return web.Response()


async def test_emulator_speaks_as_meta_does(emulator, channel, outbound):
    """What the emulator posts is what the adapter reads."""
    async with App() as app:
        emulator.target = app.url
        emulator.auto_status = True
        assert await emulator.say("hi", sender="919876543210") == 200
        assert await emulator.say("Yes", sender="IN.5", button="affirm") == 200
        receipt = await channel.send(outbound("whatsapp", ACCOUNT, "919876543210"))
        await emulator.settle()
    assert [parsed.messages[0].text for parsed in app.seen[:2]] == ["hi", "Yes"]
    assert app.seen[1].messages[0].button == "affirm"
    updates = [parsed.statuses[0] for parsed in app.seen[2:]]
    assert [update.status for update in updates] == [Status.SENT, Status.DELIVERED]
    assert {(update.external_id, update.outbox_id) for update in updates} == {
        (receipt.external_id, "outbox-1")
    }
