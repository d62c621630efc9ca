"""Values in messages: days, times, sums, quantities, addresses and numbers, in every language."""

import unicodedata
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.dialogs.calendar_words import _rows
from bot.dialogs.flows.model import SLOT_TYPES, Collect
from bot.dialogs.slots import accept
from bot.dialogs.turn import Business, Customer, Turn
from bot.dialogs.understanding.extract import Extracted, extract
from bot.dialogs.understanding.language import detect

LANGUAGES = ("en", "hi", "hi-Latn", "bn", "ta", "te", "mr", "gu", "pa", "ur", "si")
BUSINESS = Business("Sharma Traders", "IN", "Asia/Kolkata", LANGUAGES, "INR")
# A Saturday, ten in the morning in India.
TURN = Turn(datetime(2026, 11, 21, 4, 30, tzinfo=UTC), "webchat", BUSINESS, Customer(), ())
TODAY = date(2026, 11, 21)


@lru_cache
def found(text: str, lang: str = "") -> Extracted:
    return extract(text, TURN, lang or detect(text, LANGUAGES))


def step(type: Any, **given: Any) -> Collect:
    return Collect("x", "x", type, "ask", "invalid", **given)


MOMENTS = """
en|tomorrow at 5 pm|2026-11-22 17:00
hi-Latn|kal shaam 5 baje|2026-11-22 17:00
en|next Tuesday after lunch|2026-11-24 14:00
hi-Latn|parso|2026-11-23 -
hi-Latn|agle hafte|2026-11-23 -
en|in 20 minutes|2026-11-21 10:20
hi-Latn|15 ko|2026-12-15 -
en|day after tomorrow at half past six|2026-11-23 18:30
ta|நாளை மாலை 5 மணி|2026-11-22 17:00
hi|कल शाम पाँच बजे|2026-11-22 17:00
hi|साढ़े छह बजे|- 18:30
hi|१५ तारीख को सुबह ११ बजे|2026-12-15 11:00
hi-Latn|subah saade 6 baje|- 06:30
hi-Latn|paune paanch baje|- 16:45
hi-Latn|dedh baje|- 13:30
hi-Latn|2 ghante baad|2026-11-21 12:00
hi-Latn|do din pehle|2026-11-19 -
hi-Latn|agle mangalvar dopahar 2 baje|2026-11-24 14:00
bn|কাল সকাল ১০টায়|2026-11-22 10:00
bn|আগামী সপ্তাহে|2026-11-23 -
te|రేపు సాయంత్రం 6 గంటలకు|2026-11-22 18:00
te|ఎల్లుండి మధ్యాహ్నం 3 గంటలకు|2026-11-23 15:00
mr|उद्या सकाळी ९ वाजता|2026-11-22 09:00
gu|કાલે સાંજે 5 વાગ્યે|2026-11-22 17:00
pa|ਕੱਲ੍ਹ ਸ਼ਾਮ 5 ਵਜੇ|2026-11-22 17:00
ur|کل شام پانچ بجے|2026-11-22 17:00
si|හෙට හවස 5ට|2026-11-22 17:00
ta-Latn|naalai kaalai 10 mani|2026-11-22 10:00
te-Latn|repu sayantram 5 gantalaku|2026-11-22 17:00
bn-Latn|kal bikel 4 tay|2026-11-22 16:00
mr-Latn|udya sakali 9 vajta|2026-11-22 09:00
gu-Latn|kale savare 10 vagye|2026-11-22 10:00
pa-Latn|kal savere 10 vaje|2026-11-22 10:00
si-Latn|heta hawasa 5 ta|2026-11-22 17:00
en|kal shaam 5 baje|2026-11-22 17:00
en|the 3rd of this month|2026-11-03 -
en|March 9th|2027-03-09 -
en|this Sunday|2026-11-22 -
en|next Friday|2026-11-27 -
en|Friday next week|2026-11-27 -
en|one in the afternoon|- 13:00
en|evening 6|- 18:00
en|six thirty pm|- 18:30
en|17:15|- 17:15
en|5.30 pm|- 17:30
en|quarter to six in the evening|- 17:45
en|10 past 5|- 17:10
en|25/12/2026|2026-12-25 -
en|noon tomorrow|2026-11-22 12:00
en|half an hour ago|2026-11-21 09:30
en|a week from now|2026-11-28 -
en|tonight at 8|2026-11-21 20:00
en|I want 2-3 pieces|- -
en|good morning|- -
en|at 4 places|- -
en|may i know the price|- -
en|version 5.30 of it|- -
en|31/02/2026|- -
"""


@pytest.mark.parametrize("row", MOMENTS.strip().splitlines())
def test_days_and_times(row: str) -> None:
    lang, text, expected = row.split("|")
    values = found(text, lang).values
    assert f"{values.get('date', '-')} {values.get('time', '-')}" == expected


