"""Statuses: what providers tell of our messages. They only move forward; one that comes before we know its
message waits ten minutes. They prove acceptance of rows nobody heard of since they began to leave.
"""

import asyncio
from datetime import timedelta

from bot import metrics
from bot.conversations import inbox, message, outbox
from bot.ids import is_id
from bot.logs import logger
from bot.messages import Status
from bot.pipeline.payloads import status_from_json
from bot.pipeline.runtime import Runtime
from bot.records.actor import SYSTEM
from bot.records.store import explain
from bot.records.tx import Tx

_log = logger("statuses")
WAITS = timedelta(minutes=10)
LOOKS_AGAIN_S = 5.0


class Statuses:
    """Applies waiting statuses, as many as there are in one transaction."""

    def __init__(self, runtime: Runtime) -> None:
        """`runtime` is shared with the rest of the pipe."""
        self._runtime = runtime
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Start; looks once for what an earlier process left."""
        self._wanted.set()
        self._task = asyncio.create_task(self._work())

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def wake(self) -> None:
        """A status came in."""
        self._wanted.set()

    async def _work(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                waiting = await self._runtime.store.run(apply_waiting, SYSTEM)
            except Exception as error:
                _log.error("statuses_failed", error=explain(error))
                waiting = True
            if waiting:
                asyncio.get_running_loop().call_later(LOOKS_AGAIN_S, self._wanted.set)


def apply_waiting(tx: Tx) -> bool:
    """Apply what is pending; True when some still wait for their message."""
    rows = inbox.waiting_statuses(tx)
    if not rows:
        return False
    updates = [(row, *status_from_json(row["payload"])) for row in rows]
    unknown = [external for _, ours, external, _, _ in updates if not (ours and is_id(ours))]
    by_external = message.by_external_ids(tx, unknown) if unknown else {}
    found, done = [], []
    for row, ours, external, status, reason in updates:
        ours = ours if ours and is_id(ours) else by_external.get(external)
        if ours is not None:
            found.append((ours, status, external, reason or None))
        elif tx.now - row["received_at"] < WAITS:
            continue
        else:
            metrics.INBOX.labels("status", "unmatched").inc()
        done.append(row["seq"])
    if found:
        _apply(tx, found)
    if done:
        inbox.mark_done(tx, done)
    return len(done) < len(rows)


def _apply(tx: Tx, found: list[tuple[str, Status, str, str | None]]) -> None:
    message.move_forward(tx, [(ours, status, external, reason) for ours, status, external, reason in found])
    accepted = {ours for ours, status, _, _ in found if status is not Status.FAILED}
    if accepted:
        outbox.prove_sent(tx, sorted(accepted))
    for ours, status, _, reason in found:
        if status is Status.FAILED:
            tx.event(message.MESSAGE, ours, "failed", None, None, (reason or "")[:200])
    for conversation in message.conversations_of(tx, [ours for ours, *_ in found]):
        tx.notify("message", conversation)
