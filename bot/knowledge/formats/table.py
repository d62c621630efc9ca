"""Questions and answers as a table (.csv): an article each row, with the columns `question` and `answer`, and
where wanted `id`, `lang`, `category`, `audience`, `status`.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path

from bot.crm.article import ARTICLE_STATUSES, AUDIENCES, KEY
from bot.errors import InvalidInput
from bot.knowledge.formats.article_file import ArticleFile, Source, as_key, is_language, read_bytes, tidy

MOST_ROWS = 20_000
MOST_PROBLEMS = 50
_NAMES = {"title": "question", "q": "question", "a": "answer", "body": "answer", "text": "answer"}
"""Other names of columns."""
_NEEDED = ("question", "answer")
_CHOICES = {"status": ARTICLE_STATUSES, "audience": AUDIENCES}
_LONGEST = {"question": 300, "category": 80, "id": 120}

Row = Mapping[str, str]


def read_table(path: Path, source: Source) -> list[ArticleFile]:
    """The articles of a table. Raises InvalidInput with a line for each mistake."""
    found: list[ArticleFile] = []
    problems: list[str] = []
    for place, row in _rows(path):
        wrong = list(_mistakes(row))
        problems += [f"{place}: {what}" for what in wrong]
        if len(problems) >= MOST_PROBLEMS:
            break
        if not wrong:
            found.append(_made(place, row, source, path))
    if problems:
        raise InvalidInput("\n".join(problems), field="body")
    if not found:
        raise InvalidInput(f"{path}: has no rows below its names of columns", field="body")
    return found


def _made(place: str, row: Row, source: Source, path: Path) -> ArticleFile:
    return ArticleFile(
        place,
        row.get("id") or as_key(row["question"]),
        " ".join(row["question"].split()),
        row.get("lang") or source.lang_of(path),
        tidy(row["answer"]),
        status=row.get("status", ""),
        category=row.get("category") or None,
        audience=row.get("audience", ""),
    )


def _mistakes(row: Row) -> Iterator[str]:
    for name in _NEEDED:
        if not row.get(name):
            yield f"has no {name}"
    for name, longest in _LONGEST.items():
        if len(row.get(name, "")) > longest:
            yield f"{name} has at most {longest} characters"
    if row.get("id") and not KEY.fullmatch(row["id"]):
        yield f"id must be lower-case words joined by hyphens, not {row['id']!r}"
    elif row.get("question") and not row.get("id") and not as_key(row["question"]):
        yield "no id can be made of this question: give the table a column id"
    if row.get("lang") and not is_language(row["lang"]):
        yield f"lang must be a code like hi, not {row['lang']!r}"
    for name, known in _CHOICES.items():
        if row.get(name) and row[name] not in known:
            yield f"{name} must be one of {', '.join(known)}, not {row[name]!r}"


def _rows(path: Path) -> Iterator[tuple[str, Row]]:
    """(file and line, the row by column), empty rows left out."""
    text = _text(path)
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        names = [_NAMES.get(name.strip().lower(), name.strip().lower()) for name in next(reader, [])]
        line = reader.line_num
        if missing := [name for name in _NEEDED if name not in names]:
            raise InvalidInput(f"{path}:1: has no column {' and no '.join(missing)}", field="body")
        for number, cells in enumerate(reader):
            begun, line = line + 1, reader.line_num
            if number >= MOST_ROWS:
                raise InvalidInput(f"{path}: has more than {MOST_ROWS} rows; split it", field="body")
            if len(cells) > len(names):
                raise InvalidInput(
                    f"{path}:{begun}: has {len(cells)} values for {len(names)} columns: put a text with "
                    f"{separator!r} in it in quotes",
                    field="body",
                )
            row = {name: cell.strip() for name, cell in zip(names, cells, strict=False)}
            if any(row.values()):
                yield f"{path}:{begun}", row
    except csv.Error as error:
        raise InvalidInput(
            f"{path}:{reader.line_num}: is no row of a table: {error}", field="body"
        ) from error


def _text(path: Path) -> str:
    raw = read_bytes(path)
    code = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = raw.decode(code)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InvalidInput(f"{path}:{line}: is not UTF-8 text; save it as CSV UTF-8", field="body") from error
    if "\0" in text:
        raise InvalidInput(f"{path}: is no table of text", field="body")
    return text.replace("\r\n", "\n").replace("\r", "\n")
