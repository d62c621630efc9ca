"""The way operations are run: one transaction, one thread, one hop from the event loop."""

import asyncio
import contextvars
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from threading import Lock
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import sqlalchemy as sa

from bot.logs import correlation
from bot.notices import Notice
from bot.records.actor import SYSTEM, Actor
from bot.records.definitions import CHANGED
from bot.records.entity import Entity
from bot.records.keys import KeyRing
from bot.records.schema import Schema, load_schema
from bot.records.tx import Tx, transaction
from bot.storage.database import Database
from bot.storage.threads import Threads

P = ParamSpec("P")
T = TypeVar("T")
Operation = Callable[Concatenate[Tx, P], T]


class Store:
    """A database, its key ring, and threads: for turns, for reads, and for reports."""

    def __init__(
        self,
        database: Database,
        keys: KeyRing,
        entities: Mapping[str, Entity],
        announce: Callable[[list[Notice]], None],
    ) -> None:
        """`entities` are all record kinds by name; `announce` is told, from any thread and after the commit,
        what changed."""
        self.database = database
        self.keys = keys
        self._entities = entities
        self._announce = announce
        self.schema = self._read_schema()
        self._reloading = Lock()
        # SQLite has one writer: a thread kept free for webhooks would only wait for its lock.
        reserved = 0 if database.dialect == "sqlite" else 1
        self._writers = Threads(database.turn_threads, "write", reserved)
        self._readers = Threads(database.read_threads, "read")
        self._slow = Threads(2, "slow")

    def _read_schema(self) -> Schema:
        with self.database.read() as connection:
            return load_schema(connection, self._entities)

    def _told(self, notices: list[Notice]) -> None:
        """Definitions hold in this process from their commit on; other processes hear of them by the bus."""
        if any(notice.topic == CHANGED for notice in notices):
            self.reload_schema()
        self._announce(notices)

    def reload_schema(self) -> None:
        """Read the definitions again: admins changed their fields, rules or who may do what. Where nothing
        changed the schema stays, and with it all that was built for it."""
        with self._reloading:  # whoever reads first must not put the older definitions over the newer
            found = self._read_schema()
            if found.stamp != self.schema.stamp:
                self.schema = found

    def write_now(self, operation: Operation[P, T], actor: Actor, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run an operation in this thread: workers, the command line, tests."""
        with transaction(
            self.database,
            self.keys,
            self.schema,
            actor,
            correlation_id=correlation.get(),
            after=self._told,
        ) as tx:
            return operation(tx, *args, **kwargs)

    def read_now(self, operation: Operation[P, T], actor: Actor, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a reading operation in this thread."""
        with transaction(self.database, self.keys, self.schema, actor, write=False) as tx:
            return operation(tx, *args, **kwargs)

    async def run(
        self, operation: Operation[P, T], actor: Actor = SYSTEM, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run an operation in one transaction. Being cancelled does not cancel what has begun."""
        return await self._hop(self._writers, partial(self.write_now, operation, actor, *args, **kwargs))

    def step_now(self, operation: Operation[P, T], actor: Actor, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run an operation that may be cut off between its statements (see `Database.step`)."""
        with transaction(
            self.database,
            self.keys,
            self.schema,
            actor,
            opened=self.database.step(),
            correlation_id=correlation.get(),
            after=self._told,
        ) as tx:
            return operation(tx, *args, **kwargs)

    async def step(
        self, operation: Operation[P, T], actor: Actor = SYSTEM, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Like `run`, for what is one writing statement, or may commit one by one."""
        return await self._hop(self._writers, partial(self.step_now, operation, actor, *args, **kwargs))

    async def step_first(
        self, operation: Operation[P, T], actor: Actor = SYSTEM, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Like `step`, but before all that queues: somebody outside waits for it."""
        work = partial(self.step_now, operation, actor, *args, **kwargs)
        return await self._hop(self._writers, work, urgent=True)

    async def read(
        self, operation: Operation[P, T], actor: Actor = SYSTEM, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a reading operation in one consistent state."""
        return await self._hop(self._readers, partial(self.read_now, operation, actor, *args, **kwargs))

    async def aside(self, work: Callable[[], T]) -> T:
        """Run what would hold the loop (argon2, a mail, a file) in a thread of its own kind."""
        return await self._hop(self._slow, work)

    async def _hop(self, pool: Threads, work: Callable[[], T], urgent: bool = False) -> T:
        """Run `work` in a thread; who stops waiting for it does not stop it."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[T] = loop.create_future()

        def tell(result: T | None, error: BaseException | None) -> None:
            if waiter.done():  # nobody waits any more
                return
            if error is None:
                waiter.set_result(cast(T, result))
            else:
                waiter.set_exception(error)

        def done(result: T | None, error: BaseException | None) -> None:
            with suppress(RuntimeError):  # the loop is closed: the process ends
                loop.call_soon_threadsafe(tell, result, error)

        pool.submit(partial(contextvars.copy_context().run, work), done, urgent=urgent)
        return await waiter

    def close(self) -> None:
        """Wait for what runs, then close the connections."""
        for pool in (self._writers, self._readers, self._slow):
            pool.close()
        self.database.close()


def explain(value: Any) -> str:
    """An exception as one line for a log or a parked row. What a database says may hold values of records:
    of that, only what kind of error it is."""
    if isinstance(value, sa.exc.DBAPIError):
        return f"{type(value).__name__}: {type(value.orig).__name__}"
    return f"{type(value).__name__}: {value}"[:500]
