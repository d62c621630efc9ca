"""The Messenger adapter, for Messenger and Instagram, against captured payloads and the emulator."""

import contextlib
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from bot.channels.messenger import Messenger
from bot.channels.messenger.errors import NEVER, OUTSIDE_WINDOW, REASONS, SUBCODES, to_channel_error
from bot.channels.messenger.parse import parse_payload
from bot.errors import ChannelRejected, ChannelRetryable, SamvadError, Unreadable
from bot.messages import Button, Identity, Media, MediaKind, Parsed, Status, WebhookRequest
from bot.settings import load_settings
from bot.testing import MessengerEmulator, Server
from tests.support.channels import JSON, opened, signed_by_meta

PAGE, PSID = "700800900", "24512345678901"
ACCOUNT, IGSID = "17841400000000000", "17841498765432"
URL = "http://samvad.test/channels/messenger"
DAY = 24 * 3600


def make(**given: object) -> Messenger:
    return Messenger(
        load_settings(
            messenger_page_id=PAGE,
            messenger_access_token="page-access-token",
            messenger_app_secret="page-app-secret",
            messenger_verify_token="page-verify-token",
            messenger_instagram_id=ACCOUNT,
            **given,
        )
    )


def signed(body: bytes, secret: bytes = b"page-app-secret") -> WebhookRequest:
    return signed_by_meta(URL, body, secret)


@pytest.fixture
async def emulator() -> AsyncIterator[MessengerEmulator]:
    async with MessengerEmulator() as running:
        running.wrote = {PSID: time.time(), IGSID: time.time()}
        yield running


@pytest.fixture
async def channel(emulator: MessengerEmulator) -> AsyncIterator[Messenger]:
    async with opened(make(messenger_api_url=emulator.url)) as running:
        yield running


def read(payload, name):
    parsed = make().parse(signed(json.dumps(payload("messenger", name)).encode()))
    assert len(parsed.messages) == 1, parsed
    assert not parsed.unhandled
    return parsed.messages[0]


def test_text(payload):
    message = read(payload, "text")
    assert message.text == "नमस्ते, is the blue one in stock?"
    assert (message.channel, message.account, message.address) == ("messenger", PAGE, PSID)
    assert message.event_key == message.external_id == "m_TEXT"
    assert message.at == datetime.fromtimestamp(1760000000.123, UTC)
    assert message.identities == (Identity("messenger", PSID, verified=True),)
    assert message.kind == "message"


def test_instagram_text(payload):
    message = read(payload, "instagram_text")
    assert (message.channel, message.account, message.address) == ("instagram", ACCOUNT, IGSID)
    assert message.identities == (Identity("instagram", IGSID, verified=True),)


@pytest.mark.parametrize(
    ("name", "button", "text"),
    [("quick_reply", "book:tomorrow", "Tomorrow"), ("postback", "GET_STARTED", "Get started")],
)
def test_choices(payload, name, button, text):
    message = read(payload, name)
    assert (message.button, message.text) == (button, text)


def test_a_postback_without_an_id_is_told_apart_by_its_time(payload):
    body = payload("messenger", "postback")
    del body["entry"][0]["messaging"][0]["postback"]["mid"]
    assert parse_payload(body).messages[0].event_key == f"postback:{PSID}:1760000000123"


def test_files(payload):
    image, voice, paper = read(payload, "files").media
    assert (image.kind, image.mime, image.filename) == (MediaKind.IMAGE, "image/jpeg", "")
    assert (voice.kind, voice.mime) == (MediaKind.AUDIO, "audio/mp4")
    assert (paper.kind, paper.mime, paper.filename) == (
        MediaKind.DOCUMENT,
        "application/pdf",
        "My invoice.pdf",
    )
    assert paper.ref.startswith("https://cdn.fbsbx.com/")


def test_a_sticker_that_comes_twice_is_one(payload):
    (sticker,) = read(payload, "sticker").media
    assert (sticker.kind, sticker.mime) == (MediaKind.STICKER, "image/png")


def test_other_content(payload):
    assert read(payload, "reply_to").reply_to == "m_OURS"
    place = read(payload, "location").location
    assert (place.latitude, place.longitude, place.name) == (12.97, 77.59, "Shop")
    assert read(payload, "link").text.splitlines()[0] == "A 300 litre refrigerator"


