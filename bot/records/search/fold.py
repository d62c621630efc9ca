"""Folding: the one form in which texts are indexed and sought, and how near a find is.

A word is kept in up to four forms, all in [a-z0-9]: FTS5 and PostgreSQL's tsvector hold the same strings.

- **plain**: in Latin letters, lower case (`lakshmi`; `laksmi` for Laxmi): while typing, the beginning of it.
- **spelled**: one spelling of what names write in several ways (`laksmi`); found from its beginning too.
- **sound** (`xa…`): spelled, without weak vowels, v as b, o as u; found whole, from three consonants on.
  Mohammed and Muhammad, Vivek and Bibek.
- **skeleton** (`xb…`): coarse consonants, for scripts that write no more (Arabic, Urdu, Tamil). A word in
  such a script has `xc…` as well. A query in Latin looks for `xc…`, one in such a script for `xb…`: so
  skeletons never join two names that both show their vowels (Kiran, Karan).

No word holds an x (it becomes ks), so no beginning of a word meets a marked form.

Precision and recall: `~` finds fewer where it would drown the answer. As spelled, short words are sought
whole (Khan finds Kan, not Kannan), and typing mistakes are for ranked search (`close`). What it confuses:
names that differ by an h (Shetty, Sethi), and by vowels where one side is Urdu or Tamil; ranked last.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE
from rapidfuzz.distance import OSA

from bot.records.search.latin import LETTERS, POOR, pairs, to_latin

SOUND, SKELETON, POOR_SKELETON = "xa", "xb", "xc"
LONGEST = 64
"""Longer words are cut, in texts and queries alike: PostgreSQL's lexemes have a limit."""
LEAST_CONSONANTS = 3
LEAST_BEGINNING = 4
"""Letters from which a beginning is sought as spelled too."""

_TOKEN = re.compile(
    r"(?P<mail>[a-zP0-9._%+'-]{1,64}+@[a-zP0-9.-]*)"
    r"|(?P<number>(?<![a-z0-9])\+?\d+(?:[ ().-]{1,3}\d+)*(?![a-z0-9]))"
    r"|(?P<word>[a-zP0-9]+(?:['-][a-zP0-9]+)*)"
)
_PART = re.compile("P?[a-z0-9]+")
_NOT_KEPT = str.maketrans({"x": "ks"})
_NUMBER_GROUPS = 6
_JOINED_FROM = 6  # digits: a number written in groups is sought as one
_WITH_COUNTRY_FROM = 11

_ANYWHERE, _NOT_BEFORE_VOWEL, _BEFORE_VOWEL, _AT_THE_END = (
    pairs(LETTERS[row]) for row in ("spelling", "not_before_vowel", "before_vowel", "at_the_end")
)
_SPELLING = {**_ANYWHERE, **_NOT_BEFORE_VOWEL, **_BEFORE_VOWEL, **_AT_THE_END}


def _any_of(row: dict[str, str]) -> str:
    return "(?:" + "|".join(sorted(row, key=len, reverse=True)) + ")"


_SPELL = re.compile(
    f"{_any_of(_NOT_BEFORE_VOWEL)}(?![aeiou])|{_any_of(_BEFORE_VOWEL)}(?=[aeou])|{_any_of(_AT_THE_END)}$"
    f"|ch(?!h|ch)|{_any_of(_ANYWHERE)}"
)
_DOUBLED = re.compile(r"(.)\1+")
# A last a after two consonants is often not spoken (Krishna, Gupta, Anand); after one it is meant (Manisha).
_FAINT = re.compile("(?<=[bdfghjklmnprstv][bdfgjklmnprstv])a$")
_NAMES = {other: row.split()[0] for row in LETTERS["names"].splitlines() for other in row.split()[1:]}

# What is heard: a glide, one back vowel, b for v, a last vowel; not the weak vowels between consonants.
_HEARD = (
    (re.compile("ch"), "c"),
    (re.compile("au|o"), "u"),
    (re.compile("v"), "b"),
    (re.compile("(?<=[aeu])i"), "y"),
    (re.compile("(?<=.)[ae](?=.)"), ""),
    (re.compile("e$"), "a"),
)
_MUTE = re.compile("(?<=.)[aeiouy]|h$")
_COARSE = str.maketrans("pvfdghjc", "bbbtkkss")
_CONSONANT = re.compile("[^aeiou]")


class Word(NamedTuple):
    """A token of a text in Latin, and how it is to be read; of a number, `forms` are what it is found by."""

    plain: str
    kind: Literal["word", "poor", "whole", "number"]
    forms: tuple[str, ...] = ()


