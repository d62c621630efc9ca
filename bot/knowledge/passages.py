"""Articles cut into passages, and passages into the pieces whose meaning is looked up.

A passage is what an answer is quoted from: a section, as plain text. A piece is a few of its sentences: a
question means one of them, and the embedding of a whole page means nothing in particular.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

PASSAGE_CHARS = 700
PIECE_CHARS = 280
MOST_PIECES = 60
"""Pieces of an article whose meaning is known; the rest of a very long one is found by its words."""

_HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*\s*$")
_LINK = re.compile(r"!?\[([^\]]*)\]\(([^)\s]+)[^)]*\)")
_BULLET = re.compile(r"^(\s*)[-*+]\s+", re.MULTILINE)
_ROW = re.compile(r"^\|(.+)\|[ \t]*$", re.MULTILINE)
_RULE_ROW = re.compile(r"^[\s:–-]*–[\s:–-]*\n", re.MULTILINE)
_MARKS = re.compile(r"(\*\*|__|`+)")
_ITALIC = re.compile(r"(?<!\w)[*_](\S(?:.*?\S)?)[*_](?!\w)")
SENTENCE = re.compile(r"\S[^\n]*?(?:[.!?।۔؟](?=\s|$)|(?=\n|$))")


@dataclass(frozen=True, slots=True)
class ArticleText:
    """An article in one language. `key` is the same in all its languages. Who reads it, and from when until
    when."""

    id: str
    key: str
    lang: str
    title: str
    body: str
    audience: str = "public"
    begins: datetime | None = None
    ends: datetime | None = None


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of an article under one heading, as plain text. `place` counts within the article."""

    article: ArticleText
    place: int
    heading: str
    text: str


def pieces(passage: Passage) -> list[str]:
    """The texts whose meaning stands for a passage: sentences in a row, each with the article's title."""
    parts: list[str] = []
    for sentence in SENTENCE.findall(passage.text):
        if parts and len(parts[-1]) + len(sentence) < PIECE_CHARS:
            parts[-1] += f" {sentence}"
        else:
            parts.extend(sentence[at : at + PIECE_CHARS] for at in range(0, len(sentence), PIECE_CHARS))
    return [f"{passage.article.title}: {part}" for part in parts]


def texts_of(article: ArticleText) -> list[str]:
    """All texts of an article whose meaning is looked up: its title and its pieces."""
    found = [piece for passage in cut(article) for piece in pieces(passage)]
    return [article.title, *found[:MOST_PIECES]]


def cut(article: ArticleText) -> list[Passage]:
    """Passages of an article: at headings, and at paragraphs where a section is long."""
    sections: list[tuple[str, list[str]]] = [("", [])]
    fenced = False
    for line in article.body.splitlines():
        fenced ^= line.lstrip().startswith("```")
        match = None if fenced else _HEADING.match(line)
        if match:
            sections.append((plain(match.group(1)), []))
        else:
            sections[-1][1].append(line)
    passages: list[Passage] = []
    for heading, text in _sized([(heading, plain("\n".join(lines))) for heading, lines in sections]):
        passages.append(Passage(article, len(passages), heading, text))
    return passages or [Passage(article, 0, "", article.title)]


def _sized(sections: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Sections joined while they are short, cut at paragraphs where they are long: an answer of one
    sentence leaves out too much, and one of a page is not read."""
    sized: list[tuple[str, str]] = []
    for heading, text in sections:
        for number, part in enumerate(_parts(text)):
            titled = f"{heading}\n{part}" if heading and number == 0 else part
            if sized and len(sized[-1][1]) + len(titled) < PASSAGE_CHARS:
                above, before = sized[-1]
                sized[-1] = (above, f"{before}\n\n{titled}")
            else:
                sized.append((heading, titled))
    return sized


def _parts(text: str) -> list[str]:
    parts: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text):
        paragraph = paragraph.strip()
        if not paragraph:
            continue
        if parts and len(parts[-1]) + len(paragraph) < PASSAGE_CHARS:
            parts[-1] += "\n\n" + paragraph
        else:
            parts.append(paragraph)
    return parts


def plain(markdown: str) -> str:
    """Markdown as a chat shows it: no marks, dots for bullets, lines for table rows, links' addresses."""
    text = _RULE_ROW.sub("", _ROW.sub(_row, markdown))
    text = _LINK.sub(lambda match: f"{match[1]} ({match[2]})" if match[1] != match[2] else match[2], text)
    return _ITALIC.sub(r"\1", _MARKS.sub("", _BULLET.sub(r"\1• ", text))).replace("```", "").strip()


def _row(match: re.Match[str]) -> str:
    """A table's row as a line."""
    return " – ".join(cell.strip() for cell in match[1].split("|"))
