"""The Twilio adapter against captured payloads, Twilio's own signature vectors and the emulator."""

import contextlib
import hashlib
import json
from collections.abc import AsyncIterator
from urllib.parse import urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.request_validator import RequestValidator

from bot.channels.twilio import Twilio
from bot.channels.twilio.client import translated
from bot.channels.twilio.errors import REASONS, to_channel_error
from bot.errors import ChannelRejected, ChannelRetryable, NotFound, SamvadError, SignatureInvalid, Unreadable
from bot.messages import Identity, Media, MediaKind, Status, WebhookRequest
from bot.settings import load_settings
from bot.testing import TwilioEmulator
from tests.support.channels import opened

BASE = "http://samvad.test"
TOKEN = "twilio-auth-token"


def make(**given: object) -> Twilio:
    values = {
        "base_url": BASE,
        "twilio_account_sid": "AC" + "0" * 32,
        "twilio_auth_token": TOKEN,
        "twilio_sms_from": "+15550001111",
        "twilio_whatsapp_from": "+15550002222",
    }
    return Twilio(load_settings(**(values | given)))


def signed(path: str, form: dict[str, str], token: str = TOKEN) -> WebhookRequest:
    signature = RequestValidator(token).compute_signature(BASE + path, form)
    headers = {"x-twilio-signature": signature, "content-type": "application/x-www-form-urlencoded"}
    return WebhookRequest("POST", BASE + path, headers, urlencode(form).encode())


@pytest.fixture
async def emulator() -> AsyncIterator[TwilioEmulator]:
    async with TwilioEmulator() as running:
        yield running


@pytest.fixture
async def channel(emulator: TwilioEmulator) -> AsyncIterator[Twilio]:
    async with opened(make(twilio_api_url=emulator.url)) as running:
        yield running


def read(payload, name):
    parsed = make().parse(signed("/channels/twilio/messages", payload("twilio", name)))
    assert "<Response" in parsed.response
    assert parsed.response_type == "text/xml"
    return parsed.messages[0]


def test_sms(payload):
    message = read(payload, "sms")
    assert (message.channel, message.account, message.address) == ("sms", "+15550001111", "+919876543210")
    assert message.text == "Price of “blue” kurta?"
    assert message.event_key == message.external_id == "SM1"
    assert message.identities == (Identity("phone", "+919876543210", verified=True),)


def test_keyword_of_twilio_wins(payload):
    assert read(payload, "sms_stop").text == "STOP"


def test_whatsapp_media(payload):
    message = read(payload, "whatsapp_media")
    assert (message.channel, message.account, message.address) == (
        "whatsapp",
        "+15550002222",
        "+919876543210",
    )
    assert message.sender_name == "Asha Rao"
    assert message.identities == (
        Identity("whatsapp", "919876543210", verified=True),
        Identity("phone", "+919876543210", verified=True),
    )
    assert (message.media[0].kind, message.media[0].mime) == (MediaKind.IMAGE, "image/jpeg")


def test_whatsapp_choices_and_places(payload):
    pressed = read(payload, "whatsapp_button")
    assert (pressed.button, pressed.text, pressed.reply_to) == ("book:tomorrow", "Tomorrow", "SM0")
    place = read(payload, "whatsapp_location").location
    assert (place.latitude, place.longitude, place.name) == (12.97, 77.59, "Shop")


def test_statuses(payload):
    path = "/channels/twilio/status?id=outbox-1"
    update = make().parse(signed(path, payload("twilio", "status_delivered"))).statuses[0]
    assert (update.status, update.outbox_id, update.event_key) == (
        Status.DELIVERED,
        "outbox-1",
        "SM9:delivered",
    )
    assert (update.channel, update.account, update.address) == ("sms", "+15550001111", "+919876543210")
    failed = make().parse(signed(path, payload("twilio", "status_undelivered"))).statuses[0]
    assert (failed.status, failed.channel) == (Status.FAILED, "whatsapp")
    assert "24 hours" in failed.reason
    queued = make().parse(signed(path, payload("twilio", "status_queued")))
    assert queued.unhandled == ("status:queued",)


