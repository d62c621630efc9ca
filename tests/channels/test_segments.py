"""What an SMS is billed as, and the cheaper writing of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.channels.twilio.segments import BASIC, EXTENSION, Segments, count, is_gsm7, lean


def test_the_alphabet_is_whole():
    """GSM 03.38 has 128 places; one of them is the escape to the extension table."""
    assert (len(BASIC), len(EXTENSION)) == (127, 10)
    assert not BASIC & EXTENSION


@pytest.mark.parametrize(
    ("text", "encoding", "units", "parts"),
    [
        ("", "GSM-7", 0, 1),
        ("a" * 160, "GSM-7", 160, 1),
        ("a" * 161, "GSM-7", 161, 2),
        ("a" * 306, "GSM-7", 306, 2),
        ("a" * 307, "GSM-7", 307, 3),
        ("€" * 80, "GSM-7", 160, 1),
        ("a" + "€" * 80, "GSM-7", 161, 2),
        # 153 places hold 76 of them, and the odd one stays empty: 153 of them need three parts.
        ("€" * 152, "GSM-7", 304, 2),
        ("€" * 153, "GSM-7", 306, 3),
        ("क" * 70, "UCS-2", 70, 1),
        ("क" * 71, "UCS-2", 71, 2),
        ("क" * 134, "UCS-2", 134, 2),
        ("क" * 135, "UCS-2", 135, 3),
        ("₹" + "a" * 69, "UCS-2", 70, 1),
        ("😀" * 35, "UCS-2", 70, 1),
        ("😀" * 36, "UCS-2", 72, 2),
        ("😀" * 66, "UCS-2", 132, 2),
        # A pair is not cut: 67 places hold 33 of them.
        ("😀" * 67, "UCS-2", 134, 3),
    ],
)
def test_count(text, encoding, units, parts):
    assert count(text) == Segments(encoding, units, parts)


@given(st.text(alphabet="aé€कक😀\n{“", max_size=400))
def test_parts_hold_the_whole_text(text):
    found = count(text)
    alone, joined = (160, 153) if found.encoding == "GSM-7" else (70, 67)
    assert (found.encoding == "GSM-7") is is_gsm7(text)
    if found.encoding == "UCS-2":
        assert found.units == len(text.encode("utf-16-le")) // 2
    if found.units <= alone:
        assert found.parts == 1
    else:
        # At most one place of a part stays empty.
        assert joined * found.parts >= found.units > (joined - 1) * (found.parts - 1)


@pytest.mark.parametrize(
    ("text", "cheaper"),
    [
        ("“Hi” – it’s ready…", '"Hi" - it\'s ready...'),
        ("9\u00a0am\u202f–\u20095 pm", "9 am - 5 pm"),
        ("plain", "plain"),
        # Other writing keeps all of it: nothing would be won.
        ("“नमस्ते” – it’s ready…", "“नमस्ते” – it’s ready…"),
        ("“₹500”", "“₹500”"),
        ("“👍”", "“👍”"),
    ],
)
def test_lean(text, cheaper):
    assert lean(text) == cheaper


@given(st.text(max_size=200))
def test_lean_changes_nothing_or_makes_it_gsm7(text):
    assert lean(text) == text or is_gsm7(lean(text))
    assert lean(lean(text)) == lean(text)
