"""The business profile: one record. Settings seed it at first start, the console edits it."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bot.crm.hours import read_closed, read_week
from bot.errors import InvalidInput
from bot.records.entity import entity
from bot.records.keys import BUSINESS
from bot.records.tx import Record, Tx
from bot.records.write import create
from bot.settings import Settings
from bot.storage import Json

LIMITS = {"visit_minutes": (5, 480), "visit_lead_minutes": (0, 43_200), "visits_at_once": (1, 100)}
"""The least and the most of each figure of the calendar."""


def _prepare(_tx: Tx, _before: Record | None, values: dict[str, Any]) -> None:
    """Opening hours and closed days that can be read, figures in their bounds."""
    if "opening_hours" in values:
        read_week(values["opening_hours"])
    if "closed_days" in values:
        read_closed(values["closed_days"])
    for name, (least, most) in LIMITS.items():
        if name in values and not least <= values[name] <= most:
            raise InvalidInput(f"{name} is a number from {least} to {most}", field=name)


BUSINESS_PROFILE = entity(
    "business",
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("country", sa.String(2), nullable=False),
    sa.Column("time_zone", sa.String(60), nullable=False),
    sa.Column("languages", Json, nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
    # The calendar that customers book in (`bot.crm.visit`).
    sa.Column("opening_hours", sa.String(500), nullable=False),
    sa.Column("closed_days", sa.String(2000), nullable=False),
    sa.Column("visit_minutes", sa.Integer, nullable=False),
    sa.Column("visit_lead_minutes", sa.Integer, nullable=False),
    sa.Column("visits_at_once", sa.Integer, nullable=False),
    computed=("name", "country", "time_zone", "languages", "currency"),
    # A business without them may say so.
    defaults={"opening_hours": "", "closed_days": ""},
    prepare=_prepare,
    takes=frozenset({"update"}),
    scope="open",
)


@dataclass(frozen=True, slots=True)
class Profile:
    """Name, default country, time zone, languages (the first is the default), currency."""

    name: str
    country: str
    time_zone: str
    languages: tuple[str, ...]
    currency: str


def load_profile(tx: Tx) -> Profile | None:
    """The profile, None before `seed_profile`."""
    row = tx.row(sa.select(BUSINESS_PROFILE.table))
    if row is None:
        return None
    return Profile(row["name"], row["country"], row["time_zone"], tuple(row["languages"]), row["currency"])


def seed_profile(tx: Tx, settings: Settings) -> Profile:
    """The profile, made from the settings when there is none yet."""
    if (found := load_profile(tx)) is not None:
        return found
    create(
        tx,
        BUSINESS_PROFILE,
        {
            "id": BUSINESS,
            "name": settings.business_name,
            "country": settings.country.upper(),
            "time_zone": settings.time_zone,
            "languages": list(settings.language_list),
            "currency": settings.currency.upper(),
            "opening_hours": settings.opening_hours,
            "closed_days": settings.closed_days,
            "visit_minutes": settings.visit_minutes,
            "visit_lead_minutes": settings.visit_lead_minutes,
            "visits_at_once": settings.visits_at_once,
        },
    )
    profile = load_profile(tx)
    assert profile is not None
    return profile
