"""Values in a message, wherever they stand: phone, e-mail, money, name, case number, choice words."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from bot.dialogs.flows.model import Collect, Flow
from bot.dialogs.slots import EMAIL, digits, find_email, find_money, find_phone, read_name, says_sum
from bot.dialogs.turn import Turn
from bot.dialogs.understanding.examples import words_of
from bot.dialogs.understanding.when import find_when
from bot.knowledge.tokens import WORD, fold, spelled

# With its hyphen, or long enough not to be "vitamin C 50".
CASE_NUMBER = re.compile(r"\bC(?:\s?[-\u2010-\u2015]\s?(\d{1,9})|(\d{3,9}))\b", re.IGNORECASE)
_NAMED = re.compile(
    r"(?:\bmy (?:good )?name is|\bname is|\bname\s*[:-]|\bmera (?:shubh )?na+m|मेरा (?:शुभ )?नाम|میرا نام)"
    r"\s+(?P<name>[^\d,.!?;।\n۔،؟؛]{2,60})",
    re.IGNORECASE,
)
# "I am Ravi": only with a capital, "I am looking" being far more common.
_I_AM = re.compile(
    r"(?:\b(?:[Tt]his is|I am|I'm|[Mm]yself|[Mm]ain)\s+)"
    r"(?P<name>[A-Z][a-z]+(?: [A-Z][a-z]+){0,2})(?=[\s,.!]|$)"
)
_NAME_ENDS = re.compile(
    r"\s+(?:and|from|here|hai|hain|h|he|aur|my|mera|meri|phone|mobile|number|email|i|please|"
    r"है|हैं|और|मेरा|मेरी|ہے|ہیں|اور|میرا|میری|نمبر|فون|موبائل)(?=\s|$)",
    re.IGNORECASE,
)
# "میں علی بات کر رہا ہوں": "I am Ali", as one says it on the telephone.
_SPEAKING = re.compile(
    r"(?<!\w)میں\s+(?P<name>[^\d,.!?;\n۔،؟؛]{2,60}?)\s+(?:بات کر|بول) (?:رہا|رہی|رہے)(?!\w)"
)
_LONG_NUMBER = re.compile(r"\+?\d[\d\s-]{6,}\d")
_BUDGET_NEAR = re.compile(
    r"(?:\b(?:budget|under|upto|up to|within|around|about|below|maximum|max)|बजट|بجٹ)"
    r"\D{0,15}(?P<sum>\d[\d,.]*)|"
    r"(?P<up_to>\d[\d,.]*)\s*(?:tak|ke andar|तक|के अंदर|تک|کے اندر)",
    re.IGNORECASE,
)
_ONLY_A_SUM = re.compile(r"(?:[^\d,.]{0,20}[\s,.:]+)?(?P<sum>\d[\d,]{2,9}(?:\.\d+)?)\s*(?:/-)?[^\d]{0,8}")
"""A whole message that is a number, with a word or two around it: "no, 45000", "35000 hai"."""
_ASSENT = re.compile(r"^(?:(?:yes|haan|han|ji|ok|हाँ|हां|जी|ہاں|جی) )+")
_LEAST_SUM = 50_000
"""Minor units: a smaller number alone is as likely a count, a size or a house."""
_NO_NAMES_AFTER_I_AM = frozenset(
    ["from", "in", "at", "not", "the", "very", "so", "looking", "interested", "sorry", "here", "happy"]
)


@dataclass(frozen=True, slots=True)
class Extracted:
    """What a text holds, by kind: phone, email, money, name, case_number, when."""

    values: Mapping[str, Any] = field(default_factory=dict)

    def fits(self, step: Collect) -> Any:
        """The value of the kind that a step asks for, if there is one."""
        if step.type == "contact":
            return self.values.get("email") or self.values.get("phone")
        if step.reads:
            return self.values.get(step.reads)
        return self.values.get(step.type)


def extract(text: str, turn: Turn) -> Extracted:
    """All values of a text."""
    values: dict[str, Any] = {}
    has_digit = any(char.isdigit() for char in text)
    if email := find_email(text):
        values["email"] = email
    if has_digit and (phone := find_phone(text, turn.business.country)):
        values["phone"] = phone
    if has_digit and (match := CASE_NUMBER.search(text)):
        values["case_number"] = f"C-{match[1] or match[2]}"
    if says_sum(text) and (money := _money(text, turn, "phone" in values)):
        values["money"] = money
    if name := _name(text):
        values["name"] = name
    if when := find_when(text):
        values["when"] = when
    return Extracted(values)


def _money(text: str, turn: Turn, has_phone: bool) -> dict[str, Any] | None:
    found = find_money(text, turn.business.currency)
    if found is not None or has_phone:
        return found
    alone = None if len(text) > 40 else _ONLY_A_SUM.fullmatch(digits(text).strip())
    if alone:
        sum = find_money(alone["sum"], turn.business.currency, bare=True)
        return sum if sum and sum["minor"] >= _LEAST_SUM else None
    match = _BUDGET_NEAR.search(digits(spelled(text)))
    return find_money(match["sum"] or match["up_to"], turn.business.currency, bare=True) if match else None


def _name(text: str) -> str | None:
    text = spelled(text)
    match = _NAMED.search(text) or _SPEAKING.search(text)
    if match:
        return read_name(_NAME_ENDS.split(match["name"], maxsplit=1)[0])
    match = _I_AM.search(text)
    if match and match["name"].split()[0].lower() not in _NO_NAMES_AFTER_I_AM:
        return read_name(match["name"])
    return None


def choice_word(step: Collect, text: str) -> str | None:
    """The choice that a text's words mean; the longest words win, so that "not urgent" is not "urgent"."""
    if not (step.words or step.hints):
        return None
    padded = f" {' '.join(WORD.findall(fold(text)))} "
    return next((value for word, value, _ in _by_length(step) if f" {word} " in padded), None)


