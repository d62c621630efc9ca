"""Rules of recurring activities: what is taken and refused, the laws of occurrences, the words."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bot.crm.recurrence import check_rule, occurrences, remaining, until
from bot.crm.recurrence_words import say_rule
from bot.errors import InvalidInput
from bot.i18n import Words

FAR = datetime(2300, 1, 1, tzinfo=UTC)


def at(text: str, zone: str = "UTC") -> datetime:
    """A wall-clock time somewhere."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def walls(rule: str, start: datetime, zone: str, limit: int = 6) -> list[str]:
    """The first occurrences, as clocks there show them."""
    found = occurrences(rule, start, zone, start, FAR, limit)
    return [moment.astimezone(ZoneInfo(zone)).isoformat(" ", "minutes")[:16] for moment in found]


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("rrule:freq=weekly;byday=th,mo,TH;interval=1;wkst=mo", "FREQ=WEEKLY;BYDAY=MO,TH"),
        (" BYDAY=+2TU,-1FR,1MO; FREQ=MONTHLY;", "FREQ=MONTHLY;BYDAY=1MO,2TU,-1FR"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1,15,01", "FREQ=MONTHLY;BYMONTHDAY=1,15,-1"),
        ("FREQ=DAILY;UNTIL=20260331", "FREQ=DAILY;UNTIL=20260331T182959Z"),
        ("FREQ=DAILY;UNTIL=20260331T100000", "FREQ=DAILY;UNTIL=20260331T043000Z"),
        ("FREQ=DAILY;UNTIL=20260331T100000Z", "FREQ=DAILY;UNTIL=20260331T100000Z"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;COUNT=007", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;COUNT=7"),
        ("FREQ=WEEKLY;WKST=SU;INTERVAL=2", "FREQ=WEEKLY;INTERVAL=2;WKST=SU"),
    ],
)
def test_a_rule_has_one_normal_form(text: str, normal: str) -> None:
    assert check_rule(text, "Asia/Kolkata") == normal
    assert check_rule(normal, "Asia/Kolkata") == normal


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "needs FREQ"),
        ("COUNT=3", "needs FREQ"),
        ("FREQ=HOURLY", "one of DAILY, WEEKLY"),
        ("FREQ=DAILY;BYHOUR=9", "no part 'BYHOUR'"),
        ("FREQ=DAILY;BYWEEKNO=9", "no part 'BYWEEKNO'"),
        ("FREQ", "FREQ needs a value"),
        ("FREQ=DAILY;FREQ=DAILY", "stands twice"),
        ("FREQ=DAILY;COUNT=3;UNTIL=20260101", "keep one"),
        ("FREQ=DAILY;COUNT=0", "from 1 to 1000"),
        ("FREQ=DAILY;COUNT=1001", "from 1 to 1000"),
        ("FREQ=DAILY;COUNT=५", "from 1 to 1000"),
        ("FREQ=DAILY;INTERVAL=0", "from 1 to 999"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "-31 to 31 but not 0"),
        ("FREQ=MONTHLY;BYMONTHDAY=1,,2", "-31 to 31 but not 0"),
        ("FREQ=MONTHLY;BYDAY=6MO", "as MO or 2MO or -1FR"),
        ("FREQ=MONTHLY;BYDAY=MO,2TU", "at each of its days or at none"),
        ("FREQ=WEEKLY;BYDAY=2MO", "without a number"),
        ("FREQ=WEEKLY;BYMONTHDAY=2", "use FREQ=MONTHLY"),
        ("FREQ=MONTHLY;BYDAY=1MO;BYMONTHDAY=2", "keep one"),
        ("FREQ=YEARLY;BYMONTHDAY=2", "say in which month"),
        ("FREQ=WEEKLY;BYDAY=MO;BYSETPOS=1", "FREQ=MONTHLY or YEARLY"),
        ("FREQ=MONTHLY;BYSETPOS=1", "to pick from"),
        ("FREQ=DAILY;UNTIL=tomorrow", "UNTIL is a date"),
        ("FREQ=DAILY;UNTIL=20260230", "UNTIL is a date"),
        ("FREQ=DAILY;UNTIL=00010101T000000", "UNTIL is a date"),
        ("FREQ=DAILY;WKST=XX", "WKST is one of"),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "No day fits"),
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6", "No day fits"),
        ("FREQ=WEEKLY;BYDAY=" + "MO," * 100, "at most 300"),
    ],
)
def test_what_cannot_be_used_is_told_with_the_field(text: str, told: str) -> None:
    with pytest.raises(InvalidInput, match=told) as caught:
        check_rule(text, "Asia/Kathmandu")
    assert caught.value.data["field"] == "rrule"


