"""The transaction that every operation takes first. Operations never commit; who opened it does, once.

An operation reads and writes through `tx`, asks `tx.require(…)`, and leaves events and notices for the
bus, which go out only after the commit. Records are made and changed by `bot.records.write`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot import clock
from bot.ids import new_id
from bot.notices import Notice
from bot.records import permissions
from bot.records.actor import SYSTEM, Actor
from bot.records.entity import Entity, to_json
from bot.records.events import WRITTEN, events
from bot.records.keys import BUSINESS, KeyRing
from bot.records.schema import Schema
from bot.storage import direct
from bot.storage.database import Database
from bot.storage.rows import RowUpdate, Write, inserting, upserting, write_all

Record = Mapping[str, Any]
"""A row as read: column name to value."""
_Upsert = tuple[sa.Table, tuple[str, ...], tuple[str, ...]]


class Tx:
    """One transaction with its actor, its moment, and what it will tell after the commit."""

    __slots__ = (
        "_events",
        "_later",
        "_reads",
        "_upserts",
        "actor",
        "connection",
        "correlation_id",
        "dialect",
        "keys",
        "notices",
        "now",
        "reason",
        "schema",
    )

    def __init__(
        self,
        connection: sa.Connection,
        actor: Actor,
        keys: KeyRing,
        schema: Schema,
        correlation_id: str = "",
        reason: str = "",
        reads: bool = False,
    ) -> None:
        """Made by `transaction`, not by hand. `reads`: for reading alone."""
        self.connection = connection
        self.dialect = connection.dialect.name
        self.actor = actor
        self.keys = keys
        self.schema = schema
        self.now: datetime = clock.now()
        self.correlation_id = correlation_id
        self.reason = reason
        self.notices: list[Notice] = []
        self._reads = reads and self.dialect == "postgresql"
        self._events: list[dict[str, Any]] = []
        self._later: list[Write] = []
        self._upserts: dict[_Upsert, dict[tuple[Any, ...], Mapping[str, Any]]] = {}

    def execute(self, statement: sa.Executable, parameters: Any = None) -> sa.CursorResult[Any]:
        """Run a statement, prebuilt where it is on a hot path."""
        return self.connection.execute(statement, parameters)

    def rows(self, statement: sa.Executable, parameters: Any = None) -> list[Record]:
        """All rows."""
        if (kept := self._kept(statement, parameters)) is not None:
            return list[Record](kept)
        found = self.connection.execute(statement, parameters)
        names = tuple(found.keys())
        return [dict(zip(names, row, strict=True)) for row in found.all()]

    def row(self, statement: sa.Executable, parameters: Any = None) -> Record | None:
        """The first row, or None."""
        if (kept := self._kept(statement, parameters)) is not None:
            return kept[0] if kept else None
        found = self.connection.execute(statement, parameters)
        row = found.first()
        return None if row is None else dict(zip(found.keys(), row, strict=True))

    def _kept(self, statement: sa.Executable, parameters: Any) -> list[dict[str, Any]] | None:
        return direct.rows(self.connection, statement, parameters) if self._reads else None

    def require(self, action: permissions.Action, entity: str) -> None:
        """Raise Forbidden unless the actor may do this to such records."""
        permissions.require(self.actor, action, entity)

    def notify(self, topic: str, record_id: str) -> None:
        """Tell the bus after the commit; the same notice goes out once."""
        notice = Notice(topic, record_id)
        if notice not in self.notices:
            self.notices.append(notice)

    def event(
        self,
        entity: Entity,
        record_id: str,
        action: str,
        changes: Mapping[str, Any] | None = None,
        contact_id: str | None = None,
        reason: str = "",
    ) -> None:
        """Append an Event. `changes` is {field: [before, after]}; personal fields' values are sealed."""
        plain: dict[str, Any] = {}
        personal: dict[str, Any] = {}
        for name, pair in (changes or {}).items():
            target = personal if entity.personal(name) else plain
            target[name] = [to_json(value) for value in pair]
        sealed = self.keys.seal_values(contact_id or BUSINESS, personal) if personal else None
        self._events.append(
            {
                "id": new_id(),
                "at": self.now,
                "actor_kind": self.actor.kind,
                "actor_id": self.actor.id,
                "entity": entity.name,
                "record_id": record_id,
                "action": action,
                "contact_id": contact_id,
                "changes": plain or None,
                "sealed": sealed,
                "reason": reason or self.reason,
                "correlation_id": self.correlation_id,
            }
        )

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part that may fail alone: what it wrote is undone, its events and notices with it."""
        self.flush()  # what came before stays, and stands before it in the log
        notices = list(self.notices)
        try:
            with self.connection.begin_nested():
                yield
                self.flush()
        except BaseException:
            self._events, self._later, self._upserts = [], [], {}
            self.notices[:] = notices
            raise

    @contextmanager
    def acting(self, actor: Actor, *, correlation_id: str = "", reason: str = "") -> Iterator[None]:
        """A part that is done in somebody else's name."""
        before = self.actor, self.correlation_id, self.reason
        self.actor = actor
        self.correlation_id, self.reason = correlation_id or before[1], reason or before[2]
        try:
            yield
        finally:
            self.actor, self.correlation_id, self.reason = before

    def later(
        self, statement: sa.UpdateBase, parameters: Mapping[str, Any], lost: Exception | None = None
    ) -> None:
        """Write at the end, together with what else waits for it; until then nothing reads it. Names of
        parameters are the statement's own. `lost` is raised unless exactly one row changed."""
        self._later.append(Write(statement, parameters, lost))

    def insert_later(
        self, table: sa.Table, names: tuple[str, ...], rows: Sequence[Mapping[str, Any]]
    ) -> None:
        """Insert rows at the end, like `later`."""
        self._later.append(inserting(self.dialect, table, names, rows))

    def update_later(self, update: RowUpdate, rows: Sequence[Mapping[str, Any]]) -> None:
        """Update rows at the end, like `later`."""
        self._later.append(update.of(self.dialect, rows))

    def upsert_later(
        self,
        table: sa.Table,
        names: tuple[str, ...],
        key: tuple[str, ...],
        rows: Sequence[Mapping[str, Any]],
    ) -> None:
        """Insert rows at the end, or change those that have their key already; of one key the last counts."""
        if rows:
            waiting = self._upserts.setdefault((table, names, key), {})
            waiting.update({tuple(row[name] for name in key): row for row in rows})

    def flush(self) -> None:
        """Carry out what waits, the events with it; `transaction` does it before the commit."""
        if self._events:
            self.insert_later(events, WRITTEN, self._events)
            self._events = []
        for (table, names, key), rows in self._upserts.items():
            self._later.append(upserting(self.dialect, table, names, key, list(rows.values())))
        self._upserts = {}
        if self._later:
            write_all(self.connection, self._later)
            self._later = []


@contextmanager
def transaction(
    database: Database,
    keys: KeyRing,
    schema: Schema,
    actor: Actor = SYSTEM,
    *,
    write: bool = True,
    opened: AbstractContextManager[sa.Connection] | None = None,
    correlation_id: str = "",
    reason: str = "",
    after: Callable[[list[Notice]], None] | None = None,
) -> Iterator[Tx]:
    """Open a transaction, commit it once at the end, then hand its notices to `after`."""
    with opened or (database.write() if write else database.read()) as connection:
        tx = Tx(connection, actor, keys, schema, correlation_id, reason, reads=not write and opened is None)
        yield tx
        tx.flush()
    if after is not None and tx.notices:
        after(tx.notices)
