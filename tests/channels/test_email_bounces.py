"""Bounces: the standard report, the free text of mail servers, and what becomes of a mail of ours."""

import json
import time
from email import message_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.channels.email import parse_mail
from bot.channels.email.bounce import is_complaint, read_bounce
from bot.channels.email.bounce_reason import is_final_address_error
from bot.messages import Status
from bot.testing import submit_mail
from tests.support.world import customer_of

OURS = "help@samvad.test"
OUTBOX = "0198f0e2-7c1a-7000-8000-0123456789ab"


def report(
    fields: str = "",
    text: str = "It did not work.",
    returned: str = "",
    kind: str = "message/rfc822",
    head: str = "",
) -> bytes:
    """A report in the standard form."""
    parts = ["Content-Type: text/plain\n\n" + text]
    if fields:
        parts.append("Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.test\n\n" + fields)
    if returned:
        parts.append(f"Content-Type: {kind}\n\n{returned}")
    body = "".join(f"--b\n{part}\n" for part in parts) + "--b--\n"
    return (
        f"From: Mail Delivery System <MAILER-DAEMON@mx.test>\nTo: {OURS}\n"
        f"Subject: Undelivered Mail Returned to Sender\nMessage-ID: <bounce1@mx.test>\n{head}"
        f'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n{body}'
    ).encode()


def block(address: str = "asha@customer.test", action: str = "failed", status: str = "5.1.1", said: str = ""):
    told = f"Diagnostic-Code: smtp; {said}\n" if said else ""
    return f"Final-Recipient: rfc822; {address}\nAction: {action}\nStatus: {status}\n{told}\n"


def ours(message_id: str = f"<{OUTBOX}@samvad.test>") -> str:
    return f"From: {OURS}\nTo: asha@customer.test\nMessage-ID: {message_id}\nSubject: Re: x\n\nHello\n"


def plain(text: str, sender: str = "MAILER-DAEMON@mx.test", subject: str = "failure notice") -> bytes:
    return f"From: {sender}\nTo: {OURS}\nSubject: {subject}\n\n{text}\n".encode()


def bounce(raw: bytes):
    return read_bounce(message_from_bytes(raw))


def test_the_standard_report():
    found = bounce(report(block(said="550 5.1.1 <asha@customer.test>... User\n  unknown"), returned=ours()))
    (failure,) = found.failures
    assert (failure.address, failure.status, failure.hard) == ("asha@customer.test", "5.1.1", True)
    assert failure.diagnosis == "550 5.1.1 <asha@customer.test>... User unknown"
    assert found.message_id == f"<{OUTBOX}@samvad.test>"
    assert not found.delayed


def test_the_address_as_we_wrote_it():
    fields = "Original-Recipient: rfc822; asha@customer.test\n" + block("inner@store.test")
    assert [one.address for one in bounce(report(fields)).failures] == ["asha@customer.test"]


def test_several_receivers_and_those_that_went_well():
    fields = (
        block("a@x.test", said="552 5.2.2 mailbox full", status="5.2.2")
        + block("b@x.test", "relayed", "2.0.0")
        + block("c@x.test", "delayed", "4.4.1")
    )
    found = bounce(report(fields))
    assert [(one.address, one.hard, one.delayed) for one in found.failures] == [
        ("a@x.test", False, False),
        ("c@x.test", False, True),
    ]
    assert not found.delayed
    assert bounce(report(block("c@x.test", "delayed", "4.4.1"))).delayed


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        (
            "Hi. This is the program at x.\n\n<a@x.test>:\nNo such user.\n\n--- Below this line is a copy",
            ["a@x.test"],
        ),
        (
            "The following address(es) failed:\n\n  a@x.test:\n    host mx [192.0.2.1]: 550 unknown\n",
            ["a@x.test"],
        ),
        (
            "could not be delivered to:\n\n  a@x.test\n    (generated from b@y.test)\n    550 no\n",
            ["b@y.test"],
        ),
        (
            "did not reach the following recipient(s):\n\na@x.test on Thu, 1 May\n   not recognized",
            ["a@x.test"],
        ),
        (
            "Delivery to the following recipients failed.\n\n   a@x.test\n   b@x.test\n",
            ["a@x.test", "b@x.test"],
        ),
        ("was not delivered to:\n  a@x.test\nbecause:\n  User a (a@x.test) not listed", ["a@x.test"]),
        ("Unable to deliver message to <a@x.test> (and other recipients).", ["a@x.test"]),
        ("Unknown user: a@x.test\n\nOriginal message follows.\n\nTo: b@x.test", ["a@x.test"]),
        (
            "----- Transcript of session follows -----\n>>> RCPT To:<a@x.test>\n<<< 550 no\n"
            "550 <a@x.test>... User unknown",
            ["a@x.test"],
        ),
        ("The message could not be delivered.\nRecipient: [SMTP:a@x.test]\nReason: 550 no", ["a@x.test"]),
        (
            "Your message cannot be delivered to the following address:\n\n  asha\n\nno space",
            ["asha@mx.test"],
        ),
    ],
)
def test_free_text(text, addresses):
    assert [one.address for one in bounce(plain(text)).failures] == addresses


