"""Deliver: what is in the outbox leaves, in order in each conversation, and its receipt is recorded.

A row that may or may not have left waits for a status to prove it; then a chat text goes once more, anything
else is parked as unknown.
"""

import asyncio
import random
import time
from collections import deque
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from bot import clock, metrics
from bot.conversations import gate, message, outbox
from bot.conversations.channel_account import note_error
from bot.conversations.conversation import CONVERSATION
from bot.errors import ChannelRejected, ChannelRetryable, Unavailable
from bot.logs import logger
from bot.messages import Button, OutboundMessage, Status
from bot.pipeline import files
from bot.pipeline.commit import Outgoing
from bot.pipeline.load import read_conversation
from bot.pipeline.pace import Pace
from bot.pipeline.payloads import media_from_json, template_from_json
from bot.pipeline.runtime import Runtime
from bot.records.actor import SYSTEM
from bot.records.store import explain
from bot.records.tx import Tx

_log = logger("deliver")
MAX_ATTEMPTS = 12
BACKOFF_S = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1200, 1800)
SEND_TIMEOUT_S = 40.0
NOTE_EVERY_S = 60.0
RESENT_ONCE = ("answer", "confirmation", "staff")
"""Purposes that are sent once more when nobody knows whether they left; others are parked as unknown."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of one try."""

    row: str
    conversation: str
    state: str
    status: Status | None = None
    external_id: str | None = None
    later: datetime | None = None
    error: str | None = None
    account: str | None = None
    """The account to remember the error with."""


