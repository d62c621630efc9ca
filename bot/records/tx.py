"""The transaction that every operation takes first. Operations never commit; who opened it does, once.

An operation reads and writes through `tx`, asks `tx.require(…)`, and leaves events and notices for the
bus, which go out only after the commit.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from functools import lru_cache
from typing import Any, cast

import sqlalchemy as sa

from bot import clock
from bot.errors import NotFound, VersionConflict
from bot.ids import new_id
from bot.notices import Notice
from bot.records import permissions
from bot.records.actor import SYSTEM, Actor
from bot.records.entity import Entity, to_json
from bot.records.events import WRITTEN, events
from bot.records.keys import BUSINESS, KeyRing
from bot.storage.database import Database
from bot.storage.rows import RowUpdate, Write, inserting, write_all

Record = Mapping[str, Any]
"""A row as read: column name to value."""


class Tx:
    """One transaction with its actor, its moment, and what it will tell after the commit."""

    __slots__ = (
        "_events",
        "_later",
        "actor",
        "connection",
        "correlation_id",
        "dialect",
        "keys",
        "notices",
        "now",
        "reason",
    )

    def __init__(
        self,
        connection: sa.Connection,
        actor: Actor,
        keys: KeyRing,
        correlation_id: str = "",
        reason: str = "",
    ) -> None:
        """Made by `transaction`, not by hand."""
        self.connection = connection
        self.dialect = connection.dialect.name
        self.actor = actor
        self.keys = keys
        self.now: datetime = clock.now()
        self.correlation_id = correlation_id
        self.reason = reason
        self.notices: list[Notice] = []
        self._events: list[dict[str, Any]] = []
        self._later: list[Write] = []

    def execute(self, statement: sa.Executable, parameters: Any = None) -> sa.CursorResult[Any]:
        """Run a statement, prebuilt where it is on a hot path."""
        return self.connection.execute(statement, parameters)

    def rows(self, statement: sa.Executable, parameters: Any = None) -> list[Record]:
        """All rows."""
        return cast(list[Record], self.connection.execute(statement, parameters).mappings().all())

    def row(self, statement: sa.Executable, parameters: Any = None) -> Record | None:
        """The first row, or None."""
        return cast(Record | None, self.connection.execute(statement, parameters).mappings().first())

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

    def flush(self) -> None:
        """Carry out what waits, the events with it; `transaction` does it before the commit."""
        if self._events:
            self.insert_later(events, WRITTEN, self._events)
            self._events = []
        if self._later:
            write_all(self.connection, self._later)
            self._later = []


@contextmanager
def transaction(
    database: Database,
    keys: KeyRing,
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
        tx = Tx(connection, actor, keys, correlation_id, reason)
        yield tx
        tx.flush()
    if after is not None and tx.notices:
        after(tx.notices)


# --- records: one way to create and to change them ------------------------------------------------


def create(tx: Tx, entity: Entity, values: Mapping[str, Any], *, reason: str = "") -> str:
    """Insert a record with its event; returns its id (`values["id"]` where given)."""
    tx.require("create", entity.name)
    row = dict(values)
    record_id: str = row.setdefault("id", new_id())
    row.setdefault("created_at", tx.now)
    row.setdefault("updated_at", tx.now)
    if "version" in entity.table.c:
        row.setdefault("version", 1)
    tx.execute(_insert(entity, tuple(row)), row)
    changes = {
        name: (None, value)
        for name, value in row.items()
        if value is not None
        and name not in ("id", "created_at", "updated_at", "version")
        and not entity.fields[name].internal
    }
    tx.event(entity, record_id, "created", changes, _contact_of(entity, row, record_id), reason)
    return record_id


def update(
    tx: Tx,
    entity: Entity,
    before: Mapping[str, Any],
    values: Mapping[str, Any],
    *,
    action: str = "updated",
    reason: str = "",
) -> bool:
    """Change a record that was read as `before` (with its id and version), with its event.

    Returns False when nothing differs. Raises VersionConflict when the record moved on since.
    """
    tx.require("update", entity.name)
    changes = {name: (before.get(name), value) for name, value in values.items() if before.get(name) != value}
    if not changes:
        return False
    parameters = {f"new_{name}": after for name, (_, after) in changes.items()}
    parameters |= {"old_id": before["id"], "old_version": before["version"], "new_updated_at": tx.now}
    done = tx.execute(_update(entity, tuple(changes)), parameters)
    if done.rowcount != 1:
        raise VersionConflict(
            f"{entity.name} {before['id']} was changed meanwhile; read it again", id=before["id"]
        )
    visible = {name: pair for name, pair in changes.items() if not entity.fields[name].internal}
    tx.event(entity, before["id"], action, visible, _contact_of(entity, before, before["id"]), reason)
    return True


def find(tx: Tx, entity: Entity, record_id: str) -> Record | None:
    """One record by id if the actor may see it, deleted ones excepted."""
    statement = sa.select(entity.table).where(entity.table.c.id == record_id)
    if "deleted_at" in entity.table.c:
        statement = statement.where(entity.table.c.deleted_at.is_(None))
    mine = permissions.row_filter(tx.actor, entity)
    return tx.row(statement if mine is None else statement.where(mine))


def get(tx: Tx, entity: Entity, record_id: str) -> Record:
    """One record by id. Raises Forbidden, NotFound (also when the actor may not see it)."""
    tx.require("read", entity.name)
    row = find(tx, entity, record_id)
    if row is None:
        raise NotFound(f"No {entity.name} record {record_id}")
    return row


def _contact_of(entity: Entity, row: Mapping[str, Any], record_id: str) -> str | None:
    if entity.name == "contacts":
        return record_id
    return row.get(entity.contact_column)


@lru_cache(maxsize=512)
def _insert_named(table: sa.Table, names: tuple[str, ...]) -> sa.Insert:
    return table.insert().values({name: sa.bindparam(name, type_=table.c[name].type) for name in names})


def _insert(entity: Entity, names: tuple[str, ...]) -> sa.Insert:
    return _insert_named(entity.table, names)


@lru_cache(maxsize=512)
def _update_named(table: sa.Table, names: tuple[str, ...]) -> sa.Update:
    values = {name: sa.bindparam(f"new_{name}", type_=table.c[name].type) for name in names}
    return (
        table.update()
        .where(
            table.c.id == sa.bindparam("old_id", type_=table.c.id.type),
            table.c.version == sa.bindparam("old_version", type_=sa.Integer),
        )
        .values(
            **values,
            version=table.c.version + 1,
            updated_at=sa.bindparam("new_updated_at", type_=table.c.updated_at.type),
        )
    )


def _update(entity: Entity, names: tuple[str, ...]) -> sa.Update:
    return _update_named(entity.table, names)
