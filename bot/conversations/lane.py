"""Lanes: everything that changes a conversation passes one lane (channel account + sender address), one turn
at a time. A lane is claimed by lease; each claim raises its epoch, and the turn's commit checks it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from bot.errors import LaneLost
from bot.ids import lane_id
from bot.records.tx import Record, Tx
from bot.storage import Id, Instant, metadata
from bot.storage.upsert import insert

lanes = sa.Table(
    "lanes",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("channel_account_id", Id, sa.ForeignKey("channel_accounts.id"), nullable=False),
    sa.Column("address", sa.String(320), nullable=False),
    sa.Column("contact_id", Id),
    sa.Column("conversation_id", Id),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("lease_by", sa.String(80)),
    sa.Column("lease_until", Instant),
    sa.Column("stopped_at", Instant),
    sa.Index("ix_lanes_contact", "contact_id"),
)
LEASE = timedelta(seconds=30)
"""How long a turn may take before another process may run it again."""


@dataclass(frozen=True, slots=True)
class NewLane:
    """A lane as the receiver names it before it is known whether it exists."""

    channel_account_id: str
    address: str

    @property
    def id(self) -> str:
        """The same in every process."""
        return lane_id(self.channel_account_id, self.address)


def ensure_lanes(tx: Tx, wanted: list[NewLane]) -> None:
    """Make the lanes that do not exist yet."""
    rows = [
        {"id": lane.id, "channel_account_id": lane.channel_account_id, "address": lane.address, "epoch": 0}
        for lane in wanted
    ]
    tx.execute(insert(lanes, tx.dialect).on_conflict_do_nothing(), rows)


# A holder may claim again what it holds: its turn ended without our hearing how, and the epoch it raises
# undoes whatever of it were still under way.
_free = sa.or_(
    lanes.c.lease_until.is_(None),
    lanes.c.lease_until < sa.bindparam("now", type_=Instant),
    lanes.c.lease_by == sa.bindparam("holder"),
)
_claim = (
    lanes.update()
    .where(lanes.c.id == sa.bindparam("lane"), _free)
    .values(
        epoch=lanes.c.epoch + 1,
        lease_by=sa.bindparam("holder"),
        lease_until=sa.bindparam("until", type_=Instant),
    )
    .returning(
        lanes.c.id,
        lanes.c.channel_account_id,
        lanes.c.address,
        lanes.c.contact_id,
        lanes.c.conversation_id,
        lanes.c.epoch,
        lanes.c.stopped_at,
    )
)


def claim(tx: Tx, lane: str, holder: str) -> Record | None:
    """Take the lane; None while someone else holds it (they will see what came meanwhile)."""
    return tx.row(_claim, {"lane": lane, "holder": holder, "now": tx.now, "until": tx.now + LEASE})


_keep = (
    lanes.update()
    .where(lanes.c.id == sa.bindparam("lane"), lanes.c.epoch == sa.bindparam("held_epoch"))
    .values(
        lease_until=sa.bindparam("until", type_=Instant),
        contact_id=sa.bindparam("contact"),
        conversation_id=sa.bindparam("conversation"),
        stopped_at=sa.bindparam("stopped", type_=Instant),
    )
)


def commit_claim(
    tx: Tx,
    lane: str,
    epoch: int,
    *,
    contact_id: str | None,
    conversation_id: str | None,
    stopped_at: datetime | None,
    more: bool,
) -> None:
    """At the end of the transaction: check that the claim still holds and let the lane go, or keep it when
    `more` waits. Then raises LaneLost when the lease ran out and another process claimed it."""
    tx.later(
        _keep,
        {
            "lane": lane,
            "held_epoch": epoch,
            "until": tx.now + LEASE if more else None,
            "contact": contact_id,
            "conversation": conversation_id,
            "stopped": stopped_at,
        },
        LaneLost("Another process took this lane over"),
    )


_release = (
    lanes.update()
    .where(lanes.c.id == sa.bindparam("lane"), lanes.c.epoch == sa.bindparam("held_epoch"))
    .values(lease_until=None)
)


def release(tx: Tx, lane: str, epoch: int) -> None:
    """Let the lane go without having done anything."""
    tx.execute(_release, {"lane": lane, "held_epoch": epoch})


def set_conversation(tx: Tx, lane: str, contact_id: str, conversation_id: str) -> None:
    """Staff began a conversation in this lane."""
    statement = lanes.update().where(lanes.c.id == lane)
    tx.execute(statement.values(contact_id=contact_id, conversation_id=conversation_id))
