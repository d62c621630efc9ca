"""The mail adapter: parsing, the listener, the mailbox, sending."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from email import message_from_bytes, policy

import aiosmtplib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.channels.email import Email, parse_mail, reply_text, text_from_html
from bot.channels.email.compose import compose
from bot.channels.email.errors import to_channel_error
from bot.channels.email.recipients import is_ours
from bot.errors import ChannelRejected, ChannelRetryable, ConfigurationInvalid, NotFound
from bot.messages import Identity, Media, MediaKind, WebhookRequest
from bot.settings import load_settings
from bot.testing import MailEmulator, submit_mail

OURS = "help@samvad.test"


def make(**given: object) -> Email:
    values = {"email_address": OURS, "email_smtp_url": "smtp://127.0.0.1:1"}
    return Email(load_settings(**(values | given)))


def read(raw: bytes, **envelope):
    return parse_mail(raw, OURS, **envelope).messages[0]


def test_plain(payload):
    message = read(payload("email", "plain"))
    assert (message.channel, message.account, message.address) == ("email", OURS, "asha@customer.test")
    assert message.text == "Please send me the invoice."
    assert message.event_key == message.external_id == "<m1@customer.test>"
    assert message.subject == "Invoice for October"
    assert message.sender_name == "आशा"
    assert message.at.isoformat() == "2025-10-09T09:00:00+00:00"
    assert message.identities == (Identity("email", "asha@customer.test", verified=False),)
    assert not message.automatic


def test_reply(payload):
    message = read(payload("email", "reply"))
    assert message.text == "Thank you, that is the one."
    assert message.thread == (
        "<m1@customer.test>",
        "<ours2@samvad.test>",
        "token:tok-42abc",
        "token:old-token1",
    )
    assert message.reply_to == "<ours2@samvad.test>"


def test_token_from_the_envelope(payload):
    assert read(payload("email", "plain"), recipients=["help+abcd@samvad.test"]).thread == ("token:abcd",)


def test_html_and_attachment(payload):
    message = read(payload("email", "html_attachment"))
    assert message.text == "The box was broken.\n\nSee the photo & help."
    (media,) = message.media
    assert (media.kind, media.mime, media.filename) == (MediaKind.IMAGE, "image/png", "box.png")
    assert media.content == b"\x89PNG\r\n\x1a\n"


def test_hindi_quote_is_parted(payload):
    assert read(payload("email", "hindi_quote")).text == "धन्यवाद, मिल गया।"


def test_automatic(payload):
    assert read(payload("email", "out_of_office")).automatic
    plain = payload("email", "plain").replace(b"Return-Path: <asha@customer.test>\n", b"")
    assert not read(plain).automatic
    assert read(plain, sender="").automatic
    for header in (
        b"Precedence: bulk\n",
        b"X-Autoreply: yes\n",
        b"Return-Path: <>\n",
        b"Auto-Submitted: auto-generated; x=1\n",
    ):
        assert read(header + plain).automatic
    assert not read(b"Auto-Submitted: no\n" + plain).automatic
    assert read(plain.replace(b"Asha@Customer.test", b"help@samvad.test")).automatic


def test_without_message_id_the_bytes_are_the_key():
    first = read(b"From: a@b.test\n\nhello")
    assert first.event_key.startswith("sha256:")
    assert first.event_key == read(b"From: a@b.test\n\nhello").event_key
    assert first.event_key != read(b"From: a@b.test\n\nhello!").event_key


def test_without_sender_nothing_can_be_answered():
    assert parse_mail(b"Subject: x\n\nhello", OURS).unhandled == ("mail:no-sender",)
    assert parse_mail(b"\n\nhello", OURS, sender="a@b.test").messages[0].address == "a@b.test"


@pytest.mark.parametrize(
    ("recipient", "ours"),
    [
        ("help@samvad.test", True),
        ("HELP@Samvad.TEST", True),
        ("help+token@samvad.test", True),
        ("help+@samvad.test", False),
        ("other@samvad.test", False),
        ("help@else.test", False),
        ("help", False),
        ("", False),
    ],
)
def test_our_addresses(recipient, ours):
    assert is_ours(recipient, OURS) is ours


@given(st.binary(max_size=2000))
def test_any_bytes_are_a_mail(raw):
    parsed = parse_mail(raw, OURS, sender="a@b.test")
    assert parsed.messages


@given(
    st.dictionaries(
        st.sampled_from(
            ["From", "To", "Subject", "Date", "Message-ID", "References", "Content-Type", "Return-Path"]
        ),
        st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=40),
    ),
    st.text(max_size=200),
)
def test_any_headers_are_a_mail(headers, body):
    head = "".join(f"{name}: {value}\n" for name, value in headers.items())
    raw = f"{head}\n{body}".encode("utf-8", "replace")
    for message in parse_mail(raw, OURS, sender="a@b.test").messages:
        assert "\x00" not in message.text + message.subject + message.sender_name
        message.text.encode()


@given(st.text(max_size=400))
def test_html_reader_takes_anything(html):
    text_from_html(html)


@given(st.text(alphabet="ab \n>-@<>:On wrote", max_size=300))
def test_something_always_stays(text):
    assert bool(reply_text(text)) == bool(text.strip())


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("Yes.\n\nOn Monday I sent you a letter", "Yes.\n\nOn Monday I sent you a letter"),
        ("Yes.\n\nOn 3 May 2025, Help wrote:\n> Is it?\n\nRegards, Asha", "Yes.\n\n\nRegards, Asha"),
        ("On 3 May 2025, Help wrote:\n> Is it?\n\nYes.", "Yes."),
        ("Look at this\n\n---------- Forwarded message ---------\nFrom: a@b.test\nDate: x\n\nText", None),
        ("ठीक है\n\n-----मूल संदेश-----\nकुछ", "ठीक है"),
        ("Thanks\n\nSent from my iPhone", "Thanks"),
        ("Thanks\n-- \nAsha Rao\nRao Traders", "Thanks"),
        ("> only a quote", "> only a quote"),
        ("", ""),
        ("جی شکریہ\n\nجمعرات، 9 اکتوبر 2025 کو 3:00 PM پر Asha <help@x.in> نے لکھا:\n> پرانا", "جی شکریہ"),
        ("ٹھیک ہے\n\nمیرے آئی فون سے بھیجا گیا", "ٹھیک ہے"),
    ],
)
def test_reply_text(text, reply):
    assert reply_text(text) == (text if reply is None else reply)


def test_reply_text_is_quick_on_hostile_text():
    for piece in (
        "On ",
        "> ",
        "a@b ",
        "\n",
        "On \n",
        "x\n",
        "From: x\n",
        "2014-10-17 a@b\n",
        "-- ",
        "wrote ",
    ):
        started = time.perf_counter()
        reply_text(piece * 50_000)
        assert time.perf_counter() - started < 2, piece


def test_real_mails(shared_data):
    for file in sorted(shared_data("email/mime_cpython").glob("*.txt")):
        parse_mail(file.read_bytes(), OURS, sender="a@b.test")
    for line in (shared_data("email") / "bounces_flufl.jsonl").read_text().splitlines():
        parse_mail(json.loads(line)["raw"].encode("utf-8", "replace"), OURS, sender="")


def test_no_webhook():
    request = WebhookRequest("POST", "http://samvad.test/channels/email", {}, b"")
    for call in (make().parse, make().verify):
        with pytest.raises(NotFound):
            call(request)


@pytest.mark.parametrize(
    "wrong",
    [
        {"email_address": "help"},
        {"email_smtp_url": "http://x"},
        {"email_smtp_url": "smtp://host:port"},
        {"email_imap_url": "pop3://x"},
        {"email_listen": "localhost"},
        {"email_listen": "localhost:99999"},
    ],
)
def test_wrong_settings_name_themselves(wrong):
    (name,) = wrong
    with pytest.raises(ConfigurationInvalid, match=f"SAMVAD_{name.upper()}"):
        make(**wrong)


def test_compose(outbound):
    message = outbound(
        "email",
        OURS,
        "asha@customer.test",
        "Hello Asha,\nsee https://samvad.test/a?b=1.\n\n<b>Bye</b> नमस्ते",
        subject="Invoice\r\nBcc: everyone@else.test",
        thread=("<m1@customer.test>", "token:abc", "<m2@customer.test>", "<bad id>\n"),
        reference="tok42",
    )
    mail = message_from_bytes(compose(message, OURS), policy=policy.default)
    assert mail["Bcc"] is None
    assert mail["Subject"] == "Re: Invoice Bcc: everyone@else.test"
    assert mail["From"] == OURS
    assert mail["Reply-To"] == "help+tok42@samvad.test"
    assert mail["Message-ID"] == "<outbox-1@samvad.test>"
    assert mail["In-Reply-To"] == "<m2@customer.test>"
    assert mail["References"] == "<m1@customer.test> <m2@customer.test>"
    assert mail["Auto-Submitted"] == "auto-replied"
    assert mail.get_body(("plain",)).get_content().splitlines() == message.text.split("\n")
    html = mail.get_body(("html",)).get_content()
    assert '<a href="https://samvad.test/a?b=1">https://samvad.test/a?b=1</a>.' in html
    assert "&lt;b&gt;Bye&lt;/b&gt; नमस्ते" in html


def test_long_ids_stay_whole(outbound):
    """Outlook's are longer than a line; broken into encoded words, they would find no thread."""
    ids = [f"<PN3PR01MB{number}{'0' * 70}@PN3PR01MB6758.INDPRD01.PROD.OUTLOOK.COM>" for number in (1, 2)]
    raw = compose(outbound("email", OURS, "a@b.test", thread=(*ids, "<नमस्ते@b.test>")), OURS)
    assert raw.startswith(f"In-Reply-To: {ids[1]}\r\nReferences: {ids[0]}\r\n {ids[1]}\r\n".encode())
    mail = message_from_bytes(raw, policy=policy.default)
    assert mail["References"].split() == ids and mail["From"] == OURS