def words(text: str) -> tuple[str, ...]:
    """The folded words of a text, in order: each as spelled, numbers and addresses whole and in parts."""
    return tuple(
        _spell(word.plain)[0] if word.kind in ("word", "poor") else word.plain for word in _indexed(text)
    )


def skeleton(word: str) -> str:
    """The coarse consonants of a folded word, a first vowel as a: `lksm`, `aslm`."""
    word = word.replace("ch", "c").translate(_COARSE)
    first = "a" if word[:1] in ("a", "e", "i", "o", "u") else word[:1]
    return first + _MUTE.sub("", word)[1:]


def terms(text: str) -> str:
    """What the index keeps of a text: every form of every word, once, with spaces between."""
    return " ".join(dict.fromkeys(form for word in _indexed(text) for form in _forms(word)))


def wanted(query: str) -> list[list[str]]:
    """For each word of a query what in the index finds it: a term, or one's beginning where a `*` ends it.

    A text matches that has one of each list; a query without a word (`[]`) matches nothing."""
    return [_alternatives(typed, ended) for typed, ended in _sought(query)]


def wanted_loosely(query: str) -> list[list[str]]:
    """The same, where each word that may be mistyped is sought by its first two letters."""
    return [
        [f"{form[:2]}*" for form in dict.fromkeys((typed.plain, _spell(typed.plain)[0]))]
        if typed.kind in ("word", "poor") and _mistakes(typed.plain)
        else _alternatives(typed, ended)
        for typed, ended in _sought(query)
    ]


def matches(query: str, text: str) -> bool:
    """Whether a text has every word of a query: what `~` means."""
    asked = wanted(query)
    held = terms(text).split() if asked else []
    return bool(asked) and all(any(_has(held, term) for term in alternatives) for alternatives in asked)


def close(query_word: str, word: str) -> bool:
    """Whether a folded word is a typing mistake away: one edit from four letters on, two from eight."""
    return OSA.distance(query_word, word, score_cutoff=(allowed := _mistakes(query_word))) <= allowed


def score(query: str, text: str) -> float:
    """How near a text comes to a query, 0 to 1: word, beginning, sound, consonants, typing mistake."""
    near = nearness(query, text)
    return sum(near) / len(near) if near else 0.0


def nearness(query: str, text: str) -> list[float]:
    """The same for each word of the query; a text that says little else comes nearer."""
    sought = _sought(query)
    held = _indexed(text)
    if not held:
        return [0.0] * len(sought)
    share = 0.9 + 0.1 * min(1.0, len(sought) / len(held))
    return [share * max(_nearness(typed, ended, one) for one in held) for typed, ended in sought]


def _sought(query: str) -> list[tuple[Word, Word]]:
    """The words of a query, each as typed so far and as if nothing followed."""
    typed = _read(to_latin(query, unfinished=True), seeking=True)
    ended = typed if query.isascii() else _read(to_latin(query), seeking=True)
    return list(zip(typed, ended, strict=True))


def _indexed(text: str) -> list[Word]:
    return _read(to_latin(text), seeking=False)


def _read(latin: str, *, seeking: bool) -> list[Word]:
    """The tokens of a text already in Latin. What a text says in parts it is found by whole as well."""
    found: list[Word] = []
    for match in _TOKEN.finditer(latin):
        token = match[0]
        if match.lastgroup == "number":
            found += _numbers(token, seeking)
        elif match.lastgroup == "mail":
            found += _compound(token, "whole", seeking)
        else:
            found += _compound(token, "word", seeking)
    return found


def _compound(token: str, kind: Literal["word", "whole"], seeking: bool) -> list[Word]:
    """What stands together: a text's as one and in parts; a query's in parts at a hyphen, else as one."""
    parts = _PART.findall(token)
    if not parts or (len(parts) == 1 and kind == "word") or (seeking and kind == "word" and "-" in token):
        return [_word(part) for part in parts]
    joined = _word("".join(parts), kind)
    return [joined] if seeking else [joined, *map(_word, parts)]


def _word(token: str, kind: Literal["word", "whole"] = "word") -> Word:
    plain = token.replace(POOR, "").translate(_NOT_KEPT)[:LONGEST]
    if kind == "whole" or not plain.isalpha():
        return Word(plain, "whole")
    return Word(plain, "poor" if POOR in token else "word")


def _numbers(token: str, seeking: bool) -> list[Word]:
    """A number: a text's is found from each of its groups on, a query's is one from six digits on."""
    groups = re.findall(r"\d+", token)
    if not seeking:
        runs = [groups[start : start + _NUMBER_GROUPS] for start in range(len(groups))]
    elif sum(map(len, groups)) >= _JOINED_FROM:
        runs = [groups[start : start + _NUMBER_GROUPS] for start in range(0, len(groups), _NUMBER_GROUPS)]
    else:
        runs = [[group] for group in groups]
    return [_number("".join(run), token.startswith("+") and place == 0) for place, run in enumerate(runs)]


