"""A hundred thousand broken payloads and mails: read, or refused in our own words; never slow, never kept."""

import json
import random
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.channels.email.parse import parse_mail
from bot.channels.messenger.parse import parse_payload as read_messenger
from bot.channels.telegram.parse import parse_update
from bot.channels.twilio.parse import parse_message
from bot.channels.twilio.twiml import Line
from bot.channels.twilio.voice import read_call
from bot.channels.whatsapp.parse import parse_payload as read_whatsapp
from bot.channels.whatsapp.templates import read_template
from bot.errors import Unreadable
from bot.messages import Caller, clean

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
COUNT = 100_000
SLOW_S = 1.0
"""A single payload that takes this long holds every customer up."""
GROWTH_KB = 100 * 1024
ODD: tuple[Any, ...] = (
    *(None, True, 0, -1, 2**70, 1e308, "", " ", "\x00", "\ud800", "é" * 500, "9" * 400, "<b>", "%s{}"),
    *([], {}, [[]], {"id": {}}, [None], "2026-01-01T00:00:00Z"),
)


def recorded(channel: str) -> list[Any]:
    """The captured payloads of a channel's adapter."""
    files = sorted((ROOT / "bot" / "channels" / channel / "payloads").glob("*.json"))
    assert files, channel
    return [json.loads(file.read_text("utf-8")) for file in files]


def mutated(chance: random.Random, value: Any) -> Any:
    """A copy with a few values replaced, dropped, doubled or put into one another."""
    if chance.random() < 0.04:
        return chance.choice(ODD)
    if isinstance(value, dict):
        kept = {name: mutated(chance, one) for name, one in value.items() if chance.random() > 0.02}
        if kept and chance.random() < 0.03:
            kept[chance.choice(list(kept))] = chance.choice(list(kept.values()))
        return kept
    if isinstance(value, list):
        found = [mutated(chance, one) for one in value]
        return found * chance.choice((1, 1, 1, 1, 3))
    if isinstance(value, str) and chance.random() < 0.05:
        cut = chance.randrange(len(value) + 1)
        return value[cut:] + str(chance.choice(ODD)) + value[:cut]
    return value


def torn(chance: random.Random, raw: bytes) -> bytes:
    """Bytes with pieces cut, doubled, overwritten."""
    found = bytearray(raw)
    for _ in range(chance.randrange(1, 8)):
        start = chance.randrange(len(found) + 1)
        end = min(len(found), start + chance.randrange(1, 40))
        piece = bytes(chance.randrange(256) for _ in range(chance.randrange(12)))
        found[start:end] = chance.choice(
            (b"", piece, bytes(found[start:end]) * 2, b"\r\n", b"=?utf-8?B?", b"--")
        )
    return bytes(found)


def forms() -> list[dict[str, str]]:
    """Twilio's fields."""
    return [
        {"MessageSid": "SM1", "From": "+919876543210", "To": "+15550001", "Body": "Hello", "NumMedia": "1",
         "MediaUrl0": "https://api.twilio.com/x", "MediaContentType0": "image/jpeg"},
        {"MessageSid": "SM2", "From": "whatsapp:+919876543210", "To": "whatsapp:+15550001", "Body": "",
         "Latitude": "12.9", "Longitude": "77.5", "ProfileName": "Asha"},
    ]  # fmt: skip


def call(value: Any) -> Any:
    """A request about a phone call, its form and query as decoding leaves them."""
    given = value if isinstance(value, dict) else {}
    form, query = given.get("form"), given.get("query")
    texts = [
        {clean(str(name)): clean(str(one)) for name, one in part.items()} if isinstance(part, dict) else {}
        for part in (form, query)
    ]
    parsed = read_call(Line("https://shop.test/channels/twilio/voice", "+15550009", "s"), *texts)
    if parsed.call is not None:
        parsed.call.answer(Caller("hi", False, "Shop", ("en", "hi"), lambda key, *_, **__: key))
    return parsed