def test_compose_for_a_person(outbound):
    raw = compose(outbound("email", OURS, "a@b.test", automatic=False, subject="RE: x"), OURS)
    mail = message_from_bytes(raw, policy=policy.default)
    assert mail["Auto-Submitted"] is None
    assert mail["Subject"] == "RE: x"


@pytest.mark.parametrize("address", ["a@b.test\nBcc: x@y.test", "a@b.test\r\n\r\nbody"])
def test_header_injection_is_refused(outbound, address):
    with pytest.raises(ChannelRejected):
        compose(outbound("email", OURS, address), OURS)


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=200))
def test_nothing_injects_a_header(subject, reference, text):
    from bot.messages import OutboundMessage

    message = OutboundMessage("o", "email", OURS, "a@b.test", text, subject=subject, reference=reference)
    try:
        raw = compose(message, OURS)
    except ChannelRejected:
        return
    mail = message_from_bytes(raw, policy=policy.default)
    assert mail.get_content_type() == "multipart/alternative"
    assert mail["Bcc"] is None


@pytest.fixture
async def emulator() -> AsyncIterator[MailEmulator]:
    async with MailEmulator() as running:
        yield running


async def test_send(emulator, outbound):
    channel = make(email_smtp_url=emulator.url)
    media = Media(MediaKind.DOCUMENT, "media:1", "application/pdf", "quote.pdf", content=b"%PDF")
    message = outbound("email", OURS, "asha@customer.test", "Your quote", media=(media,))
    receipt = await channel.send(message)
    assert receipt.external_id == "<outbox-1@samvad.test>" == emulator.mails[0]["Message-ID"]
    assert await emulator.replies("asha@customer.test") == ["Your quote"]
    (attachment,) = emulator.mails[0].iter_attachments()
    assert (attachment.get_filename(), attachment.get_content()) == ("quote.pdf", b"%PDF")


