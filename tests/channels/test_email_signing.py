"""DKIM: what leaves is signed, and what changes on the way is seen; what the DNS must say."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import dkim
import dns.message
import dns.rrset
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from dns.resolver import Resolver

from bot.channels.email import Email
from bot.channels.email.signing import read_signer
from bot.commands.mail_dns import mail_records
from bot.errors import ConfigurationInvalid
from bot.settings import load_settings
from bot.testing import MailEmulator

OURS = "help@samvad.test"
KEYS = {
    "rsa": rsa.generate_private_key(65537, 2048),
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
}


def pem(key, password: bytes | None = None, form=serialization.PrivateFormat.PKCS8) -> str:
    secret = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, secret).decode()


def given(key: str, **more: str):
    values = {
        "email_address": OURS,
        "email_smtp_url": "smtp://127.0.0.1:1",
        "email_dkim_selector": "s1",
        "email_dkim_key": key,
    }
    return load_settings(**(values | more))


def verified(raw: bytes, records: dict[str, str]) -> bool:
    """What a receiving server finds, with these TXT records in the DNS."""

    def ask(name: bytes, timeout: int = 5) -> bytes | None:
        found = records.get(name.decode().rstrip("."))
        return found.encode() if found else None

    return dkim.verify(raw, dnsfunc=ask)


@pytest.fixture
async def emulator() -> AsyncIterator[MailEmulator]:
    async with MailEmulator() as running:
        yield running


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
@pytest.mark.parametrize("where", ["text", "escaped", "file"])
async def test_what_leaves_is_signed(kind, where, emulator, outbound, tmp_path: Path) -> None:
    key = pem(KEYS[kind])
    if where == "file":
        (tmp_path / "dkim.pem").write_text(key)
        key = str(tmp_path / "dkim.pem")
    elif where == "escaped":
        key = key.replace("\n", "\\n")
    settings = given(key, email_smtp_url=emulator.url)
    text = "नमस्ते Asha,\n\nyour order is on its way.\n.\nFrom us, " + "a long line " * 40
    await Email(settings).send(
        outbound("email", OURS, "asha@customer.test", text, subject="आपका ऑर्डर", thread=("<m1@c.test>",))
    )
    signer = read_signer(settings, OURS)
    assert signer is not None and signer.record_name == "s1._domainkey.samvad.test"
    published = {signer.record_name: signer.record}
    (raw,) = emulator.raw
    assert verified(raw, published)
    assert raw.startswith(b"DKIM-Signature:") and b"d=samvad.test" in raw
    changed = raw.replace(b"on its way", b"on its Way")
    assert changed != raw and not verified(changed, published)
    for name in (b"Subject", b"To", b"References", b"Message-ID", b"Date"):
        assert not verified(re.sub(rb"(?m)^" + name + b": ", name + b": x", raw, count=1), published), name
    # A header that was not there, or a second From, cannot be added on the way.
    head, _, rest = raw.partition(b"From: ")
    for added in (b"From: boss@bank.test\r\n", b"List-Unsubscribe: <https://evil.test>\r\n"):
        assert not verified(head + added + b"From: " + rest, published), added
    other = given(pem(rsa.generate_private_key(65537, 2048)))
    wrong = read_signer(other, OURS)
    assert wrong is not None and not verified(raw, {wrong.record_name: wrong.record})


async def test_without_a_key_nothing_is_signed(emulator, outbound) -> None:
    settings = load_settings(email_address=OURS, email_smtp_url=emulator.url)
    await Email(settings).send(outbound("email", OURS, "asha@customer.test"))
    assert b"DKIM-Signature" not in emulator.raw[0]


def test_another_domain_signs_when_it_is_given() -> None:
    signer = read_signer(given(pem(KEYS["ed25519"]), email_dkim_domain="Mail.Samvad.test"), OURS)
    assert signer is not None and signer.record_name == "s1._domainkey.mail.samvad.test"


@pytest.mark.parametrize(
    ("key", "more", "says"),
    [
        ("", {}, "EMAIL_DKIM_KEY too"),
        ("/no/such/file.pem", {}, "No such file"),
        ("-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----", {}, "openssl genrsa 2048"),
        (pem(KEYS["rsa"], b"secret"), {}, "without a password"),
        (pem(ec.generate_private_key(ec.SECP256R1())), {}, "Ed25519"),
        (pem(KEYS["rsa"]), {"email_dkim_selector": ""}, "EMAIL_DKIM_SELECTOR"),
        (pem(KEYS["rsa"]), {"email_dkim_selector": "a b"}, "EMAIL_DKIM_SELECTOR"),
        (pem(KEYS["rsa"]), {"email_dkim_domain": "a;d=b"}, "EMAIL_DKIM_DOMAIN"),
    ],
)
def test_a_wrong_key_says_what_to_do_at_the_start(key, more, says) -> None:
    with pytest.raises(ConfigurationInvalid, match=says) as raised:
        Email(given(key, **more))
    assert "PRIVATE KEY" not in str(raised.value)


class _Dns(asyncio.DatagramProtocol):
    """A name server on the loopback that knows a few TXT records."""

    def __init__(self, records: dict[str, str]) -> None:
        self.records = records

    def connection_made(self, transport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address) -> None:
        question = dns.message.from_wire(data)
        answer = dns.message.make_response(question)
        name = question.question[0].name.to_text().rstrip(".")
        if name in self.records:
            text = self.records[name]
            pieces = " ".join(f'"{text[at : at + 200]}"' for at in range(0, len(text), 200))
            answer.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", "TXT", pieces))
        else:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self.transport.sendto(answer.to_wire(), address)


@asynccontextmanager
async def name_server(records: dict[str, str]) -> AsyncIterator[Resolver]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Dns(records), ("127.0.0.1", 0))
    try:
        resolver = Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], transport.get_extra_info("sockname")[1]
        yield resolver
    finally:
        transport.close()


async def test_the_doctor_looks_for_the_records() -> None:
    settings = given(pem(KEYS["rsa"]), email_address="help@in.samvad.test")
    signer = read_signer(settings, "help@in.samvad.test")
    assert signer is not None
    records = {"in.samvad.test": "v=spf1 -all", "_dmarc.samvad.test": "v=DMARC1; p=reject"}
    async with name_server(records) as resolver:
        found = await asyncio.to_thread(mail_records, settings, resolver)
        assert [(one.what, one.there) for one in found] == [("SPF", True), ("DKIM", False), ("DMARC", True)]
        assert signer.record in found[1].says and signer.record_name in found[1].says
        records[signer.record_name] = signer.record
        found = await asyncio.to_thread(mail_records, settings, resolver)
        assert [one.there for one in found] == [True, True, True]
        records[signer.record_name] = "v=DKIM1; k=rsa; p=AAAA"
        found = await asyncio.to_thread(mail_records, settings, resolver)
        assert found[1].there is False and "another key" in found[1].says
        records.clear()
        found = await asyncio.to_thread(mail_records, settings, resolver)
        assert [one.there for one in found] == [False, False, False]
        assert "v=DMARC1; p=none" in found[2].says and "v=spf1" in found[0].says


def test_the_doctor_needs_no_network() -> None:
    nobody = Resolver(configure=False)
    nobody.nameservers, nobody.port, nobody.timeout, nobody.lifetime = ["127.0.0.1"], 9, 0.2, 0.2
    found = mail_records(given(pem(KEYS["rsa"])), nobody)
    assert [one.there for one in found] == [None, None, None]
    assert "s1._domainkey.samvad.test" in found[1].says
    assert mail_records(load_settings(), nobody) == []
