"""An article as read from a file, and what the readers of all kinds share."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from anyascii import anyascii
from babel import localedata

from bot.errors import InvalidInput

LARGEST = 30 * 1024 * 1024
"""Bytes of one file."""
LONGEST_KEY = 80


@dataclass(frozen=True, slots=True)
class ArticleFile:
    """`place` is where it stands, for messages: the file, and its line where a file holds many.

    `whole`: the file says all of the article's state. Other files speak of the text, and of what else is not
    empty here; an article that is there already keeps the rest.
    """

    place: str
    key: str
    title: str
    lang: str
    body: str
    status: str = ""
    category: str | None = None
    audience: str = ""
    publish_at: datetime | None = None
    expires_at: datetime | None = None
    stale: bool = False
    whole: bool = False
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    """By their address."""


@dataclass(frozen=True, slots=True)
class Source:
    """What is imported: a folder (or one with one file), and the language of what does not name its own."""

    root: Path
    lang: str = "en"
    fixed: bool = False
    """Whether the language was asked for, whatever a page says of itself."""

    def lang_of(self, path: Path, said: str = "") -> str:
        """By the folder it lies in; else as asked for, as it says itself, or the business's first."""
        parts = path.relative_to(self.root).parts[:-1] if path.is_relative_to(self.root) else ()
        for part in (*parts[:1], self.root.name):
            if is_language(part):
                return part
        return said if said and not self.fixed and is_language(said) else self.lang


def is_language(name: str) -> bool:
    """Whether a name is the code of a language, as `hi` or `hi-Latn`."""
    return bool(re.fullmatch(r"[a-z]{2,3}(-[A-Z][a-z]{3})?", name)) and bool(
        localedata.exists(name.replace("-", "_"))
    )


def read_bytes(path: Path) -> bytes:
    """The file. Raises InvalidInput when it is too large or empty."""
    size = path.stat().st_size
    if size > LARGEST:
        raise InvalidInput(f"{path}: is larger than {LARGEST // 1024**2} MB; split it", field="body")
    if not size:
        raise InvalidInput(f"{path}: is empty", field="body")
    return path.read_bytes()


def as_key(text: str) -> str:
    """An id made of a name or a title in any script; empty where there is no letter in it."""
    words = re.findall(r"[a-z0-9]+", anyascii(text).lower())
    key = ""
    for word in words:
        if len(key) + len(word) >= LONGEST_KEY:
            break
        key = f"{key}-{word}" if key else word
    return key or "".join(words)[:LONGEST_KEY]


def key_of(path: Path, title: str = "") -> str:
    """The id of an article that names none: by its file's name; a folder's front page by its title."""
    named = as_key(path.stem)
    return as_key(title) or named if named in ("index", "default", "readme") else named


def tidy(text: str) -> str:
    """Markdown without spaces at ends of lines and with at most one empty line in a row."""
    lines = "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    return re.sub(r"\n{3,}", "\n\n", lines).strip()
