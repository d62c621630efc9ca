"""How long the run log is kept."""

from datetime import timedelta

import sqlalchemy as sa

from bot.crm.rule import rule_runs
from bot.ids import first_id_at
from bot.records.tx import Tx

KEEP_RUNS = timedelta(days=90)
_AT_ONCE = 5000


def forget_runs(tx: Tx) -> int:
    """Housekeeping: runs that ended long ago go, some thousand at a time."""
    old = sa.select(rule_runs.c.id).where(
        rule_runs.c.state != "failed", rule_runs.c.id < first_id_at(tx.now - KEEP_RUNS)
    )
    return tx.execute(rule_runs.delete().where(rule_runs.c.id.in_(old.limit(_AT_ONCE)))).rowcount