@pytest.mark.parametrize("zone", ["Asia/Nowhere", "", "../etc/passwd", "Asia", "a" * 5000, "\0"])
def test_an_unknown_zone_is_told(zone: str) -> None:
    with pytest.raises(InvalidInput, match="Asia/Kolkata") as caught:
        occurrences("FREQ=DAILY", at("2026-01-01"), zone, at("2026-01-01"), FAR, 1)
    assert caught.value.data["field"] == "zone"


@pytest.mark.parametrize(
    ("rule", "start", "zone", "expected"),
    [
        # Summer begins on 29 March: ten o'clock stays ten o'clock.
        (
            "FREQ=WEEKLY;BYDAY=MO,TH;COUNT=3",
            "2026-03-26T10:00",
            "Europe/London",
            ["2026-03-26 10:00", "2026-03-30 10:00", "2026-04-02 10:00"],
        ),
        # 01:30 on that day is no time in London: it is left out, and not counted.
        (
            "FREQ=DAILY;COUNT=2",
            "2026-03-28T01:30",
            "Europe/London",
            ["2026-03-28 01:30", "2026-03-30 01:30"],
        ),
        # 01:30 comes twice on 25 October: once is enough.
        (
            "FREQ=DAILY;COUNT=3",
            "2026-10-24T01:30",
            "Europe/London",
            ["2026-10-24 01:30", "2026-10-25 01:30", "2026-10-26 01:30"],
        ),
        (
            "FREQ=MONTHLY;COUNT=3",
            "2026-01-31T18:00",
            "Asia/Kolkata",
            ["2026-01-31 18:00", "2026-03-31 18:00", "2026-05-31 18:00"],
        ),
        (
            "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=3",
            "2026-01-01T09:00",
            "Asia/Kolkata",
            ["2026-01-30 09:00", "2026-02-27 09:00", "2026-03-31 09:00"],
        ),
        (
            "FREQ=YEARLY;COUNT=3",
            "2024-02-29T09:00",
            "Asia/Karachi",
            ["2024-02-29 09:00", "2028-02-29 09:00", "2032-02-29 09:00"],
        ),
        # RFC 5545, 3.3.10: where the week begins matters here.
        (
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,TU;COUNT=4;WKST=SU",
            "1997-08-05T09:00",
            "America/New_York",
            ["1997-08-05 09:00", "1997-08-17 09:00", "1997-08-19 09:00", "1997-08-31 09:00"],
        ),
        (
            "FREQ=DAILY;UNTIL=20260103T033000Z",
            "2026-01-01T09:00",
            "Asia/Kolkata",
            ["2026-01-01 09:00", "2026-01-02 09:00", "2026-01-03 09:00"],
        ),
    ],
)
def test_occurrences_on_the_clocks_there(rule: str, start: str, zone: str, expected: list[str]) -> None:
    assert walls(rule, at(start, zone), zone) == expected


def test_a_series_may_start_in_the_second_of_two_equal_hours() -> None:
    start = at("2026-10-25T01:30", "Europe/London").replace(fold=1).astimezone(UTC)
    found = occurrences("FREQ=DAILY", start, "Europe/London", start, FAR, 2)
    assert found == [start, start + timedelta(days=1)]


