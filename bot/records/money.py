"""Money: minor units inside, a number in major units outside; the currency says how far apart."""

from decimal import Decimal
from functools import lru_cache

from babel.core import Locale
from babel.numbers import get_currency_precision

MOST = 10**15
"""Amounts stay below so many minor units: with 15 digits a JSON number is exact on every machine."""


@lru_cache
def known_currencies() -> frozenset[str]:
    """The codes of ISO 4217."""
    return frozenset(Locale("en").currencies)


@lru_cache(maxsize=512)
def digits(currency: str) -> int:
    """How many decimal places the currency has: 2 for INR, 0 for JPY, 3 for KWD."""
    return get_currency_precision(currency)


def to_major(minor: int, currency: str) -> int | float:
    """12.5 for 1250 paise; a whole number where it is one."""
    places = digits(currency)
    whole, rest = divmod(minor, 10**places)
    return float(Decimal(minor).scaleb(-places)) if rest else whole


def to_minor(amount: Decimal, currency: str) -> int:
    """1250 for 12.5 rupees. Raises ValueError that says what is wrong with the amount."""
    scaled = amount.scaleb(digits(currency))
    if not -MOST < scaled < MOST:
        raise ValueError("too large")
    if scaled != scaled.to_integral_value():
        raise ValueError("too many decimal places")
    return int(scaled)
