"""Writes that wait for the end of a transaction, on both databases alike."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from bot.conversations import inbox, message
from bot.conversations.channel_account import ensure_account
from bot.conversations.lane import NewLane, claim, commit_claim, ensure_lanes
from bot.errors import LaneLost
from bot.ids import new_id
from bot.messages import Status
from bot.records.actor import SYSTEM
from bot.records.events import events
from bot.records.store import Store
from bot.records.tx import Tx

NOON = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)
TEXTS = ("plain", "", 'नमस्ते "{}", \\ :x %s %(y)s\n', "😀", "12.50")


def _lane(tx: Tx) -> NewLane:
    lane = NewLane(ensure_account(tx, "whatsapp", "whatsapp", "1"), "9199")
    ensure_lanes(tx, [lane])
    return lane


def _message(text: str, **more: Any) -> dict[str, Any]:
    return {
        "id": new_id(),
        "conversation_id": new_id(),
        "contact_id": new_id(),
        "channel": "whatsapp",
        "direction": "outbound",
        "author": "bot",
        "text": text,
        "status": "queued",
        "status_rank": 0,
        "created_at": NOON,
        **more,
    }


def _messages(tx: Tx) -> dict[str, Any]:
    return {row["id"]: row for row in tx.rows(sa.select(message.messages))}


def test_rows_come_back_as_they_were_given(store: Store) -> None:
    extra = {"buttons": [["flow:x", "हाँ"]], "n": 1.5, "none": None}
    given = [_message(text, extra=extra if text else None, provider_at=NOON) for text in TEXTS]
    store.write_now(message.append, SYSTEM, given)
    read = store.read_now(_messages, SYSTEM)
    for row in given:
        kept = read[row["id"]]
        assert {name: kept[name] for name in row} == row
        assert kept["lang"] is None
    written = store.read_now(lambda tx: tx.rows(sa.select(events.c.action, events.c.record_id)), SYSTEM)
    assert {row["record_id"] for row in written if row["action"] == "written"} == set(read)


def test_of_several_statuses_the_furthest_counts_whatever_their_order(store: Store) -> None:
    row = _message("hello", external_id="w.1")
    store.write_now(message.append, SYSTEM, [row])

    def forward(tx: Tx, *statuses: Status) -> None:
        message.move_forward(tx, [(row["id"], status, None, None) for status in statuses])

    store.write_now(forward, SYSTEM, Status.READ, Status.SENT, Status.DELIVERED)
    store.write_now(forward, SYSTEM, Status.DELIVERED)
    kept = store.read_now(_messages, SYSTEM)[row["id"]]
    assert (kept["status"], kept["external_id"]) == ("read", "w.1")


def test_what_goes_together_fails_together(store: Store) -> None:
    """A lost claim takes the messages, events and marks of its transaction with it."""
    lane = store.write_now(_lane, SYSTEM)
    new = inbox.NewEvent(lane.channel_account_id, "one", "message", {"text": "x"}, lane.id, NOON)
    seqs = list(store.write_now(inbox.append, SYSTEM, [new]).values())
    store.write_now(claim, SYSTEM, lane.id, "one")

    def commit(tx: Tx, epoch: int) -> None:
        message.append(tx, [_message("said"), _message("answered")])
        inbox.mark_done(tx, seqs)
        commit_claim(tx, lane.id, epoch, contact_id=None, conversation_id=None, stopped_at=None, more=False)

    with pytest.raises(LaneLost):
        store.write_now(commit, SYSTEM, 7)
    assert store.read_now(_messages, SYSTEM) == {}
    assert len(store.read_now(inbox.pending, SYSTEM, lane.id)) == 1
    store.write_now(commit, SYSTEM, 1)
    assert len(store.read_now(_messages, SYSTEM)) == 2
    assert store.read_now(inbox.pending, SYSTEM, lane.id) == []


def test_the_same_write_twice_in_one_transaction_is_done_twice(store: Store) -> None:
    def twice(tx: Tx) -> None:
        for text in ("first", "second"):
            message.append(tx, [_message(text)])

    store.write_now(twice, SYSTEM)
    assert sorted(row["text"] for row in store.read_now(_messages, SYSTEM).values()) == ["first", "second"]


def test_a_turn_commits_in_one_statement_on_postgresql(postgres: Store) -> None:
    lane = postgres.write_now(_lane, SYSTEM)
    postgres.write_now(claim, SYSTEM, lane.id, "one")
    seen: list[str] = []
    sa.event.listen(postgres.database.engines[0], "before_cursor_execute", lambda *args: seen.append(args[2]))

    def commit(tx: Tx) -> None:
        message.append(tx, [_message("said"), _message("answered")])
        inbox.mark_done(tx, [1, 2, 3])
        commit_claim(tx, lane.id, 1, contact_id=None, conversation_id=None, stopped_at=None, more=False)

    postgres.write_now(commit, SYSTEM)
    assert len(seen) == 1


def test_what_is_no_row_is_refused(store: Store) -> None:
    with pytest.raises(Exception, match="delta"):
        store.write_now(message.append, SYSTEM, [_message("x", provider_at=timedelta(1))])
