"""Working lanes off: many at once, each one turn at a time."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

import sqlalchemy as sa

from bot import metrics
from bot.conversations import inbox, lane
from bot.errors import LaneLost, Unavailable, VersionConflict
from bot.logs import correlation, logger
from bot.pipeline.commit import Committed, Outgoing
from bot.pipeline.load import LaneState, claim_lane, first_batch, read_lane
from bot.pipeline.runtime import Runtime
from bot.pipeline.turn import Thought, Turns, park
from bot.records.actor import BOT, SYSTEM
from bot.records.store import explain
from bot.records.tx import Record, Tx

_log = logger("lanes")
IN_FLIGHT = 6
"""Enough to keep the processor busy; more would only stand between a webhook and its answer."""
IN_FLIGHT_WITH_LLM = 64
MAX_CONFLICTS = 5
CLOSE_S = 10.0
FLOOD = 3
"""Webhooks waiting for their commit at which turns begin to give way."""
TURNS_IN_A_FLOOD = 2
MAX_WAITS = 100
_RETRY_S = (0.5, 1.0, 2.0, 4.0, 8.0)
_BUSY_RETRY_S = 0.5


async def _database_answers(runtime: Runtime) -> None:
    """Raises Unavailable while the database does not answer at all."""
    await runtime.store.read(_ask, SYSTEM)


def _ask(tx: Tx) -> None:
    tx.execute(sa.select(1))


class Lanes:
    """Takes lanes that have something waiting and runs their turns."""

    def __init__(
        self,
        runtime: Runtime,
        deliver: Callable[[str, list[Outgoing]], None],
        receiving: Callable[[], int] = lambda: 0,
    ) -> None:
        """`deliver` takes over the rows a turn leased; `receiving()` is how many webhooks wait for their
        commit: a provider's patience is shorter than a customer's."""
        self._receiving = receiving
        self._runtime = runtime
        self._deliver = deliver
        self._turns = Turns(runtime)
        self._ready: asyncio.Queue[str] = asyncio.Queue()
        self._queued: set[str] = set()
        self._running: set[str] = set()
        self._dirty: set[str] = set()
        self._gathering: dict[str, asyncio.TimerHandle] = {}
        self._human: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False
        self._ended = asyncio.Event()

    def open(self) -> None:
        """Start working."""
        count = IN_FLIGHT_WITH_LLM if self._runtime.settings.llm_base_url else IN_FLIGHT
        self._tasks = [asyncio.create_task(self._work()) for _ in range(count)]

    async def close(self) -> None:
        """Finish the turns that run, begin no more."""
        self._closing = True
        for handle in self._gathering.values():
            handle.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                while self._running:
                    self._ended.clear()
                    await self._ended.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def wake(self, lane_id: str, wait_ms: int = 0) -> None:
        """Something came in for this lane; `wait_ms` gathers what follows it."""
        if self._closing:
            return
        if lane_id in self._running:
            self._dirty.add(lane_id)
        elif lane_id not in self._queued:
            if wait_ms and lane_id not in self._human:
                if (waiting := self._gathering.pop(lane_id, None)) is not None:
                    waiting.cancel()
                loop = asyncio.get_running_loop()
                self._gathering[lane_id] = loop.call_later(wait_ms / 1000, self._queue, lane_id)
            else:
                self._queue(lane_id)

    def _queue(self, lane_id: str) -> None:
        if (waiting := self._gathering.pop(lane_id, None)) is not None:
            waiting.cancel()
        if lane_id not in self._queued and not self._closing:
            self._queued.add(lane_id)
            self._ready.put_nowait(lane_id)
            metrics.LANES_WAITING.set(len(self._queued))

    @property
    def idle(self) -> bool:
        """Whether nothing waits or runs in this process."""
        return not self._queued and not self._running and not self._gathering

    async def _work(self) -> None:
        while True:
            lane_id = await self._ready.get()
            self._queued.discard(lane_id)
            if lane_id in self._running:
                self._dirty.add(lane_id)
                continue
            await self._give_way()
            if lane_id in self._running:
                self._dirty.add(lane_id)
                continue
            self._running.add(lane_id)
            try:
                await self._work_off(lane_id)
            except asyncio.CancelledError:
                raise
            except Exception as error:
                _log.error("lane_failed", lane=lane_id, error=explain(error))
                self._later(lane_id, _BUSY_RETRY_S)
            finally:
                self._running.discard(lane_id)
                self._ended.set()
                if lane_id in self._dirty:
                    self._dirty.discard(lane_id)
                    self._queue(lane_id)

    async def _give_way(self) -> None:
        """Under a flood few turns run at once, so that webhooks are stored and answered in time."""
        for _ in range(MAX_WAITS):
            if self._receiving() < FLOOD or len(self._running) < TURNS_IN_A_FLOOD:
                return
            await asyncio.sleep(0.01)

    def _later(self, lane_id: str, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self._queue, lane_id)

    async def _work_off(self, lane_id: str) -> None:
        """Claim the lane and run turns until nothing waits in it."""
        runtime = self._runtime
        self._dirty.discard(lane_id)
        state = await runtime.store.step(claim_lane, BOT, lane_id, runtime.holder)
        if state is None:  # another process is at it; look again, in case it did not see what we stored
            self._later(lane_id, _BUSY_RETRY_S)
            return
        await runtime.know(state.lane["channel_account_id"])
        while state.events:
            batch = first_batch(state.events, runtime.gather_ms(state.lane["channel_account_id"]))
            more = len(batch) < len(state.events) or lane_id in self._dirty
            if self._closing:
                more = False
            self._dirty.discard(lane_id)
            done = await self._turn(state, batch, more)
            if done is None or not more:
                return
            state = await runtime.store.read(read_lane, BOT, done.lane)
        await runtime.store.run(lane.release, SYSTEM, lane_id, state.lane["epoch"])

    async def _turn(self, state: LaneState, batch: list[Record], more: bool) -> Committed | None:
        """Run one turn to its end: committed, run again after a conflict, or counted as a failure."""
        thought = Thought()
        cid = batch[0]["correlation_id"]
        correlation.set(cid)
        for _ in range(MAX_CONFLICTS):
            try:
                done = await self._turns.run(state, batch, more, thought)
            except (LaneLost, VersionConflict):
                metrics.TURNS.labels("conflict").inc()
                again = await self._reread(state)
                if again is None:
                    return None
                state = again
                continue
            except Unavailable as error:
                await _database_answers(self._runtime)  # raises: not this message's fault, nothing is counted
                return await self._failed(state, batch[0], error)
            except Exception as error:
                return await self._failed(state, batch[0], error)
            self._committed(state, batch, done)
            return done
        return await self._failed(state, batch[0], LaneLost("changed under every try"))

    async def _reread(self, state: LaneState) -> LaneState | None:
        """Claim anew: when the lease itself was lost another process has the lane, and we let it."""
        runtime = self._runtime
        await runtime.store.run(lane.release, SYSTEM, state.lane["id"], state.lane["epoch"])
        fresh = await runtime.store.step(claim_lane, BOT, state.lane["id"], runtime.holder)
        if fresh is None:
            self._later(state.lane["id"], _BUSY_RETRY_S)
        return fresh

    def _committed(self, state: LaneState, batch: list[Record], done: Committed) -> None:
        metrics.TURNS.labels("committed").inc()
        waited = time.time() - batch[0]["received_at"].timestamp()
        metrics.TURN_SECONDS.observe(max(0.0, waited))
        lane_id = state.lane["id"]
        if done.human:
            self._human.add(lane_id)
        else:
            self._human.discard(lane_id)
        if done.outgoing:
            self._deliver(done.conversation_id, list(done.outgoing))

    async def _failed(self, state: LaneState, event: Record, error: Exception) -> Committed | None:
        runtime, lane_id, epoch = self._runtime, state.lane["id"], state.lane["epoch"]
        metrics.TURNS.labels("failed").inc()
        _log.error(
            "turn_failed", lane=lane_id, attempt=event["attempts"] + 1, error=explain(error), exc_info=error
        )
        if event["attempts"] + 1 < inbox.MAX_FAILURES:
            await runtime.store.run(inbox.mark_failed, SYSTEM, event["seq"], explain(error))
            await runtime.store.run(lane.release, SYSTEM, lane_id, epoch)
            self._later(lane_id, _RETRY_S[event["attempts"]])
            return None
        done = await runtime.store.run(park, SYSTEM, runtime, state, event, explain(error))
        self._committed(state, [event], done)
        self._later(lane_id, 0.0)
        return None
