"""What did not go through and waits for a person: messages the provider refused or may have, messages of
customers that no turn could take, webhooks nobody could read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from bot.conversations import inbox
from bot.conversations.channel_account import CHANNEL_ACCOUNT
from bot.conversations.conversation import CONVERSATION
from bot.conversations.inbox import inbox as inbox_table
from bot.conversations.lane import lanes
from bot.conversations.outbox import GAVE_UP, NOT_SET_UP, outbox
from bot.crm.contact import CONTACT
from bot.errors import Conflict, NotFound
from bot.pipeline import staff
from bot.pipeline.payloads import request_from_json
from bot.pipeline.receive import Receiver
from bot.pipeline.runtime import Runtime
from bot.records.actor import SYSTEM, Actor
from bot.records.permissions import row_filter
from bot.records.tx import Record, Tx

Kind = Literal["refused", "gave_up", "off", "unknown", "message", "unreadable"]
KINDS: tuple[Kind, ...] = ("refused", "gave_up", "off", "unknown", "message", "unreadable")
SENDABLE: tuple[Kind, ...] = ("refused", "gave_up", "off", "unknown")
LIMIT = 100
"""Shown at once, and sent again at once."""
_c, _account = CONVERSATION.table.c, CHANNEL_ACCOUNT.table
_outbound_kind = sa.case(
    (outbox.c.state == "unknown", "unknown"),
    (outbox.c.error.like(f"{GAVE_UP}%"), "gave_up"),
    (outbox.c.error.like(f"% {NOT_SET_UP}"), "off"),
    else_="refused",
)
_inbound_kind = sa.case((inbox_table.c.state == "parked", "message"), else_="unreadable")


@dataclass(frozen=True, slots=True)
class Parked:
    """One thing that waits. `ref`: a message's id, or an inbox event's number."""

    kind: Kind
    ref: str
    channel: str
    at: datetime
    text: str
    error: str
    conversation_id: str | None = None
    name: str = ""
    readable: bool = True
    """Whether it was kept whole, to be read again."""


@dataclass(frozen=True, slots=True)
class Books:
    """What waits, the newest first, and how many there are of each kind and channel."""

    items: list[Parked]
    kinds: dict[str, int]
    channels: dict[str, int]

    @property
    def total(self) -> int:
        """All that the viewer may see, unfiltered."""
        return sum(self.kinds.values())


def _outbound(tx: Tx, *columns: Any) -> sa.Select[Any]:
    """Outbox rows that wait for a person, in conversations the actor may see."""
    statement = (
        sa.select(*columns)
        .select_from(outbox)
        .join(CONVERSATION.table, _c.id == outbox.c.conversation_id)
        .where(outbox.c.state.in_(("parked", "unknown")))
    )
    mine = row_filter(tx.actor, CONVERSATION)
    return statement if mine is None else statement.where(mine)


def _inbound(tx: Tx, *columns: Any) -> sa.Select[Any]:
    """Inbox events that wait for a person; unreadable ones belong to no conversation, so few may see them."""
    statement = (
        sa.select(*columns)
        .select_from(inbox_table)
        .join(_account, _account.c.id == inbox_table.c.channel_account_id)
        .join(lanes, lanes.c.id == inbox_table.c.lane_id, isouter=True)
        .join(CONVERSATION.table, _c.id == lanes.c.conversation_id, isouter=True)
        .where(inbox_table.c.state.in_(("parked", "quarantined")))
    )
    if tx.actor.sees_everything:
        return statement
    mine = row_filter(tx.actor, CONVERSATION)
    assert mine is not None
    return statement.where(_c.id.is_not(None), mine)


def count_parked(tx: Tx) -> int:
    """How many the actor may see, up to a hundred of each."""
    tx.require("read", "outbox")
    found = (_outbound(tx, outbox.c.id).limit(LIMIT), _inbound(tx, inbox_table.c.seq).limit(LIMIT))
    first, second = (
        sa.select(sa.func.count()).select_from(one.subquery()).scalar_subquery() for one in found
    )
    return int(tx.execute(sa.select(first + second)).scalar_one())


def read_parked(tx: Tx, kind: str = "", channel: str = "") -> Books:
    """What waits, of one kind or channel or of all; four statements however much it is."""
    tx.require("read", "outbox")
    kinds: dict[str, int] = {}
    channels: dict[str, int] = {}
    groups = (
        _outbound(tx, _outbound_kind.label("kind"), _c.channel, sa.func.count().label("n")),
        _inbound(tx, _inbound_kind.label("kind"), _account.c.channel, sa.func.count().label("n")),
    )
    for statement in groups:
        for row in tx.rows(statement.group_by(sa.text("1"), sa.text("2"))):
            kinds[row["kind"]] = kinds.get(row["kind"], 0) + row["n"]
            channels[row["channel"]] = channels.get(row["channel"], 0) + row["n"]
    items = [_sent(row) for row in tx.rows(_outbound_rows(tx, kind, channel))]
    items += [_came(row) for row in tx.rows(_inbound_rows(tx, kind, channel))]
    items.sort(key=lambda item: item.at, reverse=True)
    return Books(items[:LIMIT], kinds, dict(sorted(channels.items())))


def _outbound_rows(tx: Tx, kind: str, channel: str) -> sa.Select[Any]:
    contact = CONTACT.table
    statement = _outbound(
        tx,
        outbox.c.id,
        outbox.c.payload,
        outbox.c.error,
        outbox.c.created_at,
        outbox.c.conversation_id,
        _outbound_kind.label("kind"),
        _c.channel,
        _c.address,
        contact.c.name,
    ).join(contact, contact.c.id == _c.contact_id)
    if kind:
        statement = statement.where(_outbound_kind == kind)
    if channel:
        statement = statement.where(_c.channel == channel)
    return statement.order_by(outbox.c.created_at.desc(), outbox.c.id.desc()).limit(LIMIT)


def _inbound_rows(tx: Tx, kind: str, channel: str) -> sa.Select[Any]:
    contact = CONTACT.table
    statement = _inbound(
        tx,
        inbox_table.c.seq,
        inbox_table.c.payload,
        inbox_table.c.error,
        inbox_table.c.received_at,
        _inbound_kind.label("kind"),
        _account.c.channel,
        lanes.c.conversation_id,
        lanes.c.address,
        contact.c.name,
    ).join(contact, contact.c.id == _c.contact_id, isouter=True)
    if kind:
        statement = statement.where(_inbound_kind == kind)
    if channel:
        statement = statement.where(_account.c.channel == channel)
    return statement.order_by(inbox_table.c.received_at.desc(), inbox_table.c.seq.desc()).limit(LIMIT)


def _sent(row: Record) -> Parked:
    return Parked(
        kind=row["kind"],
        ref=row["id"],
        channel=row["channel"],
        at=row["created_at"],
        text=str(row["payload"].get("text", ""))[:500],
        error=row["error"] or "",
        conversation_id=row["conversation_id"],
        name=row["name"] or row["address"],
    )


def _came(row: Record) -> Parked:
    payload = row["payload"] or {}
    return Parked(
        kind=row["kind"],
        ref=str(row["seq"]),
        channel=row["channel"],
        at=row["received_at"],
        text=str(payload.get("text") or payload.get("body") or "")[:500],
        error=row["error"] or "",
        conversation_id=row["conversation_id"],
        name=row["name"] or row["address"] or "",
        readable=row["kind"] != "unreadable" or "sealed" in payload,
    )


def resend_all(tx: Tx, kind: str, channel: str) -> int:
    """Send all of one kind again, at most a hundred at a time; returns how many."""
    if kind not in SENDABLE:
        raise NotFound("Messages of this kind cannot be sent again together")
    rows = tx.rows(_outbound_rows(tx, kind, channel))
    for row in rows:
        staff.resend(tx, row["id"])
    return len(rows)


def _event(tx: Tx, seq: int, states: Sequence[str]) -> Record:
    """An event that waits and that the actor may see. Raises NotFound, Conflict."""
    tx.require("update", "messages")
    columns = (inbox_table.c.seq, inbox_table.c.state, inbox_table.c.payload, _account.c.adapter)
    row = tx.row(_inbound(tx, *columns, lanes.c.conversation_id).where(inbox_table.c.seq == seq))
    if row is None:
        raise NotFound("Nothing of that number waits")
    if row["state"] not in states:
        raise Conflict("This is no longer waiting")
    return row


def retry_event(tx: Tx, seq: int) -> None:
    """Back to its lane: the turn is tried once more. What was said stands in the thread already."""
    row = _event(tx, seq, ("parked",))
    lane_id = inbox.retry(tx, seq)
    if lane_id is not None:
        tx.notify("lane", lane_id)
    if row["conversation_id"]:
        tx.notify("message", row["conversation_id"])


def discard_event(tx: Tx, seq: int) -> None:
    """Be done with an event that could not be used."""
    row = _event(tx, seq, ("parked", "quarantined"))
    inbox.let_go(tx, seq)
    tx.notify("message", row["conversation_id"] or str(seq))


def _kept_request(tx: Tx, seq: int) -> tuple[str, dict[str, Any]]:
    row = _event(tx, seq, ("quarantined",))
    sealed = (row["payload"] or {}).get("sealed")
    if sealed is None:
        raise Conflict("This was not kept whole", reason="not_whole")
    return row["adapter"], tx.keys.unseal_values("quarantine", sealed)


async def read_again(runtime: Runtime, receiver: Receiver, actor: Actor, seq: int) -> None:
    """Read a quarantined webhook as this version reads it, signature and all. What it brings is stored by
    its event keys: read twice, it comes once. Raises Unreadable, SignatureInvalid, ChannelRejected."""
    adapter, kept = await runtime.store.read(_kept_request, actor, seq)
    parsed = runtime.channel(adapter).parse(request_from_json(kept))
    await receiver.receive(parsed, adapter)
    await runtime.store.run(discard_event, SYSTEM, seq)
