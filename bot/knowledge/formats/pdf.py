"""A PDF: the text of all its pages as one article. A PDF knows letters and places, not paragraphs: what
comes out wants to be looked over.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from pypdf import PasswordType, PdfReader
from pypdf.errors import PyPdfError

from bot.crm.article import LONGEST
from bot.errors import InvalidInput
from bot.knowledge.formats.article_file import ArticleFile, Source, key_of, read_bytes, tidy

MOST_PAGES = 300
_BULLET = re.compile(r"^\s*[•●▪◦‣–-]\s+")
_NUMBERED = re.compile(r"^\s*\(?\d{1,2}[.)]\s")
_NO_TITLE = re.compile(r"untitled|microsoft word|\.(docx?|pdf|indd|pptx?)$", re.IGNORECASE)
_REPEATED = 3
"""A first or last line that stands on so many pages is the page's, not the text's."""


def read_pdf(path: Path, source: Source) -> ArticleFile:
    """The article of a PDF. Raises InvalidInput."""
    read_bytes(path)
    try:
        reader = PdfReader(path)
        if reader.is_encrypted and reader.decrypt("") is PasswordType.NOT_DECRYPTED:
            raise InvalidInput(f"{path}: is protected by a password; save it without", field="body")
        if len(reader.pages) > MOST_PAGES:
            raise InvalidInput(f"{path}: has more than {MOST_PAGES} pages; split it", field="body")
        pages = list(_pages(path, reader))
        named = str(reader.metadata.title or "").strip() if reader.metadata else ""
    except (PyPdfError, OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InvalidInput(f"{path}: cannot be read as a PDF: it is broken", field="body") from error
    lines = _without_frames(pages)
    if not any(line.strip() for line in lines):
        raise InvalidInput(f"{path}: holds no text, only pictures of it", field="body")
    title = "" if _NO_TITLE.search(named) else " ".join(named.split())
    title = title or _first(lines) or path.stem
    if lines and " ".join(lines[0].split()) == title and len(lines) > 1:
        lines = lines[1:]
    body = tidy("\n\n".join(_paragraphs(lines)))
    return ArticleFile(str(path), key_of(path, title), title[:300], source.lang_of(path), body)


def _pages(path: Path, reader: PdfReader) -> Iterable[list[str]]:
    size = 0
    for page in reader.pages:
        text = page.extract_text()
        size += len(text)
        if size > 2 * LONGEST:
            raise InvalidInput(f"{path}: has more than {LONGEST} characters; split it", field="body")
        yield [line.rstrip() for line in text.replace("\0", "").splitlines()]


def _without_frames(pages: Sequence[list[str]]) -> list[str]:
    """The lines of all pages without what stands at the head or foot of many."""
    trimmed = [_trim(page) for page in pages]
    edges = Counter(_shape(line) for page in trimmed for line in {*page[:1], *page[-1:]})
    lines: list[str] = []
    for page in trimmed:
        kept = list(page)
        for place in (0, -1):
            if len(kept) > 1 and edges[_shape(kept[place])] >= _REPEATED:
                kept.pop(place)
        lines += [*kept, ""]
    return _trim(lines)


def _trim(lines: Sequence[str]) -> list[str]:
    full = [place for place, line in enumerate(lines) if line.strip()]
    return list(lines[full[0] : full[-1] + 1]) if full else []


def _shape(line: str) -> str:
    """A line with its figures alike: page numbers differ."""
    return re.sub(r"\d+", "0", " ".join(line.split()))


def _first(lines: Sequence[str]) -> str:
    first = " ".join(lines[0].split()) if lines else ""
    return first if len(first) <= 150 else ""


def _paragraphs(lines: Sequence[str]) -> list[str]:
    """Lines joined where they go on: a line that fills the page's width is not the end of what it says."""
    width = max((len(line) for line in lines), default=0)
    made: list[str] = []
    ended = True
    for line in lines:
        text = line.strip()
        if not text:
            ended = True
            continue
        bullet = _BULLET.match(line)
        if bullet:
            made.append(f"- {line[bullet.end() :].strip()}")
        elif ended or _NUMBERED.match(line):
            made.append(text)
        elif made[-1].endswith("-") and text[:1].islower():
            made[-1] = made[-1][:-1] + text
        else:
            made[-1] += f" {text}"
        ended = len(line) < width * 0.7
    return made