def test_stories_and_posts_stay_links(payload):
    """Meta forbids to keep stories, so they are no files."""
    mention = read(payload, "instagram_story_mention")
    assert (mention.media, mention.unsupported) == ((), "")
    assert mention.text.startswith("https://lookaside.fbsbx.com/")
    reply = read(payload, "instagram_story_reply")
    assert (reply.text, reply.reply_to) == ("How much is this?", None)
    post = read(payload, "instagram_post")
    assert post.text == "The blue kurta\nhttps://lookaside.fbsbx.com/ig_messaging_cdn/?asset_id=3"


def test_amendments(payload):
    reaction = read(payload, "reaction")
    assert (reaction.kind, reaction.text, reaction.reply_to) == ("reaction", "❤️", "m_OURS")
    taken_back = read(payload, "instagram_unreact")
    assert (taken_back.kind, taken_back.text, taken_back.reply_to) == ("reaction", "", "aWdfOURS")
    edited = read(payload, "edit")
    assert (edited.kind, edited.text, edited.reply_to) == ("edit", "is the green one in stock?", "m_TEXT")
    deleted = read(payload, "instagram_deleted")
    assert (deleted.kind, deleted.text, deleted.reply_to) == ("deletion", "", "aWdfTEXT")
    # Each is an event of its own, beside the message it speaks of.
    keys = [one.event_key for one in (reaction, taken_back, edited, deleted)]
    assert keys == [
        "m_OURS:react:1760000000123",
        "aWdfOURS:unreact:1760000000123",
        "m_TEXT:edit:1",
        "aWdfTEXT:deleted",
    ]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("instagram_unsupported", "unsupported"), ("instagram_ephemeral", "ephemeral")],
)
def test_what_meta_does_not_hand_on_is_a_message_all_the_same(payload, name, kind):
    message = read(payload, name)
    assert (message.unsupported, message.text, message.media) == (kind, "", ())


@pytest.mark.parametrize(
    ("name", "unhandled"),
    [
        ("read", "read:watermark"),
        ("referral", "referral"),
        ("optin", "optin"),
        ("standby", "standby"),
        ("feed", "field:feed"),
        ("instagram_echo", "echo"),
    ],
)
def test_unhandled(payload, name, unhandled):
    assert parse_payload(payload("messenger", name)) == Parsed(unhandled=(unhandled,))


def test_a_warning_to_the_page_is_for_an_admin(payload):
    (notice,) = parse_payload(payload("messenger", "policy")).notices
    assert (notice.channel, notice.account) == ("messenger", PAGE)
    assert notice.event_key == "policy:block:1760000000123"
    assert notice.text.startswith("block: The bot violated")


def test_another_object_is_counted():
    assert parse_payload({"object": "user", "entry": []}).unhandled == ("object:user",)


def test_our_own_messages_are_no_messages():
    item = {"sender": {"id": PAGE}, "timestamp": 1, "message": {"mid": "m_1", "text": "hi"}}
    body = {"object": "page", "entry": [{"id": PAGE, "messaging": [item]}]}
    assert parse_payload(body) == Parsed(unhandled=("own",))


def test_statuses(payload):
    delivered = parse_payload(payload("messenger", "delivery")).statuses
    assert [(one.external_id, one.status) for one in delivered] == [
        ("m_OURS", Status.DELIVERED),
        ("m_OURS2", Status.DELIVERED),
    ]
    assert delivered[0].event_key == "m_OURS:delivered"
    (seen,) = parse_payload(payload("messenger", "instagram_seen")).statuses
    assert (seen.external_id, seen.status, seen.channel) == ("aWdfOURS", Status.READ, "instagram")
    (echo,) = parse_payload(payload("messenger", "echo")).statuses
    assert (echo.external_id, echo.status, echo.outbox_id) == ("m_OURS", Status.SENT, "outbox-1")
    assert (echo.account, echo.address) == (PAGE, PSID)


@pytest.mark.parametrize(
    "body",
    [
        b'{"object": "page", "entry": {}}',
        b'{"object": "page", "entry": [{"messaging": {}}]}',
        b'{"object": "page", "entry": [{"messaging": [{"message": {"mid": "m", "text": "x"}}]}]}',
        b'{"object": "page", "entry": [{"messaging": [{"sender": {"id": "1"}, "postback": {}}]}]}',
    ],
)
def test_unreadable(body):
    with pytest.raises(Unreadable):
        make().parse(signed(body))


