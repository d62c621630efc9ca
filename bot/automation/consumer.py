"""The rules' consumer of the event log. What a batch of events asks for, the run log and the cursor are one
transaction: killed anywhere, it has either done all of it or nothing.
"""

import time
from collections.abc import Sequence

import sqlalchemy as sa

from bot.automation import due
from bot.automation.ruleset import Rule, Ruleset
from bot.automation.run import Cause, cause_of, refuse, run_behind, run_rule
from bot.crm.rule import RULE, consumers, rule_runs
from bot.errors import SamvadError
from bot.pipeline.runtime import Runtime
from bot.records.events import newest_position, read_after
from bot.records.tx import Record, Tx
from bot.storage.upsert import insert

NAME = "rules"
BATCH = 200
LONGEST_S = 0.25
"""A batch ends after this time: it holds what it changed (SQLite: the whole database) until then."""
_Position = tuple[int, int]
_where = sa.select(consumers.c.xid, consumers.c.seq).where(consumers.c.name == NAME)


def behind(tx: Tx) -> bool:
    """Whether the log has anything the rules have not seen. Reads only."""
    row = tx.row(_where)
    return row is None or bool(read_after(tx.connection, (row["xid"], row["seq"]), 1))


def advance(tx: Tx, runtime: Runtime, limit: int = BATCH) -> int:
    """Work off the next batch of the log; returns how many events. Two that run at once take turns."""
    events = read_after(tx.connection, _position(tx), limit)
    if not events:
        return 0
    rules = Ruleset(tx, runtime.profile)
    due.begin_backfill(tx, rules, {event["record_id"] for event in events if event["entity"] == RULE.name})
    due.follow(tx, rules, events)
    done = _Batch(tx, runtime, rules, events).work()
    last = events[done - 1]
    here = consumers.update().where(consumers.c.name == NAME)
    tx.execute(here.values(xid=last["xid"], seq=last["seq"]))
    return done


def _position(tx: Tx) -> _Position:
    """Where to go on; the row stays locked until the transaction ends."""
    locked = _where.with_for_update() if tx.dialect == "postgresql" else _where
    row = tx.row(locked)
    if row is None:
        xid, seq = newest_position(tx.connection)
        fresh = insert(consumers, tx.dialect).values(name=NAME, xid=xid, seq=seq)
        tx.execute(fresh.on_conflict_do_nothing())
        row = tx.row(locked)
        assert row is not None
    return row["xid"], row["seq"]


class _Batch:
    """Conditions are asked once a rule for all records of the batch, and again for a record of which a run of
    this batch has changed what the condition looks at."""

    def __init__(self, tx: Tx, runtime: Runtime, rules: Ruleset, events: Sequence[Record]) -> None:
        self._tx = tx
        self._runtime = runtime
        self._rules = rules
        self._todo = [(event, rules.answering(event)) for event in events]
        self._touched: dict[str, frozenset[str]] = {}
        ids = [event["id"] for event, found in self._todo if found]
        self._ran = self._run_before(ids)
        self._chains = self._chains_behind([event for event, found in self._todo if found])
        self._matching: dict[str, set[str]] = {}
        self._broken: dict[str, SamvadError] = {}
        self._ask()

    def _run_before(self, event_ids: list[str]) -> set[tuple[str, str]]:
        """Runs that answered these events already: somebody set the cursor back."""
        if not event_ids:
            return set()
        answered = sa.select(rule_runs.c.rule_id, rule_runs.c.event_id).where(
            rule_runs.c.event_id.in_(event_ids)
        )
        return {(row["rule_id"], row["event_id"]) for row in self._tx.rows(answered)}

    def _chains_behind(self, events: list[Record]) -> dict[str, list[dict[str, str]]]:
        ids = {run_id for event in events if (run_id := run_behind(event)) is not None}
        if not ids:
            return {}
        behind_them = sa.select(rule_runs.c.id, rule_runs.c.chain).where(rule_runs.c.id.in_(ids))
        return {row["id"]: row["chain"] for row in self._tx.rows(behind_them)}

    def _ask(self) -> None:
        asked: dict[str, tuple[Rule, list[str]]] = {}
        for event, found in self._todo:
            for rule in found:
                asked.setdefault(rule["id"], (rule, []))[1].append(event["record_id"])
        for rule, ids in asked.values():
            try:
                self._matching[rule["id"]] = self._rules.matching(rule, ids)
            except SamvadError as error:
                self._broken[rule["id"]] = error

    def work(self) -> int:
        """Events in order until the time is over; returns how many are done."""
        until = time.monotonic() + LONGEST_S
        for number, (event, found) in enumerate(self._todo, 1):
            self._answer(event, found)
            if time.monotonic() > until:
                return number
        return len(self._todo)

    def _answer(self, event: Record, found: list[Rule]) -> None:
        cause, record_id = cause_of(event, self._chains), event["record_id"]
        for rule in found:
            if not self._rules.has(rule) or (rule["id"], event["id"]) in self._ran:
                continue
            if self._meets(rule, record_id, cause):
                touched = run_rule(self._tx, self._runtime, self._rules, rule, record_id, cause)
                self._touched[record_id] = self._touched.get(record_id, frozenset()) | touched
                if rule["stop_after"]:
                    return

    def _meets(self, rule: Rule, record_id: str, cause: Cause) -> bool:
        try:
            if (broken := self._broken.get(rule["id"])) is not None:
                raise broken
            touched = self._touched.get(record_id)
            if touched is not None and self._rules.minds(rule, touched):
                return record_id in self._rules.matching(rule, [record_id])
        except SamvadError as error:
            refuse(self._tx, self._rules, rule, record_id, cause, error)
            return False
        return record_id in self._matching[rule["id"]]
