"""Feeds and invitations are read back with icalendar; answers are read as calendars write them."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Calendar

from bot.crm.calendar_file import Entry, Guest, feed, invitation
from bot.crm.calendar_reply import MAX_BYTES, Reply, read_reply
from bot.errors import InvalidInput

NOW = datetime(2026, 1, 1, 8, 0, 0, 123, tzinfo=UTC)
START = datetime(2026, 3, 26, 10, tzinfo=ZoneInfo("Europe/London"))
ORGANISER = Guest("asha@example.in", "आशा; शर्मा")
GUESTS = (Guest("ravi@example.com", 'Ravi "R" Kumar, Jr'), Guest("ali@example.pk"))
REPLIES = Path(__file__).parent / "replies"


def entry(**values: Any) -> Entry:
    """A meeting of an hour."""
    plain: dict[str, Any] = {
        "uid": "019-a@samvad.example",
        "kind": "event",
        "summary": "Site visit",
        "start": START,
        "end": START + timedelta(hours=1),
        "zone": "Europe/London",
    }
    return Entry(**(plain | values))


def read(document: bytes) -> list[Any]:
    """The events and tasks of a document that keeps the rules of the format."""
    lines = document.split(b"\r\n")
    assert lines[-1] == b""
    assert all(len(line) <= 75 and b"\n" not in line for line in lines)
    for line in lines:
        line.decode()  # no letter is cut in two
    calendar = Calendar.from_ical(document)
    assert calendar["VERSION"] == "2.0"
    assert calendar["PRODID"]
    return [*calendar.events, *calendar.todos]


def test_an_event_comes_back_as_it_went_in() -> None:
    document = feed(
        "Asha",
        [entry(location="Pune", url="https://x.example/a?b=c,d;e", sequence=2, status="tentative")],
        NOW,
    )
    (event,) = read(document)
    assert event["UID"] == "019-a@samvad.example"
    assert event["DTSTAMP"].dt == NOW.replace(microsecond=0)
    assert event["DTSTART"].dt == START
    assert event["DTEND"].dt == START + timedelta(hours=1)
    assert b"DTSTART:20260326T100000Z" in document  # happens once: no time zone is needed
    assert (event["SEQUENCE"], event["STATUS"], event["LOCATION"]) == (2, "TENTATIVE", "Pune")
    assert event["URL"] == "https://x.example/a?b=c,d;e"
    calendar = Calendar.from_ical(document)
    assert calendar["X-WR-CALNAME"] == calendar["NAME"] == "Asha"
    assert "METHOD" not in calendar


def test_a_series_keeps_its_clock_and_names_its_zone() -> None:
    moved = START + timedelta(days=7)
    series = entry(rrule="FREQ=WEEKLY;BYDAY=MO,TH;UNTIL=20260601T090000Z", excluded=(moved,))
    changed = entry(
        recurrence_id=moved + timedelta(days=7), start=moved + timedelta(days=7, hours=3), end=None
    )
    document = feed("x", [series, changed], NOW)
    first, second = read(document)
    assert b"DTSTART;TZID=Europe/London:20260326T100000\r\n" in document
    assert document.count(b"BEGIN:VTIMEZONE") == 1
    assert first["RRULE"].to_ical() == b"FREQ=WEEKLY;UNTIL=20260601T090000Z;BYDAY=MO,TH"
    assert first["EXDATE"].dts[0].dt == moved
    assert second["UID"] == first["UID"]
    assert second["RECURRENCE-ID"].dt == moved + timedelta(days=7)
    assert "RRULE" not in second
    assert "DTEND" not in second


def test_days_are_dates_and_end_the_day_after() -> None:
    zone = ZoneInfo("Asia/Kolkata")
    first = datetime(2026, 3, 26, tzinfo=zone)
    values = {"all_day": True, "zone": "Asia/Kolkata", "start": first}
    for end, expected in (
        (first + timedelta(days=2), date(2026, 3, 28)),
        (first.replace(hour=18), date(2026, 3, 27)),
    ):
        series = entry(end=end, rrule="FREQ=DAILY;UNTIL=20260331T182959Z", **values)
        (event,) = read(feed("x", [series], NOW))
        assert (event["DTSTART"].dt, event["DTEND"].dt) == (date(2026, 3, 26), expected)
        assert event["RRULE"].to_ical() == b"FREQ=DAILY;UNTIL=20260331"


def test_tasks() -> None:
    due = datetime(2026, 3, 31, 12, 30, tzinfo=UTC)
    task = {"kind": "task", "start": None, "end": None, "due": due}
    cases = [
        entry(**task),
        entry(**task, done_at=due),
        entry(**task, status="cancelled"),
        entry(**task, rrule="FREQ=MONTHLY"),
        entry(**(task | {"start": due - timedelta(days=1)})),
    ]
    opened, done, cancelled, monthly, begun = read(feed("x", cases, NOW))
    assert opened.name == "VTODO"
    assert (opened["DUE"].dt, opened["STATUS"]) == (due, "NEEDS-ACTION")
    assert (done["STATUS"], done["COMPLETED"].dt, done["PERCENT-COMPLETE"]) == ("COMPLETED", due, 100)
    assert cancelled["STATUS"] == "CANCELLED"
    # A series needs DTSTART, and DUE would have to be later.
    assert monthly["DTSTART"].dt == due
    assert "DUE" not in monthly
    assert (begun["DTSTART"].dt, begun["DUE"].dt) == (due - timedelta(days=1), due)


def test_what_has_no_start_stands_in_no_calendar() -> None:
    with pytest.raises(InvalidInput) as caught:
        feed("x", [entry(start=None)], NOW)
    assert caught.value.data["field"] == "start"


texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=200) | st.sampled_from(
    (
        "नमस्ते, आशा जी; कल मिलते हैं\\n?\nपता: पुणे " * 6,
        "السلام علیکم، کل ملتے ہیں؛ \\ " * 9,
        "BEGIN:VEVENT\r\nUID:evil\r\nEND:VEVENT",
        "👩🏽‍🌾" * 40,
    )
)


def cleaned(text: str) -> str:
    """Without the control characters that the format forbids."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(letter for letter in text if letter in "\n\t" or not (letter < " " or letter == "\x7f"))


