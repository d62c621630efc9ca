"""Values in a message, wherever they stand, each with its place; and the choices its words mean."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from bot.dialogs.amounts import quantities, sums
from bot.dialogs.flows.model import Collect, Flow
from bot.dialogs.found import Found, Plain, plain
from bot.dialogs.places import addresses, order_numbers
from bot.dialogs.slots import EMAIL, emails, find_money, moment_text, moments_of, phones, read_name, zone_of
from bot.dialogs.turn import Turn
from bot.dialogs.understanding.examples import words_of
from bot.dialogs.understanding.when import find_when
from bot.knowledge.tokens import WORD, fold

# With its hyphen, or long enough not to be "vitamin C 50".
CASE_NUMBER = re.compile(r"\bC(?:\s?[-\u2010-\u2015]\s?(\d{1,9})|(\d{3,9}))\b", re.IGNORECASE)
_NAMED = re.compile(
    r"(?:\bmy (?:good )?name is|\bname is|\bname(?:'s)?\s*[:=-]|\bmera (?:shubh )?na+m|मेरा (?:शुभ )?नाम|"
    r"میرا نام|(?:\bka|\bki|\bke|का|के|की|کا|کے|کی) (?:(?:shubh|full|poora|पूरा|शुभ) )?(?:na+m|name|नाम|नेम|نام))"
    r"(?:\s+(?:to|toh|तो|تو))?\s+(?P<name>[^\d,.!?;।\n۔،؟؛]{2,60})",
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
_SCALE = re.compile(
    r"(?<!\w)\S+\s+(?:me|mein|main|में|मे|میں)\s+(?:se|से|سے)(?!\w)|(?:out of|/)\s*\S+", re.IGNORECASE
)
"""The scale beside a grade: "5 me se 3", "3 out of 5"."""
_OF_SCALE = re.compile(
    r"(?<![\w.])(?:(?P<given>\d+(?:\.\d+)?)\s*(?:/|(?:out of|on|upon)\s)\s*(?P<of>\d+)|"
    r"(?P<of_first>\d+)\s*(?:me|mein|main|mai|में|मे|میں)(?:\s*(?:se|say|से|سے))?\s*(?P<given_after>\d+(?:\.\d+)?))(?![\w/])",
    re.IGNORECASE,
)
"""A grade with its scale: "6.5/10", "8 out of 10", "10 में से 7"."""
_NUMBER = re.compile(r"(?<![\w.,/:-])\d+(?:\.\d+)?(?![\w/:-]|[.,]\d)")
_BRIEF_GRADE = 7
"""Words up to which the one number of an answer is the grade."""
_LEAST_SUM = 50_000
"""Minor units: a smaller number alone is as likely a count, a size or a house."""
_NO_NAMES_AFTER_I_AM = frozenset(
    ["from", "in", "at", "not", "the", "very", "so", "looking", "interested", "sorry", "here", "happy"]
)


LONGEST = 2000
"""Characters of a message that are looked at."""


@dataclass(frozen=True, slots=True)
class Extracted:
    """What a text holds. `values`: the first of each kind (phone, email, money, quantity, name, address,
    case_number, order_number, date, time, datetime, when); `found`: all of them, with their places; `past`:
    the same, its days read for a slot that looks back; `ours`: the same, read in the business's zone."""

    values: Mapping[str, Any] = field(default_factory=dict)
    found: tuple[Found, ...] = ()
    past: tuple[Found, ...] = ()
    ours: tuple[Found, ...] = ()

    def fits(self, step: Collect) -> Any:
        """The value of the kind that a step asks for, if there is one."""
        if step.type == "contact":
            return self.values.get("email") or self.values.get("phone")
        if step.reads:
            return self.values.get(step.reads)
        if not (step.unit or step.last or step.looks_back or step.our_zone):
            return self.values.get(step.type)
        read = self.past if step.looks_back else self.ours if step.our_zone else self.found
        found = [one.value for one in read if one.kind == step.type]
        if step.unit:
            found = [value for value in found if value["unit"] == step.unit]
        return found[-1 if step.last else 0] if found else None


def extract(text: str, turn: Turn, lang: str = "") -> Extracted:
    """All values of a text in a language, in the contact's zone."""
    text = text[:LONGEST]
    said = plain(text)
    found = [*phones(text, turn.business.country), *emails(text)]
    found += [_placed(said, one) for one in _in_plain(said.text, turn)]
    ahead = list(_moments(said, lang, turn, back=False))
    back = _moments(said, lang, turn, back=True) if ahead else ()
    abroad = ahead and zone_of(turn) != zone_of(turn, ours=True)
    ours = _moments(said, lang, turn, back=False, ours=True) if abroad else ahead
    values: dict[str, Any] = {}
    for one in (*found, *ahead):
        values.setdefault(one.kind, one.value)
    if when := find_when(text):
        values["when"] = when
    return Extracted(values, (*found, *ahead), (*found, *back), (*found, *ours))