async def test_send_faults(emulator, outbound):
    channel = make(email_smtp_url=emulator.url)
    message = outbound("email", OURS, "asha@customer.test")
    emulator.answers = ["451 busy", "554 spam"]
    with pytest.raises(ChannelRetryable) as busy:
        await channel.send(message)
    assert not busy.value.maybe_sent
    with pytest.raises(ChannelRejected):
        await channel.send(message)
    emulator.refused["asha@customer.test"] = "550 no such user"
    with pytest.raises(ChannelRejected, match="does not exist"):
        await channel.send(message)
    emulator.refused["asha@customer.test"] = "450 greylisted"
    with pytest.raises(ChannelRetryable):
        await channel.send(message)
    with pytest.raises(ChannelRetryable) as nobody:
        await make().send(message)
    assert not nobody.value.maybe_sent


@contextlib.asynccontextmanager
async def listening(channel: Email, inbox) -> AsyncIterator[str]:
    (listener,) = channel.listeners()
    task = asyncio.create_task(listener.run(inbox))
    for _ in range(1000):
        if channel.listening_at is not None or task.done():
            break
        await asyncio.sleep(0.005)
    try:
        if task.done():
            await task
        host, port = channel.listening_at
        yield f"{host}:{port}"
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_listener(emulator, inbox, payload):
    channel = make(email_listen="127.0.0.1:0", email_smtp_url=emulator.url)
    async with listening(channel, inbox) as target:
        raw = payload("email", "plain")
        given_to = {"sender": "asha@customer.test", "recipients": [OURS]}
        assert await submit_mail(target, raw, **given_to) == 250
        inbox.fails = 1
        assert await submit_mail(target, raw, **given_to) == 451
        stranger = {"sender": "asha@customer.test", "recipients": ["other@samvad.test"]}
        assert await submit_mail(target, raw, **stranger) == 550
        bounce = {"sender": "", "recipients": ["help+tok9@samvad.test"]}
        assert await submit_mail(target, raw, **bounce) == 250
        huge = raw + b"x" * 70 * 400_000
        assert await submit_mail(target, huge, **given_to) == 552
    assert inbox.texts == ["Please send me the invoice."] * 2
    second = inbox.parsed[1].messages[0]
    assert second.automatic
    assert second.thread == ("token:tok9",)
    assert channel.listening_at is None


