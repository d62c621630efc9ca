"""The gate: values in, verdict out."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapter import Features
from bot.conversations.gate import BUSINESS_GAP, Recipient, check, quiet_until

NOON = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)  # 12:00 in Kolkata
CHAT = Features(text_limit=4096, window=timedelta(hours=24))
FIRST, LAST = datetime(2020, 1, 1), datetime(2035, 1, 1)  # noqa: DTZ001 (hypothesis adds the zone)
SMS = Features(text_limit=1600, stop_is_silent=True)


def recipient(**given: object) -> Recipient:
    values = {
        "blocked": False,
        "stopped": False,
        "last_inbound_at": NOON,
        "last_business_at": None,
        "time_zone": "Asia/Kolkata",
    }
    return Recipient(**{**values, **given})  # type: ignore[arg-type]


@pytest.mark.parametrize("purpose", ["answer", "confirmation", "staff", "business", "reminder"])
def test_nothing_leaves_to_whom_we_blocked(purpose: str) -> None:
    assert check(purpose, recipient(blocked=True), CHAT, NOON).reason == "blocked"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("purpose", "features", "reason"),
    [
        ("answer", CHAT, None),
        ("confirmation", CHAT, None),
        ("staff", CHAT, "stopped"),
        ("business", CHAT, "stopped"),
        ("reminder", CHAT, "stopped"),
        ("answer", SMS, "stopped"),
        ("confirmation", SMS, "stopped"),
        ("staff", SMS, "stopped"),
    ],
)
def test_after_stop(purpose: str, features: Features, reason: str | None) -> None:
    assert check(purpose, recipient(stopped=True), features, NOON).reason == reason  # type: ignore[arg-type]


def test_the_window_closes_after_a_day() -> None:
    late = NOON + timedelta(hours=24)
    assert check("staff", recipient(), CHAT, late - timedelta(seconds=1)).open
    assert check("staff", recipient(), CHAT, late).reason == "window_closed"
    assert check("staff", recipient(last_inbound_at=None), CHAT, NOON).reason == "window_closed"
    assert check("staff", recipient(last_inbound_at=None), SMS, NOON).open


def test_the_business_starts_nothing_at_night_nor_too_often() -> None:
    night = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)  # 22:30
    verdict = check("business", recipient(last_inbound_at=night), CHAT, night)
    assert (verdict.reason, verdict.until) == ("quiet_hours", datetime(2026, 3, 3, 3, 30, tzinfo=UTC))
    again = check("business", recipient(last_business_at=NOON - timedelta(hours=1)), CHAT, NOON)
    assert (again.reason, again.until) == ("too_often", NOON - timedelta(hours=1) + BUSINESS_GAP)
    assert check("answer", recipient(last_inbound_at=night), CHAT, night).open
    assert check("reminder", recipient(last_inbound_at=night), CHAT, night).reason == "quiet_hours"
    assert check("reminder", recipient(last_business_at=NOON - timedelta(hours=1)), CHAT, NOON).open


@given(
    st.datetimes(timezones=st.just(UTC), min_value=FIRST, max_value=LAST),
    st.sampled_from(["Asia/Kolkata", "Europe/London"]),
)
def test_quiet_hours_end_in_daylight(moment: datetime, zone: str) -> None:
    end = quiet_until(moment, zone)
    if end is not None:
        assert moment < end <= moment + timedelta(hours=13)
        assert quiet_until(end, zone) is None