@pytest.mark.timeout(60)
def test_no_rule_is_followed_to_the_end_of_time() -> None:
    """Day by day to the year 9999 each of these would take a quarter of a minute."""
    never = ("FREQ=DAILY;INTERVAL=7;BYDAY=MO", "FREQ=YEARLY;INTERVAL=2;BYMONTH=2;BYMONTHDAY=29")
    seldom = ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO", "FREQ=WEEKLY;INTERVAL=999;BYDAY=SU")
    often = ("FREQ=DAILY", "FREQ=DAILY;COUNT=1000")
    start, end = at("2025-01-07T09:00"), datetime.max.replace(tzinfo=UTC)
    for after in (start, at("2299-01-01"), end):
        for rule in (*never, *seldom, *often):
            assert len(occurrences(rule, start, "Asia/Dhaka", after, end, 50)) <= (0 if rule in never else 50)


# --- laws ------------------------------------------------------------------------------------------

ZONES = ("Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Asia/Kathmandu", "UTC")
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def listed(values: st.SearchStrategy[object], size: int = 3) -> st.SearchStrategy[str]:
    """Some values as a list of a rule."""
    return st.lists(values, min_size=1, max_size=size).map(lambda found: ",".join(map(str, found)))


month_day = st.integers(-31, 31).filter(bool)
numbered = st.tuples(st.sampled_from((1, 2, 3, 4, -1, -2)), st.sampled_from(DAYS)).map("{0[0]}{0[1]}".format)
plain = st.sampled_from(DAYS)
BY = {
    "DAILY": st.sampled_from(("", "BYDAY=MO,TU,WE,TH,FR", "BYMONTH=1,7", "BYMONTHDAY=1,-1")),
    "WEEKLY": st.one_of(st.just(""), listed(plain).map("BYDAY={}".format)),
    "MONTHLY": st.one_of(
        st.just(""),
        listed(month_day).map("BYMONTHDAY={}".format),
        listed(numbered).map("BYDAY={}".format),
        st.tuples(listed(plain, 5), st.sampled_from((1, 2, -1))).map("BYDAY={0[0]};BYSETPOS={0[1]}".format),
    ),
    "YEARLY": st.one_of(
        st.just(""),
        st.tuples(listed(st.integers(1, 12)), listed(st.one_of(numbered))).map(
            "BYMONTH={0[0]};BYDAY={0[1]}".format
        ),
    ),
}
starts = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@st.composite
def series(draw: st.DrawFn) -> tuple[str, datetime, str]:
    """A rule in normal form, an instant and a zone."""
    freq = draw(st.sampled_from(tuple(BY)))
    ends = st.one_of(st.just(""), st.integers(1, 40).map("COUNT={}".format), st.just("UNTIL=20300601"))
    text = f"FREQ={freq};INTERVAL={draw(st.integers(1, 5))};{draw(BY[freq])};{draw(ends)}"
    zone = draw(st.sampled_from(ZONES))
    try:
        rule = check_rule(text, zone)
    except InvalidInput:
        assume(False)
    # Now and then the hour that a change of clocks leaves out or repeats.
    start = draw(st.one_of(starts, starts.map(lambda moment: moment.replace(hour=1, minute=30))))
    return rule, start, zone


@given(series(), st.integers(0, 4000), st.integers(0, 2000))
@settings(max_examples=150)
def test_occurrences_increase_within_their_bounds(
    made: tuple[str, datetime, str], skip: int, width: int
) -> None:
    rule, start, zone = made
    after = start + timedelta(days=skip)
    before = after + timedelta(days=width)
    found = occurrences(rule, start, zone, after, before, 50)
    assert all(earlier < later for earlier, later in pairwise(found))
    assert all(after <= moment < before for moment in found)
    # Looked at from the start or from the middle, they are the same.
    everything = occurrences(rule, start, zone, start.replace(microsecond=0), before, 10_000)
    assert found == [moment for moment in everything if moment >= after][:50]
    clock = start.astimezone(ZoneInfo(zone)).time().replace(microsecond=0)
    assert {moment.astimezone(ZoneInfo(zone)).time() for moment in found} <= {clock}


