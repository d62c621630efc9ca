"""Receive: what a channel parsed becomes inbox events, committed before the provider is answered.

Requests that arrive while a commit runs share the next one: group commit without waiting for it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from bot import metrics
from bot.adapter import Accepted
from bot.conversations import inbox
from bot.conversations.channel_account import QUARANTINE, ensure_account
from bot.conversations.inbox import NewEvent
from bot.conversations.lane import NewLane, ensure_lanes
from bot.crm.notification import notify_user
from bot.crm.user import staff_to_tell
from bot.errors import Unavailable
from bot.ids import new_id
from bot.logs import correlation, logger
from bot.messages import AccountNotice, InboundMessage, Parsed, WebhookRequest
from bot.pipeline.defence import Defence, trimmed
from bot.pipeline.payloads import message_to_json, request_to_json, status_to_json
from bot.pipeline.runtime import Runtime
from bot.records.actor import SYSTEM
from bot.records.tx import Tx

_log = logger("receive")
_KNOWN_LANES = 20_000
_KEPT_WHOLE = 2 * 1024 * 1024


@dataclass(slots=True)
class _Batch:
    """What one commit stores for one caller."""

    events: list[NewEvent]
    lanes: list[NewLane]
    stored: "asyncio.Future[int]"


class Receiver:
    """Stores inbound events, each once."""

    def __init__(
        self, runtime: Runtime, wake_lane: Callable[[str, int], None], wake_statuses: Callable[[], None]
    ) -> None:
        """`wake_lane(lane, gather ms)` and `wake_statuses()` are told of what is new, after the commit."""
        self._runtime = runtime
        self._store = runtime.store
        self._media = runtime.media
        self._accounts = runtime.accounts
        self._defence = Defence(runtime)
        self._wake_lane = wake_lane
        self._wake_statuses = wake_statuses
        self._waiting: list[_Batch] = []
        self._writer: asyncio.Task[None] | None = None
        self._known_lanes: OrderedDict[str, None] = OrderedDict()
        self.in_flight = 0
        """Callers waiting for their commit: turns give way while there are many."""

    async def receive(self, parsed: Parsed, adapter: str) -> Accepted:
        """Store what is new and return after the commit. The same event again changes nothing."""
        for kind in parsed.unhandled:
            metrics.UNHANDLED.labels(adapter, kind[:40]).inc()
        told = [await self._notice(adapter, notice) for notice in parsed.notices]
        if not parsed.messages and not parsed.statuses:
            return Accepted(sum(told), len(told) - sum(told))
        cid = correlation.get() or new_id()
        events, lanes = [], []
        for message in parsed.messages:
            account = await self._account(adapter, message.channel, message.account)
            lane = NewLane(account, message.address)
            if not await self._defence.keeps(lane.id, message):
                continue
            lanes.append(lane)
            features, limit = self._runtime.features(account), self._runtime.settings.text_limit
            stored = await self._with_media(trimmed(message, features, limit))
            events.append(
                NewEvent(
                    account,
                    message.event_key,
                    message.kind,
                    message_to_json(stored),
                    lane.id,
                    message.at,
                    correlation_id=cid,
                )
            )
        for update in parsed.statuses:
            account = await self._account(adapter, update.channel, update.account)
            payload = status_to_json(update)
            events.append(
                NewEvent(account, update.event_key, "status", payload, None, update.at, correlation_id=cid)
            )
        new = await self._store_batch(events, lanes) if events else 0
        metrics.INBOX.labels(adapter, "new").inc(new)
        metrics.INBOX.labels(adapter, "known").inc(len(events) - new)
        return Accepted(new + sum(told), len(events) - new + len(told) - sum(told))

    async def _notice(self, adapter: str, notice: AccountNotice) -> bool:
        account = await self._account(adapter, notice.channel, notice.account)
        new = await self._store.run(_tell_admins, SYSTEM, account, notice)
        metrics.INBOX.labels(adapter, "notice" if new else "known").inc()
        return new

    async def quarantine(self, adapter: str, request: WebhookRequest, reason: str) -> None:
        """Keep a signed body nobody can read, for a person to look at; the provider must not retry it.

        The whole request is sealed beside it, signature and all, to be read again by a later version."""
        account = await self._account(adapter, adapter, QUARANTINE)
        payload = {"body": request.body[:100_000].decode("utf-8", "replace")}
        if len(request.body) <= _KEPT_WHOLE:
            payload["sealed"] = await self._store.aside(
                partial(self._store.keys.seal_values, QUARANTINE, request_to_json(request))
            )
        event = NewEvent(
            account, new_id(), "unreadable", payload, None, state="quarantined", error=reason[:500]
        )
        await self._store_batch([event], [])
        await self._store.run(_tell_unreadable, SYSTEM, account, adapter)
        metrics.INBOX.labels(adapter, "quarantined").inc()
        _log.error("quarantined", adapter=adapter, reason=reason)

    async def _account(self, adapter: str, channel: str, address: str) -> str:
        key = (adapter, channel, address)
        if key not in self._accounts:
            self._accounts[key] = await self._store.run(ensure_account, SYSTEM, adapter, channel, address)
        return self._accounts[key]

    async def _with_media(self, message: InboundMessage) -> InboundMessage:
        """Files that came inside the message are kept before the event that names them."""
        if not any(one.content is not None for one in message.media):
            return message
        kept = []
        for one in message.media:
            content = one.content
            if content is not None:
                ref = await self._store.aside(partial(self._media.put, content))
                one = replace(one, ref=ref, content=None, size=len(content))
            kept.append(one)
        return replace(message, media=tuple(kept))

    async def _store_batch(self, events: list[NewEvent], lanes: list[NewLane]) -> int:
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Batch(events, lanes, future))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        self.in_flight += 1
        try:
            return await asyncio.shield(future)
        finally:
            self.in_flight -= 1

    async def _write(self) -> None:
        while self._waiting:
            batches, self._waiting = self._waiting[:200], self._waiting[200:]
            unknown = {
                lane.id: lane for batch in batches for lane in batch.lanes if lane.id not in self._known_lanes
            }
            events = [event for batch in batches for event in batch.events]
            try:
                new = await self._commit(events, list(unknown.values()))
            except Exception as error:
                for batch in batches:
                    if not batch.stored.done():
                        batch.stored.set_exception(error)
                continue
            self._remember(unknown)
            for batch in batches:
                if not batch.stored.done():
                    batch.stored.set_result(sum(_key(event) in new for event in batch.events))
            self._wake([event for event in events if _key(event) in new])

    async def _commit(self, events: list[NewEvent], lanes: list[NewLane]) -> set[tuple[str, str]]:
        # Two processes that store the same redelivered events at once may lock crosswise: one tries again.
        for pause in (0.05, 0.2):
            try:
                return await self._store.step_first(_append, SYSTEM, events, lanes)
            except Unavailable:
                await asyncio.sleep(pause)
        return await self._store.step_first(_append, SYSTEM, events, lanes)

    def _wake(self, events: list[NewEvent]) -> None:
        for event in events:
            if event.lane_id is not None:
                pressed = event.payload.get("button")
                wait = 0 if pressed else self._runtime.gather_ms(event.channel_account_id)
                self._wake_lane(event.lane_id, wait)
            elif event.kind == "status":
                self._wake_statuses()

    def _remember(self, lanes: dict[str, NewLane]) -> None:
        for lane in lanes:
            self._known_lanes[lane] = None
        while len(self._known_lanes) > _KNOWN_LANES:
            self._known_lanes.popitem(last=False)


def _append(tx: Tx, events: list[NewEvent], lanes: list[NewLane]) -> set[tuple[str, str]]:
    if lanes:
        # In one order everywhere: two processes that meet the same new senders do not lock crosswise.
        ensure_lanes(tx, sorted(lanes, key=lambda lane: lane.id))
    return set(inbox.append(tx, events))


def _tell_admins(tx: Tx, account_id: str, notice: AccountNotice) -> bool:
    """Keep the notice and tell every admin of it; False when it was told before."""
    payload = {"text": notice.text}
    event = NewEvent(account_id, notice.event_key, "notice", payload, None, state="done")
    if not inbox.append(tx, [event]):
        return False
    tx.notify("template", account_id)  # it may be about one of them
    data = {"channel": notice.channel, "text": notice.text}
    for user in staff_to_tell(tx, ("admin",)):
        notify_user(tx, user["id"], "notify.channel_notice", data, "/console")
    return True


def _tell_unreadable(tx: Tx, account_id: str, adapter: str) -> None:
    """Admins hear of it once an hour."""
    event = NewEvent(account_id, f"told:{tx.now:%Y%m%d%H}", "notice", {}, None, state="done")
    if inbox.append(tx, [event]):
        for user in staff_to_tell(tx, ("admin",)):
            notify_user(tx, user["id"], "notify.unreadable", {"channel": adapter}, "/console/parked")


def _key(event: NewEvent) -> tuple[str, str]:
    return event.channel_account_id, event.event_key
