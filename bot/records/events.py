"""The one log. Every change to a record appends one Event in the same transaction.

Consumers read in commit order (docs/decisions/0003): SQLite has one writer, so `seq` is commit order;
PostgreSQL readers stay below `pg_snapshot_xmin(pg_current_snapshot())` and order by (xid, seq).
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import sqlalchemy as sa

from bot.records.entity import describe
from bot.storage import Id, Instant, Json, metadata

events = sa.Table(
    "events",
    metadata,
    sa.Column("id", Id, primary_key=True),
    # Filled by the database: SQLite's rowid alias, PostgreSQL's sequence.
    sa.Column("seq", sa.BigInteger, nullable=False, server_default=sa.FetchedValue()),
    sa.Column("xid", sa.BigInteger, nullable=False, server_default=sa.FetchedValue()),
    sa.Column("at", Instant, nullable=False),
    sa.Column("actor_kind", sa.String(10), nullable=False),
    sa.Column("actor_id", Id),
    sa.Column("entity", sa.String(40), nullable=False),
    sa.Column("record_id", Id, nullable=False),
    sa.Column("action", sa.String(40), nullable=False),
    sa.Column("contact_id", Id),
    sa.Column("changes", Json),
    sa.Column("sealed", sa.Text),
    sa.Column("reason", sa.String(200), nullable=False),
    sa.Column("correlation_id", sa.String(64), nullable=False),
    sa.Index("ix_events_record", "record_id", "id"),
    sa.Index("ix_events_contact", "contact_id", "id"),
)
WRITTEN = tuple(column.name for column in events.columns if column.name not in ("seq", "xid"))
"""What a writer gives; the database numbers events itself."""

EVENT_INTERNAL = ("xid", "sealed")


def make_entity(parent: Any) -> Any:
    """The Entity of events; `parent(actor)` limits them to the records the actor may see."""
    return describe("events", events, scope="parent", parent=parent, internal=EVENT_INTERNAL)


def read_after(
    connection: sa.Connection, position: tuple[int, int], limit: int
) -> Sequence[Mapping[str, Any]]:
    """Events committed after `position` = (xid, seq), in commit order. (0, 0) is the beginning."""
    statement = _AFTER_POSTGRESQL if connection.dialect.name == "postgresql" else _AFTER_SQLITE
    rows = connection.execute(statement, {"xid": position[0], "seq": position[1], "limit": limit})
    return cast(Sequence[Mapping[str, Any]], rows.mappings().all())


def newest_position(connection: sa.Connection) -> tuple[int, int]:
    """Where a consumer that only wants news begins."""
    if connection.dialect.name == "postgresql":
        xmin = connection.execute(sa.text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"))
        return int(xmin.scalar_one()) - 1, 2**62
    return 0, int(connection.execute(sa.select(sa.func.max(events.c.seq))).scalar() or 0)


_LIMIT: sa.BindParameter[int] = sa.bindparam("limit", type_=sa.Integer)
_AFTER_SQLITE = (
    sa.select(events).where(events.c.seq > sa.bindparam("seq")).order_by(events.c.seq).limit(_LIMIT)
)
_AFTER_POSTGRESQL = (
    sa.select(events)
    .where(
        sa.tuple_(events.c.xid, events.c.seq)
        > sa.tuple_(sa.bindparam("xid", type_=sa.BigInteger), sa.bindparam("seq", type_=sa.BigInteger)),
        events.c.xid < sa.text("pg_snapshot_xmin(pg_current_snapshot())::text::bigint"),
    )
    .order_by(events.c.xid, events.c.seq)
    .limit(_LIMIT)
)
