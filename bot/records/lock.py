"""One at a time: for what must look before it writes, where no unique index says it."""

import sqlalchemy as sa

from bot.records.tx import Tx


def lock(tx: Tx, name: str) -> None:
    """From here until it ends, this transaction is the only one that holds this name. What it reads after
    that holds what the one before it wrote. SQLite's writers wait for each other anyway."""
    if tx.dialect == "postgresql":
        tx.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(name, 0))))