@given(texts, texts, texts)
@settings(max_examples=150)
def test_any_text_comes_back(summary: str, description: str, name: str) -> None:
    made = entry(summary=summary, description=description, location=summary)
    (event,) = read(feed(name, [made], NOW))
    assert event["SUMMARY"] == event.get("LOCATION", "") == " ".join(cleaned(summary).split())
    assert event.get("DESCRIPTION", "") == cleaned(description)
    (invited,) = read(invitation(made, Guest("a@example.in", name), [Guest("b@example.in")], "REQUEST", NOW))
    assert isinstance(invited["ATTENDEE"], str)  # one, whatever the names hold


def test_half_a_letter_is_left_out() -> None:
    (event,) = read(feed("x", [entry(summary="a\ud800b", url="https://x.example/\r\nX:1")], NOW))
    assert event["SUMMARY"] == "ab"
    assert "X" not in event


def test_an_invitation_and_its_end() -> None:
    asked = invitation(entry(sequence=1), ORGANISER, GUESTS, "REQUEST", NOW)
    (event,) = read(asked)
    assert Calendar.from_ical(asked)["METHOD"] == "REQUEST"
    assert str(event["ORGANIZER"]) == "mailto:asha@example.in"
    assert event["ORGANIZER"].params["CN"] == "आशा; शर्मा"
    ravi, ali = event["ATTENDEE"]
    assert (str(ravi), ravi.params["CN"]) == ("mailto:ravi@example.com", 'Ravi "R" Kumar, Jr')
    assert (ali.params["PARTSTAT"], ali.params["RSVP"], ali.params["ROLE"]) == (
        "NEEDS-ACTION",
        "TRUE",
        "REQ-PARTICIPANT",
    )
    assert event["STATUS"] == "CONFIRMED"

    off = invitation(entry(sequence=2), ORGANISER, GUESTS, "CANCEL", NOW)
    (gone,) = read(off)
    assert Calendar.from_ical(off)["METHOD"] == "CANCEL"
    assert (gone["UID"], gone["SEQUENCE"], gone["STATUS"]) == (event["UID"], 2, "CANCELLED")
    assert "RSVP" not in gone["ATTENDEE"][0].params
    with pytest.raises(InvalidInput):
        invitation(entry(), ORGANISER, (), "REQUEST", NOW)


# --- answers ---------------------------------------------------------------------------------------

