"""`/u/{token}`: stop the mails that we start, by their link or one click of a mail program (RFC 8058)."""

import sqlalchemy as sa
from aiohttp import web

from bot.conversations.channel_account import CHANNEL_ACCOUNT
from bot.conversations.conversation import CONVERSATION
from bot.conversations.lane import lanes
from bot.crm.contact import CONTACT
from bot.errors import NotFound
from bot.ids import new_id
from bot.messages import InboundMessage, Parsed
from bot.pipeline.unsubscribe import lane_of_link
from bot.records.actor import SYSTEM
from bot.records.tx import Record, Tx
from bot.web.keys import APP
from bot.web.pages.site import public, render


def _reader(tx: Tx, lane_id: str) -> Record | None:
    """Who reads the mail, where it came from, and whether it is stopped already."""
    account, contact = CHANNEL_ACCOUNT.table, CONTACT.table
    return tx.row(
        sa.select(
            lanes.c.address,
            lanes.c.stopped_at,
            account.c.adapter,
            account.c.channel,
            account.c.address.label("account"),
            sa.func.coalesce(CONVERSATION.table.c.lang, contact.c.lang).label("lang"),
        )
        .join(account, account.c.id == lanes.c.channel_account_id)
        .join(contact, contact.c.id == lanes.c.contact_id)
        .outerjoin(CONVERSATION.table, CONVERSATION.table.c.id == lanes.c.conversation_id)
        .where(lanes.c.id == lane_id)
    )


async def _known(request: web.Request) -> Record:
    app = request.app[APP]
    lane_id = lane_of_link(app.runtime.tokens, request.match_info["token"])
    reader = await app.store.read(_reader, SYSTEM, lane_id) if lane_id else None
    if reader is None:
        raise NotFound("That is no link of ours")
    return reader


def _page(request: web.Request, reader: Record, *, stopped: bool) -> web.Response:
    offered = request.app[APP].profile.languages
    lang = reader["lang"] if reader["lang"] in offered else offered[0]
    return render(request, "pages/unsubscribe.html", lang, stopped=stopped)


@public
async def ask(request: web.Request) -> web.Response:
    """GET: a button. Mail scanners follow every link, so looking changes nothing."""
    reader = await _known(request)
    return _page(request, reader, stopped=reader["stopped_at"] is not None)


@public
async def stop(request: web.Request) -> web.Response:
    """POST, by the button or by a mail program: the same as STOP in words, and as often as one likes."""
    reader = await _known(request)
    if reader["stopped_at"] is None:
        said = InboundMessage(
            event_key=f"unsubscribe:{new_id()}",
            channel=reader["channel"],
            account=reader["account"],
            address=reader["address"],
            external_id="",
            kind="preference",
            text="stop",
            button="unsubscribe",
        )
        await request.app[APP].receive(Parsed(messages=(said,)), reader["adapter"])
    return _page(request, reader, stopped=True)
