"""Articles as files: read from a folder or one file, checked, saved all or none, and written back.

`FOLDER/<lang>/<id>.md` is their home (`bot.knowledge.formats.markdown`): it says all of an article, so that a
team can keep it in git. Web pages, PDF and Word documents and tables of questions and answers are read, too.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from bot.crm.article import ARTICLE, first_language, stale
from bot.crm.business import load_profile
from bot.errors import InvalidInput, NotFound
from bot.knowledge.formats.article_file import ArticleFile, Source, is_language
from bot.knowledge.formats.markdown import lost_pictures, read_article, write_article
from bot.media.pictures import ADDRESS, Pictures
from bot.records.tx import Record, Tx
from bot.records.write import create, update

MOST_FILES = 5000
MOST_PROBLEMS = 50
_MARKDOWN = (".md", ".markdown")
Reader = Callable[[Path, Source], Sequence[ArticleFile]]


def _page(path: Path, source: Source) -> Sequence[ArticleFile]:
    from bot.knowledge.formats.web_page import read_page

    return [read_page(path, source)]


def _pdf(path: Path, source: Source) -> Sequence[ArticleFile]:
    from bot.knowledge.formats.pdf import read_pdf

    return [read_pdf(path, source)]


def _document(path: Path, source: Source) -> Sequence[ArticleFile]:
    from bot.knowledge.formats.word import read_document

    return [read_document(path, source)]


def _table(path: Path, source: Source) -> Sequence[ArticleFile]:
    from bot.knowledge.formats.table import read_table

    return read_table(path, source)


READERS: Mapping[str, Reader] = {
    **dict.fromkeys(_MARKDOWN, lambda path, source: [read_article(path, source)]),
    **dict.fromkeys((".html", ".htm"), _page),
    ".pdf": _pdf,
    ".docx": _document,
    ".csv": _table,
}
"""Who reads which files. The libraries behind them are loaded when there is such a file."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What an import did."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0


@dataclass(frozen=True, slots=True)
class Usual:
    """What a new article is where its file does not say."""

    status: str = "published"
    audience: str = "public"
    category: str | None = None


def import_articles(tx: Tx, path: Path) -> Counts:
    """Save every article of the folder, all or none. Raises InvalidInput that names file and line."""
    return save_articles(tx, read_articles(path, first_language(tx)))


def read_articles(path: Path, lang: str = "", *, fixed: bool = False) -> list[ArticleFile]:
    """Every article of a folder or a file. `lang` is that of files that do not say theirs; `fixed`: whatever
    a web page says. Raises InvalidInput with a line for each mistake."""
    found, problems = _read(path, Source(_root(path), lang or "en", fixed))
    problems += _twice(found)
    if problems:
        more = [f"… and {len(problems) - MOST_PROBLEMS} more"] if len(problems) > MOST_PROBLEMS else []
        raise InvalidInput("\n".join([*problems[:MOST_PROBLEMS], *more]), field="body")
    return found


def check(path: Path) -> list[str]:
    """All that is wrong with the articles in a folder or a file, one line each; empty when they are fine."""
    try:
        found, problems = _read(path, Source(_root(path)))
    except InvalidInput as error:
        return error.message.split("\n")
    problems += _twice(found)
    for article in found:
        if article.whole:
            problems += lost_pictures(Path(article.place), _root(path))
    langs = sorted({article.lang for article in found})
    have = defaultdict(set)
    for article in found:
        have[article.key].add(article.lang)
    for key, present in sorted(have.items()):
        problems.extend(f"{path}: {key} is missing in {lang}" for lang in langs if lang not in present)
    return problems


def save_articles(
    tx: Tx, found: Sequence[ArticleFile], usual: Usual | None = None, pictures: Pictures | None = None
) -> Counts:
    """Save them, those of the business's first language before their translations. Raises InvalidInput that
    names the file."""
    usual, table, first = usual or Usual(), ARTICLE.table, first_language(tx)
    known = {(row["key"], row["lang"]): row for row in tx.rows(sa.select(table))}
    profile = load_profile(tx)
    zone = ZoneInfo(profile.time_zone if profile is not None else "UTC")
    tally = dict.fromkeys(("added", "changed", "unchanged"), 0)
    for article in sorted(found, key=lambda one: one.lang != first):
        if pictures is not None:
            for content in article.pictures.values():
                pictures.put(content)
        try:
            tally[_save(tx, article, known.get((article.key, article.lang)), usual, zone)] += 1
        except InvalidInput as error:
            raise InvalidInput(f"{article.place}: {error.message}", **error.data) from error
    return Counts(**tally)


