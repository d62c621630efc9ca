"""Versions of an article, read from the log: each event holds what it changed from and to, so that walking
back from the article as it is gives every text it ever had. No table holds them a second time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot.crm.article import ARTICLE, edit_article
from bot.errors import Forbidden, NotFound
from bot.records.events import events
from bot.records.permissions import visible
from bot.records.tx import Record, Tx
from bot.records.write import get

MOST = 200
"""Events that are walked back: older texts stay in the log."""
TEXT = ("title", "body")


@dataclass(frozen=True, slots=True)
class Version:
    """A text of an article: what one event left, or (`proposed`) what it asks for. `changed` names the
    fields it changed; `number` counts from the first text that the log still tells."""

    event_id: str
    number: int
    at: datetime
    actor_kind: str
    actor_id: str | None
    action: str
    changed: tuple[str, ...]
    title: str
    body: str
    before: tuple[str, str]
    """Title and body just before."""

    @property
    def proposed(self) -> bool:
        """Whether it only asks for a change."""
        return self.action == "proposed"


def versions(tx: Tx, article_id: str) -> list[Version]:
    """The versions of an article, the newest first. Raises Forbidden, NotFound."""
    tx.require("read", "events")
    row = get(tx, ARTICLE, article_id)
    for name in TEXT:
        if not visible(tx.actor, tx.schema.of(ARTICLE), name):
            raise Forbidden(f"You may not read the {name} of articles", field=name)
    found = tx.rows(
        sa.select(events)
        .where(events.c.record_id == article_id, events.c.entity == ARTICLE.name)
        .order_by(events.c.id.desc())
        .limit(MOST)
    )
    return list(_walk(row, found))


def _walk(row: Record, newest_first: Sequence[Record]) -> Iterator[Version]:
    now = {name: str(row[name]) for name in TEXT}
    for place, event in enumerate(newest_first):
        changes: dict[str, list[Any]] = event["changes"] or {}
        number = len(newest_first) - place
        told = tuple(name for name in changes if name != "translates")
        asked = event["action"] == "proposed"
        before = dict(now)
        for name in TEXT if not asked else ():
            if name in changes:
                before[name] = str(changes[name][0] or "")
        after = {**now, **{name: str(changes[name][1] or "") for name in TEXT if name in changes}}
        yield Version(
            event["id"],
            number,
            event["at"],
            event["actor_kind"],
            event["actor_id"],
            event["action"],
            told,
            after["title"],
            after["body"],
            (before["title"], before["body"]),
        )
        now = before


def find_version(tx: Tx, article_id: str, event_id: str) -> Version:
    """One of them. Raises NotFound."""
    for version in versions(tx, article_id):
        if version.event_id == event_id:
            return version
    raise NotFound("There is no such version of this article")


def restore_version(tx: Tx, article_id: str, event_id: str) -> bool:
    """Make the text what it was then (or what was proposed); all else stays as it is. Returns whether
    anything differs. Raises Forbidden, NotFound."""
    version = find_version(tx, article_id, event_id)
    return edit_article(tx, article_id, {"title": version.title, "body": version.body})
