"""Rules that wait for a moment: one timer for a rule and a record, moved when the record's date moves.

The timer only wakes: when it fires, the moment is reckoned anew from the record as it is then.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from bot.automation.ruleset import Rule, Ruleset, active_rule, changed_fields
from bot.automation.run import Cause, refuse, run_behind, run_rule
from bot.crm.rule import rule_runs
from bot.crm.rule_check import DUE
from bot.errors import SamvadError
from bot.pipeline.runtime import Runtime
from bot.records.entity import Entity
from bot.records.timer import cancel_timers, set_timer, set_timers
from bot.records.tx import Record, Tx
from bot.records.write import expanded

TIMER, BACKFILL = "rule_due", "rule_backfill"
LATE = timedelta(days=1)
"""A moment that passed no longer ago than this when the record got its date is answered at once."""
BATCH = 1000
_PAIRS = UUID("0b0f8f0c-52c1-5a0e-8f4e-72756c65645f")


def timer_of(rule_id: str, record_id: str) -> str:
    """The timer's subject: the pair of rule and record."""
    return str(uuid5(_PAIRS, f"{rule_id}\n{record_id}"))


def moment_of(rule: Rule, entity: Entity, record: Record, zone: tzinfo) -> datetime | None:
    """When the rule falls due for this record; None while its field is empty, or never. A day begins at
    midnight in the business's zone."""
    spec, value = entity.fields.get(rule["due_field"]), record.get(rule["due_field"])
    if spec is None or value is None:  # admins may have removed a field of their own
        return None
    if isinstance(value, str):  # an own field
        value = date.fromisoformat(value) if spec.type == "date" else datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        value = datetime.combine(value, time.min, zone)
    try:
        moment: datetime = value + timedelta(minutes=rule["due_minutes"])
    except OverflowError:  # later than there is time
        return None
    return moment


def follow(tx: Tx, rules: Ruleset, events: Sequence[Record]) -> None:
    """Set, move and drop the timers that these events ask for: one read a kind, one write for all."""
    wanted: dict[str, dict[str, list[tuple[Rule, str]]]] = {}
    for event in events:
        for rule in rules.due_rules(event["entity"]):
            if _touches(tx, rule, event):
                pairs = wanted.setdefault(event["entity"], {}).setdefault(event["record_id"], [])
                pairs.append((rule, run_behind(event) or ""))
    for kind, by_record in wanted.items():
        entity = tx.schema.entity(kind)
        alive = _alive(tx, entity, by_record)
        due = [
            (rule, alive.get(record_id), record_id, run)
            for record_id, waiting in by_record.items()
            for rule, run in waiting
        ]
        _set(tx, entity, due, rules.zone, tx.now - LATE)


def _touches(tx: Tx, rule: Rule, event: Record) -> bool:
    if event["action"] in ("created", "deleted", "restored") or rule["due_field"] == "updated_at":
        return True
    return rule["due_field"] in changed_fields(tx, event)


def _alive(tx: Tx, entity: Entity, ids: Iterable[str]) -> dict[str, Record]:
    table = entity.table
    statement = sa.select(table).where(table.c.id.in_(list(ids)))
    if "deleted_at" in table.c:
        statement = statement.where(table.c.deleted_at.is_(None))
    return {row["id"]: expanded(entity, row) for row in tx.rows(statement)}


def _set(
    tx: Tx,
    entity: Entity,
    pairs: Iterable[tuple[Rule, Record | None, str, str]],
    zone: tzinfo,
    since: datetime,
) -> None:
    """`pairs` are (rule, record or None when it is gone, its id, the run behind)."""
    rows: dict[str, tuple[datetime, Mapping[str, Any]]] = {}
    gone: set[str] = set()
    for rule, record, record_id, run in pairs:
        subject = timer_of(rule["id"], record_id)
        moment = None if record is None else moment_of(rule, entity, record, zone)
        if moment is None or moment < since:
            rows.pop(subject, None)
            gone.add(subject)
        else:
            gone.discard(subject)
            rows[subject] = (moment, {"rule": rule["id"], "record": record_id, "run": run})
    set_timers(tx, TIMER, rows)
    cancel_timers(tx, TIMER, gone)


def begin_backfill(tx: Tx, rules: Ruleset, changed: Collection[str]) -> None:
    """These rules were made or changed: records that are there already get their timers, batch by batch."""
    for kind in rules.by_kind:
        for rule in rules.due_rules(kind):
            if rule["id"] in changed:
                set_timer(tx, BACKFILL, rule["id"], tx.now, {"after": ""})


def backfill(tx: Tx, runtime: Runtime, row: Record) -> None:
    """One batch of existing records. What fell due before the rule was switched on stays undone."""
    rule = active_rule(tx, row["subject_id"])
    if rule is None or rule["trigger"] != DUE:
        return
    zone, entity = ZoneInfo(runtime.profile.time_zone), tx.schema.entity(rule["entity"])
    table, spec = entity.table, entity.fields.get(rule["due_field"])
    if spec is None:
        return
    earliest = tx.now - timedelta(minutes=rule["due_minutes"], days=1)
    bound: Any = earliest.date() if spec.type == "date" else earliest
    if spec.custom:
        bound = bound.isoformat() if spec.type == "date" else bound.isoformat(timespec="microseconds")
    statement = sa.select(table).where(spec.column >= bound).order_by(table.c.id).limit(BATCH)
    if row["data"]["after"]:
        statement = statement.where(table.c.id > row["data"]["after"])
    if "deleted_at" in table.c:
        statement = statement.where(table.c.deleted_at.is_(None))
    found = [expanded(entity, one) for one in tx.rows(statement)]
    _set(tx, entity, [(rule, one, one["id"], "") for one in found], zone, tx.now)
    if len(found) == BATCH:
        set_timer(tx, BACKFILL, rule["id"], tx.now, {"after": found[-1]["id"]})


def fall_due(tx: Tx, runtime: Runtime, row: Record) -> None:
    """A rule's moment for a record has come, unless either changed since."""
    rule, record_id = active_rule(tx, row["data"]["rule"]), row["data"]["record"]
    if rule is None or rule["trigger"] != DUE:
        return
    zone, entity = ZoneInfo(runtime.profile.time_zone), tx.schema.entity(rule["entity"])
    record = _alive(tx, entity, [record_id]).get(record_id)
    moment = None if record is None else moment_of(rule, entity, record, zone)
    if moment is None:
        return
    if moment > tx.now:
        set_timer(tx, TIMER, row["subject_id"], moment, row["data"])
        return
    before = sa.select(rule_runs.c.id).where(
        rule_runs.c.rule_id == rule["id"], rule_runs.c.record_id == record_id, rule_runs.c.due_at == moment
    )
    if tx.row(before) is not None:
        return
    rules = Ruleset(tx, runtime.profile, [rule])
    cause = Cause(due_at=moment, chain=_chain(tx, row["data"]["run"]))
    try:
        matches = rules.matching(rule, [record_id])
    except SamvadError as error:
        refuse(tx, rules, rule, record_id, cause, error)
        return
    if matches:
        run_rule(tx, runtime, rules, rule, record_id, cause)


def _chain(tx: Tx, run_id: str) -> tuple[Mapping[str, str], ...]:
    if not run_id:
        return ()
    return tuple(tx.execute(sa.select(rule_runs.c.chain).where(rule_runs.c.id == run_id)).scalar() or ())
