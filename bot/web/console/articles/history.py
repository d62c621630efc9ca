"""The versions of an article: who changed what, line by line, and one of them taken back."""

from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from bot.crm.article import ARTICLE, may_publish
from bot.crm.article_version import TEXT, Version, restore_version, versions
from bot.difference import Line, difference
from bot.records.permissions import allowed
from bot.records.tx import Record, Tx
from bot.records.write import get
from bot.web.console.articles.shelf import PATH
from bot.web.console.door import Viewer, room, show
from bot.web.console.records.common import go, reader_of
from bot.web.console.records.names import names_of
from bot.web.console.records.reader import Reader

SHOWN = 30
"""Versions of one page; `?all=1` shows those that the log is walked back for."""


@dataclass(frozen=True, slots=True)
class Told:
    """A version as the page tells it. `now`: the text is the article's own; `others`: fields beside the text
    that changed, in words; `waits`: proposed, and different from the article as it is."""

    version: Version
    who: str
    lines: Sequence[Line]
    title_before: str
    others: Sequence[str]
    now: bool
    waits: bool


@dataclass(frozen=True, slots=True)
class History:
    """What the page shows."""

    row: Record
    told: Sequence[Told]
    more: bool


def _read(tx: Tx, reader: Reader, article_id: str, whole: bool) -> History:
    row, found = get(tx, ARTICLE, article_id), versions(tx, article_id)
    shown = found if whole else found[:SHOWN]
    who = {("users", one.actor_id) for one in shown if one.actor_id}
    names = names_of(tx, reader, who)
    told = [_told(reader, row, one, names.get(("users", one.actor_id or ""), "")) for one in shown]
    return History(row, told, len(found) > len(shown))


def _told(reader: Reader, row: Record, one: Version, who: str) -> Told:
    title_before, body_before = one.before
    same = (one.title, one.body) == (row["title"], row["body"])
    others = [reader.label(ARTICLE, name) for name in one.changed if name not in (*TEXT, "key", "lang")]
    return Told(
        one,
        who or reader.say(f"told.by.{one.actor_kind}"),
        difference(body_before, one.body) if one.action != "created" else (),
        title_before if title_before and title_before != one.title else "",
        others if one.action != "created" else (),
        same and not one.proposed,
        one.proposed and not same,
    )


@room
async def history(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/articles/{id}/versions."""
    which, whole = request.match_info["id"], "all" in request.query
    found: History = await viewer.app.store.read(_read, viewer.actor, reader_of(viewer), which, whole)
    published = found.row["status"] == "published"
    may = allowed(viewer.actor, "update", "articles") and (may_publish(viewer.actor) or not published)
    return show(request, viewer, "articles/versions.html", found=found, path=PATH, may_restore=may)


@room
async def restore(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST …/versions/{event}: the text as it was then, or as it was proposed."""
    which, event_id = request.match_info["id"], request.match_info["event"]
    await viewer.app.store.run(restore_version, viewer.actor, which, event_id)
    return go(request, f"{PATH}/{which}?saved=1")
