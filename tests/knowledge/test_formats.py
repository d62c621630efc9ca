"""Files of every kind as articles: what comes out, what is refused and how, and out and in again."""

import io
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.crm.article import ARTICLE, edit_article, save_article
from bot.crm.business import seed_profile
from bot.errors import InvalidInput, NotFound
from bot.knowledge.files import Counts, Usual, check, export_articles, read_articles, save_articles
from bot.knowledge.formats import word
from bot.knowledge.formats.article_file import ArticleFile
from bot.knowledge.formats.markdown import read_article, write_article
from bot.media.pictures import MAX_BYTES, Pictures, address_of
from bot.records.actor import SYSTEM
from bot.records.store import Store
from bot.records.tx import Record, Tx
from bot.settings import Settings
from tests.support.papers import docx, pdf
from tests.support.recordings import picture

PICTURE = picture("PNG")
HTML = """<!doctype html><html lang="hi"><head><title>Returns | Shop</title>
<link rel="canonical" href="https://shop.example/help/returns.html"><style>p {}</style></head><body>
<nav><a href="/">Home</a></nav><main><h1>How do I <em>return</em> it?</h1>
<p>Within <b>30 days</b>. See the <a href="warranty.html#long">warranty</a>, <a href="/shop">our shop</a>,
<a href="https://pay.example/">payments</a>, <a href="javascript:alert(1)">this</a> and
<a href="#top">top</a>.</p>
<ul><li>snake_case &amp; 2*3</li></ul>
<table><tr><th>Item</th><th>Days</th></tr><tr><td>Fridge</td><td>30</td></tr></table>
<img src="box.png" alt="The box"><img src="https://cdn.example/x.png" alt="A photo"><script>alert(1)</script>
<!-- a comment --></main><footer>© Shop</footer></body></html>"""