AMOUNTS = """
money|5 lakh|500000
money|₹2.5k|2500
money|2 crore|20000000
money|Rs 1,50,000/-|150000
money|do hazaar|2000
money|paanch sau rupaye|500
money|2 lakh 50 hazaar|250000
money|twenty five thousand rupees|25000
money|दो हज़ार पाँच सौ रुपये|2500
money|পাঁচ হাজার টাকা|5000
money|ஐந்து ஆயிரம் ரூபாய்|5000
money|ఐదు వేల రూపాయలు|5000
money|પાંચ હજાર રૂપિયા|5000
money|ਪੰਜ ਹਜ਼ਾਰ ਰੁਪਏ|5000
money|पाच हजार रुपये|5000
money|پانچ ہزار روپے|5000
money|රුපියල් 5000|5000
money|I have 2 kids|-
money|in 20 minutes|-
quantity|teen log|3 person
quantity|आधा किलो चाय|0.5 kg
quantity|a dozen eggs|12 piece
quantity|half a dozen|6 piece
quantity|table for four|4 person
quantity|ढाई किलो|2.5 kg
quantity|૨ કિલો|2 kg
quantity|দুই কেজি|2 kg
quantity|மூன்று பேர்|3 person
quantity|10 pcs chahiye|10 piece
quantity|kal shaam 5 baje|-
order_number|my order number is ORD-2210|ORD-2210
order_number|order #998877 kahan hai|998877
order_number|invoice INV/23-24/112|INV/23-24/112
order_number|मेरा ऑर्डर नंबर 45678 है|45678
order_number|order 2 pizzas|-
order_number|in order to 2024|-
address|my address is 12, MG Road, Pune 411001|12, MG Road, Pune 411001
address|deliver to flat 4B, Sunrise Apartments, Andheri. Thanks a lot|flat 4B, Sunrise Apartments, Andheri
address|mera pata hai 221 Gandhi Nagar, Jaipur|221 Gandhi Nagar, Jaipur
address|मेरा पता है 12 एमजी रोड, पुणे|12 एमजी रोड, पुणे
address|I have 2 houses on the road|-
email|write to A.B@x.co.in.|a.b@x.co.in
phone|मेरा नंबर ९८७६५ ४३२१० है|+919876543210
"""


