"""An article's text for its page: headings with places of their own, and its beginning in a sentence."""

import re
from dataclasses import dataclass
from functools import lru_cache
from html import unescape

import nh3

from bot.knowledge.tokens import words
from bot.web.pages.markdown import to_html

EXCERPT = 180
_HEADING = re.compile(r"<(h[234])>(.*?)</\1>", re.DOTALL)
_TAKEN = frozenset({"main", "useful", "useful-title", "comment", "q", "related"})
"""Ids of the page itself."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading: the name of its place in the page, its level, its words."""

    id: str
    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """An article as HTML. `start` is its beginning as plain words."""

    html: str
    headings: tuple[Heading, ...]
    start: str


@lru_cache(maxsize=512)  # an article is read more often than it is written
def read(body: str) -> Text:
    """A Markdown text as its page shows it."""
    headings: list[Heading] = []
    taken = set(_TAKEN)

    def name(match: re.Match[str]) -> str:
        tag, inner = match[1], match[2]
        text = _plain(inner)
        stem = place = "-".join(words(text)) or tag
        number = 1
        while place in taken:
            number += 1
            place = f"{stem}-{number}"
        taken.add(place)
        headings.append(Heading(place, int(tag[1]), text))
        # A link cannot hold another one: such a heading is a place without being a link to it.
        shown = inner if "<a" in inner else f'<a href="#{place}">{inner}</a>'
        return f'<{tag} id="{place}">{shown}</{tag}>'

    html = to_html(body)
    start = excerpt(_plain(_HEADING.sub(" ", html)))
    return Text(_HEADING.sub(name, html), tuple(headings), start)


def excerpt(text: str, limit: int = EXCERPT) -> str:
    """The beginning of a text in one line, cut at a word."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1].rsplit(" ", 1)[0] + "…"


def _plain(html: str) -> str:
    spaced = re.sub(r"(?=<(?:p|li|td|th|br|h\d)\b)", " ", html)
    return " ".join(unescape(nh3.clean(spaced, tags=set())).split())
