"""A Word document (.docx): one article, its headings, lists, tables, links and pictures kept."""

import zipfile
from pathlib import Path
from xml.parsers.expat import ExpatError

import mammoth
from bs4 import Tag

from bot.errors import InvalidInput
from bot.knowledge.formats.article_file import ArticleFile, Source, key_of, read_bytes
from bot.knowledge.formats.web_page import markdown_of, parsed

UNPACKED = 200 * 1024 * 1024
"""Bytes that the parts of a document unpack to: a few packed ones may hold thousands of millions."""
MOST_PARTS = 5000
_STYLES = "p[style-name='Title'] => h1:fresh\np[style-name='Subtitle'] => h2:fresh"


def read_document(path: Path, source: Source) -> ArticleFile:
    """The article of a document. Raises InvalidInput."""
    read_bytes(path)
    _check_size(path)
    try:
        with path.open("rb") as file:
            made = mammoth.convert_to_html(file, style_map=_STYLES).value
    except (
        zipfile.BadZipFile,
        KeyError,
        ValueError,
        ExpatError,
        AttributeError,
        OSError,
        RuntimeError,
    ) as error:
        raise _broken(path) from error
    page = parsed(str(path), made)
    heading = page.find("h1")
    title = " ".join(heading.get_text(" ").split())[:300] if isinstance(heading, Tag) else ""
    if title and isinstance(heading, Tag):
        heading.decompose()
    pictures: dict[str, bytes] = {}
    body = markdown_of(page, link=_link, picture=lambda _: None, pictures=pictures)
    if not body:
        raise InvalidInput(f"{path}: has no text in it", field="body")
    title = title or path.stem.replace("-", " ").replace("_", " ").strip()[:300]
    return ArticleFile(str(path), key_of(path, title), title, source.lang_of(path), body, pictures=pictures)


def _link(target: str) -> str:
    return target if target.startswith(("http://", "https://", "mailto:", "tel:", "/")) else ""


def _check_size(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as packed:
            parts = packed.infolist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise _broken(path) from error
    # What a part says of its size is what its reader unpacks at most.
    if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > UNPACKED:
        raise InvalidInput(f"{path}: unpacks to more than {UNPACKED // 1024**2} MB; split it", field="body")
    if any(part.flag_bits & 1 for part in parts):
        raise InvalidInput(f"{path}: is protected by a password; save it without", field="body")


def _broken(path: Path) -> InvalidInput:
    return InvalidInput(f"{path}: cannot be read as a Word document (.docx)", field="body")
