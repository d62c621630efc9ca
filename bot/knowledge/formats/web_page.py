"""A page of a help centre (.html): its main part as Markdown, links kept, pictures beside it taken along."""

import base64
import binascii
import re
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

from bs4 import BeautifulSoup, Comment, Tag
from bs4.dammit import UnicodeDammit
from markdownify import MarkdownConverter

from bot.errors import InvalidInput
from bot.knowledge.formats.article_file import ArticleFile, Source, key_of, read_bytes, tidy
from bot.media.pictures import address_of

SUFFIXES = (".html", ".htm")
_AROUND = (
    *("script", "style", "noscript", "template", "nav", "header", "footer", "aside", "form", "button", "svg"),
    *("iframe", "object", "embed", "video", "audio", "canvas", "input", "select", "link", "meta"),
)
"""What stands around a text, or can only run in a page of its own."""
_MAINS = ("main article", "article", "main", "[role=main]", "[itemprop=articleBody]", ".article-body", "body")
_DATA = re.compile(r"data:[\w/+.-]+;base64,(.*)", re.DOTALL)
DEEPEST = 400
"""Levels of nesting: reading goes as deep as the page."""
_OPENS_LINK = ("http", "https", "mailto", "tel")

Link = Callable[[str], str]


def read_page(path: Path, source: Source) -> ArticleFile:
    """The article of a page. Raises InvalidInput."""
    page = parsed(str(path), _text(path))
    root = page.find("html")
    said = str(root.get("lang") or "") if isinstance(root, Tag) else ""
    lang = source.lang_of(path, said)
    main = _main(page)
    title = _title(page, main, path)
    base = _address(page)
    pictures: dict[str, bytes] = {}
    body = markdown_of(
        main,
        link=lambda target: _link(target, path, source, base, lang),
        picture=lambda target: _picture(target, path, source),
        pictures=pictures,
    )
    if not body:
        raise InvalidInput(f"{path}: has no text in it", field="body")
    return ArticleFile(str(path), key_of(path, title), title, lang, body, pictures=pictures)


def parsed(place: str, markup: str) -> BeautifulSoup:
    """The page of a markup. Raises InvalidInput where it is nested beyond all measure."""
    page = BeautifulSoup(markup, "html.parser")
    if any(len(list(islice(tag.parents, DEEPEST + 1))) > DEEPEST for tag in page.find_all(True)):
        raise InvalidInput(f"{place}: is nested too deeply", field="body")
    return page


def markdown_of(
    node: Tag, *, link: Link, picture: Callable[[str], bytes | None], pictures: dict[str, bytes]
) -> str:
    """A part of a page as Markdown. `link` settles where a link goes, `picture` finds a picture's bytes;
    those found are put to `pictures`."""
    for one in node.find_all(_AROUND):
        one.decompose()
    for comment in node.find_all(string=lambda text: isinstance(text, Comment)):
        comment.extract()
    for anchor in node.find_all("a"):
        target = link(str(anchor.get("href") or "").strip())
        if target:
            anchor["href"] = target
        else:
            anchor.unwrap()
    for image in node.find_all("img"):
        _settle(node, image, picture, pictures)
    made = MarkdownConverter(
        heading_style="ATX",
        bullets="-",
        table_infer_header=True,
        # A letter behind a backslash is found by no search, and stands in answers.
        escape_asterisks=False,
        escape_underscores=False,
    ).convert_soup(node)
    return tidy(str(made))


def _settle(
    node: Tag, image: Tag, picture: Callable[[str], bytes | None], pictures: dict[str, bytes]
) -> None:
    """A picture of ours, or where it is not ours the words that stand for it."""
    target = str(image.get("src") or "").strip()
    content = _embedded(target) or picture(target)
    if content is not None:
        try:
            address = address_of(content)
        except InvalidInput:
            content = None  # of a kind that articles do not show
        else:
            pictures[address] = content
            image["src"] = address
            return
    words = str(image.get("alt") or "").strip()
    if words and urlsplit(target).scheme in ("http", "https"):
        anchor = BeautifulSoup("", "html.parser").new_tag("a", href=target)
        anchor.string = words
        image.replace_with(anchor)
    else:
        image.replace_with(words)


def _embedded(target: str) -> bytes | None:
    match = _DATA.fullmatch(target)
    if match is None:
        return None
    try:
        return base64.b64decode(match[1])
    except (binascii.Error, ValueError):
        return None


def _text(path: Path) -> str:
    """The page's text by what it says of its encoding, checked. Raises InvalidInput."""
    raw = read_bytes(path)
    found = UnicodeDammit(raw, user_encodings=["utf-8"], is_html=True)
    if found.unicode_markup is None or found.contains_replacement_characters or "\0" in found.unicode_markup:
        raise InvalidInput(f"{path}: cannot be read as text; save it as UTF-8", field="body")
    return found.unicode_markup


def _main(page: BeautifulSoup) -> Tag:
    for selector in _MAINS:
        found = page.select(selector)
        if len(found) == 1 or (found and selector == "body"):
            return found[0]
    return page


def _title(page: BeautifulSoup, main: Tag, path: Path) -> str:
    """The heading of the page, which then is not in its text; else what its window says, else its name."""
    heading = main.find("h1") or page.find("h1")
    if isinstance(heading, Tag) and (words := _words(heading)):
        heading.decompose()
        return words
    window = page.find("title")
    words = _words(window) if isinstance(window, Tag) else ""
    return (words or path.stem.replace("-", " ").replace("_", " ").strip().capitalize() or path.name)[:300]


def _words(tag: Tag) -> str:
    return " ".join(tag.get_text(" ").split())[:300]


def _address(page: BeautifulSoup) -> str:
    """Where the page stood in the web, if it says so."""
    base, canonical = page.find("base"), page.find("link", rel="canonical")
    for tag in (base, canonical):
        if isinstance(tag, Tag) and str(tag.get("href") or "").startswith(("http://", "https://")):
            return str(tag["href"])
    return ""


def _link(target: str, path: Path, source: Source, base: str, lang: str) -> str:
    """To an article where the page is imported, too; else to where the page pointed in the web. Links within
    a page and those that run something are none."""
    parts = urlsplit(target)
    if parts.scheme:
        return target if parts.scheme.lower() in _OPENS_LINK else ""
    if not parts.path:
        return ""
    other = _beside(parts.path, path, source)
    if other is not None and other.suffix.lower() in SUFFIXES:
        return f"/help/{source.lang_of(other, lang)}/{key_of(other)}"
    return urljoin(base, target) if base else target


def _beside(link: str, path: Path, source: Source) -> Path | None:
    start = source.root if link.startswith("/") else path.parent
    file = (start / unquote(link).lstrip("/")).resolve()
    for one in (file, file.with_name(f"{file.name}.html") if file.name else file, file / "index.html"):
        if one.is_relative_to(source.root.resolve()) and one.is_file():
            return one
    return None


def _picture(target: str, path: Path, source: Source) -> bytes | None:
    parts = urlsplit(target)
    if parts.scheme or parts.netloc or not parts.path:
        return None
    file = _beside(parts.path, path, source)
    return read_bytes(file) if file is not None else None
