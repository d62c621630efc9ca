"""Every text said to a person: gettext PO catalogues by language, read once into dicts.

A key (`lead.ask_need`) is the msgid; `{name}` is a placeholder; msgctxt names a channel that says it
differently; a value called `count` picks the plural form by the catalogue's own rule.
"""

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache, lru_cache
from gettext import c2py
from pathlib import Path
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime
from babel.messages.catalog import Catalog
from babel.messages.pofile import PoFileError, read_po

from bot.errors import ConfigurationInvalid
from bot.shipped import shipped

log = logging.getLogger(__name__)

FALLBACK = "en"
_FROM_RIGHT = frozenset({"ar", "ckb", "dv", "fa", "he", "ks", "ps", "sd", "ug", "ur", "yi"})
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Key:
    """A value that is itself a text: resolved in the language of the sentence around it."""

    key: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """One language: (channel, key) -> its forms, one or as many as the language has plurals."""

    lang: str
    texts: Mapping[tuple[str, str], tuple[str, ...]]
    plural: Callable[[int], int]
    keys: frozenset[str] = frozenset()


class Words:
    """All languages' texts.

    A missing key or value is logged and shown as the key (a value as nothing), because a customer is
    better served by an odd sentence than by silence; `strict` raises KeyError instead, for tests.
    """

    def __init__(self, catalogues: Iterable[Catalogue], strict: bool = False) -> None:
        self._catalogues = {catalogue.lang: catalogue for catalogue in catalogues}
        self._strict = strict
        if FALLBACK not in self._catalogues:
            raise ConfigurationInvalid("There is no locales/en: restore it, every language falls back to it")

    @classmethod
    def load(cls, folder: Path | None = None, strict: bool = False) -> "Words":
        """Read every `<lang>/LC_MESSAGES/*.po` under `folder`, by default the shipped ones."""
        return cls(_shipped() if folder is None else _read_all(folder), strict)

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages there are words for, as `en`, `hi`, `hi-Latn`."""
        return tuple(self._catalogues)

    def say(self, key: str, lang: str, channel: str = "", /, **values: Any) -> str:
        """The text of `key` in `lang`, else its base language, else English."""
        for name in chain(lang):
            catalogue = self._catalogues.get(name)
            if catalogue is None:
                continue
            forms = catalogue.texts.get((channel, key)) or catalogue.texts.get(("", key))
            if forms:
                return self._fill(_form(catalogue, forms, values), lang, channel, values)
        if self._strict:
            raise KeyError(key)
        log.error("no words for this key", extra={"key": key, "lang": lang})
        return key

    def has(self, key: str) -> bool:
        """Whether any language in the fall-back chain has this key."""
        return ("", key) in self._catalogues[FALLBACK].texts

    def placeholders(self, key: str) -> frozenset[str]:
        """What a text is filled with."""
        return frozenset(_placeholders(self._catalogues[FALLBACK].texts.get(("", key), ())))

    def _fill(self, text: str, lang: str, channel: str, values: Mapping[str, Any]) -> str:
        if "{" not in text:
            return text

        # Not str.format: a text written by an admin must not reach attributes of what fills it.
        def put(match: re.Match[str]) -> str:
            name = match.group(1)
            if name not in values:
                if self._strict:
                    raise KeyError(f"{name} in: {text}")
                log.error("no value for a placeholder", extra={"placeholder": name, "text": text})
                return ""
            value = values[name]
            if isinstance(value, Key):
                return self.say(value.key, lang, channel, **value.values)
            return str(value)

        return _PLACEHOLDER.sub(put, text)

    def check(self) -> list[str]:
        """What is wrong with the catalogues, a sentence each; empty when all is well."""
        english = self._catalogues[FALLBACK]
        wanted = english.keys
        problems: list[str] = []
        for lang, catalogue in self._catalogues.items():
            for key in sorted(wanted - catalogue.keys):
                problems.append(f"{lang}: {key} is missing; add it to locales/{_folder(lang)}")
            for key in sorted(catalogue.keys - wanted):
                problems.append(f"{lang}: {key} is unknown; English does not have it")
            for key in sorted(wanted & catalogue.keys):
                problems.extend(_compare(key, english, catalogue))
        return problems


@lru_cache(maxsize=256)
def chain(lang: str) -> tuple[str, ...]:
    """Where to look for a language's words: itself, its base language, English."""
    return tuple(dict.fromkeys((lang, lang.split("-", 1)[0], FALLBACK)))