def test_a_call_is_counted():
    parsed = make().parse(signed("/channels/twilio/voice", {"CallSid": "CA1", "From": "+1"}))
    assert parsed.unhandled == ("voice",)


def test_signature(payload):
    form = payload("twilio", "sms")
    good = signed("/channels/twilio/messages", form)
    assert make().parse(good).messages
    bad = [
        signed("/channels/twilio/messages", form, token="another"),
        WebhookRequest("POST", good.url, {}, good.body),
        WebhookRequest("POST", good.url, good.headers, good.body + b"&Body=forged"),
        WebhookRequest("POST", good.url + "?id=forged", good.headers, good.body),
        WebhookRequest("POST", good.url, good.headers, b"\xff\xfe"),
        WebhookRequest("POST", good.url, dict(good.headers) | {"x-twilio-signature": "é"}, good.body),
        WebhookRequest("POST", "http://[bad:99999999/", good.headers, good.body),
        WebhookRequest(
            "POST", good.url, dict(good.headers) | {"content-type": "application/json"}, b'{"a": 1}'
        ),
    ]
    for request in bad:
        with pytest.raises(SignatureInvalid):
            make().parse(request)


def test_json_is_signed_by_its_hash():
    body = b'{"a": 1}'
    url = f"{BASE}/channels/twilio/status?bodySHA256={hashlib.sha256(body).hexdigest()}"
    signature = RequestValidator(TOKEN).compute_signature(url, {})
    headers = {"x-twilio-signature": signature, "content-type": "application/json"}
    assert make().parse(WebhookRequest("POST", url, headers, body)).unhandled == ("json",)
    with pytest.raises(SignatureInvalid):
        make().parse(WebhookRequest("POST", url, headers, body + b" "))


def test_signature_vectors(shared_data):
    data = json.loads((shared_data("channels/twilio_signature") / "vectors.json").read_text())
    for vector in data["vectors"]:
        params = vector.get("params")
        fields = list(params.items()) if isinstance(params, dict) else params
        body = vector["body"] if "body" in vector else urlencode([tuple(field) for field in fields])
        kind = "application/json" if "body" in vector else "application/x-www-form-urlencoded"
        headers = {"x-twilio-signature": vector["signature"], "content-type": kind}
        channel = make(twilio_auth_token=data["auth_token"])
        request = WebhookRequest("POST", vector["url"], headers, body.encode())
        with contextlib.suppress(Unreadable):
            channel.parse(request)
        broken = dict(headers) | {"x-twilio-signature": "A" + vector["signature"][1:][::-1]}
        with pytest.raises(SignatureInvalid):
            channel.parse(WebhookRequest("POST", vector["url"], broken, body.encode()))


def test_unreadable():
    for form in ({"Body": "hi"}, {"MessageSid": "SM1"}, {"MessageSid": "SM1", "From": "+1"}, {}):
        with pytest.raises(Unreadable):
            make().parse(signed("/channels/twilio/messages", form))
    with pytest.raises(Unreadable):
        make().parse(signed("/channels/twilio/status", {"MessageSid": "SM1"}))


def test_no_handshake():
    with pytest.raises(NotFound):
        make().verify(WebhookRequest("GET", BASE, {}, b""))


NAMES = st.sampled_from(
    [
        "MessageSid",
        "From",
        "To",
        "Body",
        "NumMedia",
        "MediaUrl0",
        "Latitude",
        "Longitude",
        "MessageStatus",
        "ErrorCode",
        "OptOutType",
        "ButtonPayload",
    ]
)


@given(
    st.dictionaries(NAMES, st.text(alphabet=st.characters(codec="utf-8")), max_size=8),
    st.sampled_from(["messages", "status", "other"]),
)
def test_random_forms_are_never_an_accident(form, path):
    with contextlib.suppress(SamvadError):
        parsed = make().parse(signed(f"/channels/twilio/{path}", form))
        for message in parsed.messages:
            assert "\x00" not in message.text