def said_unasked(step: Collect, text: str) -> str | None:
    """The choice that a text means though nobody asked: its words in an early step, else a plain hint, or a
    message that is nothing but the step's words."""
    if step.early:
        return choice_word(step, text)
    if not step.hints:
        return None
    bare = " ".join(WORD.findall(fold(text)))
    bare = _ASSENT.sub("", bare) or bare
    padded = f" {bare} "
    return next(
        (
            value
            for word, value, hints in _by_length(step)
            if word == bare or (hints and f" {word} " in padded)
        ),
        None,
    )


_ORDERED: dict[int, tuple[Collect, tuple[tuple[str, str, bool], ...]]] = {}


def _by_length(step: Collect) -> tuple[tuple[str, str, bool], ...]:
    """(words, value, whether they are a hint), longest first; kept while the step lives."""
    kept = _ORDERED.get(id(step))
    if kept is None or kept[0] is not step:
        hints = {" ".join(WORD.findall(fold(word))) for words in step.hints.values() for word in words}
        pairs = [
            (said, value, said in hints)
            for known in (step.words, step.hints)
            for value, words in known.items()
            for word in words
            if (said := " ".join(WORD.findall(fold(word))))
        ]
        kept = step, tuple(sorted(pairs, key=lambda pair: -len(pair[0])))
        _ORDERED[id(step)] = kept
    return kept[1]


def slots_for(flow: Flow, found: Extracted, text: str, taken: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The slots of a flow that a message fills unasked, each kind of value once."""
    slots: dict[str, Any] = {}
    for step in flow.collects():
        if step.slot in taken:
            continue
        value = found.fits(step) if not step.reads else None
        if value is None:
            value = said_unasked(step, text) or found.fits(step)
        if value is not None and value not in slots.values():
            slots[step.slot] = value
    if "case_number" in found.values:
        slots["case_number"] = found.values["case_number"]
    return slots


@lru_cache(maxsize=1)
def _generic() -> frozenset[str]:
    return frozenset(fold(word) for word in words_of("generic"))


def says_something(text: str) -> bool:
    """Whether a request names its matter: words beyond those every request has."""
    return any(word not in _generic() and not word.isdecimal() for word in WORD.findall(fold(text)))


def without_addresses(text: str) -> str:
    """The text without e-mail addresses and long numbers: "Meena, meena@example.com" is a name too."""
    return _LONG_NUMBER.sub(" ", EMAIL.sub(" ", text)).strip(" ,;\n")