class Deliverer:
    """Sends for one process; one task a conversation keeps the order."""

    def __init__(self, runtime: Runtime) -> None:
        """`runtime` is shared with the rest of the pipe."""
        self._runtime = runtime
        self._handed: dict[str, deque[Outgoing]] = {}
        self._look: set[str] = set()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._outcomes: list[tuple[_Outcome, asyncio.Future[None]]] = []
        self._recorder: asyncio.Task[None] | None = None
        self._paces: dict[str, Pace] = {}
        self._noted: dict[str, float] = {}
        self._closing = False

    def hand_over(self, conversation_id: str, rows: list[Outgoing]) -> None:
        """Send rows that were leased to this process by the turn that wrote them."""
        self._handed.setdefault(conversation_id, deque()).extend(rows)
        self._start(conversation_id)

    def wake(self, conversation_id: str) -> None:
        """Something is queued in this conversation: look in the outbox."""
        self._look.add(conversation_id)
        self._start(conversation_id)

    @property
    def idle(self) -> bool:
        """Whether nothing is leaving from this process."""
        return not self._tasks

    async def close(self) -> None:
        """Let what is leaving finish; what is queued stays for the next process."""
        self._closing = True
        self._look.clear()
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()), timeout=SEND_TIMEOUT_S)
        if self._recorder is not None:
            await asyncio.gather(self._recorder, return_exceptions=True)

    def _start(self, conversation_id: str) -> None:
        if conversation_id not in self._tasks and not self._closing:
            task = asyncio.create_task(self._run(conversation_id))
            self._tasks[conversation_id] = task

    def _later(self, conversation_id: str, moment: datetime) -> None:
        seconds = max(0.05, (moment - clock.now()).total_seconds())
        asyncio.get_running_loop().call_later(seconds, self.wake, conversation_id)

    async def _run(self, conversation_id: str) -> None:
        try:
            while not self._closing or self._handed.get(conversation_id):
                row = await self._next(conversation_id)
                if row is None:
                    break
                pace = self._pace(row)
                if (wait := pace.closed_for()) > 0:
                    await self._wait(conversation_id, row, wait)
                    break
                await pace.slot()
                outcome = self._with_account(row, await self._try(row, pace))
                await self._record(outcome)
                if outcome.later is not None:
                    await self._put_back(conversation_id)
                    self._later(conversation_id, outcome.later)
                    break
        except Exception as error:
            _log.error("delivery_failed", conversation=conversation_id, error=explain(error))
            self._later(conversation_id, clock.now() + timedelta(seconds=2))
        finally:
            del self._tasks[conversation_id]
            if self._handed.get(conversation_id) or conversation_id in self._look:
                self._start(conversation_id)

    def _pace(self, row: Outgoing) -> Pace:
        if row.account_id not in self._paces:
            _, channel, account = self._runtime.account(row.account_id)
            per_second = self._runtime.features(row.account_id).per_second
            self._paces[row.account_id] = Pace(channel, account, per_second)
        return self._paces[row.account_id]

    def forget_paces(self) -> None:
        """Credentials changed: whoever was paused for the old ones may try at once."""
        self._paces.clear()
        self._noted.clear()

    def _with_account(self, row: Outgoing, outcome: _Outcome) -> _Outcome:
        """What went wrong is remembered with the account too, at most once a minute."""
        moment = time.monotonic()
        if outcome.error is None or moment - self._noted.get(row.account_id, -NOTE_EVERY_S) < NOTE_EVERY_S:
            return outcome
        self._noted[row.account_id] = moment
        return replace(outcome, account=row.account_id)

    async def _wait(self, conversation_id: str, row: Outgoing, seconds: float) -> None:
        """The provider rests: the row is queued again, without counting a try, and those behind it too."""
        seconds *= random.uniform(1.0, 1.25)  # noqa: S311 (jitter)
        later = clock.now() + timedelta(seconds=seconds)
        rows = [row, *self._handed.pop(conversation_id, ())]
        await self._runtime.store.run(_requeue, SYSTEM, [one.id for one in rows], later)
        self._later(conversation_id, later)

    async def _next(self, conversation_id: str) -> Outgoing | None:
        handed = self._handed.get(conversation_id)
        if handed:
            row = handed.popleft()
            if not handed:
                del self._handed[conversation_id]
            return row
        if conversation_id not in self._look:
            return None
        self._look.discard(conversation_id)
        found = await self._runtime.store.run(_claim_next, SYSTEM, self._runtime, conversation_id)
        if isinstance(found, datetime):
            self._later(conversation_id, found)
            return None
        if found is not None:
            self._look.add(conversation_id)  # there may be more behind it
        return found

    async def _put_back(self, conversation_id: str) -> None:
        """What was leased behind a row that must wait is queued again, in order, without counting a try."""
        rows = self._handed.pop(conversation_id, None)
        if rows:
            await self._runtime.store.run(_requeue, SYSTEM, [row.id for row in rows])

    async def _try(self, row: Outgoing, pace: Pace) -> _Outcome:
        adapter, channel, account = "", "", ""
        try:
            adapter, channel, account = self._runtime.account(row.account_id)
            row = await self._unsealed(row)
            outbound = await files.attach(self._runtime, row.account_id, _outbound(row, channel, account))
            async with asyncio.timeout(SEND_TIMEOUT_S):
                receipt = await self._runtime.channel(adapter).send(outbound)
        except ChannelRejected as error:
            pace.taken()
            metrics.SENT.labels(channel, "rejected").inc()
            _log.warning("rejected", channel=channel, message=row.id, reason=error.reason)
            return _Outcome(row.id, row.conversation_id, "parked", Status.FAILED, error=error.reason)
        except ChannelRetryable as error:
            pace.failed()
            metrics.SENT.labels(channel, "retry").inc()
            return self._retry(row, error)
        except Exception as error:  # a time-out or a defect: nobody knows whether it left
            pace.failed()
            metrics.SENT.labels(channel, "unclear").inc()
            _log.error("send_unclear", channel=channel, message=row.id, error=explain(error))
            return self._retry(row, ChannelRetryable(explain(error), maybe_sent=True))
        pace.taken()
        metrics.SENT.labels(channel, "sent").inc()
        return _Outcome(row.id, row.conversation_id, "sent", Status.SENT, receipt.external_id)

    async def _unsealed(self, row: Outgoing) -> Outgoing:
        """A code is kept sealed: its text is put in as it leaves."""
        if "sealed" not in row.payload:
            return row
        store, payload = self._runtime.store, dict(row.payload)
        contact_id = await store.read(_contact_of, SYSTEM, row.conversation_id)
        told = await store.aside(partial(store.keys.unseal_values, contact_id, payload.pop("sealed")))
        return replace(row, payload=payload | told)

    def _retry(self, row: Outgoing, error: ChannelRetryable) -> _Outcome:
        now = clock.now()
        if error.maybe_sent:  # stays in `sending`; the lease's end brings it back here, see _claim_next
            later = now + outbox.SEND_LEASE
            return _Outcome(row.id, row.conversation_id, "sending", None, None, later, error.message)
        if row.attempts + 1 >= MAX_ATTEMPTS:
            reason = f"{outbox.GAVE_UP} {MAX_ATTEMPTS} tries: {error.message}"
            return _Outcome(row.id, row.conversation_id, "parked", Status.FAILED, error=reason)
        pause = error.delay or BACKOFF_S[min(row.attempts, len(BACKOFF_S) - 1)]
        later = now + timedelta(seconds=pause * random.uniform(1.0, 1.25))  # noqa: S311 (jitter)
        return _Outcome(row.id, row.conversation_id, "queued", None, None, later, error.message)

    async def _record(self, outcome: _Outcome) -> None:
        """Receipts that come while a commit runs share the next one."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._outcomes.append((outcome, future))
        if self._recorder is None or self._recorder.done():
            self._recorder = asyncio.create_task(self._write_outcomes())
        await future

    async def _write_outcomes(self) -> None:
        while self._outcomes:
            batch, self._outcomes = self._outcomes, []
            try:
                await self._write_batch([outcome for outcome, _ in batch])
            except Exception as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for _, future in batch:
                if not future.done():
                    future.set_result(None)

    async def _write_batch(self, outcomes: list[_Outcome]) -> None:
        """A receipt that is lost sends a message twice: while the database is away, it is kept and tried."""
        for pause in (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 10.0):
            try:
                await self._runtime.store.step(_record_outcomes, SYSTEM, outcomes)
                return
            except Unavailable as error:
                _log.warning("receipts_wait", count=len(outcomes), error=explain(error))
                await asyncio.sleep(pause)
        await self._runtime.store.step(_record_outcomes, SYSTEM, outcomes)


def _contact_of(tx: Tx, conversation_id: str) -> str:
    conversation = read_conversation(tx, conversation_id)
    return str(conversation["contact_id"]) if conversation is not None else ""


def _outbound(row: Outgoing, channel: Any, account: str) -> OutboundMessage:
    data = row.payload
    return OutboundMessage(
        id=row.id,
        channel=channel,
        account=account,
        address=row.address,
        text=data["text"],
        buttons=tuple(Button(id_, title) for id_, title in data.get("buttons", ())),
        media=tuple(media_from_json(one) for one in data.get("media", ())),
        reply_to=data.get("reply_to"),
        subject=data.get("subject", ""),
        thread=tuple(data.get("thread", ())),
        reference=data.get("reference", ""),
        automatic=data.get("automatic", True),
        template=template_from_json(data["template"]) if "template" in data else None,
        unsubscribe=data.get("unsubscribe", ""),
    )


def _record_outcomes(tx: Tx, outcomes: list[_Outcome]) -> None:
    """All of it is written at the end together: one statement in PostgreSQL."""
    outbox.settle(tx, [(one.row, one.state, one.later, one.error) for one in outcomes])
    moved = [(one.row, one.status, one.external_id, one.error) for one in outcomes if one.status is not None]
    if moved:
        message.move_forward(tx, moved)
    for one in outcomes:
        if one.account is not None and one.error is not None:
            note_error(tx, one.account, one.error)
        if one.status is Status.FAILED:
            tx.event(message.MESSAGE, one.row, "failed", None, None, (one.error or "")[:200])
        tx.notify("message", one.conversation)


def _requeue(tx: Tx, rows: list[str], later: datetime | None = None) -> None:
    statement = outbox.outbox.update().where(outbox.outbox.c.id.in_(rows), outbox.outbox.c.state == "sending")
    tx.execute(statement.values(state="queued", lease_until=None, not_before=later))


def _claim_next(tx: Tx, runtime: Runtime, conversation_id: str) -> Outgoing | datetime | None:
    """Lease the first unsent row if it may leave now; else when to look again, or None."""
    while (row := outbox.first_unsent(tx, conversation_id)) is not None:
        if row["not_before"] is not None and row["not_before"] > tx.now and row["state"] == "queued":
            return row["not_before"]  # type: ignore[no-any-return]
        if row["state"] == "sending" and row["lease_until"] is not None and row["lease_until"] > tx.now:
            return row["lease_until"]  # type: ignore[no-any-return]
        again = row["state"] == "sending"
        if again and (row["resends"] >= 1 or row["purpose"] not in RESENT_ONCE):
            _set_aside(tx, row["id"], "unknown", "Nobody knows whether this message left")
            continue
        if (refused := _refused(tx, runtime, row)) is not None:
            _set_aside(tx, row["id"], "held" if refused == "window_closed" else "cancelled", refused)
            continue
        if not outbox.claim(tx, row["id"], runtime.holder, again=again):
            return None
        return Outgoing(
            row["id"],
            conversation_id,
            row["channel_account_id"],
            row["address"],
            row["payload"],
            row["attempts"],
        )
    return None


def _refused(tx: Tx, runtime: Runtime, row: Any) -> str | None:
    """Ask again what may have changed since the row was written: owner, STOP, block, window."""
    conversation = read_conversation(tx, row["conversation_id"])
    if conversation is None:
        return "gone"
    if row["author"] == "bot" and row["owner_epoch"] != conversation["owner_epoch"]:
        return "taken_over"
    recipient = gate.Recipient(
        blocked=conversation["contact_blocked"],
        stopped=row["stopped_at"] is not None,
        last_inbound_at=conversation["last_inbound_at"],
        last_business_at=None,
        time_zone=runtime.profile.time_zone,
    )
    # Hours and frequency were weighed when the row was written.
    weighed = row["purpose"] in ("business", "reminder") and row["stopped_at"] is None
    purpose: gate.Purpose = "answer" if weighed else row["purpose"]
    features = runtime.features(row["channel_account_id"])
    if "template" in row["payload"]:
        features = features.by_template()
    verdict = gate.check(purpose, recipient, features, tx.now)
    if verdict.reason == "window_closed":
        table = CONVERSATION.table
        tx.execute(table.update().where(table.c.id == row["conversation_id"]).values(held=True))
    return verdict.reason


def _set_aside(tx: Tx, row_id: str, state: str, why: str) -> None:
    outbox.settle(tx, [(row_id, state, None, why)])
    if state != "held":
        message.move_forward(tx, [(row_id, Status.FAILED, None, why)])
        tx.event(message.MESSAGE, row_id, "unknown" if state == "unknown" else "cancelled", None, None, why)
    tx.flush()  # the next look for an unsent row must not find this one