@given(series(), st.integers(0, 45))
@settings(max_examples=150)
def test_a_series_split_at_any_occurrence_is_together_the_whole(
    made: tuple[str, datetime, str], where: int
) -> None:
    rule, start, zone = made
    start = start.replace(microsecond=0)
    whole = occurrences(rule, start, zone, start, FAR, 60)
    assume(whole)
    cut = whole[where % len(whole)]
    old, new = until(rule, start, zone, cut), remaining(rule, start, zone, cut)
    for part in (old, new):
        assert part is None or check_rule(part, zone) == part
    before = occurrences(old, start, zone, start, FAR, 60) if old else []
    after = occurrences(new, cut, zone, cut, FAR, 60)
    assert before == [moment for moment in whole if moment < cut]
    assert (before + after)[:60] == whole


def test_a_series_is_split_only_at_an_occurrence() -> None:
    start = at("2026-01-05T09:00", "Asia/Kolkata")
    for operation in (until, remaining):
        with pytest.raises(InvalidInput, match="no occurrence") as caught:
            operation("FREQ=WEEKLY", start, "Asia/Kolkata", start + timedelta(days=1))
        assert caught.value.data["field"] == "occurrence"


# --- words -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "english", "hindi"),
    [
        ("FREQ=DAILY", "every day", "रोज़"),
        ("FREQ=DAILY;INTERVAL=2", "every 2 days", "हर 2 दिन में"),
        (
            "FREQ=WEEKLY;BYDAY=MO,TH;UNTIL=20260331",
            "every Monday and Thursday, until 31 March 2026",
            "हर सोमवार और गुरुवार को, 31 मार्च 2026 तक",
        ),
        ("FREQ=DAILY;BYDAY=SA,SU", "every Saturday and Sunday", "हर शनिवार और रविवार को"),
        (
            "FREQ=WEEKLY;INTERVAL=2;COUNT=5",
            "every 2 weeks on Monday, 5 times",
            "हर 2 हफ़्ते में सोमवार को, कुल 5 बार",
        ),
        ("FREQ=MONTHLY", "on day 5 of every month", "हर महीने 5 तारीख को"),
        (
            "FREQ=MONTHLY;BYMONTHDAY=1,15,-1",
            "on day 1, day 15 and the last day of every month",
            "हर महीने 1 तारीख, 15 तारीख और आख़िरी तारीख को",
        ),
        (
            "FREQ=MONTHLY;INTERVAL=3;BYDAY=2TU",
            "every 3 months on the second Tuesday",
            "हर 3 महीने में दूसरे मंगलवार को",
        ),
        (
            "FREQ=MONTHLY;BYDAY=SA,SU;BYSETPOS=-1",
            "on the last Saturday or Sunday of every month",
            "हर महीने आख़िरी शनिवार या रविवार को",
        ),
        (
            "FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR",
            "on day 13 of every month, only if it is Friday",
            "हर महीने 13 तारीख को, सिर्फ़ अगर शुक्रवार हो",
        ),
        ("FREQ=YEARLY", "every year on day 5 of January", "हर साल जनवरी में 5 तारीख को"),
        (
            "FREQ=DAILY;BYMONTH=6,7;COUNT=1",
            "every day, only in June and July, once",
            "रोज़, सिर्फ़ जून और जुलाई में, सिर्फ़ 1 बार",
        ),
    ],
)
def test_a_rule_in_words(text: str, english: str, hindi: str) -> None:
    words = Words.load(strict=True)
    start = at("2026-01-05T10:00", "Asia/Kolkata")
    said = {}
    for lang in words.languages:
        key = say_rule(check_rule(text, "Asia/Kolkata"), start, "Asia/Kolkata", lang)
        said[lang] = words.say(key.key, lang, **key.values)
    assert said["en"] == english
    assert said["hi"] == hindi
    assert len(set(said.values())) == len(said)


def test_the_last_day_told_is_one_on_which_it_happens() -> None:
    words = Words.load(strict=True)
    start = at("2026-01-05T10:00", "Asia/Kolkata")
    rule = until("FREQ=DAILY", start, "Asia/Kolkata", at("2026-02-01T10:00", "Asia/Kolkata"))
    assert rule is not None
    key = say_rule(rule, start, "Asia/Kolkata", "en")
    assert words.say(key.key, "en", **key.values) == "every day, until 31 January 2026"
