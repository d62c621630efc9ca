"""All articles, each with its translations: what is missing, out of date, soon to expire."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa
from aiohttp import web
from babel import Locale, UnknownLocaleError

from bot.crm.article import ARTICLE, ARTICLE_STATUSES, AUDIENCES, stale
from bot.i18n import Words
from bot.records.permissions import allowed
from bot.records.search.find import find_everywhere
from bot.records.tx import Record, Tx
from bot.web.console.door import Viewer, room, show

PATH = "/console/articles"
PAGE = 50
MOST_HITS = 500
SOON = timedelta(days=30)
"""An article that expires within this time is marked."""
STATES = ("missing", "stale", "expiring")
NAMES = ("q", "status", "category", "lang", "audience", "state")


@dataclass(frozen=True, slots=True)
class Leaf:
    """An article in one language. `marks`: later, expiring, expired, stale."""

    id: str
    lang: str
    status: str
    marks: tuple[str, ...]
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Sheaf:
    """An article in all its languages; `front` is the one whose title stands for it."""

    front: Record
    leaves: Sequence[Leaf]
    missing: Sequence[str]


@dataclass(frozen=True, slots=True)
class Shelf:
    """A page of the shelf, of how many articles."""

    sheaves: Sequence[Sheaf]
    total: int
    categories: Sequence[str]
    langs: Sequence[str]


def categories(tx: Tx) -> list[str]:
    """Those in use, by name."""
    column, table = ARTICLE.table.c.category, ARTICLE.table
    found = sa.select(column).where(column.is_not(None), table.c.deleted_at.is_(None)).distinct()
    return sorted(tx.execute(found.limit(500)).scalars())


def language_name(words: Words, lang: str) -> str:
    """What a language is called in itself."""
    key = f"language.name.{lang}"
    if words.has(key):
        return words.say(key, lang)
    try:
        return Locale.parse(lang, sep="-").get_display_name() or lang
    except (UnknownLocaleError, ValueError):
        return lang


def read_shelf(tx: Tx, asked: Mapping[str, str], langs: Sequence[str], mine: str, page: int) -> Shelf:
    """Two statements, and the search's."""
    tx.require("read", "articles")
    table = ARTICLE.table
    names = ("id", "key", "lang", "title", "status", "audience", "category", "publish_at", "expires_at")
    columns = [table.c[name] for name in (*names, "translates", "version", "updated_at")]
    rows = tx.rows(sa.select(*columns).where(table.c.deleted_at.is_(None)).order_by(table.c.key))
    by_key: dict[str, list[Record]] = defaultdict(list)
    for row in rows:
        by_key[row["key"]].append(row)
    hits = _hits(tx, asked["q"], rows) if asked["q"] else None
    made = [_sheaf(some, langs, mine, tx.now) for some in by_key.values() if _wanted(some, asked, hits)]
    kept = [one for one in made if _in_state(one, asked)]
    kept.sort(key=lambda one: (one.front["category"] or "\uffff", one.front["title"].lower()))
    used = {row["lang"] for row in rows}
    return Shelf(
        kept[page * PAGE : (page + 1) * PAGE],
        len(kept),
        sorted({row["category"] for row in rows if row["category"]}),
        [*langs, *sorted(used.difference(langs))],
    )


def _hits(tx: Tx, text: str, rows: Iterable[Record]) -> set[str]:
    found = {hit.id for hit in find_everywhere(tx, text, ("articles",), MOST_HITS)}
    return found | {row["id"] for row in rows if text.lower() in row["key"]}


def _wanted(some: Sequence[Record], asked: Mapping[str, str], hits: set[str] | None) -> bool:
    """Whether any of its languages is what is asked for."""
    names = [name for name in ("status", "category", "audience", "lang") if asked[name]]
    if asked["state"] == "missing":
        names = [name for name in names if name != "lang"]
    return any(
        all(row[name] == asked[name] for name in names) and (hits is None or row["id"] in hits)
        for row in some
    )


def _in_state(sheaf: Sheaf, asked: Mapping[str, str]) -> bool:
    state, lang = asked["state"], asked["lang"]
    if state == "missing":
        return lang in sheaf.missing if lang else bool(sheaf.missing)
    if state in STATES:
        wanted = {"expiring", "expired"} if state == "expiring" else {state}
        return any(wanted.intersection(leaf.marks) for leaf in sheaf.leaves if lang in ("", leaf.lang))
    return True


def _sheaf(some: Sequence[Record], langs: Sequence[str], mine: str, now: datetime) -> Sheaf:
    by_lang = {row["lang"]: row for row in some}
    order = [*langs, *sorted(set(by_lang).difference(langs))]
    source = by_lang.get(langs[0])
    front = by_lang.get(mine) or source or some[0]
    leaves = [_leaf(by_lang[lang], source, now) for lang in order if lang in by_lang]
    return Sheaf(front, leaves, [lang for lang in langs if lang not in by_lang])


def _leaf(row: Record, source: Record | None, now: datetime) -> Leaf:
    return Leaf(row["id"], row["lang"], row["status"], marks_of(row, source, now), row["expires_at"])


def marks_of(row: Record, source: Record | None, now: datetime) -> tuple[str, ...]:
    """What is to be known of an article beside its status."""
    made = []
    if row["status"] == "published" and row["publish_at"] is not None and row["publish_at"] > now:
        made.append("later")
    if row["status"] == "published" and row["expires_at"] is not None and row["expires_at"] <= now + SOON:
        made.append("expired" if row["expires_at"] <= now else "expiring")
    if source is not None and row["id"] != source["id"] and stale(row, source):
        made.append("stale")
    return tuple(made)


@room
async def articles(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/articles."""
    app = viewer.app
    asked = {name: request.query.get(name, "").strip()[:200] for name in NAMES}
    given = request.query.get("page", "0")
    page = int(given) if given.isascii() and given.isdigit() and len(given) < 5 else 0
    langs = app.profile.languages
    found: Shelf = await app.store.read(read_shelf, viewer.actor, asked, langs, viewer.lang, page)

    def address(number: int) -> str:
        """Another page of the same."""
        some: dict[str, Any] = {name: value for name, value in asked.items() if value}
        return f"{PATH}?{urlencode({**some, 'page': number})}"

    return show(
        request,
        viewer,
        "articles/list.html",
        found=found,
        asked=asked,
        narrowed=any(asked[name] for name in NAMES if name != "q"),
        page=page,
        pages=(found.total + PAGE - 1) // PAGE,
        address=address,
        statuses=ARTICLE_STATUSES,
        audiences=AUDIENCES,
        states=STATES,
        name_of=lambda lang: language_name(app.words, lang),
        may_write=allowed(viewer.actor, "create", "articles"),
    )