def _placed(said: Plain, found: Found) -> Found:
    """At its place in the text as it was written."""
    return Found(found.kind, found.value, *said.original(found.start, found.end))


def _in_plain(text: str, turn: Turn) -> Iterator[Found]:
    """What the finders find that read a plain text."""
    if match := CASE_NUMBER.search(text):
        yield Found("case_number", f"C-{match[1] or match[2]}", *match.span())
    yield from order_numbers(text)
    yield from _money(text, turn)
    yield from quantities(text)
    if name := _name(text):
        yield name
    yield from addresses(text)


def _moments(said: Plain, lang: str, turn: Turn, back: bool, ours: bool = False) -> Iterator[Found]:
    """The days and times of a text, each apart and both together."""
    for moment in moments_of(said.text, lang, turn, back, ours=ours):
        if moment.day is not None:
            yield _placed(said, Found("date", moment.day.isoformat(), *moment.day_at))
        if moment.hour is not None:
            yield _placed(said, Found("time", moment.hour.strftime("%H:%M"), *moment.hour_at))
        if not moment.roughly and (whole := moment_text(moment, turn, ours)):
            first, last = sorted((moment.day_at, moment.hour_at))
            yield _placed(said, Found("datetime", whole, first[0], max(first[1], last[1])))


def _money(text: str, turn: Turn) -> Iterator[Found]:
    currency = turn.business.currency
    found = list(sums(text, currency))
    yield from found
    if found or phones(text, turn.business.country):
        return
    near: tuple[int, int] | None = None
    if len(text) <= 40 and (alone := _ONLY_A_SUM.fullmatch(text.strip())):
        start = len(text) - len(text.lstrip())
        near = alone.start("sum") + start, alone.end("sum") + start
    elif match := _BUDGET_NEAR.search(text):
        near = match.span("sum" if match["sum"] else "up_to")
    if near is None:
        return
    sum = find_money(text[slice(*near)], currency, bare=True)
    if sum and (len(text) > 40 or not alone or sum["minor"] >= _LEAST_SUM):
        yield Found("money", sum, *near)


def _name(text: str) -> Found | None:
    match = _NAMED.search(text) or _SPEAKING.search(text)
    said = _NAME_ENDS.split(match["name"], maxsplit=1)[0] if match else ""
    if match is None:
        match = _I_AM.search(text)
        if match is None or match["name"].split()[0].lower() in _NO_NAMES_AFTER_I_AM:
            return None
        said = match["name"]
    name = read_name(said)
    return Found("name", name, match.start("name"), match.start("name") + len(said)) if name else None


def choice_word(step: Collect, text: str) -> str | None:
    """The choice that a text's words mean; the longest words win, so that "not urgent" is not "urgent"."""
    if not (step.words or step.hints):
        return None
    if step.grades:
        text = _SCALE.sub(" ", text)
    words = WORD.findall(fold(text))
    padded = f" {' '.join(words)} "
    return next(
        (
            value
            for word, value, _ in _by_length(step)
            # "do" is two, and a word of every other sentence.
            if f" {word} " in padded and not (step.grades and len(words) > 3 and _is_small(word))
        ),
        None,
    )


def is_word_of(step: Collect, text: str) -> bool:
    """Whether a text is nothing but one of a step's words."""
    bare = " ".join(WORD.findall(fold(text)))
    return any(word == bare for word, _, _ in _by_length(step))


def grade(step: Collect, text: str) -> str | None:
    """The grade that a text gives in figures, on this step's scale or turned to it: "4 stars", "6.5/10"."""
    said = plain(text[:LONGEST]).text
    top = max(int(value) for value in step.choices)
    if match := _OF_SCALE.search(said):
        given, scale = float(match["given"] or match["given_after"]), float(match["of"] or match["of_first"])
        if not scale or given > scale:
            return None
        given = given * top / scale
    else:
        numbers = _NUMBER.findall(said)
        if len(numbers) != 1 or len(said.split()) > _BRIEF_GRADE:
            return None
        given = float(numbers[0])
        if given > top:
            return None
    return str(min(max(int(given + 0.5), 1), top))


def _is_small(word: str) -> bool:
    return len(word) <= 3 and not word.isdecimal()


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