async def test_send_sms(channel, emulator, outbound):
    receipt = await channel.send(outbound("sms", "+15550001111", "+919876543210"))
    sent = emulator.sent[0]
    assert receipt.external_id == sent["Sid"]
    assert (sent["From"], sent["To"], sent["Body"]) == ("+15550001111", "+919876543210", "Hello")
    assert sent["StatusCallback"] == f"{BASE}/channels/twilio/status?id=outbox-1"


async def test_send_whatsapp(channel, emulator, outbound):
    await channel.send(outbound("whatsapp", "+15550002222", "+919876543210"))
    sent = emulator.sent[0]
    assert (sent["From"], sent["To"]) == ("whatsapp:+15550002222", "whatsapp:+919876543210")
    emulator.speaks = "whatsapp"
    assert await emulator.replies("+919876543210") == ["Hello"]


async def test_an_sms_is_written_for_few_parts(channel, emulator, outbound):
    await channel.send(outbound("sms", "+15550001111", "+919876543210", "It’s “ready” – 5 pm…"))
    await channel.send(outbound("sms", "+15550001111", "+919876543210", "“नमस्ते” – 5 pm…"))
    await channel.send(outbound("whatsapp", "+15550002222", "+919876543210", "It’s “ready”"))
    assert [sent["Body"] for sent in emulator.sent] == [
        'It\'s "ready" - 5 pm...',
        "“नमस्ते” – 5 pm…",
        "It’s “ready”",
    ]


async def test_three_dots_do_not_make_a_text_too_long(channel, emulator, outbound):
    text = "x" * 1599 + "…"
    await channel.send(outbound("sms", "+15550001111", "+919876543210", text))
    assert emulator.sent[0]["Body"] == text


@pytest.fixture
async def service() -> AsyncIterator[tuple[Twilio, TwilioEmulator]]:
    """A Messaging Service that chooses the number."""
    async with TwilioEmulator(messaging_service_sid="MG" + "1" * 32) as running:
        twilio = make(twilio_api_url=running.url, twilio_messaging_service_sid=running.messaging_service_sid)
        await twilio.open()
        yield twilio, running
        await twilio.close()


async def test_a_messaging_service_chooses_the_sender_of_sms(service, outbound):
    channel, emulator = service
    await channel.send(outbound("sms", "+15550009999", "+919876543210"))
    await channel.send(outbound("whatsapp", "+15550002222", "+919876543210"))
    sms, whatsapp = emulator.sent
    assert (sms["MessagingServiceSid"], sms["From"]) == ("MG" + "1" * 32, "+15550001111")
    assert (whatsapp.get("MessagingServiceSid"), whatsapp["From"]) == (None, "whatsapp:+15550002222")
    emulator.messaging_service_sid = "MG" + "2" * 32
    with pytest.raises(ChannelRejected, match="SAMVAD_TWILIO_MESSAGING_SERVICE_SID"):
        await channel.send(outbound("sms", "+15550001111", "+919876543210"))
    assert channel.accounts[0] == ("sms", "+15550001111")


def test_a_service_that_failed_before_it_chose_a_number():
    form = {
        "MessageSid": "SM9",
        "MessageStatus": "failed",
        "ErrorCode": "21704",
        "To": "+919876543210",
        "MessagingServiceSid": "MG1",
    }
    (update,) = make().parse(signed("/channels/twilio/status?id=outbox-1", form)).statuses
    assert (update.account, update.status, update.outbox_id) == ("+15550001111", Status.FAILED, "outbox-1")
    assert "has no number" in update.reason
    del form["MessagingServiceSid"]
    with pytest.raises(Unreadable):
        make().parse(signed("/channels/twilio/status", form))


async def test_files_go_by_mms_to_north_america_and_as_links_elsewhere(channel, emulator, outbound):
    media = (Media(MediaKind.IMAGE, "https://files.example/1.jpg"),)
    await channel.send(outbound("sms", "+15550001111", "+15557654321", media=media))
    await channel.send(outbound("sms", "+15550001111", "+919876543210", media=media))
    await channel.send(outbound("whatsapp", "+15550002222", "+919876543210", "", media=media))
    mms, sms, whatsapp = emulator.sent
    assert (mms["Body"], mms["MediaUrl"]) == ("Hello", "https://files.example/1.jpg")
    assert (sms["Body"], sms.get("MediaUrl")) == ("Hello\nhttps://files.example/1.jpg", None)
    assert (whatsapp.get("Body"), whatsapp["MediaUrl"]) == (None, "https://files.example/1.jpg")
    with pytest.raises(ChannelRejected, match="public links"):
        await channel.send(
            outbound("sms", "+15550001111", "+15557654321", media=(Media(MediaKind.IMAGE, "media:1"),))
        )