def _save(tx: Tx, article: ArticleFile, known: Record | None, usual: Usual, zone: ZoneInfo) -> str:
    text = {"title": article.title, "body": article.body}
    said = {name: getattr(article, name) for name in ("status", "audience", "category")}
    if article.whole:
        said |= {name: _local(getattr(article, name), zone) for name in ("publish_at", "expires_at")}
        said["status"], said["audience"] = article.status or "published", article.audience or "public"
    else:
        said = {name: value for name, value in said.items() if value}
    if known is not None:
        return "changed" if update(tx, ARTICLE, known, {**text, **said, "deleted_at": None}) else "unchanged"
    new = {"status": usual.status, "audience": usual.audience, "category": usual.category, **said}
    if article.stale:
        new["translates"] = 0
    create(tx, ARTICLE, {"key": article.key, "lang": article.lang, "owner_id": tx.actor.id, **text, **new})
    return "added"


def _local(moment: datetime | None, zone: ZoneInfo) -> datetime | None:
    return moment.replace(tzinfo=zone) if moment is not None and moment.tzinfo is None else moment


def export_articles(tx: Tx, folder: Path, pictures: Pictures | None = None) -> int:
    """Write every article to the folder, over files of the same name; returns how many."""
    tx.require("read", "articles")
    table = ARTICLE.table
    rows = tx.rows(sa.select(table).where(table.c.deleted_at.is_(None)).order_by(table.c.lang, table.c.key))
    first = first_language(tx)
    sources = {row["key"]: row for row in rows if row["lang"] == first}
    for row in rows:
        if not row["lang"].replace("-", "").isalnum():  # it becomes the name of a folder
            raise InvalidInput(f"{row['lang']!r} is no language code", field="lang")
        path = folder / row["lang"] / f"{row['key']}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        source = sources.get(row["key"]) if row["lang"] != first else None
        path.write_text(write_article(row, stale=stale(row, source)), encoding="utf-8", newline="\n")
        if pictures is not None:
            for match in ADDRESS.finditer(row["body"]):
                _take_along(pictures, match[0], folder / "pictures")
    return len(rows)


def _take_along(pictures: Pictures, address: str, folder: Path) -> None:
    """Copy a picture beside the articles; one that is lost was lost before."""
    try:
        path = pictures.path(address)
    except NotFound:
        return
    folder.mkdir(exist_ok=True)
    (folder / address.rpartition("/")[2]).write_bytes(path.read_bytes())


def _root(path: Path) -> Path:
    """The folder of all languages that a file lies in, or the folder itself."""
    if path.is_dir():
        return path
    return path.parent.parent if is_language(path.parent.name) else path.parent


def _read(path: Path, source: Source) -> tuple[list[ArticleFile], list[str]]:
    """The articles, and what is wrong with the others."""
    found: list[ArticleFile] = []
    problems: list[str] = []
    paths = list(_paths(path))
    if not paths:
        raise InvalidInput(f"{path} holds no articles: they belong in {path / 'en' / 'some-title.md'}")
    if len(paths) > MOST_FILES:
        raise InvalidInput(f"{path} holds more than {MOST_FILES} files; take some at a time")
    for one in paths:
        try:
            found += READERS[one.suffix.lower()](one, source)
        except InvalidInput as error:
            problems += error.message.split("\n")
    return found, problems


def _paths(path: Path) -> Iterator[Path]:
    """Markdown one folder down, where its language is; other files wherever they lie."""
    if path.is_file():
        if path.suffix.lower() not in READERS:
            raise InvalidInput(f"{path}: is none of {', '.join(READERS)}")
        yield path
        return
    if not path.is_dir():
        raise InvalidInput(f"{path} is not a folder")
    # Folder by folder: what is below a linked folder is found only from within it.
    inside = (one.rglob("[!.]*") for one in path.iterdir() if one.is_dir())
    for one in sorted({*path.glob("[!.]*"), *chain.from_iterable(inside)}):
        parts = one.relative_to(path).parts
        kind = one.suffix.lower()
        hidden = any(part.startswith(".") for part in parts)
        if kind in READERS and not hidden and one.is_file() and (kind not in _MARKDOWN or len(parts) == 2):
            yield one


def _twice(found: Sequence[ArticleFile]) -> Iterator[str]:
    first: dict[tuple[str, str], str] = {}
    for article in found:
        other = first.setdefault((article.key, article.lang), article.place)
        if other is not article.place:
            line = article.place if ":" in article.place.rpartition("/")[2] else f"{article.place}:1"
            yield f"{line}: id {article.key!r} is already that of {other}"