UID = "019-a@samvad.example"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("google", Reply(UID, "ravi@example.com", "ACCEPTED", 1)),
        (
            "outlook",
            Reply(
                UID,
                "ali@example.pk",
                "DECLINED",
                2,
                datetime(2026, 4, 2, 4, 30, tzinfo=UTC),
                "Sorry, I am travelling\n",
            ),
        ),
        ("apple", Reply(UID, "meena@example.in", "TENTATIVE", 0, date(2026, 4, 2))),
    ],
)
def test_answers_as_calendars_write_them(name: str, expected: Reply) -> None:
    document = (REPLIES / f"{name}.ics").read_bytes()
    assert read_reply(document) == expected
    assert read_reply(document.replace(b"\r\n", b"\n")) == expected
    assert read_reply(b"\xef\xbb\xbf" + document.replace(b"BEGIN:", b"begin:")) == expected


PLAIN = """BEGIN:VCALENDAR
METHOD:REPLY
BEGIN:VEVENT
UID:u1
ATTENDEE;PARTSTAT=ACCEPTED:mailto:a@example.in
END:VEVENT
END:VCALENDAR
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("METHOD:REPLY", "METHOD:REQUEST"),
        ("METHOD:REPLY\n", ""),
        ("UID:u1\n", ""),
        ("UID:u1", "UID:u1\nUID:u2"),
        ("mailto:a@example.in", "mailto:"),
        ("mailto:a@example.in", "a@example.in"),
        ("mailto:a@example.in", "mailto:a b@example.in"),
        ("END:VEVENT\n", ""),
        ("END:VEVENT", "END:VTODO"),
        ("BEGIN:VCALENDAR", "BEGIN:VEVENT"),
        ("UID:u1", "UID:u1\nSEQUENCE:-1"),
        ("UID:u1", "UID:u1\nSEQUENCE:" + "9" * 5000),
        ("UID:u1", "UID:u1\nRECURRENCE-ID:20260401T100000"),
        ("UID:u1", "UID:u1\nRECURRENCE-ID;TZID=Customized Time Zone:20260401T100000"),
        ("UID:u1", "UID:u1\nRECURRENCE-ID;TZID=../../etc/passwd:20260401T100000"),
        ("UID:u1", "UID:u1\nRECURRENCE-ID:20260231"),
        ("UID:u1", "UID:u1\nATTENDEE;PARTSTAT=DECLINED:mailto:b@example.in"),
        ("UID:u1", 'UID:u1\nCOMMENT;X="' + '"' * 998 + ":1"),
        ("END:VCALENDAR\n", "END:VCALENDAR\n" + "X" * MAX_BYTES),
    ],
)
def test_what_is_no_sure_answer_is_none(old: str, new: str) -> None:
    assert read_reply(PLAIN.encode()) == Reply("u1", "a@example.in", "ACCEPTED")
    assert old in PLAIN
    assert read_reply(PLAIN.replace(old, new).encode()) is None


def test_an_unknown_answer_is_none_yet() -> None:
    for written in ("PARTSTAT=X-MAYBE", "CN=a"):
        reply = read_reply(PLAIN.replace("PARTSTAT=ACCEPTED", written).encode())
        assert reply is not None
        assert reply.answer == "NEEDS-ACTION"


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
@settings(max_examples=100)
def test_anything_may_come(noise: bytes) -> None:
    assert read_reply(noise) is None
    spoilt = PLAIN.encode().replace(b"UID:u1", b"UID:u1\nCOMMENT:" + noise.replace(b"\n", b"\n "))
    answer = read_reply(spoilt)
    assert answer is None or (answer.uid, answer.attendee) == ("u1", "a@example.in")


def test_a_strangers_time_zone_moves_nobodys_meeting() -> None:
    hostile = """BEGIN:VTIMEZONE
TZID:India Standard Time
BEGIN:STANDARD
DTSTART:16010101T000000
RRULE:FREQ=SECONDLY
TZOFFSETFROM:-0800
TZOFFSETTO:-0900
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
RECURRENCE-ID;TZID=India Standard Time:20260402T100000"""
    for text in (hostile, "BEGIN:VEVENT\nRECURRENCE-ID;TZID=India Standard Time:20260402T100000"):
        reply = read_reply(PLAIN.replace("BEGIN:VEVENT", text).encode())
        assert reply is not None
        assert reply.recurrence_id == datetime(2026, 4, 2, 4, 30, tzinfo=UTC)
