"""Recover: take up what expired leases left behind, at start and once a minute."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from bot.conversations import inbox, outbox
from bot.conversations.lane import lanes
from bot.logs import logger
from bot.pipeline.runtime import Runtime, is_gone
from bot.records.actor import SYSTEM
from bot.records.store import explain
from bot.records.tx import Tx

EVERY_S = 60.0
AFTER_START_S = 5.0
"""For the first minutes the sweep comes more often: what a crash left behind should not wait."""
_log = logger("recover")


@dataclass(frozen=True, slots=True)
class Found:
    """What waits: lanes with pending events, conversations with messages due."""

    lanes: list[str]
    conversations: list[str]


def sweep(tx: Tx) -> Found:
    """Free the lanes of processes of this host that have ended, and list what waits."""
    holders = tx.execute(sa.select(lanes.c.lease_by).where(lanes.c.lease_until > tx.now).distinct()).scalars()
    gone = [holder for holder in holders if holder and is_gone(holder)]
    if gone:
        held = sa.and_(lanes.c.lease_by.in_(gone), lanes.c.lease_until > tx.now)
        tx.execute(lanes.update().where(held).values(lease_until=None))
    return Found(inbox.waiting_lanes(tx), outbox.waiting_conversations(tx))


class Recovery:
    """Sweeps for one process."""

    def __init__(
        self, runtime: Runtime, wake_lane: Callable[[str], None], wake_conversation: Callable[[str], None]
    ) -> None:
        """The callables take up what is found."""
        self._runtime = runtime
        self._wake_lane = wake_lane
        self._wake_conversation = wake_conversation
        self._task: asyncio.Task[None] | None = None

    async def once(self) -> Found:
        """Sweep now."""
        found = await self._runtime.store.run(sweep, SYSTEM)
        for lane_id in found.lanes:
            self._wake_lane(lane_id)
        for conversation_id in found.conversations:
            self._wake_conversation(conversation_id)
        return found

    def open(self) -> None:
        """Start sweeping."""
        self._task = asyncio.create_task(self._work())

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _work(self) -> None:
        turn = 0
        while True:
            try:
                await self.once()
            except Exception as error:
                _log.error("sweep_failed", error=explain(error))
            turn += 1
            await asyncio.sleep(AFTER_START_S if turn < 36 else EVERY_S)