@pytest.mark.parametrize("row", AMOUNTS.strip().splitlines())
def test_amounts_and_numbers(row: str) -> None:
    kind, text, expected = row.split("|")
    value = found(text).values.get(kind, "-")
    if isinstance(value, dict):
        value = (
            str(value["minor"] // 100) if kind == "money" else f"{value['amount']} {value['unit']}".strip()
        )
    assert value == expected


def test_all_values_of_a_message_are_found() -> None:
    extracted = found("call 98765 43210 or 91234 56789, from 5th December to the 9th, 2 rooms for 3 people")
    by_kind = {kind: [one.value for one in extracted.found if one.kind == kind] for kind in SLOT_TYPES}
    assert by_kind["phone"] == ["+919876543210", "+919123456789"]
    assert by_kind["date"] == ["2026-12-05", "2026-12-09"]
    assert extracted.fits(step("date")) == "2026-12-05"
    assert extracted.fits(step("date", last=True)) == "2026-12-09"
    assert extracted.fits(step("quantity", unit="person")) == {"amount": 3, "unit": "person"}
    assert extracted.fits(step("quantity", unit="room")) == {"amount": 2, "unit": "room"}
    assert extracted.fits(step("quantity", unit="kg")) is None


@pytest.mark.parametrize(
    ("text", "ahead", "back"),
    [
        ("kal se kharab hai", 1, -1),
        ("परसों से", 2, -2),
        ("yesterday", -1, -1),
        ("tomorrow", 1, 1),
        ("friday", 6, -1),
        ("15 ko aaya tha", 24, -6),
        ("10 november", 354, -11),
    ],
)
def test_a_slot_says_which_way_an_open_day_goes(text: str, ahead: int, back: int) -> None:
    extracted = extract(text, TURN, "hi-Latn")
    assert extracted.fits(step("date")) == (TODAY + timedelta(ahead)).isoformat()
    assert extracted.fits(step("date", looks_back=True)) == (TODAY + timedelta(back)).isoformat()
    assert (
        accept(step("date", looks_back=True), text, {}, replace(TURN, customer=Customer(lang="hi-Latn")))
        == (TODAY + timedelta(back)).isoformat()
    )


def test_days_and_times_are_those_of_the_contacts_zone() -> None:
    late = replace(TURN, now=datetime(2026, 11, 21, 19, 0, tzinfo=UTC))  # past midnight in India
    assert extract("today at 5 pm", late, "en").values["datetime"] == "2026-11-22T17:00+05:30"
    abroad = replace(late, customer=Customer(phones=("+97144123456",)))
    assert extract("today at 5 pm", abroad, "en").values["datetime"] == "2026-11-21T17:00+04:00"
    here = replace(late, customer=Customer(phones=("+919876543210",)))
    assert extract("today at 5 pm", here, "en").values["date"] == "2026-11-22"
    american = replace(TURN, business=replace(BUSINESS, country="US", time_zone="Europe/Nowhere"))
    assert extract("on 3/4", american, "en").values["date"] == "2027-03-04"


@pytest.mark.parametrize(
    ("type", "answer", "value"),
    [
        ("date", "15", "2026-12-15"),
        ("date", "21-11", "2026-11-21"),
        ("time", "5", "17:00"),
        ("time", "shaam", "18:00"),
        ("datetime", "tomorrow at 5 pm", "2026-11-22T17:00+05:30"),
        ("datetime", "tomorrow", None),
        ("quantity", "teen", {"amount": 3, "unit": ""}),
        ("quantity", "none of it", None),
        ("address", "12 MG Road Pune", "12 MG Road Pune"),
        ("address", "Pune", None),
        ("order_number", "ab-1234", "AB-1234"),
        ("order_number", "I do not know", None),
    ],
)
def test_answers_are_read_freely_and_values_as_themselves(type: Any, answer: str, value: Any) -> None:
    read = accept(step(type), answer, {}, TURN)
    assert read == value
    assert value is None or accept(step(type), read, {}, TURN) == value


DAYS = st.dates(TODAY, TODAY + timedelta(300))
MINUTES = st.times().map(lambda at: at.replace(second=0, microsecond=0))
MONTHS = {lang: table["months"] for lang, table in _rows()[0].items() if all(table.get("months", [[]]))}


@given(DAYS, MINUTES, st.sampled_from(["{} {}", "call on {} at {} please", "{}, {}"]))
def test_a_day_and_a_time_written_are_the_same_read(day: date, at: time, frame: str) -> None:
    for written in (day.isoformat(), f"{day:%d/%m/%Y}", f"{day:%d.%m.%y}", f"{day.day} {day:%B %Y}"):
        values = extract(frame.format(written, f"{at:%H:%M}"), TURN, "en").values
        assert (values["date"], values["time"]) == (day.isoformat(), f"{at:%H:%M}")
    twelve = extract(frame.format(day.isoformat(), f"{at:%I:%M %p}"), TURN, "en").values
    assert twelve["time"] == f"{at:%H:%M}"


@given(DAYS, st.sampled_from(sorted(MONTHS)))
def test_months_are_read_in_every_language(day: date, lang: str) -> None:
    for name in MONTHS[lang][day.month - 1]:
        assert extract(f"{day.day} {name}", TURN, lang).values["date"] == day.isoformat()


@given(st.integers(1, 10**9), st.sampled_from(["₹{:,}", "Rs. {}", "{} rupees", "{:,} रुपये", "INR {}/-"]))
def test_sums_written_are_the_same_read(amount: int, frame: str) -> None:
    assert found(f"about {frame.format(amount)} I think").values["money"] == {
        "minor": amount * 100,
        "currency": "INR",
    }


PIECES = (
    *("kal", "5", "baje", "next", "week", "half past", "ko", "15", "am", "to", "past", "quarter to", "2.5"),
    *("lakh", "₹", "rs", "नाम", "मेरा", "कल", "पाँच", "नाली", "۵", "௫", "මාසය", "ক্ষ", "order", "#", "C-"),
    *("31/2/2026", "12/13", "99:99", "a", "an", "dozen", "address is", ",", ".", "@", "x@y.z", "+91", "k"),
    *("\u200d", "\u0301", "\x00", "\ud800", "İ", "ß", "9999999999", "years", "ago", "in", "months", "\n"),
    *("98765", "43210"),
)


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=6), max_size=14), st.sampled_from(LANGUAGES))
def test_whatever_is_written_is_read_and_each_value_stands_in_the_text(pieces: list[str], lang: str) -> None:
    for joined in (" ".join(pieces), "".join(pieces)):
        extracted = extract(joined, TURN, lang)
        for one in (*extracted.found, *extracted.past):
            assert 0 <= one.start < one.end <= len(joined), (one, joined)
        detect(joined)
        for type in SLOT_TYPES:
            value = accept(step(type), joined, {}, TURN)
            assert value is None or accept(step(type), value, {}, TURN) is not None


def test_places_are_those_of_the_text_as_it_was_written() -> None:
    text = unicodedata.normalize("NFD", "\u200eज़रूर, कल शाम ५ बजे आइए, ₹५०० लूँगा")
    by_kind = {one.kind: text[one.start : one.end] for one in found(text, "hi").found}
    assert (by_kind["date"], by_kind["time"], by_kind["money"]) == ("कल", "५ बजे", "₹५००")
