"""Monthly partitions of events and messages in PostgreSQL: a range of UUIDv7 ids is a range of time."""

from datetime import UTC, datetime

import sqlalchemy as sa

from bot.ids import first_id_at

PARTITIONED = ("events", "messages")


def _month(moment: datetime, ahead: int) -> datetime:
    months = moment.year * 12 + moment.month - 1 + ahead
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)


def ensure_partitions(connection: sa.Connection, now: datetime, months: int = 3) -> list[str]:
    """Make the partitions of this month and the next `months`; returns the new ones. SQLite: nothing to do.

    Rows outside every month go to a default partition, so that a late housekeeping loses nothing."""
    if connection.dialect.name != "postgresql":
        return []
    have = set(connection.execute(sa.text("SELECT relname FROM pg_class WHERE relispartition")).scalars())
    made = []
    for table in PARTITIONED:
        if f"{table}_default" not in have:
            connection.execute(sa.text(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT"))
        for ahead in range(months + 1):
            start, end = _month(now, ahead), _month(now, ahead + 1)
            name = f"{table}_{start:%Y_%m}"
            if name in have:
                continue
            bounds = f"FROM ('{first_id_at(start)}') TO ('{first_id_at(end)}')"
            connection.execute(sa.text(f"CREATE TABLE {name} PARTITION OF {table} FOR VALUES {bounds}"))
            made.append(name)
    return made
