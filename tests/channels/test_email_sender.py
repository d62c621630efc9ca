"""A trusted DMARC pass proves who wrote a mail; everything that only looks like one does not."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.channels.email import Email, parse_mail
from bot.channels.email.imap import Mailbox
from bot.messages import WebhookRequest
from bot.settings import load_settings
from bot.testing import submit_mail
from tests.support.world import customer_of

OURS, ASHA, MX = "help@samvad.test", "asha@customer.test", "mx.provider.test"
PASS = f"Authentication-Results: {MX}; dmarc=pass header.from=customer.test\n"


def mail(*headers: str, author: str = ASHA) -> bytes:
    return f"{''.join(headers)}From: Asha <{author}>\nMessage-ID: <m1@customer.test>\n\nHello".encode()


def proven(raw: bytes, trusted: str = MX) -> bool:
    (message,) = parse_mail(raw, OURS, trusted=trusted).messages
    (identity,) = message.identities
    return identity.verified


@pytest.mark.parametrize(
    "header",
    [
        PASS,
        PASS.replace("mx.provider", "MX.Provider"),
        f'Authentication-Results: {MX} 1;\n\tdkim=pass header.i=@x.test header.b="a/b=";\n\tspf=pass (of a@b)'
        " smtp.mailfrom=bounce@x.test;\n\tdmarc=pass (p=REJECT sp=NONE dis=NONE) header.from=Customer.test\n",
        f"Authentication-Results: {MX}; spf=pass smtp.mailfrom=a@b.test; dkim=pass header.d=b.test;"
        "dmarc=pass action=none header.from=customer.test;compauth=pass reason=100\n",
    ],
)
def test_the_trusted_servers_pass_proves(header: str) -> None:
    assert proven(mail(header))
    assert proven(mail(f"Authentication-Results: other.test; dmarc=fail header.from=customer.test\n{header}"))
    assert not proven(mail(header), trusted="")
    assert not proven(mail(header), trusted="provider.test")


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ("Authentication-Results: evil.test; dmarc=pass header.from=customer.test\n",),
        (f"Authentication-Results: {MX}.evil.test; dmarc=pass header.from=customer.test\n",),
        (f"Authentication-Results: evil.test ({MX}); dmarc=pass header.from=customer.test\n",),
        (f"Authentication-Results: ({MX}; dmarc=pass) evil.test; dmarc=pass header.from=customer.test\n",),
        (f"Authentication-Results: {MX}; dmarc=fail header.from=customer.test\n", PASS),
        (f"Authentication-Results: {MX}; none\n", PASS),
        (f"Authentication-Results: {MX} what is this\n", PASS),
        (f"Authentication-Results: {MX}; dmarc=pass header.from=evil.test\n",),
        (f"Authentication-Results: {MX}; dmarc=pass\n",),
        (f"Authentication-Results: {MX}; dmarc=fail (dmarc=pass header.from=customer.test)\n",),
        (f"Authentication-Results: {MX}; spf=pass (;dmarc=pass header.from=customer.test) smtp.helo=a\n",),
        (f'Authentication-Results: {MX}; spf=pass smtp.mailfrom="; dmarc=pass header.from=customer.test"\n',),
        (
            f"Authentication-Results: {MX}; dmarc=pass header.from=customer.test;"
            " dmarc=fail header.from=customer.test\n",
        ),
        (f"Authentication-Results: {MX}; dmarc=passed header.from=customer.test\n",),
        (f"Authentication-Results: {MX}; x-dmarc=pass header.from=customer.test\n",),
        (f"X-Authentication-Results: {MX}; dmarc=pass header.from=customer.test\n",),
        (PASS, "From: Boss <boss@bank.test>\n"),
        (f"Authentication-Results: {MX}; {'(' * 5000}; dmarc=pass header.from=customer.test\n",),
    ],
)
def test_what_only_looks_like_it_proves_nothing(headers: tuple[str, ...]) -> None:
    assert not proven(mail(*headers))


def test_the_author_is_one_address() -> None:
    two = mail(PASS).replace(b"<asha@customer.test>", b"<asha@customer.test>, ravi@customer.test")
    assert not proven(two)
    body = mail() + f"\n{PASS}\n".encode()
    assert not proven(body)


@given(st.text(max_size=300))
def test_any_header_is_read(text: str) -> None:
    line = " ".join(text.split())
    assert not proven(mail(f"Authentication-Results: {MX}; dmarc=fail header.from=customer.test {line}\n"))


@pytest.mark.parametrize("trusted", [MX, ""])
async def test_every_way_in_asks_the_same_server(trusted: str) -> None:
    settings = load_settings(
        email_address=OURS,
        email_smtp_url="smtp://127.0.0.1:1",
        email_imap_url="imap://u:p@127.0.0.1:1",
        email_webhook_token="t",
        email_trusted_authserv=trusted,
    )
    channel = Email(settings)
    assert isinstance(channel.mailbox, Mailbox)
    head = {"content-type": "multipart/form-data; boundary=b"}
    form = b'--b\r\nContent-Disposition: form-data; name="email"\r\n\r\n' + mail(PASS) + b"\r\n--b--\r\n"
    parsed = channel.parse(WebhookRequest("POST", "http://x/channels/email?token=t", head, form))
    assert parsed.messages[0].identities[0].verified is bool(trusted)


async def test_a_sender_is_proved_by_a_later_letter(tmp_path: Path) -> None:
    """The first letter is a claim; the second one the server vouches for; a third one changes nothing."""
    given = {"email_trusted_authserv": MX}
    async with customer_of("email", tmp_path / "data", **given) as (world, _, _):
        ours = world.app.settings.email_address
        shown = []
        for number, header in enumerate(("", PASS, "")):
            raw = mail(header).replace(b"<m1@", f"<m{number}@".encode())
            target = {"sender": ASHA, "recipients": [ours]}
            assert await submit_mail(world.app.settings.email_listen, raw, **target) == 250
            await world.api.until("messages", lambda rows, count=number: len(rows) > count)
            await world.settled()
            (identity,) = await world.api.rows("identities", where='kind = "email"')
            shown.append(identity["verified"])
        assert shown == [False, True, True]