async def test_a_taken_port_names_the_setting(inbox, emulator):
    port = emulator.url.rpartition(":")[2]
    channel = make(email_listen=f"127.0.0.1:{port}")
    with pytest.raises(ConfigurationInvalid, match="SAMVAD_EMAIL_LISTEN"):
        async with listening(channel, inbox):
            pass


async def test_conversation_by_mail(emulator, inbox, outbound):
    """A customer's answer to our mail finds its conversation by headers and by token."""
    channel = make(email_listen="127.0.0.1:0", email_smtp_url=emulator.url)
    async with listening(channel, inbox) as target:
        emulator.target = target
        assert await emulator.say("Where is my order?", sender="asha@customer.test") == 250
        first = inbox.parsed[0].messages[0]
        await channel.send(
            outbound(
                "email",
                OURS,
                first.address,
                "On its way.",
                subject=first.subject,
                thread=(*first.thread, first.external_id),
                reference="tok42",
            )
        )
        assert await emulator.wait_reply("asha@customer.test") == ["On its way."]
        assert await emulator.say("Thanks!", sender="asha@customer.test") == 250
    second = inbox.parsed[1].messages[0]
    assert second.thread == (first.external_id, "<outbox-1@samvad.test>", "token:tok42")
    assert second.text == "Thanks!"


@pytest.mark.parametrize(
    ("error", "handed_over", "expected", "maybe_sent"),
    [
        (aiosmtplib.SMTPConnectError("no route"), False, ChannelRetryable, False),
        (aiosmtplib.SMTPConnectTimeoutError("slow"), False, ChannelRetryable, False),
        (aiosmtplib.SMTPConnectResponseError(421, "busy"), False, ChannelRetryable, False),
        (aiosmtplib.SMTPConnectResponseError(554, "go away"), False, ChannelRejected, None),
        (aiosmtplib.SMTPReadTimeoutError("slow"), True, ChannelRetryable, True),
        (aiosmtplib.SMTPTimeoutError("slow"), True, ChannelRetryable, True),
        (aiosmtplib.SMTPServerDisconnected("gone"), True, ChannelRetryable, True),
        (aiosmtplib.SMTPServerDisconnected("gone"), False, ChannelRetryable, False),
        (aiosmtplib.SMTPException("odd"), False, ChannelRetryable, False),
        (aiosmtplib.SMTPHeloError(500, "no"), False, ChannelRejected, None),
        (aiosmtplib.SMTPSenderRefused(451, "later", OURS), True, ChannelRetryable, False),
        (aiosmtplib.SMTPSenderRefused(550, "no", OURS), True, ChannelRejected, None),
        (aiosmtplib.SMTPDataError(452, "full"), True, ChannelRetryable, False),
        (aiosmtplib.SMTPDataError(552, "too large"), True, ChannelRejected, None),
        (aiosmtplib.SMTPAuthenticationError(535, "bad"), False, ChannelRejected, None),
        (aiosmtplib.SMTPAuthenticationError(454, "later"), False, ChannelRetryable, False),
        (aiosmtplib.SMTPNotSupported("SMTPUTF8"), True, ChannelRejected, None),
        (aiosmtplib.SMTPResponseException(421, "bye"), True, ChannelRetryable, False),
        (aiosmtplib.SMTPRecipientRefused(550, "no", "a@b.test"), True, ChannelRejected, None),
        (
            aiosmtplib.SMTPRecipientsRefused([aiosmtplib.SMTPRecipientRefused(450, "grey", "a@b.test")]),
            True,
            ChannelRetryable,
            False,
        ),
        (ConnectionResetError("gone"), True, ChannelRetryable, True),
        (ValueError("a newline in the address"), True, ChannelRejected, None),
    ],
)
def test_every_error_is_mapped(error, handed_over, expected, maybe_sent):
    translated = to_channel_error(error, handed_over)
    assert type(translated) is expected
    assert translated.message
    if maybe_sent is not None:
        assert translated.maybe_sent is maybe_sent


def test_the_table_above_is_complete():
    named = {
        value
        for value in vars(aiosmtplib).values()
        if isinstance(value, type) and issubclass(value, aiosmtplib.SMTPException)
    }
    marks = next(m for m in test_every_error_is_mapped.pytestmark if m.name == "parametrize")
    assert named <= {type(row[0]) for row in marks.args[1]}


@pytest.mark.parametrize("charset", ["a\x00b", "x" * 300, "utf-7", "idna", "unicode_escape", "\udc80", "zip"])
def test_a_charset_that_the_standard_library_fails_on(charset):
    head = f'Content-Type: text/plain; charset="{charset}"'.encode("utf-8", "surrogateescape")
    raw = b"From: a@b.example\r\nSubject: x\r\n" + head + b"\r\n\r\nna\xefve \xe0\xa4\xa8\r\n"
    (message,) = parse_mail(raw, "help@shop.example").messages
    assert message.text.startswith("na")