def write(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def only(path: Path, lang: str = "") -> ArticleFile:
    (found,) = read_articles(path, lang)
    return found


def test_a_help_centre_keeps_its_text_links_and_pictures(tmp_path: Path) -> None:
    write(tmp_path, "help/warranty.html", "<html><body><h1>Warranty</h1><p>Two years.</p></body></html>")
    path = write(tmp_path, "help/returns.html", HTML)
    write(tmp_path, "help/box.png", PICTURE)
    found = {one.key: one for one in read_articles(tmp_path, "en")}
    returns, address = found["returns"], address_of(PICTURE)
    assert (returns.title, returns.lang) == ("How do I return it?", "hi")
    assert returns.body == (
        "Within **30 days**. See the [warranty](/help/hi/warranty), [our shop](https://shop.example/shop),\n"
        "[payments](https://pay.example/), this and\ntop.\n\n- snake_case & 2*3\n\n"
        "| Item | Days |\n| --- | --- |\n| Fridge | 30 |\n\n"
        f"![The box]({address})[A photo](https://cdn.example/x.png)"
    )
    assert returns.pictures == {address: PICTURE}
    assert (found["warranty"].lang, found["warranty"].body) == ("en", "Two years.")
    assert only(path).place == str(path)
    assert {one.lang for one in read_articles(tmp_path, "ta", fixed=True)} == {"ta"}
    bare = write(tmp_path, "bare/opening_hours.html", "<p>From 9 to 5</p>".encode("utf-16"))
    assert (only(bare).key, only(bare).title) == ("opening-hours", "Opening hours")


def test_a_word_document_keeps_its_form(tmp_path: Path) -> None:
    made = docx(("Title", "Water filters"), ("Heading2", "When?"), ("", "Every <6> months."), picture=PICTURE)
    found = only(write(tmp_path, "hi/filter guide.docx", made))
    address = address_of(PICTURE)
    assert (found.key, found.title, found.lang) == ("filter-guide", "Water filters", "hi")
    assert found.body == f"## When?\n\nEvery <6> months.\n\n![A filter]({address})"
    assert found.pictures == {address: PICTURE}


def test_a_pdf_is_its_text_without_heads_and_feet(tmp_path: Path) -> None:
    pages = [
        f"Asha Kitchens\nThis line of page {n} is long enough to go on in the next, so it is one para-\n"
        f"graph with it.\n- a point\nShort.\nPage {n} of 3"
        for n in (1, 2, 3)
    ]
    found = only(write(tmp_path, "guide.pdf", pdf(*pages, title="The guide")))
    assert (found.title, found.key) == ("The guide", "guide")
    assert "Kitchens" not in found.body and "of 3" not in found.body
    assert found.body.startswith(
        "This line of page 1 is long enough to go on in the next, so it is one paragraph with it."
        "\n\n- a point"
    )
    untitled = only(write(tmp_path, "hours.pdf", pdf("Opening hours\nFrom 9 to 5")))
    assert (untitled.title, untitled.body) == ("Opening hours", "From 9 to 5")


def test_a_table_of_questions(tmp_path: Path) -> None:
    text = "Question;Answer;lang;category;id\n"
    text += "When open?;9 to 5;;Shop;\n\nकब खुला?;सुबह; hi ;;\n'x';\"a;\nb\";;;y\n"
    for code in ("utf-8-sig", "utf-16"):
        found = read_articles(write(tmp_path, "faq.csv", text.encode(code)), "en")
        assert [(one.key, one.lang, one.category, one.body) for one in found] == [
            ("when-open", "en", "Shop", "9 to 5"),
            ("kb-khula", "hi", None, "सुबह"),
            ("y", "en", None, "a;\nb"),
        ]
    assert found[2].place.endswith("faq.csv:5")


BOMB = io.BytesIO()
with zipfile.ZipFile(BOMB, "w", zipfile.ZIP_DEFLATED) as packed:
    packed.writestr("word/document.xml", b" " * 3_000_000)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.pdf", b"%PDF-1.4 no more", "broken"),
        ("a.pdf", b"", "is empty"),
        ("a.pdf", pdf("Secret", password="open"), "password"),
        ("a.pdf", pdf(""), "holds no text"),
        ("a.docx", b"PK\x03\x04 no more", "cannot be read as a Word document"),
        ("a.docx", docx(), "has no text"),
        ("a.docx", BOMB.getvalue(), "unpacks to more than"),
        ("a.html", b"<html><body><nav>Home</nav></body></html>", "has no text"),
        ("a.html", b"<p>\x00\x01\x02\xff\xfe\x00</p>", "cannot be read as text"),
        ("a.html", "<div>" * 900 + "deep", "nested too deeply"),
        ("a.csv", "title\nx", ":1: has no column answer"),
        ("a.csv", "question,answer\n", "no rows"),
        ("a.csv", "question,answer\nx,y\nx,\n", ":3: has no answer"),
        ("a.csv", "question,answer\nx,y,z\n", ":2: has 3 values for 2 columns"),
        ("a.csv", "question,answer,lang\nx,y,xx-yy\n", ":2: lang must be"),
        ("a.csv", "question,answer,audience\nx,y,friends\n", ":2: audience must be one of"),
        ("a.csv", 'question,answer\n"x,y\n', ":2: is no row"),
        ("a.csv", "question,answer\n??,y\n", ":2: no id can be made"),
        ("a.csv", "question,answer\nx,y\nX?,z\n", ":3: id 'x' is already that of"),
        ("a.csv", "question,answer\nx,caf\xe9\n".encode("latin-1"), ":2: is not UTF-8"),
        ("en/a.md", "---\nid: a\ntitle: A\nlang: en\naudiance: agents\n---\nx", ":5: there is no 'audiance'"),
        ("en/a.md", "---\nid: a\ntitle: A\nlang: en\nexpires_at: soon\n---\nx", ":5: expires_at must be"),
        ("en/a.md", "---\nid: a\ntitle: A\nlang: en\ncategory: 5\n---\nx", ":5: category must be"),
        ("a.txt", "x", "is none of"),
    ],
)
def test_what_cannot_be_read_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes | str, words: str
) -> None:
    monkeypatch.setattr(word, "UNPACKED", 2_000_000)
    path = write(tmp_path, name, content)
    with pytest.raises(InvalidInput) as caught:
        read_articles(path)
    assert words in caught.value.message and str(path) in caught.value.message
    assert any(words in line for line in check(path))


def rows(store: Store) -> dict[tuple[str, str], Record]:
    def read(tx: Tx) -> dict[tuple[str, str], Record]:
        return {(row["key"], row["lang"]): row for row in tx.rows(sa.select(ARTICLE.table))}

    return store.read_now(read, SYSTEM)