def calls() -> list[dict[str, Any]]:
    """Twilio's requests about phone calls."""
    files = sorted((ROOT / "bot" / "channels" / "twilio" / "payloads").glob("voice_*.json"))
    found = [json.loads(file.read_text("utf-8")) for file in files]
    steps = ("", "language", "menu", "recorded", "dialed", "recording")
    return [{"form": form, "query": {"step": step, "lang": "hi"}} for form in found for step in steps]


TEMPLATES: list[dict[str, Any]] = [
    {
        "id": "1",
        "name": "order",
        "language": "en",
        "category": "UTILITY",
        "status": "APPROVED",
        "components": [
            {"type": "HEADER", "format": "TEXT", "text": "{{1}}", "example": {"header_text": ["A"]}},
            {"type": "BODY", "text": "{{n}}", "example": {"body_text_named_params": [{"param_name": "n"}]}},
            {"type": "BUTTONS", "buttons": [{"type": "URL", "url": "https://x/{{1}}", "example": ["a"]}]},
        ],
    }
]


def template(value: Any) -> Any:
    """A template as Meta lists it, and what a customer reads of it."""
    found = read_template(value) if isinstance(value, dict) else None
    return found and found.filled({})


def cases() -> Iterator[tuple[str, Callable[[], Any]]]:
    """(name, call) of every broken payload, the same in every run."""
    chance = random.Random(20261122)
    readers: tuple[tuple[str, list[Any], Callable[[Any], Any]], ...] = (
        ("whatsapp", recorded("whatsapp"), read_whatsapp),
        ("telegram", recorded("telegram"), lambda value: parse_update(value, "bot")),
        ("messenger", recorded("messenger"), _messenger),
        ("voice", calls(), call),
        ("template", TEMPLATES, template),
        ("twilio", forms(), lambda value: parse_message({k: str(v) for k, v in value.items()})),
    )
    mails = [file.read_bytes() for file in sorted((ROOT / "tests" / "channels").rglob("*.eml"))]
    mails += [MAIL]
    share = COUNT // (len(readers) + 1)
    for name, payloads, read in readers:
        for _ in range(share):
            value = mutated(chance, chance.choice(payloads))
            if name == "twilio" and not isinstance(value, dict):
                value = {"Body": value}
            yield name, lambda read=read, value=value: read(value)
    for _ in range(share):
        raw = torn(chance, chance.choice(mails))
        yield "email", lambda raw=raw: parse_mail(raw, "help@shop.test")


def _messenger(value: Any) -> Any:
    return read_messenger(value)


MAIL = b"""From: =?utf-8?B?4KSG4KS24KS+?= <asha@customer.test>
To: help@shop.test
Subject: =?utf-8?Q?Fridge?=
Message-ID: <1@customer.test>
References: <0@shop.test>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="b"

--b
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

It leaks=2E

On 11-Apr-2011, at 6:54 PM, Shop wrote:
> Dear customer
--b
Content-Type: text/html; charset=utf-8

<p>It leaks.</p><blockquote type="cite">Dear customer</blockquote>
--b
Content-Type: image/png; name="a.png"
Content-Transfer-Encoding: base64

iVBORw0KGgo=
--b
Content-Type: message/delivery-status

Final-Recipient: rfc822; x@y.test
Action: failed
Status: 5.1.1
--b--
"""


@pytest.mark.timeout(900)
def test_nothing_breaks_hangs_or_grows() -> None:
    read = refused = 0
    slowest = ("", 0.0)
    kept = 0
    for number, (name, call) in enumerate(cases()):
        start = time.perf_counter()
        try:
            call()
            read += 1
        except Unreadable:
            refused += 1
        took = time.perf_counter() - start
        slowest = max(slowest, (name, took), key=lambda one: one[1])
        if number == COUNT // 10:  # caches are full by now
            kept = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - kept
    print(f"{read} read, {refused} refused; slowest {slowest}; grew {grown} KB")
    assert read > COUNT // 10
    assert refused > COUNT // 100
    assert slowest[1] < SLOW_S
    assert grown < GROWTH_KB
