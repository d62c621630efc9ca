"""The business profile: one record. Settings seed it at first start, the console edits it."""

from dataclasses import dataclass

import sqlalchemy as sa

from bot.records.entity import entity
from bot.records.keys import BUSINESS
from bot.records.tx import Tx
from bot.records.write import create
from bot.settings import Settings
from bot.storage import Json

BUSINESS_PROFILE = entity(
    "business",
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("country", sa.String(2), nullable=False),
    sa.Column("time_zone", sa.String(60), nullable=False),
    sa.Column("languages", Json, nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
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
        },
    )
    profile = load_profile(tx)
    assert profile is not None
    return profile