def written_from_right(lang: str) -> bool:
    """Whether a language is written from right to left."""
    return lang.split("-", 1)[0] in _FROM_RIGHT


def locale_of(lang: str) -> Locale:
    """By which dates, days and numbers are written for readers of a language."""
    # Who reads romanised Hindi reads English dates.
    name = "en_IN" if lang.endswith("-Latn") or lang == "en" else lang.replace("-", "_")
    try:
        return Locale.parse(name)
    except (UnknownLocaleError, ValueError):
        return Locale.parse("en_IN")


def moment_words(moment: datetime, lang: str, *, zone: bool = False) -> str:
    """A day and time as people say it, short enough for a button: `Tue 24 Nov, 5:00 pm`, in its own zone;
    `zone` names that: `… (Gulf Standard Time)`."""
    pattern = "EEE d MMM, h:mm a" + (" (zzzz)" if zone else "")
    return str(format_datetime(moment, pattern, tzinfo=moment.tzinfo, locale=locale_of(lang)))


def day_words(day: date, lang: str) -> str:
    """A day as people say it: `Tuesday, 24 November`."""
    return str(format_date(day, "EEEE, d MMMM", locale=locale_of(lang)))


def _form(catalogue: Catalogue, forms: tuple[str, ...], values: Mapping[str, Any]) -> str:
    if len(forms) == 1:
        return forms[0]
    try:
        return forms[min(catalogue.plural(abs(int(values["count"]))), len(forms) - 1)]
    except (KeyError, TypeError, ValueError):
        return forms[-1]


def _folder(lang: str) -> str:
    return lang.replace("-", "_")


@cache
def _shipped() -> tuple[Catalogue, ...]:
    """The program's own, read once: they do not change under it."""
    return _read_all(shipped("locales"))


def _read_all(root: Path) -> tuple[Catalogue, ...]:
    return tuple(_read(path) for path in sorted(root.iterdir()) if (path / "LC_MESSAGES").is_dir())


def _read(path: Path) -> Catalogue:
    """All PO files of one language; a key in two files is an error of ours, the later file wins."""
    texts: dict[tuple[str, str], tuple[str, ...]] = {}
    keys: set[str] = set()
    rule = "(n != 1)"
    for file in sorted((path / "LC_MESSAGES").glob("*.po")):
        try:
            with file.open("rb") as stream:
                catalog: Catalog = read_po(stream, abort_invalid=True)
        except (PoFileError, ValueError) as error:
            raise ConfigurationInvalid(f"{file}: not a PO file: {error}; mend that line") from error
        rule = catalog.plural_expr
        for message in catalog:
            if not message.id:
                continue
            key = message.id if isinstance(message.id, str) else message.id[0]
            keys.add(key)
            forms = (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
            if all(forms):
                texts[message.context or "", key] = forms
    return Catalogue(path.name.replace("_", "-"), texts, c2py(rule), frozenset(keys))


def _compare(key: str, english: Catalogue, other: Catalogue) -> list[str]:
    theirs = [(channel, forms) for (channel, name), forms in other.texts.items() if name == key]
    if not any(channel == "" for channel, _ in theirs):
        return [f"{other.lang}: {key} is empty; write its text"]
    expected = _placeholders(english.texts.get(("", key), ()))
    problems = []
    for channel, forms in theirs:
        # A plural form may leave its count out ("one case"); a channel's short form may leave out more.
        found = _placeholders(forms)
        where = f" ({channel})" if channel else ""
        if found - expected or (not channel and expected - found):
            problems.append(
                f"{other.lang}: {key}{where} has {_list(found)} where English has {_list(expected)}"
            )
    return problems


def _placeholders(forms: Iterable[str]) -> set[str]:
    return {name for form in forms for name in _PLACEHOLDER.findall(form)}


def _list(names: set[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in sorted(names)) or "no placeholder"