def test_all_or_none_and_again_changes_nothing(store: Store, tmp_path: Path) -> None:
    write(tmp_path / "in", "faq.csv", "question,answer,lang\nOpen?,9 to 5,en\n")
    write(tmp_path / "in", "en/filters.docx", docx(("", "Every 6 months.")))
    write(tmp_path / "in", "late.html", HTML.replace("30 days", "x" * 100_001))
    pictures = Pictures(tmp_path / "data")
    usual = Usual("draft", "agents", "Import")
    with pytest.raises(InvalidInput, match=r"late\.html: An article has at most"):
        store.write_now(save_articles, SYSTEM, read_articles(tmp_path / "in"), usual, pictures)
    assert rows(store) == {}
    write(tmp_path / "in", "late.html", HTML)
    found = read_articles(tmp_path / "in")
    assert store.write_now(save_articles, SYSTEM, found, usual, pictures) == Counts(added=3)
    row = rows(store)["late", "hi"]
    assert (row["status"], row["audience"], row["category"]) == ("draft", "agents", "Import")
    # Once it is there, such a file speaks of the text alone.
    store.write_now(edit_article, SYSTEM, row["id"], {"status": "published", "audience": "public"})
    assert store.write_now(save_articles, SYSTEM, found, usual, pictures) == Counts(unchanged=3)
    write(tmp_path / "in", "faq.csv", "question,answer,lang\nOpen?,9 to 6,en\n")
    again = read_articles(tmp_path / "in")
    assert store.write_now(save_articles, SYSTEM, again, usual, pictures) == Counts(changed=1, unchanged=2)
    assert rows(store)["late", "hi"]["status"] == "published"


def test_out_and_in_again_elsewhere_is_the_same(store: Store, tmp_path: Path) -> None:
    store.write_now(seed_profile, SYSTEM, Settings(languages="en,hi"))
    here, there = Pictures(tmp_path / "here"), Pictures(tmp_path / "there")
    body = f"Look:\n\n![The box]({here.put(PICTURE)}) and ![none](../gone.png)"
    more: dict[str, Any] = {"category": "no", "audience": "agents"}
    when = {
        "publish_at": datetime(2026, 12, 1, 3, 30, tzinfo=UTC),
        "expires_at": datetime(2027, 1, 1, tzinfo=UTC),
    }
    source = store.write_now(save_article, SYSTEM, "box", "en", "The box", body, "review", **more, **when)
    store.write_now(save_article, SYSTEM, "box", "hi", "डिब्बा", "देखिए")
    store.write_now(edit_article, SYSTEM, source, {"title": "A box"})
    out = tmp_path / "out"
    assert store.write_now(export_articles, SYSTEM, out, here) == 2
    assert (out / "en" / "box.md").read_text().count("](../pictures/") == 1
    assert any("there is no picture ../gone.png" in line for line in check(out))
    found = read_articles(out)
    assert store.write_now(save_articles, SYSTEM, found, None, here) == Counts(unchanged=2)
    before = rows(store)
    store.write_now(lambda tx: tx.execute(ARTICLE.table.delete()), SYSTEM)
    assert store.write_now(save_articles, SYSTEM, found, None, there) == Counts(added=2)
    store.write_now(export_articles, SYSTEM, tmp_path / "again", there)
    first = {path.relative_to(out): path.read_bytes() for path in out.rglob("*.*")}
    assert first == {
        path.relative_to(tmp_path / "again"): path.read_bytes() for path in (tmp_path / "again").rglob("*.*")
    }
    names = ("title", "body", "status", "audience", "category", "publish_at", "expires_at")
    after = rows(store)
    assert [[row[name] for name in names] for row in before.values()] == [
        [after[key][name] for name in names] for key in before
    ]


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=60)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(title=texts, body=texts, category=st.none() | texts)
def test_whatever_is_written_is_read_as_it_was(
    tmp_path: Path, title: str, body: str, category: str | None
) -> None:
    row = {
        "key": "a",
        "lang": "en",
        "status": "draft",
        "audience": "public",
        "publish_at": None,
        "title": " ".join(title.split()) or "x",
        "body": body.replace("\r\n", "\n").replace("\r", "\n").strip() or "x",
        "category": (category or "").strip() or None,
        "expires_at": datetime(2027, 1, 1, 9, tzinfo=UTC),
    }
    path = write(tmp_path, "en/a.md", write_article(row, stale=False))
    found = read_article(path)
    read = {name: getattr(found, name) for name in row}
    assert read == row


def test_pictures_are_what_they_say(tmp_path: Path) -> None:
    pictures = Pictures(tmp_path)
    address = pictures.put(PICTURE)
    assert pictures.put(PICTURE) == address and pictures.path(address).read_bytes() == PICTURE
    for wrong in (b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.4", b"", PICTURE + bytes(MAX_BYTES)):
        with pytest.raises(InvalidInput):
            pictures.put(wrong)
    for gone in (
        address.replace(".png", ".jpg"),
        address.replace("/help", ""),
        f"/help/pictures/{'0' * 64}.png",
    ):
        with pytest.raises(NotFound):
            pictures.path(gone)
