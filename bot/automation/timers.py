"""What timers do, the rules' own beside those of the pipe."""

import sqlalchemy as sa

from bot.automation import actions, due, run
from bot.automation.ruleset import Ruleset, active_rule
from bot.crm.rule import rule_runs
from bot.pipeline.runtime import Runtime
from bot.pipeline.timers import TIMERS, OnTimer
from bot.records.tx import Record, Tx


def _retry(tx: Tx, runtime: Runtime, row: Record) -> None:
    """A run that failed is tried again."""
    waiting = sa.select(rule_runs).where(rule_runs.c.id == row["subject_id"], rule_runs.c.state == "failed")
    found = tx.row(waiting)
    if found is None:
        return
    rule = active_rule(tx, found["rule_id"])
    rules = Ruleset(tx, runtime.profile, [] if rule is None else [rule])
    run.try_again(tx, runtime, rules, found, rule)


ALL_TIMERS: dict[str, OnTimer] = {
    **TIMERS,
    due.TIMER: due.fall_due,
    due.BACKFILL: due.backfill,
    run.RETRY: _retry,
    actions.MESSAGE: actions.send_waiting,
}
"""Every kind of timer and what it does."""
