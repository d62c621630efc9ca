"""Mail that SendGrid and Mailgun post."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from bot.channels.email import Email
from bot.errors import NotFound, SignatureInvalid, Unreadable
from bot.messages import MediaKind, WebhookRequest
from bot.settings import load_settings

OURS = "help@samvad.test"
URL = "http://samvad.test/channels/email"
TOKEN, KEY = "t0ken", "key-1"
NOW = 1_760_000_000
RAW = b"From: Asha <asha@customer.test>\r\nTo: help@samvad.test\r\nMessage-ID: <m1@customer.test>\r\n\r\nHello\r\n"  # noqa: E501


def make(**given: str) -> Email:
    return Email(load_settings(email_address=OURS, email_smtp_url="smtp://127.0.0.1:1", **given))


def form(fields: dict[str, object], files: tuple = (), end: bytes = b"\r\n") -> tuple[str, bytes]:
    """multipart/form-data; a file is (field, filename, type, bytes)."""
    body = b""
    for name, value in fields.items():
        raw = value if isinstance(value, bytes) else str(value).encode()
        body += (
            b"--xYz" + end + f'Content-Disposition: form-data; name="{name}"'.encode() + end * 2 + raw + end
        )
    for name, filename, mime, raw in files:
        head = f'Content-Disposition: form-data; name="{name}"; filename="{filename}"'.encode()
        body += b"--xYz" + end + head + end + f"Content-Type: {mime}".encode() + end * 2 + raw + end
    return "multipart/form-data; boundary=xYz", body + b"--xYz--" + end


def post(kind: str, body: bytes, query: str = "") -> WebhookRequest:
    return WebhookRequest("POST", URL + query, {"content-type": kind}, body)


def read(fields: dict[str, object], files: tuple = (), **kwargs: object):
    request = post(*form(fields, files, **kwargs), query=f"?token={TOKEN}")
    return make(email_webhook_token=TOKEN).parse(request)


def signed(fields: dict[str, object], key: str = KEY, at: int = NOW) -> dict[str, object]:
    token = "a" * 50
    signature = hmac.new(key.encode(), f"{at}{token}".encode(), hashlib.sha256).hexdigest()
    return {**fields, "timestamp": at, "token": token, "signature": signature}


def test_sendgrid_raw():
    envelope = json.dumps({"to": ["help+tok42@samvad.test"], "from": "asha@customer.test"})
    (message,) = read({"email": RAW, "envelope": envelope, "to": OURS}).messages
    assert (message.text, message.event_key) == ("Hello", "<m1@customer.test>")
    assert message.thread == ("token:tok42",)


def test_sendgrid_raw_keeps_bytes():
    raw = RAW + b"\r\n\xff\x00 \x0b\r end"
    assert read({"email": raw}).messages[0].text == read({"email": raw}, end=b"\n").messages[0].text


def test_sendgrid_pieces():
    fields = {
        "headers": "Message-ID: <m2@customer.test>\nFrom: Asha <asha@customer.test>\nSubject: Box\n"
        'References: <a@b.test>\n <c@d.test>\nContent-Type: multipart/mixed; boundary="old"\n',
        "text": "Der Karton ist schön kaputt".encode("latin-1"),
        "html": "<p>Der Karton</p>",
        "charsets": json.dumps({"text": "iso-8859-1", "html": "utf-8"}),
        "envelope": json.dumps({"to": [OURS], "from": "asha@customer.test"}),
        "attachments": "1",
        "content-ids": json.dumps({"cid1": "attachment1"}),
    }
    files = (("attachment1", "बॉक्स.png", "image/png", b"\x89PNG\r\n\r\n--x\r\n"),)
    (message,) = read(fields, files).messages
    assert message.text == "Der Karton ist schön kaputt"
    assert (message.external_id, message.subject) == ("<m2@customer.test>", "Box")
    assert message.thread == ("<a@b.test>", "<c@d.test>")
    (media,) = message.media
    assert (media.kind, media.filename, media.content) == (
        MediaKind.IMAGE,
        "बॉक्स.png",
        b"\x89PNG\r\n\r\n--x\r\n",
    )


def test_sendgrid_as_recorded(shared_data):
    body = (shared_data("channels/sendgrid_inbound") / "default_data.txt").read_bytes()
    request = post("multipart/form-data; boundary=xYzZY", body, f"?token={TOKEN}")
    email = make(email_webhook_token=TOKEN)
    assert email.parse(request).unhandled == ("mail:not-for-us",)
    email.address = "inbound@inbound.example.com"
    (message,) = email.parse(request).messages
    assert (message.address, message.text) == ("test@example.com", "Hello Twilio SendGrid!")
    assert message.sender_name == "Example User"


@time_machine.travel(datetime.fromtimestamp(NOW, UTC), tick=False)
def test_mailgun():
    email = make(email_mailgun_signing_key=KEY)
    fields = signed({"recipient": OURS, "sender": "asha@customer.test"})
    raw = post(*form(fields | {"body-mime": RAW}))
    assert email.parse(raw).messages[0].text == "Hello"
    pieces = fields | {
        "message-headers": json.dumps([["From", "Asha <asha@customer.test>"], ["Message-Id", "<m3@x.test>"]]),
        "body-plain": "नमस्ते",
        "subject": "Frage\r\nBcc: everyone@x.test",
    }
    urlencoded = post("application/x-www-form-urlencoded", urlencode(pieces).encode())
    for request in (urlencoded, post(*form(pieces))):
        (message,) = email.parse(request).messages
        assert (message.text, message.external_id) == ("नमस्ते", "<m3@x.test>")
        assert message.subject == "Frage Bcc: everyone@x.test"


@time_machine.travel(datetime.fromtimestamp(NOW, UTC), tick=False)
@pytest.mark.parametrize(
    "fields",
    [
        signed({"body-mime": RAW}, key="other"),
        signed({"body-mime": RAW}, at=NOW - 25 * 3600),
        signed({"body-mime": RAW}) | {"token": "b" * 50},
        signed({"body-mime": RAW}) | {"timestamp": "x"},
        {"body-mime": RAW},
    ],
)
def test_mailgun_forged(fields):
    with pytest.raises(SignatureInvalid):
        make(email_mailgun_signing_key=KEY).parse(post(*form(fields)))


@pytest.mark.parametrize("query", ["", "?token=", "?token=wrong", "?token=t0ken&token=x", "?token=%FF"])
def test_a_wrong_token(query):
    for given_ in ({}, {"email_mailgun_signing_key": KEY}):
        with pytest.raises(SignatureInvalid):
            make(email_webhook_token=TOKEN, **given_).parse(post(*form({"email": RAW}), query=query))


def test_nothing_set_up():
    with pytest.raises(NotFound):
        make().parse(post(*form({"email": RAW}), query="?token="))
    with pytest.raises(NotFound):
        make(email_webhook_token=TOKEN).verify(post("", b""))


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{}"),
        ("", b""),
        ("multipart/form-data", b"--x--"),
        form({"x": "y"}),
        ("application/x-www-form-urlencoded", b"&".join(b"a=1" for _ in range(2000))),
    ],
)
def test_unreadable(kind, body):
    with pytest.raises(Unreadable):
        make(email_webhook_token=TOKEN).parse(post(kind, body, f"?token={TOKEN}"))


@given(st.binary(max_size=400), st.binary(max_size=200), st.text(max_size=30))
def test_any_bytes(body, value, name):
    fields = {"headers": value, "text": value, "charsets": value, "envelope": value, "content-ids": value}
    files = (("attachment1", name.replace("\n", "").replace("\r", ""), "image/png", value),)
    for request in (form(fields, files), ("multipart/form-data; boundary=xYz", b"--xYz\r\n" + body)):
        try:
            make(email_webhook_token=TOKEN).parse(post(*request, query=f"?token={TOKEN}"))
        except Unreadable:
            continue