@pytest.mark.parametrize("keyword", ["STOP", "START", "HELP"])
def test_what_twilio_understood_is_taken_as_the_text(payload, keyword):
    form = payload("twilio", "sms") | {"Body": "unsubscribe me", "OptOutType": keyword}
    assert make().parse(signed("/channels/twilio/messages", form)).messages[0].text == keyword


async def test_status_callback_round_trip(channel, emulator, outbound):
    """The callback URL that we send is the one whose signature we check."""
    await channel.send(outbound("sms", "+15550001111", "+919876543210", id="0191-a b"))
    url = emulator.sent[0]["StatusCallback"]
    path = f"{urlsplit(url).path}?{urlsplit(url).query}"
    form = {"MessageSid": "SM1", "MessageStatus": "sent", "From": "+15550001111", "To": "+919876543210"}
    assert make().parse(signed(path, form)).statuses[0].outbox_id == "0191-a b"


async def test_faults(channel, emulator, outbound):
    message = outbound("sms", "+15550001111", "+919876543210")
    emulator.fail_next(status=429, retry_after=9)
    with pytest.raises(ChannelRetryable) as limited:
        await channel.send(message)
    assert (limited.value.delay, limited.value.maybe_sent) == (9.0, False)
    emulator.fail_next(status=503)
    with pytest.raises(ChannelRetryable):
        await channel.send(message)
    emulator.cut_next()
    with pytest.raises(ChannelRetryable) as dropped:
        await channel.send(message)
    assert dropped.value.maybe_sent
    emulator.unsubscribed.add("+919876543210")
    with pytest.raises(ChannelRejected, match=r"sent STOP\. Nothing .* \(21610\)"):
        await channel.send(message)
    with pytest.raises(ChannelRejected, match="valid phone number"):
        await channel.send(outbound("sms", "+15550001111", "+1"))
    with pytest.raises(ChannelRejected, match="1600"):
        await channel.send(outbound("sms", "+15550001111", "+15557654321", "x" * 1601))


async def test_nobody_there_is_surely_unsent(outbound):
    async with TwilioEmulator() as gone:
        url = gone.url
    channel = make(twilio_api_url=url)
    await channel.open()
    with pytest.raises(ChannelRetryable) as refused:
        await channel.send(outbound("sms", "+15550001111", "+919876543210"))
    await channel.close()
    assert not refused.value.maybe_sent


async def test_credentials_go_to_twilio_only(channel):
    with pytest.raises(ChannelRejected):
        _ = [part async for part in channel.fetch_media(Media(MediaKind.IMAGE, "https://twilio.com.evil/x"))]


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (429, 20429, ChannelRetryable),
        (400, 20429, ChannelRetryable),
        (500, None, ChannelRetryable),
        (400, 30001, ChannelRetryable),
        (400, 63018, ChannelRetryable),
        (404, None, ChannelRejected),
        (400, 999999, ChannelRejected),
        *((400, code, ChannelRejected) for code in REASONS),
    ],
)
def test_every_error_is_mapped(status, code, expected):
    error = to_channel_error(status, code, "what Twilio says")
    assert type(error) is expected
    assert error.message
    assert type(translated(TwilioRestException(status, "/x", "what Twilio says", code))) is expected


def test_an_sdk_error_without_status_is_mapped():
    assert isinstance(translated(TwilioException("no credentials")), ChannelRejected)


def test_features():
    channel = make()
    assert channel.features("sms").stop_is_silent
    assert channel.features("whatsapp").window is not None
    assert dict(channel.accounts) == {"sms": "+15550001111", "whatsapp": "+15550002222"}
