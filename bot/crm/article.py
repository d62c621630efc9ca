"""Articles of the knowledge base: Markdown, one record a language; `key` joins the translations."""

import re
from typing import Any

import sqlalchemy as sa

from bot.errors import InvalidInput, NotFound
from bot.records.entity import EVERYTHING, entity
from bot.records.tx import Record, Tx
from bot.records.write import create, get, update
from bot.storage import Id

ARTICLE_STATUSES = ("draft", "published", "archived")
_KEY = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


def _prepare(_tx: Tx, before: Record | None, values: dict[str, Any]) -> None:
    """An id in lower-case words, a language, a title and a text."""
    both = {**(before or {}), **values}
    if not _KEY.fullmatch(both["key"]):
        raise InvalidInput(
            f"An article's id is lower-case words joined by hyphens, not {both['key']!r}", field="id"
        )
    if both["status"] not in ARTICLE_STATUSES:
        raise InvalidInput(f"{both['status']!r} is no article status", field="status")
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
    sa.Column("owner_id", Id, sa.ForeignKey("users.id")),
    sa.UniqueConstraint("key", "lang"),
    enums={"status": ARTICLE_STATUSES},
    scope="open",
    search={"title": 3, "body": 1},
    long=("body",),
    defaults={"status": "draft"},
    title="title",
    prepare=_prepare,
    takes=EVERYTHING,
    notice="articles",
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


def find_published(tx: Tx, key: str, lang: str) -> Record:
    """A published article by its key, in this language or else in any. Raises NotFound."""
    table = ARTICLE.table
    rows = tx.rows(
        sa.select(table).where(
            table.c.key == key, table.c.status == "published", table.c.deleted_at.is_(None)
        )
    )
    for row in sorted(rows, key=lambda row: (row["lang"] != lang, row["lang"] != "en")):
        return row
    raise NotFound("There is no such article.")


def version_of_all(tx: Tx) -> str:
    """Changes whenever any article does: tells an index that it is stale."""
    table = ARTICLE.table
    count, newest = sa.func.count(), sa.func.max(table.c.updated_at)
    row = tx.row(sa.select(count.label("count"), newest.label("newest")).select_from(table))
    return f"{row['count']}:{row['newest']}" if row else ""
