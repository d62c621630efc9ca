"""Amounts as people write them: `2500.50`, `10k`, `5 lakh`, `1.5 crore INR`, `USD 5000`, `₹5 lakh`."""

import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from bot.records.money import digits, known_currencies
from bot.records.query.model import Money

SCALES = {
    **dict.fromkeys(("k", "thousand"), 10**3),
    **dict.fromkeys(("lakh", "lakhs", "lac", "lacs", "l"), 10**5),
    **dict.fromkeys(("million", "mn"), 10**6),
    **dict.fromkeys(("crore", "crores", "cr"), 10**7),
    **dict.fromkeys(("billion", "bn"), 10**9),
}
SYMBOLS = {
    "₹": "INR",
    chr(0x09F3): "BDT",
    "€": "EUR",
    "£": "GBP",
    "$": "USD",
    "rs": "",
    "rs.": "",
}
"""`Rs` is the rupee of whose business it is."""
MOST = Decimal(10**14)
_SIGNS = re.escape("".join(sign for sign in SYMBOLS if len(sign) == 1))
_AMOUNT = re.compile(
    r"(?P<front>[a-z]{3}|rs\.?|[" + _SIGNS + r"])? ?(?P<number>[+-]?[0-9][0-9,]*(?:\.[0-9]+)?) ?"
    r"(?P<scale>[a-z]+)?(?: (?P<back>[a-z]{3}))?"
)


def read_amount(text: str) -> Money | None:
    """The amount that these words say; None where they say none, or one too large to be kept."""
    found = _AMOUNT.fullmatch(" ".join(text.lower().split()))
    if found is None or (found["front"] and found["back"]):
        return None
    scale, back = found["scale"] or "", found["back"] or ""
    if scale and scale not in SCALES:
        if back or len(scale) != 3 or found["front"]:  # 5000 usd
            return None
        scale, back = "", scale
    currency = found["front"] or back
    code = SYMBOLS.get(currency, currency.upper())
    if code and code not in known_currencies():
        return None
    amount = Decimal(found["number"].replace(",", "")) * SCALES.get(scale, 1)
    return Money(amount, code) if abs(amount) < MOST else None


def amount_text(money: Money) -> str:
    """The amount in plain digits, with its currency."""
    text = format(money.amount, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return f"{text} {money.currency}" if money.currency else text


def bounds(money: Money, currency: str) -> tuple[int, int]:
    """The amount in minor units of its currency, rounded down and up: equal where it can be paid."""
    exact = money.amount.scaleb(digits(money.currency or currency))
    return int(exact.to_integral_value(ROUND_FLOOR)), int(exact.to_integral_value(ROUND_CEILING))
