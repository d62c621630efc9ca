"""Articles of the knowledge base: Markdown, one record a language; `key` joins the translations.

Read by customers is what is published, begun and not expired, and meant for them: `readable`.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot.errors import InvalidInput, NotFound
from bot.records.entity import EVERYTHING, entity
from bot.records.tx import Record, Tx
from bot.records.write import create, get, update
from bot.storage import Id, Instant

ARTICLE_STATUSES = ("draft", "review", "published", "archived")
AUDIENCES = ("public", "customers", "agents")
"""Who reads an article: everybody, customers whom we know, or staff alone."""
_KEY = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
TAKEN_KEYS = frozenset({"search", "suggest"})
"""Addresses of the help centre's own pages, beside those of the articles."""


def _prepare(_tx: Tx, before: Record | None, values: dict[str, Any]) -> None:
    """An id in lower-case words, a language, a title and a text."""
    both = {**(before or {}), **values}
    if not _KEY.fullmatch(both["key"]):
        raise InvalidInput(
            f"An article's id is lower-case words joined by hyphens, not {both['key']!r}", field="id"
        )
    if both["key"] in TAKEN_KEYS:
        raise InvalidInput(f"{both['key']!r} is a page of the help centre; choose another id", field="id")
    if both["status"] not in ARTICLE_STATUSES:
        raise InvalidInput(f"{both['status']!r} is no article status", field="status")
    if both["audience"] not in AUDIENCES:
        raise InvalidInput(f"{both['audience']!r} is no audience of an article", field="audience")
    begins, ends = both.get("publish_at"), both.get("expires_at")
    if begins and ends and ends <= begins:
        raise InvalidInput("An article expires after it is published, not before", field="expires_at")
    for name in ("lang", "title", "body"):
        if not both[name].strip():
            raise InvalidInput(f"An article needs a {name}", field=name)
        if name in values:
            values[name] = both[name].strip()


ARTICLE = entity(
    "articles",
    sa.Column("key", sa.String(120), nullable=False),
    sa.Column("lang", sa.String(12), nullable=False),
    sa.Column("title", sa.String(300), nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("status", sa.String(10), nullable=False),
    sa.Column("audience", sa.String(10), nullable=False),
    sa.Column("category", sa.String(80)),
    sa.Column("publish_at", Instant),
    sa.Column("expires_at", Instant),
    sa.Column("translates", sa.Integer),
    sa.Column("owner_id", Id, sa.ForeignKey("users.id")),
    sa.UniqueConstraint("key", "lang"),
    enums={"status": ARTICLE_STATUSES, "audience": AUDIENCES},
    scope="open",
    search={"title": 3, "body": 1},
    long=("body",),
    defaults={"status": "draft", "audience": "public"},
    title="title",
    prepare=_prepare,
    takes=EVERYTHING,
    notice="articles",
)
"""`translates`: the version of the article in the business's first language that a translation was made of;
where that is older than the article, the translation is stale."""

_READ_BY = ("status", "audience", "deleted_at", "publish_at", "expires_at", "updated_at", "version")
# Whether anything changed is asked at every page of the help centre: without reading the texts.
sa.Index("ix_articles_readable", *(ARTICLE.table.c[name] for name in _READ_BY))


def readable(now: datetime | sa.ColumnElement[datetime], audiences: Sequence[str]) -> sa.ColumnElement[bool]:
    """Which articles are read by these audiences at this moment."""
    table = ARTICLE.table
    return sa.and_(
        table.c.status == "published",
        table.c.deleted_at.is_(None),
        table.c.audience.in_(audiences),
        sa.or_(table.c.publish_at.is_(None), table.c.publish_at <= now),
        sa.or_(table.c.expires_at.is_(None), table.c.expires_at > now),
    )


_public_by_key = sa.select(ARTICLE.table).where(
    ARTICLE.table.c.key == sa.bindparam("key"), readable(sa.bindparam("now", type_=Instant), ("public",))
)


def save_article(tx: Tx, key: str, lang: str, title: str, body: str, status: str = "published") -> str:
    """Add the article, or change the one with this key and language; returns its id."""
    table = ARTICLE.table
    known = tx.row(sa.select(table).where(table.c.key == key, table.c.lang == lang))
    values: dict[str, Any] = {
        "title": title.strip(),
        "body": body.strip(),
        "status": status,
        "deleted_at": None,
    }
    if known is None:
        article_id = create(tx, ARTICLE, {"key": key, "lang": lang, **values, "owner_id": tx.actor.id})
    else:
        article_id = known["id"]
        update(tx, ARTICLE, known, values)
    return article_id


def edit_article(tx: Tx, article_id: str, title: str, body: str, status: str) -> bool:
    """Change an article by its id. Raises NotFound, InvalidInput."""
    row = get(tx, ARTICLE, article_id)
    return update(tx, ARTICLE, row, {"title": title.strip(), "body": body.strip(), "status": status})


def published(tx: Tx) -> list[Record]:
    """All published articles, for the index."""
    table = ARTICLE.table
    live = table.c.deleted_at.is_(None)
    return list(tx.rows(sa.select(table).where(table.c.status == "published", live).order_by(table.c.id)))


def find_published(tx: Tx, key: str, langs: Sequence[str]) -> Record:
    """An article that everybody may read, by its key: in the first of these languages that it is there in,
    else in any. Raises NotFound."""
    rows = tx.rows(_public_by_key, {"key": key, "now": tx.now})
    places = {lang: place for place, lang in enumerate(langs)}
    for row in sorted(rows, key=lambda row: (places.get(row["lang"], len(places)), row["lang"])):
        return row
    raise NotFound("There is no such article.")


def version_of_all(tx: Tx) -> str:
    """Changes whenever any article does: tells an index that it is stale."""
    table = ARTICLE.table
    count, newest = sa.func.count(), sa.func.max(table.c.updated_at)
    row = tx.row(sa.select(count.label("count"), newest.label("newest")).select_from(table))
    return f"{row['count']}:{row['newest']}" if row else ""