def _number(digits: str, abroad: bool) -> Word:
    """A number as it is, without the zeros one dials first, without its country."""
    dialled = digits.lstrip("0") or digits
    forms = [digits, dialled]
    if abroad or len(dialled) >= _WITH_COUNTRY_FROM:
        code = next((size for size in (1, 2, 3) if int(dialled[:size]) in COUNTRY_CODE_TO_REGION_CODE), 0)
        forms.append(dialled[code:].lstrip("0") or dialled)
    cut = tuple(dict.fromkeys(form[:LONGEST] for form in forms))
    return Word(cut[0], "number", cut)


@lru_cache(maxsize=8192)
def _spell(word: str) -> tuple[str, str]:
    """(A word in the one spelling, the same without a last a that is faint.)"""
    before = ""
    while before != word:
        before = word
        word = _DOUBLED.sub(r"\1", _SPELL.sub(lambda match: _SPELLING.get(match[0], match[0]), word))
    word = _NAMES.get(word, word)
    return word, _FAINT.sub("", word)


@lru_cache(maxsize=8192)
def _keys(spelled: str) -> tuple[str, str]:
    """(Sound, skeleton) of a spelled word; empty where too few consonants would make them common."""
    sound = spelled
    for pattern, heard in _HEARD:
        sound = pattern.sub(heard, sound)
    bones = skeleton(spelled)
    enough = len(_CONSONANT.findall(bones)) >= LEAST_CONSONANTS
    return (SOUND + sound, bones) if enough else ("", "")


@lru_cache(maxsize=8192)
def _forms(word: Word) -> tuple[str, ...]:
    """The terms by which a word of a text is found."""
    if word.kind not in ("word", "poor"):
        return word.forms or (word.plain,)
    full, bare = _spell(word.plain)
    sound, bones = _keys(bare)
    marked = (SKELETON + bones, POOR_SKELETON + bones if word.kind == "poor" else sound) if sound else ()
    return (word.plain, full, bare, *marked)


def _alternatives(typed: Word, ended: Word) -> list[str]:
    """What finds a word of a query: `typed` so far, and `ended` as if nothing followed."""
    if typed.kind not in ("word", "poor"):
        # A last letter may be read otherwise once its word is ended: Tamil k is g within one.
        forms = [form for word in (typed, ended) for form in word.forms or (word.plain,)]
        return [f"{form}*" for form in dict.fromkeys(forms)]
    full, _ = _spell(typed.plain)
    _, bare = _spell(ended.plain)
    sound, bones = _keys(bare)
    marked = (SKELETON + bones,) if typed.kind == "poor" else (sound, POOR_SKELETON + bones)
    found = [f"{typed.plain}*", f"{full}*" if len(full) >= LEAST_BEGINNING else full, bare]
    return list(dict.fromkeys([*found, *(marked if sound else ())]))


def _has(held: Sequence[str], term: str) -> bool:
    """Whether a text's terms have one that is asked for."""
    if term.endswith("*"):
        return any(one.startswith(term[:-1]) for one in held)
    return term in held


def _nearness(typed: Word, ended: Word, held: Word) -> float:
    """How near one word of a text is to one of a query."""
    forms = _forms(held)
    if not {ended.plain, *ended.forms}.isdisjoint((held.plain, *held.forms)):
        return 1.0
    named = typed.kind in ("word", "poor")
    spelled, bare = _spell(ended.plain)
    if named and bare in forms:
        return 0.95
    alternatives = _alternatives(typed, ended)
    if begun := [len(one) for one in alternatives if one.endswith("*") and _has(forms, one)]:
        return 0.8 + 0.1 * min(1.0, max(begun) / len(held.plain))
    for place, mark in enumerate((SOUND, SKELETON, POOR_SKELETON)):
        if any(one.startswith(mark) and one in forms for one in alternatives):
            return (0.75, 0.6, 0.6)[place]
    if named and held.kind in ("word", "poor"):
        both = ((ended.plain, held.plain), (spelled, _spell(held.plain)[0]))
        return max(0.5 * float(OSA.normalized_similarity(*pair)) if close(*pair) else 0.0 for pair in both)
    return 0.0


def _mistakes(word: str) -> int:
    """How many edits are taken for typing mistakes in a word so long."""
    return 0 if len(word) < 4 else 1 if len(word) < 8 else 2
