"""The outbound gate: one function that every outbound message passes, whoever wrote it.

Purposes: answer (to the customer's own message), confirmation (of STOP or START), staff (a person wrote it),
business (we start: a nudge, a campaign), reminder (of what the customer booked: as business, but it waits for
no gap after what else the business wrote).
"""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from bot.adapter import Features

Purpose = Literal["answer", "confirmation", "staff", "business", "reminder"]
Reason = Literal["calls_only", "blocked", "stopped", "window_closed", "quiet_hours", "too_often"]

QUIET_FROM, QUIET_UNTIL = time(21, 0), time(9, 0)
"""Local hours in which the business starts nothing."""
BUSINESS_GAP = timedelta(hours=20)
"""The business starts at most one message a contact in this time."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """What the gate knows of whom a message is for."""

    blocked: bool
    stopped: bool
    last_inbound_at: datetime | None
    last_business_at: datetime | None
    time_zone: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reason` None: it may leave. `until`: when to ask again, where waiting helps (None: an inbound
    message opens the window, or nothing does)."""

    reason: Reason | None = None
    until: datetime | None = None

    @property
    def open(self) -> bool:
        """Whether the message may leave now."""
        return self.reason is None


def check(purpose: Purpose, to: Recipient, features: Features, now: datetime) -> Verdict:
    """Decide. Pure: values in, verdict out."""
    if not features.text_limit:
        return Verdict("calls_only")
    if to.blocked:
        return Verdict("blocked")
    if to.stopped and purpose != "confirmation":
        if features.stop_is_silent or purpose in ("staff", "business", "reminder"):
            return Verdict("stopped")
    elif to.stopped and features.stop_is_silent:
        return Verdict("stopped")
    window = features.window
    if purpose == "staff" and features.staff_window is not None:
        window = features.staff_window
    if window is not None and (to.last_inbound_at is None or now - to.last_inbound_at >= window):
        return Verdict("window_closed")
    if purpose not in ("business", "reminder"):
        return Verdict()
    if (end := quiet_until(now, to.time_zone)) is not None:
        return Verdict("quiet_hours", end)
    if purpose == "business" and to.last_business_at is not None and now - to.last_business_at < BUSINESS_GAP:
        return Verdict("too_often", to.last_business_at + BUSINESS_GAP)
    return Verdict()


def quiet_until(now: datetime, time_zone: str) -> datetime | None:
    """When quiet hours end, None outside them."""
    local = now.astimezone(ZoneInfo(time_zone))
    clock = local.timetz().replace(tzinfo=None)
    if QUIET_UNTIL <= clock < QUIET_FROM:
        return None
    day = local.date() if clock < QUIET_UNTIL else local.date() + timedelta(days=1)
    return datetime.combine(day, QUIET_UNTIL, ZoneInfo(time_zone)).astimezone(now.tzinfo)
