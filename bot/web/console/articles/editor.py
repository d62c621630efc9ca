"""The editor of an article: text and preview, its source beside a translation, who reads it and when.

Saving works without a script. A text that somebody else changed meanwhile is not written over: both stand on
the page, and saving again is meant.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from aiohttp import web

from bot.crm.article import (
    ARTICLE,
    AUDIENCES,
    LONGEST,
    edit_article,
    first_language,
    may_publish,
    propose,
    save_article,
    source_of,
    stale,
)
from bot.crm.user import staff_to_tell
from bot.difference import Line, difference
from bot.errors import Conflict, InvalidInput, NotFound, VersionConflict
from bot.messages import clean
from bot.records.change import read_values
from bot.records.permissions import allowed
from bot.records.tx import Record, Tx
from bot.records.write import get
from bot.web.console.articles.shelf import PATH, Leaf, categories, language_name, marks_of
from bot.web.console.door import Viewer, room, show
from bot.web.console.records.common import go, reader_of
from bot.web.console.records.control import as_text, sentence
from bot.web.console.records.reader import Reader
from bot.web.pages.markdown import to_html

FIELDS = ("title", "body", "category", "audience", "owner_id", "publish_at", "expires_at")
WRITERS = ("agent", "manager", "marketer", "admin")
_STEPS: Mapping[tuple[str, bool], Sequence[tuple[str, str]]] = {
    ("draft", False): (("draft", "save"), ("review", "review")),
    ("draft", True): (("draft", "save"), ("published", "publish"), ("review", "review")),
    ("review", False): (("review", "save"), ("draft", "withdraw")),
    ("review", True): (("review", "save"), ("published", "publish"), ("draft", "send_back")),
    ("published", False): (("published", "propose"),),
    ("published", True): (("published", "save"), ("archived", "archive"), ("draft", "unpublish")),
    ("archived", False): (("archived", "save"), ("draft", "withdraw")),
    ("archived", True): (("archived", "save"), ("published", "publish"), ("draft", "withdraw")),
}
"""The buttons: the status after each, and its word. By status, and whether one may publish."""


@dataclass(slots=True)
class Sheet:
    """All that the editor shows. `values` are what the form holds; `row` is the article as it is, empty for
    a new one; `clash` the difference from what somebody else saved meanwhile."""

    row: Record
    values: dict[str, str]
    source: Record | None = None
    stale: bool = False
    leaves: Sequence[Leaf] = ()
    people: Sequence[Record] = ()
    categories: Sequence[str] = ()
    clash: Sequence[Line] = ()
    wrong: str = ""
    marks: Sequence[str] = field(default_factory=tuple)


def _texts(row: Mapping[str, Any], reader: Reader) -> dict[str, str]:
    return {name: as_text(ARTICLE, name, row, reader) for name in FIELDS}


def _sheet(tx: Tx, row: Record, values: Mapping[str, str]) -> Sheet:
    table = ARTICLE.table
    key, lang = values["key"], values["lang"]
    same = sa.and_(table.c.key == key, table.c.deleted_at.is_(None), table.c.lang != lang)
    others = tx.rows(sa.select(table).where(same).order_by(table.c.lang)) if key else []
    first = first_language(tx)
    source = next((other for other in others if other["lang"] == first), None)
    everybody = staff_to_tell(tx, WRITERS) if allowed(tx.actor, "read", "users") else []
    own = source if source is not None else row or None
    return Sheet(
        row,
        dict(values),
        source,
        bool(row) and stale(row, source),
        [Leaf(other["id"], other["lang"], other["status"], marks_of(other, own, tx.now)) for other in others],
        everybody,
        categories(tx),
        marks=marks_of(row, source, tx.now) if row else (),
    )


def _open(tx: Tx, reader: Reader, article_id: str) -> Sheet:
    row = get(tx, ARTICLE, article_id)
    values = {**_texts(row, reader), "key": row["key"], "lang": row["lang"], "version": str(row["version"])}
    return _sheet(tx, row, values)


def _blank(tx: Tx, reader: Reader, key: str, lang: str) -> Sheet:
    """A new article, or of one that there is in another language, its translation."""
    tx.require("create", "articles")
    begun: dict[str, Any] = {**ARTICLE.defaults, "owner_id": tx.actor.id}
    source = source_of(tx, key, lang) if key else None
    if source is not None:
        begun |= {name: source[name] for name in ("category", "audience", "publish_at", "expires_at")}
    return _sheet(tx, {}, {**_texts(begun, reader), "key": key, "lang": lang, "version": ""})


@room
async def open_article(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/articles/{id}."""
    sheet = await viewer.app.store.read(_open, viewer.actor, reader_of(viewer), request.match_info["id"])
    return _show(request, viewer, sheet)


