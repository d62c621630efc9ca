"""Articles of the knowledge base: Markdown, one record a language; `key` joins the translations.

Read by customers is what is published, begun and not expired, and meant for them: `readable`. Drafts are
written and put to review by whoever may change articles; what readers see is changed by who may delete
articles, too: to publish is to replace what was there.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot.crm.business import load_profile
from bot.crm.notification import notify_user
from bot.crm.user import staff_to_tell
from bot.errors import Forbidden, InvalidInput, NotFound, VersionConflict
from bot.records.actor import Actor
from bot.records.entity import EVERYTHING, entity
from bot.records.permissions import allowed
from bot.records.tx import Record, Tx
from bot.records.write import create, get, update
from bot.storage import Id, Instant

ARTICLE_STATUSES = ("draft", "review", "published", "archived")
AUDIENCES = ("public", "customers", "agents")
"""Who reads an article: everybody, customers whom we know, or staff alone."""
LONGEST = 100_000
"""Characters of a text: who has more to say writes two articles."""
KEY = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
"""What an id looks like: lower-case words joined by hyphens."""
TAKEN_KEYS = frozenset({"search", "suggest"})
"""Addresses of the help centre's own pages, beside those of the articles."""


def may_publish(actor: Actor) -> bool:
    """Whether this actor decides what readers see."""
    return allowed(actor, "delete", "articles")


def _prepare(tx: Tx, before: Record | None, values: dict[str, Any]) -> None:
    """An id in lower-case words, a language, a title and a text; published by who may."""
    both = {**(before or {}), **values}
    if not KEY.fullmatch(both["key"]):
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
            values[name] = _tidy(name, both[name])
    if len(both["body"]) > LONGEST:
        raise InvalidInput(f"An article has at most {LONGEST} characters; make it two", field="body_length")
    if "published" in (both["status"], (before or both)["status"]) and not may_publish(tx.actor):
        raise Forbidden(
            "Only who may delete articles may publish them: put it to review", reason="publishing"
        )
    text_changed = before is None or _text({**both, **values}) != _text(before)
    if text_changed and "translates" not in values:
        source = source_of(tx, both["key"], both["lang"])
        if source is not None:
            values["translates"] = source["version"]


def _tidy(name: str, text: str) -> str:
    """A line ends one way, wherever it was typed; a title has one line."""
    if name == "body":
        return text.replace("\r\n", "\n").replace("\r", "\n").strip()
    return " ".join(text.split())


def _after(tx: Tx, before: Record | None, now: Record | None) -> None:
    """Translations keep pace with what is no change of the text; who waits for a decision is told."""
    row = now or before
    assert row is not None
    if row["lang"] == first_language(tx):
        _keep_pace(tx, row, before is not None and now is not None and _text(before) != _text(now))
    if now is not None and now["status"] != (before or {}).get("status"):
        _tell_of_status(tx, (before or {}).get("status", ""), now)


def _text(row: Record) -> tuple[str, str]:
    return row["title"], row["body"]


def _keep_pace(tx: Tx, source: Record, text_changed: bool) -> None:
    """A translation of the text as it was before is one of this version where the text did not change; and
    where it did, a translation of which nothing was known is one of the version before."""
    table, before = ARTICLE.table, source["version"] - 1
    if before < 1:
        return
    waiting = table.c.translates.is_(None) if text_changed else table.c.translates == before
    others = sa.and_(table.c.key == source["key"], table.c.lang != source["lang"], waiting)
    made_of = before if text_changed else source["version"]
    tx.execute(table.update().where(others).values(translates=made_of))


def _tell_of_status(tx: Tx, was: str, row: Record) -> None:
    data, link = {"title": row["title"], "name": tx.actor.name}, f"/console/articles/{row['id']}"
    if row["status"] == "review":
        for user in reviewers(tx):
            notify_user(tx, user["id"], "notify.article_review", data, link)
        return
    owner = row["owner_id"]
    if owner is None or owner == tx.actor.id:
        return
    if row["status"] == "published":
        notify_user(tx, owner, "notify.article_published", data, link)
    elif was == "review" and row["status"] == "draft":
        notify_user(tx, owner, "notify.article_sent_back", data, link)


def reviewers(tx: Tx) -> list[Record]:
    """Who is told that an article waits: managers and marketers who may publish, else admins; not oneself."""
    roles = [
        role for role in ("manager", "marketer") if "delete" in tx.actor.access.actions(role, "articles")
    ]
    found = staff_to_tell(tx, tuple(roles)) or staff_to_tell(tx, ("admin",))
    return [user for user in found if user["id"] != tx.actor.id]


def first_language(tx: Tx) -> str:
    """The language in which the business writes; others are translations."""
    profile = load_profile(tx)
    return profile.languages[0] if profile is not None else ""


def source_of(tx: Tx, key: str, lang: str) -> Record | None:
    """The article in the business's first language that one in `lang` is a translation of."""
    first, table = first_language(tx), ARTICLE.table
    if lang == first:
        return None
    same = sa.and_(table.c.key == key, table.c.lang == first, table.c.deleted_at.is_(None))
    return tx.row(sa.select(table).where(same))


def stale(translation: Record, source: Record | None) -> bool:
    """Whether the text was changed since it was translated."""
    made_of = translation["translates"]
    return source is not None and made_of is not None and made_of < source["version"]


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
    after=_after,
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


def save_article(
    tx: Tx, key: str, lang: str, title: str, body: str, status: str = "published", **more: Any
) -> str:
    """Add the article, or change the one with this key and language; returns its id. `more`: other fields."""
    table = ARTICLE.table
    known = tx.row(sa.select(table).where(table.c.key == key, table.c.lang == lang))
    values: dict[str, Any] = {
        "title": title.strip(),
        "body": body.strip(),
        "status": status,
        "deleted_at": None,
        **more,
    }
    if known is None:
        return create(tx, ARTICLE, {"owner_id": tx.actor.id, **values, "key": key, "lang": lang})
    update(tx, ARTICLE, known, values)
    return str(known["id"])


def edit_article(tx: Tx, article_id: str, values: Mapping[str, Any], version: int | None = None) -> bool:
    """Change an article by its id; returns whether anything differs. Raises NotFound, InvalidInput, and
    VersionConflict where it is not at `version` any more."""
    row = get(tx, ARTICLE, article_id)
    if version is not None and row["version"] != version:
        raise VersionConflict("This article was changed meanwhile; read it again", id=article_id)
    return update(tx, ARTICLE, row, values)


def propose(tx: Tx, article_id: str, title: str, body: str) -> bool:
    """Leave a text for a published article, for somebody who may publish to take over; returns whether it
    differs. The log holds it beside the versions."""
    tx.require("update", "articles")
    row = get(tx, ARTICLE, article_id)
    given = {"title": title.strip(), "body": body.strip()}
    for name, text in given.items():
        if not text or len(text) > LONGEST:
            raise InvalidInput(f"An article needs a {name} of at most {LONGEST} characters", field=name)
    changes = {name: (row[name], text) for name, text in given.items() if row[name] != text}
    if not changes:
        return False
    tx.event(ARTICLE, article_id, "proposed", changes)
    data = {"title": row["title"], "name": tx.actor.name}
    for user in reviewers(tx):
        notify_user(
            tx, user["id"], "notify.article_proposed", data, f"/console/articles/{article_id}/versions"
        )
    return True


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
