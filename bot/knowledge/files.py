"""Articles as files: `FOLDER/<lang>/<id>.md`, Markdown with front matter `id`, `title`, `lang`.

A draft or archived article also says so by `status`; without it an article is published.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import yaml

from bot.crm.article import ARTICLE, ARTICLE_STATUSES, save_article
from bot.errors import InvalidInput
from bot.records.tx import Tx
from bot.yaml_text import read_yaml

_FENCE = "---"
_NEEDED = ("id", "title", "lang")
_KEY = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")  # what save_article asks of an id, said here with its line


@dataclass(frozen=True, slots=True)
class Counts:
    """What an import did."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0


@dataclass(frozen=True, slots=True)
class ArticleFile:
    """A file as read."""

    path: Path
    key: str
    title: str
    lang: str
    status: str
    body: str


def import_articles(tx: Tx, folder: Path) -> Counts:
    """Save every article of the folder, all or none. Raises InvalidInput that names file and line."""
    found = [read_article(path) for path in _article_paths(folder)]
    if not found:
        raise InvalidInput(f"{folder} holds no articles: they belong in {folder / 'en' / 'some-title.md'}")
    for again in _twice(found):
        raise InvalidInput(again, field="id")
    tally = dict.fromkeys(("added", "changed", "unchanged"), 0)
    for article in found:
        before = _version(tx, article)
        save_article(tx, article.key, article.lang, article.title, article.body, article.status)
        if before is None:
            tally["added"] += 1
        else:
            tally["unchanged" if _version(tx, article) == before else "changed"] += 1
    return Counts(**tally)


def export_articles(tx: Tx, folder: Path) -> int:
    """Write every article to the folder, over files of the same name; returns how many."""
    tx.require("read", "articles")
    table = ARTICLE.table
    rows = tx.rows(sa.select(table).where(table.c.deleted_at.is_(None)).order_by(table.c.lang, table.c.key))
    for row in rows:
        if not row["lang"].replace("-", "").isalnum():  # it becomes the name of a folder
            raise InvalidInput(f"{row['lang']!r} is no language code", field="lang")
        front = {"id": row["key"], "title": row["title"], "lang": row["lang"]}
        if row["status"] != "published":
            front["status"] = row["status"]
        path = folder / row["lang"] / f"{row['key']}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        head = yaml.safe_dump(front, allow_unicode=True, sort_keys=False, width=10_000)
        path.write_text(f"{_FENCE}\n{head}{_FENCE}\n\n{row['body'].strip()}\n", encoding="utf-8")
    return len(rows)


def check(folder: Path) -> list[str]:
    """All that is wrong with the articles in a folder, one line each; empty when they are fine."""
    problems: list[str] = []
    found: list[ArticleFile] = []
    try:
        paths = list(_article_paths(folder))
    except InvalidInput as error:
        return [error.message]
    if not paths:
        return [f"{folder}: no articles; they belong in {folder / 'en' / 'some-title.md'}"]
    for path in paths:
        try:
            found.append(read_article(path))
        except InvalidInput as error:
            problems.extend(error.message.split("\n"))
    problems.extend(_twice(found))
    langs = sorted({path.parent.name for path in paths})
    have = defaultdict(set)
    for article in found:
        have[article.key].add(article.lang)
    for key, present in sorted(have.items()):
        problems.extend(f"{folder}: {key} is missing in {lang}" for lang in langs if lang not in present)
    return problems


def read_article(path: Path) -> ArticleFile:
    """Read one file. Raises InvalidInput with a line `file:line: what is wrong` for each mistake."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise InvalidInput(f"{path}:{line}: is not UTF-8 text", field="body") from error
    lines = text.replace("\r\n", "\n").split("\n")
    if lines[0].rstrip() != _FENCE:
        raise InvalidInput(f"{path}:1: must begin with front matter: a line {_FENCE}", field="id")
    end = next((n for n, line in enumerate(lines[1:], 1) if line.rstrip() == _FENCE), None)
    if end is None:
        raise InvalidInput(f"{path}:1: front matter has no closing line {_FENCE}", field="id")
    front = _front_matter(path, lines[1:end])
    body = "\n".join(lines[end + 1 :]).strip()
    problems = [
        f"{path}:{_line_of(name, lines[:end])}: {what}" for name, what in _mistakes(front, path.parent.name)
    ]
    if not body:
        problems.append(f"{path}:{end + 1}: has no text below its front matter")
    if problems:
        raise InvalidInput("\n".join(problems))
    status = str(front.get("status", "published"))
    return ArticleFile(path, front["id"], front["title"].strip(), front["lang"], status, body)


def _front_matter(path: Path, lines: list[str]) -> dict[str, Any]:
    try:
        front = read_yaml("\n".join(lines))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 2 if mark else 1
        what = getattr(error, "problem", None) or "cannot be read"
        hint = "a value with a colon in it needs quotes"
        raise InvalidInput(f"{path}:{line}: front matter is not YAML: {what}; {hint}", field="id") from error
    if not isinstance(front, dict):
        raise InvalidInput(f"{path}:2: front matter must be lines like `id: opening-hours`", field="id")
    return front


def _mistakes(front: dict[str, Any], folder_lang: str) -> Iterator[tuple[str, str]]:
    for name in _NEEDED:
        value = front.get(name)
        if value is None or (isinstance(value, str) and not value.strip()):
            yield name, f"has no {name}"
        elif not isinstance(value, str):
            yield name, f"{name} must be text, not {value!r}: put it in quotes"
    key, lang, status = front.get("id"), front.get("lang"), front.get("status", "published")
    if isinstance(key, str) and key.strip() and not _KEY.fullmatch(key):
        yield "id", f"id must be lower-case words joined by hyphens, not {key!r}"
    if isinstance(lang, str) and lang.strip() and lang != folder_lang:
        yield "lang", f"lang is {lang!r}, but the file lies in the folder {folder_lang!r}"
    if status not in ARTICLE_STATUSES:
        yield "status", f"status must be one of {', '.join(ARTICLE_STATUSES)}, not {status!r}"


def _line_of(name: str, lines: list[str]) -> int:
    return next((n for n, line in enumerate(lines, 1) if line.startswith(f"{name}:")), 1)


def _article_paths(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise InvalidInput(f"{folder} is not a folder")
    yield from sorted(path for path in folder.glob("[!.]*/[!.]*.md") if path.is_file())


def _twice(found: list[ArticleFile]) -> Iterator[str]:
    first: dict[tuple[str, str], Path] = {}
    for article in found:
        other = first.setdefault((article.key, article.lang), article.path)
        if other is not article.path:
            yield f"{article.path}:1: id {article.key!r} is already that of {other}"


def _version(tx: Tx, article: ArticleFile) -> int | None:
    table = ARTICLE.table
    statement = sa.select(table.c.version).where(table.c.key == article.key, table.c.lang == article.lang)
    row = tx.row(statement)
    return None if row is None else int(row["version"])