def test_the_returned_mail_in_the_text_names_itself():
    text = f"<a@x.test>:\nNo such user.\n\n--- Below this line is a copy of the message.\n\n{ours()}"
    assert bounce(plain(text)).message_id == f"<{OUTBOX}@samvad.test>"


def test_headers_alone_are_enough():
    found = bounce(report(block(), returned=ours(), kind="text/rfc822-headers"))
    assert found.message_id == f"<{OUTBOX}@samvad.test>"


def test_a_wrapped_report_is_opened():
    inner = report(block("a@x.test")).decode()
    found = bounce(report(text="A disclaimer.", returned=inner))
    assert [one.address for one in found.failures] == ["a@x.test"]


def test_a_delay_in_words():
    text = (
        "A message has not yet been delivered to:\n  a@x.test\nDelivery attempts will continue for some time."
    )
    assert bounce(plain(text, subject="Warning: message delayed 24 hours")).delayed


@pytest.mark.parametrize(
    "raw",
    [
        plain("I am away until Monday.", subject="Out of office"),
        plain("Where is my parcel?", "asha@customer.test", "Order"),
        plain("My order could not be delivered, said the courier.", "asha@customer.test", "Delivery failed"),
        report(block(action="delivered", status="2.1.5")),
        b"From: x@fbl.test\nContent-Type: multipart/report; report-type=feedback-report; boundary=b\n\n"
        b"--b\nContent-Type: text/plain\n\na mail that could not be delivered to a@x.test\n"
        b"--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\n\n--b--\n",
        b"From: a@x.test\nContent-Type: multipart/report; report-type=disposition-notification; boundary=b\n\n"  # noqa: E501
        b"--b\nContent-Type: message/disposition-notification\n\nDisposition: manual-action; displayed\n\n--b--\n",  # noqa: E501
        b"",
    ],
)
def test_no_bounces(raw):
    assert bounce(raw) is None


def test_complaint():
    raw = b"Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/feedback-report\n\nx: y\n\n--b--"  # noqa: E501
    assert is_complaint(message_from_bytes(raw))
    assert not is_complaint(message_from_bytes(plain("x")))


@pytest.mark.parametrize(
    ("status", "said", "hard"),
    [
        ("5.1.1", "550 5.1.1 user unknown", True),
        ("5.1.1", "552 5.1.1 mailbox is over quota", False),
        ("5.7.1", "550 5.7.1 your IP address is blacklisted", False),
        ("5.4.4", "Host or domain name not found. Name service error for name=x.test: Host not found", True),
        ("", "Name service error for domain x.test: Host not found, try again", False),
        ("5.1.6", "recipient no longer on server", True),
        ("5.1.8", "553 5.1.8 Domain of sender address does not exist", False),
        ("5.1.0", "5.1.0 - Unknown address error 550-'5.7.1 rejected as spam'", False),
        ("", "User asha not listed in Domino Directory", True),
        ("", "550 user unknown (in reply to end of DATA command)", False),
        ("", "550 user unknown (in reply to RCPT TO command)", True),
        ("5.1.1", "", True),
        ("5.0.0", "", False),
    ],
)
def test_hard_or_soft(status, said, hard):
    assert is_final_address_error(status, said) is hard


