"""Articles as files: in and out again, and what is said about files that are wrong."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.crm.article import ARTICLE, save_article
from bot.errors import InvalidInput
from bot.knowledge.files import Counts, check, export_articles, import_articles, read_article
from bot.records.actor import SYSTEM
from bot.records.store import Store
from bot.records.tx import Tx
from bot.shipped import shipped

GOOD = "---\nid: opening-hours\ntitle: When are you open?\nlang: en\n---\n\n## Hours\n\nFrom 9 to 5.\n"
SHIPPED = shipped("knowledge_base")


def _write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _articles(store: Store) -> dict[tuple[str, str], tuple[str, str, str]]:
    def read(tx: Tx) -> dict[tuple[str, str], tuple[str, str, str]]:
        rows = tx.rows(sa.select(ARTICLE.table).where(ARTICLE.table.c.deleted_at.is_(None)))
        return {(row["key"], row["lang"]): (row["title"], row["body"], row["status"]) for row in rows}

    return store.read_now(read, SYSTEM)


def test_what_is_exported_is_imported_as_it_was(store: Store, tmp_path: Path) -> None:
    count = len(list(SHIPPED.glob("*/*.md")))
    assert store.write_now(import_articles, SYSTEM, SHIPPED) == Counts(added=count)
    title = "A: colon, 'quotes' and #a sign"
    store.write_now(save_article, SYSTEM, "odd-title", "en", title, "---\n\nfirst\r\n\n    code", "draft")
    before = _articles(store)

    assert store.write_now(export_articles, SYSTEM, tmp_path / "out") == count + 1
    assert store.write_now(import_articles, SYSTEM, tmp_path / "out").changed <= 1  # \r\n became \n
    after = _articles(store)

    assert {key: value for key, value in after.items() if key[0] != "odd-title"} == {
        key: value for key, value in before.items() if key[0] != "odd-title"
    }
    assert after["odd-title", "en"] == (title, "---\n\nfirst\n\n    code", "draft")
    store.write_now(export_articles, SYSTEM, tmp_path / "again")
    assert store.write_now(import_articles, SYSTEM, tmp_path / "again") == Counts(unchanged=count + 1)


def test_an_export_of_the_shipped_articles_is_those_files(store: Store, tmp_path: Path) -> None:
    store.write_now(import_articles, SYSTEM, SHIPPED)
    store.write_now(export_articles, SYSTEM, tmp_path)
    for path in SHIPPED.glob("*/*.md"):
        made = read_article(tmp_path / path.relative_to(SHIPPED))
        meant = read_article(path)
        assert (made.key, made.title, made.lang, made.body) == (
            meant.key,
            meant.title,
            meant.lang,
            meant.body,
        )


def test_an_import_says_what_it_changed(store: Store, tmp_path: Path) -> None:
    path = _write(tmp_path, "en/hours.md", GOOD)
    _write(tmp_path, "README.md", "Not an article.")
    assert store.write_now(import_articles, SYSTEM, tmp_path) == Counts(added=1)
    assert store.write_now(import_articles, SYSTEM, tmp_path) == Counts(unchanged=1)
    path.write_text(GOOD.replace("9 to 5", "10 to 6"), encoding="utf-8")
    assert store.write_now(import_articles, SYSTEM, tmp_path) == Counts(changed=1)


def test_windows_files_are_read_too(tmp_path: Path) -> None:
    path = tmp_path / "en" / "hours.md"
    path.parent.mkdir()
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    article = read_article(path)
    assert (article.key, article.body) == ("opening-hours", "## Hours\n\nFrom 9 to 5.")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "front matter"),
        ("# Hours\n", 1, "front matter"),
        ("---\nid: hours\n", 1, "no closing line"),
        ("---\nid: hours\ntitle: Hours: when?\nlang: en\n---\nText", 3, "quotes"),
        ("---\n- id\n---\nText", 2, "lines like"),
        (GOOD.replace("title: When are you open?\n", ""), 1, "no title"),
        (GOOD.replace("When are you open?", ""), 3, "no title"),
        (GOOD.replace("opening-hours", "Opening_Hours"), 2, "hyphens"),
        (GOOD.replace("opening-hours", "42"), 2, "quotes"),
        (GOOD.replace("lang: en", "lang: no"), 4, "quotes"),
        (GOOD.replace("lang: en", "lang: hi"), 4, "folder 'en'"),
        (GOOD.replace("lang: en", "lang: en\nstatus: secret"), 5, "status"),
        (GOOD.split("\n## ")[0], 5, "no text"),
    ],
)
def test_a_mistake_is_named_with_its_file_and_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    path = _write(tmp_path, "en/hours.md", text)
    with pytest.raises(InvalidInput) as caught:
        read_article(path)
    assert caught.value.message.startswith(f"{path}:{line}: ")
    assert words in caught.value.message
    assert caught.value.message in check(tmp_path)


def test_bytes_that_are_no_text_are_named_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "en" / "hours.md"
    path.parent.mkdir()
    path.write_bytes(GOOD.encode() + b"\xff\n")
    with pytest.raises(InvalidInput, match=r"hours\.md:10: is not UTF-8"):
        read_article(path)


def test_one_bad_file_keeps_all_out(store: Store, tmp_path: Path) -> None:
    _write(tmp_path, "en/a.md", GOOD)
    _write(tmp_path, "en/b.md", "no front matter")
    with pytest.raises(InvalidInput, match=r"b\.md:1"):
        store.write_now(import_articles, SYSTEM, tmp_path)
    _write(tmp_path, "en/b.md", GOOD)
    with pytest.raises(InvalidInput, match=r"already that of .*a\.md"):
        store.write_now(import_articles, SYSTEM, tmp_path)
    assert _articles(store) == {}


def test_a_wrong_folder_is_said(store: Store, tmp_path: Path) -> None:
    for folder, words in ((tmp_path, "holds no articles"), (tmp_path / "nowhere", "is not a folder")):
        with pytest.raises(InvalidInput, match=words):
            store.write_now(import_articles, SYSTEM, folder)
    assert "no articles" in check(tmp_path)[0]
    assert check(tmp_path / "nowhere") == [f"{tmp_path / 'nowhere'} is not a folder"]


def test_check_tells_everything_at_once(tmp_path: Path) -> None:
    _write(tmp_path, "en/hours.md", GOOD)
    _write(tmp_path, "en/again.md", GOOD)
    _write(
        tmp_path, "hi/only-hindi.md", GOOD.replace("opening-hours", "hindi").replace("lang: en", "lang: hi")
    )
    _write(tmp_path, "hi/bad.md", GOOD.replace("title: When are you open?\n", ""))
    found = check(tmp_path)
    assert len(found) == 5
    assert sum("missing in" in line for line in found) == 2
    assert any("already that of" in line for line in found)
    assert any("no title" in line for line in found)
    assert any("folder 'hi'" in line for line in found)


def test_the_shipped_articles_are_fine() -> None:
    assert check(SHIPPED) == []
    for lang in ("en", "hi", "ur"):
        paths = sorted((SHIPPED / lang).glob("*.md"))
        assert len(paths) >= 20
        for path in paths:
            article = read_article(path)
            words = [word for word in article.body.split() if any(char.isalnum() for char in word)]
            headings = [line for line in article.body.split("\n") if line.startswith("## ")]
            assert path.stem == article.key
            assert 80 <= len(words) <= 250, path
            assert 2 <= len(headings) <= 4, path