@room
async def new_article(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/articles/new; `?of=KEY&lang=hi` begins a translation."""
    langs, lang = viewer.app.profile.languages, request.query.get("lang", "")
    lang = lang if lang in langs else langs[0]
    key = request.query.get("of", "")[:120]
    return _show(
        request, viewer, await viewer.app.store.read(_blank, viewer.actor, reader_of(viewer), key, lang)
    )


def _show(request: web.Request, viewer: Viewer, sheet: Sheet, status: int = 200) -> web.Response:
    words, langs = viewer.app.words, viewer.app.profile.languages
    publishes = may_publish(viewer.actor)
    there = {leaf.lang for leaf in sheet.leaves} | {sheet.values["lang"]}
    return show(
        request,
        viewer,
        "articles/editor.html",
        status=status,
        sheet=sheet,
        row=sheet.row,
        values=sheet.values,
        preview=to_html(sheet.values["body"]),
        source_html=to_html(sheet.source["body"]) if sheet.source is not None else "",
        steps=_STEPS[sheet.row.get("status", "draft"), publishes],
        audiences=AUDIENCES,
        langs=langs,
        missing=[lang for lang in langs if lang not in there] if sheet.values["key"] and sheet.row else [],
        name_of=lambda lang: language_name(words, lang),
        longest=LONGEST,
        publishes=publishes,
        may_write=allowed(viewer.actor, "update" if sheet.row else "create", "articles"),
        done=next((name for name in ("saved", "proposed") if name in request.query), ""),
    )


@room
async def preview(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/articles/preview: the text as customers will see it."""
    body = clean(str((await request.post()).get("body", "")))[:LONGEST]
    return show(request, viewer, "articles/_preview.html", preview=to_html(body))


async def _posted(request: web.Request) -> dict[str, str]:
    form = await request.post()
    names = (*FIELDS, "key", "lang", "status", "version", "source_version")
    given = {name: clean(str(form[name])).replace("\r\n", "\n") for name in names if name in form}
    return {name: value if name == "body" else value.strip() for name, value in given.items()}


def _given(tx: Tx, reader: Reader, posted: Mapping[str, str], before: Record | None) -> dict[str, Any]:
    """The columns that the form changes: what it brought and what differs from what it was filled with."""
    held = _texts(before, reader) if before is not None else {}
    changed = {name: posted[name] for name in FIELDS if name in posted and posted[name] != held.get(name, "")}
    if "status" in posted and posted["status"] != (before or {}).get("status"):
        changed["status"] = posted["status"]
    return read_values(tx, ARTICLE, changed, before=before, zone=reader.zone)


def _save(tx: Tx, reader: Reader, article_id: str, posted: Mapping[str, str]) -> str:
    """Write it, or leave it as a proposal; returns what was done."""
    row = get(tx, ARTICLE, article_id)
    if row["status"] == "published" and not may_publish(tx.actor):
        done = propose(tx, article_id, posted.get("title", row["title"]), posted.get("body", row["body"]))
        return "proposed" if done else ""
    values = _given(tx, reader, posted, row)
    if (made_of := _number(posted, "source_version")) is not None and row["lang"] != first_language(tx):
        values["translates"] = made_of
    edit_article(tx, article_id, values, _number(posted, "version"))
    return "saved"


def _number(posted: Mapping[str, str], name: str) -> int | None:
    text = posted.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else None


def _add(tx: Tx, reader: Reader, posted: Mapping[str, str]) -> str:
    table, key, lang = ARTICLE.table, posted.get("key", ""), posted.get("lang", "")
    for name in ("title", "body"):
        if not posted.get(name, "").strip():
            raise InvalidInput(f"An article needs a {name}", field=name)
    values = {"owner_id": tx.actor.id, **_given(tx, reader, posted, None)}
    made_of = _number(posted, "source_version")
    if made_of is not None and lang != first_language(tx):
        values["translates"] = made_of
    there = tx.row(sa.select(table).where(table.c.key == key, table.c.lang == lang))
    if there is not None and there["deleted_at"] is None:
        raise Conflict("There is an article with this id and language already", field="key")
    title, body, status = (values.pop(name, "") for name in ("title", "body", "status"))
    return save_article(tx, key, lang, title, body, status or "draft", **values)


def _refilled(tx: Tx, reader: Reader, article_id: str, posted: Mapping[str, str], clash: bool) -> Sheet:
    """The page again with what was typed; after a clash, beside what is there now."""
    if not article_id:
        return _sheet(tx, {}, {**_blank_values(reader), **posted})
    sheet = _open(tx, reader, article_id)
    sheet.values |= {name: posted[name] for name in FIELDS if name in posted}
    if clash:
        sheet.clash = difference(
            f"{sheet.row['title']}\n\n{sheet.row['body']}",
            f"{posted.get('title', '')}\n\n{posted.get('body', '')}",
        )
    else:
        sheet.values["version"] = posted.get("version", sheet.values["version"])
    return sheet


def _blank_values(reader: Reader) -> dict[str, str]:
    return {**_texts(ARTICLE.defaults, reader), "key": "", "lang": "", "version": ""}


@room
async def save(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/articles/{id} and /console/articles."""
    posted, which = await _posted(request), request.match_info.get("id", "")
    app, reader = viewer.app, reader_of(viewer)
    try:
        if which:
            done = await app.store.run(_save, viewer.actor, reader, which, posted)
        else:
            which, done = await app.store.run(_add, viewer.actor, reader, posted), "saved"
    except (InvalidInput, Conflict) as error:
        clash = isinstance(error, VersionConflict)
        sheet: Sheet = await app.store.read(_refilled, viewer.actor, reader, which, posted, clash)
        sheet.wrong = reader.say("articles.clash") if clash else _words(error, reader)
        return _show(request, viewer, sheet, error.status)
    target = f"{PATH}/{which}?{done}=1" if done else f"{PATH}/{which}"
    return go(request, target)


def _words(error: InvalidInput | Conflict, reader: Reader) -> str:
    key = f"console.wrong.{error.data.get('field', '')}"
    if reader.words.has(key):
        return reader.say(key, most=reader.number(LONGEST))
    return (
        sentence(error, ARTICLE, reader) if isinstance(error, InvalidInput) else reader.say(error.locale_key)
    )


def _meanwhile(tx: Tx, article_id: str, version: int) -> Record | None:
    row = get(tx, ARTICLE, article_id)
    return row if row["version"] > version else None


@room
async def meanwhile(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/articles/{id}/meanwhile?version=3: a warning once somebody else saved a newer one."""
    which, version = request.match_info["id"], _number(request.query, "version") or 0
    try:
        row = await viewer.app.store.read(_meanwhile, viewer.actor, which, version)
    except NotFound:
        row = {"id": which}
    return show(request, viewer, "articles/_meanwhile.html", row=row, path=PATH)
