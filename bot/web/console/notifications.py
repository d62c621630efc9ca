"""What the viewer was told, and that they have read it."""

import sqlalchemy as sa
from aiohttp import web

from bot.crm.notification import NOTIFICATION
from bot.i18n import Key
from bot.records.tx import Record, Tx
from bot.web.console.door import Viewer, room, show

_t = NOTIFICATION.table


def _newest(tx: Tx) -> list[Record]:
    tx.require("read", "notifications")
    statement = sa.select(_t).where(_t.c.user_id == tx.actor.id, _t.c.deleted_at.is_(None))
    return tx.rows(statement.order_by(_t.c.id.desc()).limit(100))


def count_unread(tx: Tx) -> int:
    """How many of the actor's notifications are unread, up to a hundred."""
    unread = (
        sa.select(_t.c.id).where(_t.c.user_id == tx.actor.id, _t.c.read_at.is_(None)).limit(100).subquery()
    )
    return int(tx.execute(sa.select(sa.func.count()).select_from(unread)).scalar_one())


def _mark_read(tx: Tx) -> None:
    # No event: that somebody read a notice changes no record of the business.
    unread = sa.and_(_t.c.user_id == tx.actor.id, _t.c.read_at.is_(None))
    tx.execute(_t.update().where(unread).values(read_at=tx.now))


@room
async def notifications(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/notifications."""
    found = await viewer.app.store.read(_newest, viewer.actor)

    def sentence(row: Record) -> str:
        """The notice in the viewer's language; a channel's name is a word too."""
        values = dict(row["data"] or {})
        if "channel" in values:
            values["channel"] = Key(f"channel.{values['channel']}")
        return viewer.app.words.say(row["key"], viewer.lang, **values)

    return show(request, viewer, "notifications.html", notifications=found, say_notice=sentence)


@room
async def read_all(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/notifications/read."""
    await viewer.app.store.run(_mark_read, viewer.actor)
    return web.Response(status=303, headers={"Location": "/console/notifications"})


@room
async def bell(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/bell: the count on the bell."""
    return show(request, viewer, "_bell.html", unread=await viewer.app.store.read(count_unread, viewer.actor))
