"""Named leases, for what must run once in the whole deployment (a mailbox poll, the dispatcher)."""

from datetime import timedelta

import sqlalchemy as sa

from bot.records.tx import Tx
from bot.storage import Instant, metadata
from bot.storage.upsert import insert

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.String(80), primary_key=True),
    sa.Column("holder", sa.String(80), nullable=False),
    sa.Column("until", Instant, nullable=False),
)


def hold(tx: Tx, name: str, holder: str, life: timedelta) -> bool:
    """Take the lease or renew it; False while another holder's has not run out."""
    until = tx.now + life
    statement = insert(leases, tx.dialect).values(name=name, holder=holder, until=until)
    taken = statement.on_conflict_do_update(
        index_elements=["name"],
        set_={"holder": holder, "until": until},
        where=sa.or_(leases.c.holder == holder, leases.c.until < tx.now),
    ).returning(leases.c.name)
    return tx.execute(taken).scalar() is not None


def let_go(tx: Tx, name: str, holder: str) -> None:
    """Give the lease back, so that the next holder need not wait."""
    tx.execute(leases.delete().where(leases.c.name == name, leases.c.holder == holder))