def test_a_bounce_of_ours_is_a_status():
    parsed = parse_mail(report(block(said="550 5.1.1 user unknown"), returned=ours()), OURS, sender="")
    assert parsed.messages == ()
    (status,) = parsed.statuses
    assert (status.status, status.external_id) == (Status.FAILED, f"<{OUTBOX}@samvad.test>")
    assert (status.outbox_id, status.address) == (OUTBOX, "asha@customer.test")
    assert status.event_key == f"<{OUTBOX}@samvad.test>:failed"
    assert status.reason.endswith("550 5.1.1 user unknown.")


def test_a_delay_of_ours_fails_nothing():
    parsed = parse_mail(report(block(action="delayed", status="4.4.1"), returned=ours()), OURS, sender="")
    assert (parsed.messages, parsed.statuses, parsed.unhandled) == ((), (), ("mail:delayed",))


@pytest.mark.parametrize("message_id", ["<x@else.test>", "", "<@samvad.test>"])
def test_a_bounce_of_others_is_an_automatic_message(message_id):
    (message,) = parse_mail(report(block(), returned=ours(message_id)), OURS, sender="").messages
    assert message.automatic


def test_a_persons_mail_is_never_taken_for_a_bounce():
    raw = (
        f"From: asha@customer.test\nTo: {OURS}\nSubject: Delivery failure\nIn-Reply-To: <{OUTBOX}@samvad.test>\n\n"  # noqa: E501
        "Your message could not be delivered to my address, the postmaster says: a@x.test\n"
    ).encode()
    (message,) = parse_mail(raw, OURS, sender="asha@customer.test").messages
    assert not message.automatic


@given(st.binary(max_size=1500))
def test_any_bytes(raw):
    bounce(raw)
    bounce(b"From: MAILER-DAEMON@x.test\nSubject: failure notice\n" + raw)
    bounce(report(raw.decode("latin-1"), returned=raw.decode("latin-1")))


WORDS = [
    "a@b.test",
    "<a@b.test>:",
    "550 5.1.1",
    "user unknown",
    "\n",
    "  ",
    "Final-Recipient: rfc822;",
    "Action:",
]
WORDS += [
    "following recipients",
    "could not be delivered to",
    "--b",
    "Original message follows",
    "(expanded from:",
    "{",
]


@given(st.lists(st.sampled_from(WORDS), max_size=60))
def test_any_words(words):
    text = " ".join(words)
    for raw in (plain(text), report(text, text, text)):
        found = bounce(raw)
        assert found is None or found.failures


@pytest.mark.parametrize(
    "piece", ["a@b ", "a@b.c: ", "<a@b>:\n", "message ", "1.1.", "copy of the ", "deliver ", "\n "]
)
def test_quick_on_hostile_text(piece):
    started = time.perf_counter()
    parse_mail(plain(piece * (100_000 // len(piece))), OURS, sender="")
    assert time.perf_counter() - started < 2


def test_real_bounces_stay_read(shared_data):
    for name, right in (("bounces_flufl", 0.98), ("bounces_sisimai", 0.98)):
        from bot.evaluate.bounces import evaluate_bounces

        figures = evaluate_bounces(shared_data("email") / f"{name}.jsonl")
        assert figures["bounce_or_not"] >= right, json.dumps(figures["wrong"])
        assert figures["hard_or_soft"] >= 0.95
        assert (figures["recipient"] or 1) >= 0.95


async def test_a_bounce_fails_the_message(tmp_path):
    """Through the whole of Samvad: our answer comes back, and the conversation shows it."""
    async with customer_of("email", tmp_path / "data") as (world, customer, sender):
        assert await customer.say("How long is the warranty on refrigerators?", sender=sender) == 250
        await customer.wait_reply(sender)
        await world.settled()
        returned = customer.mails[-1].as_string()
        raw = report(block(sender, said="550 5.1.1 user unknown"), returned=returned).replace(
            OURS.encode(), customer.address.encode()
        )
        assert await submit_mail(customer.target, raw, sender="", recipients=[customer.address]) == 250
        rows = await world.api.until(
            "messages",
            lambda found: any(one["status"] == "failed" for one in found),
            where="direction = outbound",
        )
        (failed,) = [one for one in rows if one["status"] == "failed"]
        assert failed["external_id"] == str(customer.mails[-1]["Message-ID"])
        inbound = await world.api.rows("messages", where="direction = inbound")
        assert len(inbound) == 1