@pytest.mark.parametrize("degrees", [{"lat": 91, "long": 0}, {"lat": "x", "long": 0}, {"lat": 1}, {}])
def test_a_place_that_is_nowhere_is_unreadable(payload, degrees):
    body = payload("messenger", "location")
    attachment = body["entry"][0]["messaging"][0]["message"]["attachments"][0]
    attachment["payload"]["coordinates"] = degrees
    with pytest.raises(Unreadable):
        parse_payload(body)


ATTACHMENT = st.fixed_dictionaries(
    {"type": st.sampled_from(["image", "file", "location", "fallback", "story_mention"]) | JSON},
    optional={
        "url": JSON,
        "title": JSON,
        "payload": JSON | st.fixed_dictionaries({"url": st.text() | st.just("http://[x")}),
    },
)
CONTENT = st.fixed_dictionaries(
    {},
    optional={
        "mid": JSON | st.just("m"),
        "text": JSON,
        "attachments": st.lists(ATTACHMENT | JSON, max_size=3),
        **dict.fromkeys(["quick_reply", "reply_to", "is_echo", "is_deleted", "metadata", "action"], JSON),
        **dict.fromkeys(["mids", "title", "payload", "num_edit", "emoji"], JSON),
    },
)


@given(
    st.sampled_from(
        ["message", "postback", "reaction", "message_edit", "delivery", "read", "policy_enforcement"]
    ),
    CONTENT | JSON,
    JSON | st.integers(0, 2**60),
)
def test_random_events_are_never_an_accident(name, content, stamp):
    item = {"sender": {"id": "1"}, "recipient": {"id": "2"}, "timestamp": stamp, name: content}
    body = {"object": "instagram", "entry": [{"id": "2", "messaging": [item]}]}
    with contextlib.suppress(SamvadError):
        for message in make().parse(signed(json.dumps(body).encode())).messages:
            assert "\x00" not in message.text + message.external_id


