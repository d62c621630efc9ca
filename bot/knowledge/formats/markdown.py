"""`FOLDER/<lang>/<id>.md`: Markdown with front matter `id`, `title`, `lang`, and where they are not the usual
`status`, `category`, `audience`, `publish_at`, `expires_at`, `stale`.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from bot.crm.article import ARTICLE_STATUSES, AUDIENCES, KEY
from bot.errors import InvalidInput
from bot.knowledge.formats.article_file import ArticleFile, Source, read_bytes
from bot.media.pictures import ADDRESS, address_of
from bot.yaml_text import read_yaml

_FENCE = "---"
_NEEDED = ("id", "title", "lang")
_MOMENTS = ("publish_at", "expires_at")
_KNOWN = (*_NEEDED, "status", "category", "audience", *_MOMENTS, "stale")
_PICTURE = re.compile(r"(!\[[^\]]*\]\()([^)\s]+)")
_LONGEST_CATEGORY = 80


def read_article(path: Path, source: Source | None = None) -> ArticleFile:
    """Read one file. Raises InvalidInput with a line `file:line: what is wrong` for each mistake."""
    try:
        text = read_bytes(path).decode("utf-8-sig") if path.stat().st_size else ""
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
    body, pictures = _take_pictures(body, path, source.root if source else path.parent.parent)
    return _made(path, front, body, pictures)


def _made(path: Path, front: Mapping[str, Any], body: str, pictures: Mapping[str, bytes]) -> ArticleFile:
    moments = {name: _moment(front[name]) if front.get(name) else None for name in _MOMENTS}
    return ArticleFile(
        str(path),
        front["id"],
        front["title"].strip(),
        front["lang"],
        body,
        front.get("status", "published"),
        (front.get("category") or "").strip() or None,
        front.get("audience", "public"),
        **moments,
        stale=bool(front.get("stale")),
        whole=True,
        pictures=pictures,
    )


def write_article(row: Mapping[str, Any], *, stale: bool) -> str:
    """The file of an article."""
    front: dict[str, Any] = {"id": row["key"], "title": row["title"], "lang": row["lang"]}
    usual = {"status": "published", "category": None, "audience": "public"}
    front |= {name: row[name] for name, value in usual.items() if row[name] != value}
    front |= {name: row[name].isoformat() for name in _MOMENTS if row[name] is not None}
    if stale:
        front["stale"] = True
    head = yaml.safe_dump(front, allow_unicode=True, sort_keys=False, width=10_000)
    body = _PICTURE.sub(_beside, row["body"].strip())
    return f"{_FENCE}\n{head}{_FENCE}\n\n{body}\n"


def _beside(match: re.Match[str]) -> str:
    """A picture of ours is exported to a folder beside those of the languages."""
    found = ADDRESS.fullmatch(match[2])
    return f"{match[1]}../pictures/{found[1]}.{found[2]}" if found else match[0]


def _take_pictures(body: str, path: Path, root: Path) -> tuple[str, dict[str, bytes]]:
    """Pictures that lie beside the text come along; a link to one that is not there stays as it is."""
    taken: dict[str, bytes] = {}

    def take(match: re.Match[str]) -> str:
        file = picture_file(match[2], path, root)
        if file is None:
            return match[0]
        content = read_bytes(file)
        try:
            address = address_of(content)
        except InvalidInput as error:
            raise InvalidInput(f"{path}: {file.name}: {error.message}", field="body") from error
        taken[address] = content
        return match[1] + address

    return _PICTURE.sub(take, body), taken


def picture_file(link: str, path: Path, root: Path) -> Path | None:
    """The file in the folder that a link of this article points to."""
    if ":" in link or link.startswith(("/", "#")):
        return None
    file = (path.parent / link).resolve()
    return file if file.is_relative_to(root.resolve()) and file.is_file() else None


def lost_pictures(path: Path, root: Path) -> list[str]:
    """Links to pictures that are not there, each with its line."""
    lines = path.read_text("utf-8-sig").splitlines()
    return [
        f"{path}:{number}: there is no picture {match[2]}"
        for number, line in enumerate(lines, 1)
        for match in _PICTURE.finditer(line)
        if not (":" in match[2] or match[2].startswith("/")) and picture_file(match[2], path, root) is None
    ]


def _front_matter(path: Path, lines: list[str]) -> dict[str, Any]:
    try:
        front = read_yaml("\n".join(lines))
    except (yaml.YAMLError, ValueError) as error:
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
    key, lang, category = front.get("id"), front.get("lang"), front.get("category")
    if isinstance(key, str) and key.strip() and not KEY.fullmatch(key):
        yield "id", f"id must be lower-case words joined by hyphens, not {key!r}"
    if isinstance(lang, str) and lang.strip() and lang != folder_lang:
        yield "lang", f"lang is {lang!r}, but the file lies in the folder {folder_lang!r}"
    for name, known in (("status", ARTICLE_STATUSES), ("audience", AUDIENCES)):
        if name in front and front[name] not in known:
            yield name, f"{name} must be one of {', '.join(known)}, not {front[name]!r}"
    if category is not None and not (isinstance(category, str) and len(category) <= _LONGEST_CATEGORY):
        yield "category", f"category must be text of at most {_LONGEST_CATEGORY} characters: put it in quotes"
    for name in _MOMENTS:
        if front.get(name) and _moment(front[name]) is None:
            yield name, f"{name} must be a moment like 2026-12-01T09:00:00+05:30, not {front[name]!r}"
    for name in front:  # what other programs keep there is theirs; a slip would show to all what is for few
        if name not in _KNOWN and (near := get_close_matches(str(name), _KNOWN, 1, 0.75)):
            yield str(name), f"there is no {name!r}; {near[0]} is meant"


def _moment(value: Any) -> datetime | None:
    """A moment as YAML reads it; without an offset it is meant where the business is."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time.min)
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None


def _line_of(name: str, lines: list[str]) -> int:
    return next((n for n, line in enumerate(lines, 1) if line.startswith(f"{name}:")), 1)
