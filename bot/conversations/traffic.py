"""How each channel account fares: what came and left last, what waits, read from the books and never counted
on the way."""

from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from bot.conversations.channel_account import CHANNEL_ACCOUNT, QUARANTINE
from bot.conversations.inbox import inbox
from bot.conversations.lane import lanes
from bot.conversations.outbox import outbox
from bot.records.tx import Tx

NEWEST = 2_000
"""How far back the books are read: by their keys, so that a page costs the same after a million messages."""


@dataclass(frozen=True, slots=True)
class Line:
    """One account. `failing`: the newest message did not leave."""

    adapter: str
    channel: str
    address: str
    active: bool
    last_in: datetime | None = None
    last_out: datetime | None = None
    failing: bool = False
    last_error: str = ""
    last_error_at: datetime | None = None
    unreadable: int = 0


def read_lines(tx: Tx) -> list[Line]:
    """All accounts, in four statements."""
    tx.require("read", "channel_accounts")
    table = CHANNEL_ACCOUNT.table
    lines = {
        row["id"]: Line(
            row["adapter"],
            row["channel"],
            row["address"],
            row["active"],
            last_error=row["last_error"] or "",
            last_error_at=row["last_error_at"],
        )
        for row in tx.rows(sa.select(table).order_by(table.c.id))
    }
    for row in tx.rows(_came):
        if row["account"] in lines:
            lines[row["account"]] = replace(lines[row["account"]], last_in=row["at"])
    for row in tx.rows(_left):
        if row["account"] in lines:
            left, failed = row["left_at"], row["failed_at"]
            failing = failed is not None and (left is None or failed > left)
            lines[row["account"]] = replace(lines[row["account"]], last_out=left, failing=failing)
    for row in tx.rows(_unreadable):
        if row["account"] in lines:
            lines[row["account"]] = replace(lines[row["account"]], unreadable=row["n"])
    return list(lines.values())


def unreadable_of(lines: list[Line], adapter: str) -> int:
    """Signed bodies of an adapter that nobody could read."""
    return sum(line.unreadable for line in lines if line.adapter == adapter)


def in_use(lines: list[Line], adapter: str) -> list[Line]:
    """The adapter's addresses of today."""
    return [line for line in lines if line.adapter == adapter and line.active and line.address != QUARANTINE]


_newest_in = (
    sa.select(inbox.c.channel_account_id, inbox.c.kind, inbox.c.received_at)
    .order_by(inbox.c.seq.desc())
    .limit(NEWEST)
    .subquery()
)
_came = (
    sa.select(
        _newest_in.c.channel_account_id.label("account"), sa.func.max(_newest_in.c.received_at).label("at")
    )
    .where(_newest_in.c.kind.in_(("message", "call")))
    .group_by(_newest_in.c.channel_account_id)
)
_newest_out = (
    sa.select(outbox.c.lane_id, outbox.c.state, outbox.c.error, outbox.c.created_at)
    .order_by(outbox.c.id.desc())
    .limit(NEWEST)
    .subquery()
)
_failed = sa.or_(
    _newest_out.c.state.in_(("parked", "unknown")),
    sa.and_(_newest_out.c.state.in_(("queued", "sending")), _newest_out.c.error.is_not(None)),
)
_left = (
    sa.select(
        lanes.c.channel_account_id.label("account"),
        sa.func.max(sa.case((_newest_out.c.state == "sent", _newest_out.c.created_at))).label("left_at"),
        sa.func.max(sa.case((_failed, _newest_out.c.created_at))).label("failed_at"),
    )
    .join(lanes, lanes.c.id == _newest_out.c.lane_id)
    .group_by(lanes.c.channel_account_id)
)
_unreadable = (
    sa.select(inbox.c.channel_account_id.label("account"), sa.func.count().label("n"))
    .where(inbox.c.state == "quarantined")
    .group_by(inbox.c.channel_account_id)
)
