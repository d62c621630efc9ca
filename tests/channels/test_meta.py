"""Meta's hand-shake and signature, alike for its adapters."""

import contextlib
import json
from urllib.parse import urlencode

import pytest
from hypothesis import given

from bot.channels.messenger import Messenger
from bot.channels.whatsapp import WhatsApp
from bot.errors import SamvadError, SignatureInvalid, Unreadable
from bot.messages import WebhookRequest
from bot.settings import load_settings
from tests.support.channels import JSON, signed_by_meta

URL = "http://samvad.test/channels/of-meta"
SECRET, TOKEN = b"an app's secret", "our verify token"
SETTINGS = load_settings(
    **dict.fromkeys(("whatsapp_access_token", "messenger_access_token"), "a token"),
    whatsapp_phone_number_id="100200300",
    messenger_page_id="700800900",
    **dict.fromkeys(("whatsapp_app_secret", "messenger_app_secret"), SECRET.decode()),
    **dict.fromkeys(("whatsapp_verify_token", "messenger_verify_token"), TOKEN),
)
ADAPTERS = (WhatsApp(SETTINGS), Messenger(SETTINGS))
both = pytest.mark.parametrize("channel", ADAPTERS, ids=lambda one: one.name)


def signed(body: bytes, secret: bytes = SECRET) -> WebhookRequest:
    return signed_by_meta(URL, body, secret)


@both
def test_signature(payload, channel):
    body = json.dumps(payload(channel.name, "text")).encode()
    request = signed(body)
    assert channel.parse(request).messages
    for headers in ({}, {"x-hub-signature-256": ""}, {"x-hub-signature-256": "sha256=é"}):
        with pytest.raises(SignatureInvalid):
            channel.parse(WebhookRequest("POST", URL, headers, body))
    with pytest.raises(SignatureInvalid):
        channel.parse(signed(body, b"another secret"))
    with pytest.raises(SignatureInvalid):
        channel.parse(WebhookRequest("POST", URL, request.headers, body + b" "))


@both
def test_verify(channel):
    def ask(token: str, mode: str = "subscribe") -> str:
        query = urlencode({"hub.mode": mode, "hub.verify_token": token, "hub.challenge": "12345"})
        return channel.verify(WebhookRequest("GET", f"{URL}?{query}", {}, b""))

    assert ask(TOKEN) == "12345"
    for wrong in ("", "wrong", f"{TOKEN}ñ"):
        with pytest.raises(SignatureInvalid):
            ask(wrong)
    with pytest.raises(SignatureInvalid):
        ask(TOKEN, mode="unsubscribe")


@both
@pytest.mark.parametrize("body", [b"", b"not json", b"\xff\xfe", b"[]", b"{}", b"[" * 100_000])
def test_unreadable(channel, body):
    with pytest.raises(Unreadable):
        channel.parse(signed(body))


@both
@given(value=JSON)
def test_random_json_is_never_an_accident(channel, value):
    with contextlib.suppress(SamvadError):
        channel.parse(signed(json.dumps(value).encode()))
