"""Short numbers for records people speak of: cases C-1042, leads L-1007."""

from functools import lru_cache
from typing import cast

import sqlalchemy as sa

from bot.records.tx import Tx
from bot.storage import metadata
from bot.storage.upsert import insert

counters = sa.Table(
    "counters",
    metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
)
FIRST = 1001
"""Where every count begins: a customer should not be told that theirs is case 1."""


@lru_cache
def _next(dialect: str) -> sa.Executable:
    statement = insert(counters, dialect).values(name=sa.bindparam("name"), value=FIRST)
    onward = statement.on_conflict_do_update(index_elements=["name"], set_={"value": counters.c.value + 1})
    return cast(sa.Executable, onward.returning(counters.c.value))


def next_number(tx: Tx, name: str) -> int:
    """The next number of a series; gaps appear only where a transaction rolled back."""
    return int(tx.execute(_next(tx.dialect), {"name": name}).scalar_one())
