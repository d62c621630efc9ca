"""HTML mails, files inside mails, and mails that machines write."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.channels.email import parse_mail, text_from_html
from bot.channels.email.automatic import is_automatic
from bot.channels.email.html import reply_from_html
from bot.messages import MediaKind

OURS = "help@samvad.test"


@pytest.mark.parametrize(
    ("html", "reply"),
    [
        (
            'Yes.<div class="gmail_quote"><div>On 1 May, Help wrote:<br></div><blockquote>Is it?</blockquote></div>',  # noqa: E501
            "Yes.",
        ),
        (
            '<p>Yes.</p><div class="moz-cite-prefix">On 1 May, Help wrote:</div><blockquote type="cite">No</blockquote>',  # noqa: E501
            "Yes.",
        ),
        (
            '<p>Yes.</p><div id="appendonsend"></div><hr><div id="divRplyFwdMsg"><b>From:</b> Help</div>Is it?',  # noqa: E501
            "Yes.",
        ),
        (
            '<p>Yes.</p><div style="border:none;border-top:solid #E1E1E1 1.0pt"><b>Von:</b> Help</div><p>Ist es?</p>',  # noqa: E501
            "Yes.",
        ),
        ('<p>Total</p><div style="border-top:1px solid">is 5</div>', "Total\nis 5"),
        ("<p>Yes.</p><hr>Best wishes", "Yes.\n\nBest wishes"),
        ("Yes.<p>3 May 2025, Help &lt;h@x.test&gt;:</p><blockquote>Is it?</blockquote>", "Yes."),
        ('I say:<blockquote type="cite">You said</blockquote>and this', "I say:\n\nand this"),
        (
            "A<blockquote>my own words</blockquote>B<br>On 1 May, H wrote:<blockquote>x</blockquote>",
            "A\n\nmy own words\n\nB",
        ),
        ('Mine<blockquote class="gmail_quote">is indented</blockquote>', "Mine\n\nis indented"),
        (
            'See below<div class="gmail_quote"><div class="gmail_attr">---------- Forwarded message ---------<br>'  # noqa: E501
            "From: A</div>Text</div>",
            "See below\n\n---------- Forwarded message ---------\nFrom: A\n\nText",
        ),
        ('<div class="gmail_quote">all of it</div>', "all of it"),
        ("<style>p{}</style>a<!-- b -->c <img src='cid:1' alt='>'>d", "ac d"),
        ("1 < 2 & 3 &gt; 2", "1 < 2 & 3 > 2"),
        ('<a href="x>broken quote</a> text', "broken quote text"),
    ],
)
def test_reply_from_html(html, reply):
    assert re.sub(r"\n+", "\n", reply_from_html(html)) == re.sub(r"\n+", "\n", reply)


@given(st.text(alphabet="<>/=\"'!-abdivp blockquote\n:1", max_size=400))
def test_any_markup(html):
    assert bool(reply_from_html(html)) == bool(text_from_html(html))


@pytest.mark.parametrize(
    "piece", ["<a ", "<!--", '<a "', "<div class=gmail_quote>", "<hr>", "<", "&", "</p>", "<p>a@b:"]
)
def test_quick_on_hostile_markup(piece):
    # Quadratic work would take minutes here: the CPU's own time, so that a busy machine does not matter.
    started = time.process_time()
    reply_from_html(piece * (200_000 // len(piece)))
    assert time.process_time() - started < 20


def mixed(*parts: str) -> bytes:
    body = "".join(f"--b\n{part}\n" for part in parts)
    return f"From: a@b.test\nContent-Type: multipart/mixed; boundary=b\n\n{body}--b--\n".encode()


def read(raw: bytes, **envelope: object):
    return parse_mail(raw, OURS, **envelope).messages[0]


def test_inline_images_are_kept():
    message = read(
        mixed(
            'Content-Type: text/html\n\n<p>See <img src="cid:box"></p>',
            "Content-Type: image/png\nContent-ID: <box>\nContent-Disposition: inline\n"
            "Content-Transfer-Encoding: base64\n\niVBORw0KGgo=\n",
        )
    )
    assert message.text == "See"
    assert [(one.kind, one.mime, one.content[:4]) for one in message.media] == [
        (MediaKind.IMAGE, "image/png", b"\x89PNG")
    ]


@pytest.mark.parametrize("content", ["eJ8+IgAAAA==", "", "AAAA", "!!!"])
def test_winmail_is_a_file(content):
    message = read(
        mixed(
            "Content-Type: text/plain\n\nHello",
            'Content-Type: application/ms-tnef; name="winmail.dat"\nContent-Transfer-Encoding: base64\n\n'
            + content,
        )
    )
    assert message.text == "Hello"
    assert [one.filename for one in message.media] in (["winmail.dat"], [])


def test_a_mail_in_a_mail_is_a_file():
    message = read(
        mixed("Content-Type: text/plain\n\nMine", "Content-Type: message/rfc822\n\nSubject: x\n\nTheirs")
    )
    assert message.text == "Mine"
    (media,) = message.media
    assert (media.kind, media.mime) == (MediaKind.DOCUMENT, "message/rfc822")
    assert b"Theirs" in media.content


def test_every_odd_mail_is_read(shared_data):
    files = sorted(shared_data("email/mime_cpython").iterdir())
    assert files
    for file in files:
        parsed = parse_mail(file.read_bytes(), OURS)
        assert len(parsed.messages) + len(parsed.statuses) + len(parsed.unhandled) == 1, file.name
        for message in parsed.messages:
            assert message.address and all(one.size for one in message.media), file.name


def automatic(header: str, sender: str | None = None, author: str = "asha@customer.test") -> bool:
    from email import message_from_string

    return is_automatic(message_from_string(f"{header}\n\nHello"), sender, author, OURS)


@pytest.mark.parametrize(
    "header",
    [
        "Auto-Submitted: auto-replied (vacation)",
        "Auto-Submitted: auto-generated; owner-email=x",
        "X-Auto-Response-Suppress: All",
        "X-Autoreply: yes",
        "X-Autorespond: on leave",
        "X-FC-MachineGenerated: true",
        "Precedence: auto_reply",
        "Precedence: Bulk",
        "List-Id: <news.shop.test>",
        "List-Unsubscribe: <https://x.test>\nList-Unsubscribe-Post: List-Unsubscribe=One-Click",
        "X-Loop: help@samvad.test",
        "X-Loop: <other@Samvad.test>",
        "X-Failed-Recipients: a@b.test",
        "Return-Path: <>",
        "\n".join(f"Received: from a by b; {hop}" for hop in range(51)),
    ],
)
def test_written_by_a_machine(header):
    assert automatic(header)


@pytest.mark.parametrize(
    "header",
    [
        "Auto-Submitted: no",
        "X-Auto-Response-Suppress: None",
        "X-Autoreply: no",
        "X-FC-MachineGenerated: false",
        "Precedence: normal",
        "List-Unsubscribe: <https://crm.test/u/1>",
        "X-Loop: else@customer.test",
        "Message-ID: <colleague@samvad.test>",
        "\n".join(f"Received: from a by b; {hop}" for hop in range(20)),
    ],
)
def test_written_by_a_person(header):
    assert not automatic(header)
    assert automatic(header, sender="")
    assert automatic(header, author="help+token@samvad.test")