def test_real_payloads(shared_data):
    """What another project tests with is cut short: without a message id it is a message, without a sender
    it is set aside."""
    seen = 0
    for line in (shared_data("channels/opsdroid") / "payloads.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row["channel"] == "messenger":
            request = signed(json.dumps(row["payload"]).encode())
            if "id" in row["payload"]["entry"][0]["messaging"][0]["sender"]:
                (message,) = make().parse(request).messages
                assert (message.text, message.account) == ("Hello", PAGE)
                assert make().parse(request).messages[0].event_key == message.event_key
            else:
                with pytest.raises(Unreadable):
                    make().parse(request)
            seen += 1
    assert seen == 2


async def test_send_text(channel, emulator, outbound):
    receipt = await channel.send(outbound("messenger", PAGE, PSID, reply_to="m_THEIRS"))
    body = emulator.sent[0]
    assert receipt.external_id == body["mid"]
    assert body["recipient"] == {"id": PSID}
    assert body["messaging_type"] == "RESPONSE"
    assert body["message"] == {"text": "Hello", "metadata": "outbox-1"}
    assert body["reply_to"] == {"mid": "m_THEIRS"}
    assert await emulator.replies(PSID) == ["Hello"]


async def test_instagram_is_sent_through_the_page(channel, emulator, outbound):
    emulator.speaks = "instagram"
    await channel.send(outbound("instagram", ACCOUNT, IGSID))
    assert emulator.sent[0]["message"] == {"text": "Hello"}


async def test_send_buttons(channel, emulator, outbound):
    buttons = tuple(Button(f"b{n}", f"{n} a title that is rather long") for n in range(13))
    await channel.send(outbound("messenger", PAGE, PSID, buttons=buttons))
    replies = emulator.sent[0]["message"]["quick_replies"]
    assert len(replies) == 13
    assert replies[0] == {"content_type": "text", "title": "0 a title that is r…", "payload": "b0"}


@pytest.mark.parametrize(
    "buttons",
    [
        (Button("a", "Same"), Button("b", "Same")),
        (Button("a", " "),),
        (Button("x" * 1001, "Yes"),),
        tuple(Button(f"b{n}", f"{n}") for n in range(14)),
    ],
)
async def test_buttons_that_do_not_fit_become_numbers(channel, emulator, outbound, buttons):
    await channel.send(outbound("messenger", PAGE, PSID, buttons=buttons))
    message = emulator.sent[0]["message"]
    assert message["text"].startswith("Hello\n1.")
    assert "quick_replies" not in message


@pytest.mark.parametrize(("name", "speaks"), [("messenger", "messenger"), ("instagram", "instagram")])
async def test_send_file(channel, emulator, outbound, name, speaks):
    """A message of Meta's holds a file or a text: two go, the choices with the last."""
    emulator.speaks = speaks
    media = Media(MediaKind.DOCUMENT, "media:1", "application/pdf", "quote.pdf", content=b"%PDF")
    receipt = await channel.send(
        outbound(name, PAGE, PSID, "Your quote", media=(media,), buttons=(Button("ok", "Fine"),))
    )
    file, text = (body["message"] for body in emulator.sent)
    assert file["attachment"]["type"] == "file"
    assert emulator.files[file["attachment"]["payload"]["attachment_id"]] == b"%PDF"
    assert (text["text"], len(text["quick_replies"])) == ("Your quote", 1)
    assert receipt.external_id == emulator.sent[1]["mid"]


async def test_send_a_link_to_a_file(channel, emulator, outbound):
    media = Media(MediaKind.VOICE, "https://files.example/1.m4a", "audio/mp4")
    await channel.send(outbound("messenger", PAGE, PSID, "", media=(media,)))
    assert emulator.sent[0]["message"]["attachment"] == {
        "type": "audio",
        "payload": {"url": "https://files.example/1.m4a"},
    }
    with pytest.raises(ChannelRejected, match="not at hand"):
        await channel.send(outbound("messenger", PAGE, PSID, "", media=(Media(MediaKind.IMAGE, "media:1"),)))


async def test_a_failure_behind_a_file_that_went_is_not_surely_unsent(channel, emulator, outbound):
    media = Media(MediaKind.IMAGE, "https://files.example/1.jpg")
    original = channel._deliver

    async def broken(message, content):
        if "text" in content:
            emulator.fail_next(status=500)
        return await original(message, content)

    channel._deliver = broken
    with pytest.raises(ChannelRetryable) as failed:
        await channel.send(outbound("messenger", PAGE, PSID, media=(media,)))
    assert failed.value.maybe_sent
    assert len(emulator.sent) == 1


@pytest.mark.parametrize(("name", "speaks"), [("messenger", "messenger"), ("instagram", "instagram")])
async def test_after_a_day_only_a_person_may_answer(channel, emulator, outbound, name, speaks):
    emulator.speaks = speaks
    emulator.wrote[PSID] = time.time() - 2 * DAY
    with pytest.raises(ChannelRejected, match="24 hours"):
        await channel.send(outbound(name, PAGE, PSID))
    await channel.send(outbound(name, PAGE, PSID, automatic=False))
    assert [(body["messaging_type"], body["tag"]) for body in emulator.sent] == [
        ("MESSAGE_TAG", "HUMAN_AGENT")
    ]
    emulator.human_agent = False
    with pytest.raises(ChannelRejected, match="permission"):
        await channel.send(outbound(name, PAGE, PSID, automatic=False))
    emulator.human_agent = True
    emulator.wrote[PSID] = time.time() - 8 * DAY
    with pytest.raises(ChannelRejected, match="24 hours"):
        await channel.send(outbound(name, PAGE, PSID, automatic=False))


async def test_within_a_day_a_person_needs_no_permission(channel, emulator, outbound):
    emulator.human_agent = False
    await channel.send(outbound("messenger", PAGE, PSID, automatic=False))
    assert emulator.sent[0]["messaging_type"] == "RESPONSE"


async def test_too_long_is_rejected(channel, emulator, outbound):
    for text in ("x" * 2001, "  "):
        with pytest.raises(ChannelRejected):
            await channel.send(outbound("messenger", PAGE, PSID, text))
    with pytest.raises(ChannelRejected, match="1000 bytes; this message has 1200"):
        await channel.send(outbound("instagram", ACCOUNT, PSID, "क" * 400))
    assert not emulator.sent


async def test_what_the_core_cuts_fits_instagram(channel, emulator, outbound):
    emulator.speaks = "instagram"
    await channel.send(outbound("instagram", ACCOUNT, IGSID, "क" * channel.features("instagram").text_limit))
    assert len(emulator.sent) == 1


async def test_faults(channel, emulator, outbound):
    message = outbound("messenger", PAGE, PSID)
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
    with pytest.raises(ChannelRejected, match="has never written"):
        await channel.send(outbound("messenger", PAGE, "1"))
    assert await channel.send(message)


async def test_nobody_there_is_surely_unsent(outbound):
    async with MessengerEmulator() as gone:
        url = gone.url
    channel = make(messenger_api_url=url)
    await channel.open()
    with pytest.raises(ChannelRetryable) as refused:
        await channel.send(outbound("messenger", PAGE, PSID))
    await channel.close()
    assert not refused.value.maybe_sent
    assert "page-access-token" not in str(refused.value)


async def test_wrong_token_is_explained(channel, emulator, outbound):
    emulator.access_token = "another"
    with pytest.raises(ChannelRejected, match="token is not valid"):
        await channel.send(outbound("messenger", PAGE, PSID))


async def test_fetch_media(channel, emulator):
    """The link is the key: the emulator refuses a token."""
    emulator.files["1.jpg"] = b"x" * 200_000
    media = Media(MediaKind.IMAGE, f"{emulator.url}/file/1.jpg")
    assert b"".join([chunk async for chunk in channel.fetch_media(media)]) == b"x" * 200_000
    emulator.files["2.jpg"] = b"x" * (25 * 1024 * 1024 + 1)
    for ref in (
        f"{emulator.url}/file/2.jpg",
        f"{emulator.url}/file/gone.jpg",
        "https://fbcdn.net.evil.example/1.jpg",
        "http://cdn.fbsbx.com/1.jpg",
        "http://127.0.0.1:1/1.jpg",
    ):
        with pytest.raises(ChannelRejected):
            _ = [chunk async for chunk in channel.fetch_media(Media(MediaKind.IMAGE, ref))]


@pytest.mark.parametrize(
    ("status", "code", "subcode", "expected"),
    [
        (429, 4, 0, ChannelRetryable),
        (400, 4, 2018022, ChannelRetryable),
        (400, 613, 0, ChannelRetryable),
        (400, 1200, 0, ChannelRetryable),
        (400, 80006, 0, ChannelRetryable),
        (500, 2, 0, ChannelRetryable),
        (502, None, 0, ChannelRetryable),
        (404, None, 0, ChannelRejected),
        (403, 299, 0, ChannelRejected),
        (403, 200, 1545041, ChannelRejected),
        (400, 999999, 0, ChannelRejected),
        *((400, 10, subcode, ChannelRejected) for subcode in OUTSIDE_WINDOW),
        *((400, 2, subcode, ChannelRejected) for subcode in NEVER),
        *((400, code, 0, ChannelRejected) for code in REASONS),
        *((400, 100, subcode, ChannelRejected) for subcode in SUBCODES),
    ],
)
def test_every_error_is_mapped(status, code, subcode, expected):
    error = to_channel_error(status, {"error": {"code": code, "error_subcode": subcode}}, None)
    assert type(error) is expected
    assert error.message
    if subcode in SUBCODES:
        assert SUBCODES[subcode] in error.message


def test_an_error_that_meta_says_came_after_the_message_went():
    error = to_channel_error(500, {"error": {"code": 1, "error_subcode": 1357046}}, None)
    assert isinstance(error, ChannelRetryable)
    assert error.maybe_sent


def test_features():
    channel = make()
    assert dict(channel.accounts) == {"messenger": PAGE, "instagram": ACCOUNT}
    assert channel.features("messenger").text_limit == 2000
    assert MediaKind.STICKER not in channel.features("instagram").media
    without = Messenger(load_settings(messenger_page_id=PAGE))
    assert without.accounts == (("messenger", PAGE),)


class App(Server):
    """Our side of the webhook."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Parsed] = []
        self._app.router.add_post("/channels/messenger", self._hook)

    async def _hook(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.seen.append(make().parse(WebhookRequest("POST", URL, headers, await request.read())))
        return web.Response()


async def test_emulator_speaks_as_meta_does(emulator, channel, outbound):
    """What the emulator posts is what the adapter reads."""
    async with App() as app:
        emulator.target = app.url
        emulator.auto_status = True
        assert await emulator.say("hi", sender=PSID) == 200
        assert await emulator.say("Yes", sender=PSID, button="affirm") == 200
        receipt = await channel.send(outbound("messenger", PAGE, PSID))
        await emulator.settle()
    assert [parsed.messages[0].text for parsed in app.seen[:2]] == ["hi", "Yes"]
    assert app.seen[1].messages[0].button == "affirm"
    updates = [parsed.statuses[0] for parsed in app.seen[2:]]
    assert [(update.status, update.outbox_id) for update in updates] == [
        (Status.SENT, "outbox-1"),
        (Status.DELIVERED, None),
    ]
    assert {update.external_id for update in updates} == {receipt.external_id}
