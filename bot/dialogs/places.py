"""Postal addresses and order numbers in a text."""

import re
from collections.abc import Iterator
from pathlib import Path

from bot.dialogs.found import Found
from bot.knowledge.tokens import spelled
from bot.yaml_text import read_yaml

_WORDS = read_yaml(spelled((Path(__file__).parent / "words.yaml").read_text(encoding="utf-8")))
_SAYS_ADDRESS, _ORDERS, _NUMBERS = ("|".join(_WORDS[name]) for name in ("address_is", "orders", "number_is"))
_ADDRESS_SAID = re.compile(
    r"(?<!\w)(?:(?:my |the |our |delivery |home |shipping |pickup |full )*address(?: is|:| -)|"
    r"(?:deliver|ship|send|courier)(?: it| this| that| them)? to (?=.{0,200}\d)|"
    rf"(?:{_SAYS_ADDRESS}))\s{{0,5}}:?\s{{0,5}}",
    re.IGNORECASE,
)
_STREET = (
    r"(?:road|rd|street|st|lane|marg|nagar|colony|sector|block|phase|flat|plot|apartments?|apt|society|complex|"
    r"towers?|floor|house|gali|galli|chowk|bazaar|bazar|market|cross|layout|enclave|vihar|puram|peth?|wadi|"
    r"mohalla|chawl|avenue|ave|drive|boulevard|blvd|mawatha|village|taluka|dist|district|near|opp|opposite|"
    r"behind|pin|pincode)"
)
_HOUSE = (
    r"(?<!\w)(?:flat|plot|house|h\.? ?no\.?|door no\.?|shop|no\.?|#)?\s{0,2}(?:no\.?\s{0,2})?"
    r"[A-Z]?-?\d{1,5}[/-]?[A-Z\d]{0,4}"
)
_SPOTTED = re.compile(rf"{_HOUSE},?\s{{1,3}}[^\n?!]{{0,80}}?\b{_STREET}\b[^\n?!]{{0,100}}", re.IGNORECASE)
_NUMBERED = re.compile(r"[\d,]")
_HOUSED = re.compile(
    r",|(?<!\d)[1-9]\d{2}\s?\d{3}(?!\d)|^(?:flat|plot|house no|h\.? ?no|door no)", re.IGNORECASE
)
"""What a house with its street must have, to be more than "2 houses on the road"."""
_ENDS = re.compile(
    rf"\s(?:{_WORDS['is']}|please|pls|plz)?[\s.,।۔]*$|[.!?।۔]\s+(?=[A-Z\u0900-\u0dff])", re.IGNORECASE
)
LEAST, MOST = 10, 300
_ORDER = re.compile(
    rf"(?<!\w)(?:{_ORDERS})\s{{0,3}}(?:{_NUMBERS})?\s{{0,3}}(?:is|hai|:|-|#)?\s{{0,3}}#?\s{{0,3}}"
    r"(?P<number>(?=[A-Z/-]{0,12}\d)[A-Z\d][A-Z\d/-]{2,24})(?!\w)",
    re.IGNORECASE,
)
ORDER_NUMBER = re.compile(r"(?=.*\d)[A-Z\d][A-Z\d/-]{2,24}", re.IGNORECASE)
"""An order number alone, as an answer."""
_CODED = re.compile(r"(?<![\w/-])(?:#\s?(?P<plain>\d{3,12})|(?P<coded>[A-Z]{2,6}[-/]?\d{4,14}))(?![\w/-])")


def addresses(text: str) -> Iterator[Found]:
    """The postal address of a plain text: after words that announce one, else a house and its street."""
    for pattern in (_ADDRESS_SAID, _SPOTTED):
        for match in pattern.finditer(text):
            start = match.end() if pattern is _ADDRESS_SAID else match.start()
            said = text[start:].split("\n\n", 1)[0][:MOST]
            end = _ENDS.search(said)
            said = said[: end.start()] if end else said
            kept = said.strip(" ,.:;-\n।۔")
            sure = _NUMBERED if pattern is _ADDRESS_SAID else _HOUSED
            if len(kept) >= LEAST and sure.search(kept) and "@" not in kept:
                start += said.index(kept)
                yield Found("address", " ".join(kept.split()), start, start + len(kept))
                return


def order_numbers(text: str) -> Iterator[Found]:
    """The numbers of orders, invoices and parcels in a plain text, in capitals."""
    for match in _ORDER.finditer(text):
        yield Found(
            "order_number", match["number"].upper().rstrip("-/"), match.start("number"), match.end("number")
        )
    for match in _CODED.finditer(text):
        name = "plain" if match["plain"] else "coded"
        yield Found("order_number", match[name], match.start(name), match.end(name))
