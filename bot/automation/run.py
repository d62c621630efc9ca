"""One run of a rule: guarded against circles, carried out whole or not at all, logged, tried again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from traceback import extract_tb
from typing import Any

import sqlalchemy as sa

from bot import metrics
from bot.automation.actions import Context, Outcome, carry_out
from bot.automation.ruleset import Rule, Ruleset
from bot.crm.notification import notify_user
from bot.crm.rule import RULE, RULE_RUN, rule_runs
from bot.crm.rule_check import may_lend
from bot.crm.user import staff_to_tell
from bot.errors import Conflict, Forbidden, NotFound, SamvadError, VersionConflict
from bot.ids import new_id
from bot.logs import logger
from bot.pipeline.reminders import link_to
from bot.pipeline.runtime import Runtime
from bot.records.actor import SYSTEM
from bot.records.timer import set_timer
from bot.records.tx import Record, Tx
from bot.records.write import find, get, update

RETRY = "rule_retry"
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120))
"""Before the second, third, fourth and fifth try; after that the run is given up."""
SAME_RECORD, DEPTH = 3, 10
"""How often a rule may come again for a record in one chain of causes, and how long a chain may be."""
TRIED_AGAIN = ("failed", "gave_up")
"""What may be tried again by hand."""
STOPS, STOPS_WITHIN = 3, timedelta(hours=1)
"""So many circles in this time switch a rule off."""
TOLD_AGAIN = timedelta(hours=1)
_AT_ONCE = 3
_CAUSED = "rule:"
_log = logger("rules")


@dataclass(frozen=True, slots=True)
class Cause:
    """What a run answers: an event or a moment, and the runs that led to it."""

    event_id: str | None = None
    due_at: datetime | None = None
    chain: tuple[Mapping[str, str], ...] = ()


def cause_of(event: Record, chains: Mapping[str, list[dict[str, str]]]) -> Cause:
    """The cause an event is; `chains` holds those of the runs that wrote events."""
    return Cause(event["id"], None, tuple(chains.get(run_behind(event) or "", ())))


def run_behind(event: Record) -> str | None:
    """The run that wrote this event, itself or through what it set going."""
    correlation: str = event["correlation_id"]
    return correlation.removeprefix(_CAUSED) if correlation.startswith(_CAUSED) else None


def run_rule(
    tx: Tx, runtime: Runtime, rules: Ruleset, rule: Rule, record_id: str, cause: Cause
) -> frozenset[str]:
    """Run a rule whose condition holds; returns the fields of the record that it changed."""
    touched: set[str] = set()
    run = _row(tx, rule, record_id, cause)
    if _goes_round(rule, record_id, cause):
        run |= {"state": "stopped", "error": path_of(run["chain"])[:500], "changes": None}
    else:
        run |= _attempt(tx, runtime, rules, rule, record_id, run["id"], 1, touched)
    run["finished_at"] = None if run["state"] == "failed" else tx.now
    tx.execute(rule_runs.insert(), run)
    _after(tx, rules, rule, run)
    return frozenset(touched)


def refuse(tx: Tx, rules: Ruleset, rule: Rule, record_id: str, cause: Cause, error: SamvadError) -> None:
    """Log that a rule could not even be looked at: its user or its condition is no more."""
    run = _row(tx, rule, record_id, cause)
    run |= {"state": "gave_up", "error": error.message[:500], "changes": None, "finished_at": tx.now}
    tx.execute(rule_runs.insert(), run)
    _after(tx, rules, rule, run)


def _row(tx: Tx, rule: Rule, record_id: str, cause: Cause) -> dict[str, Any]:
    run_id = new_id()
    step = {"rule": rule["id"], "name": rule["name"], "record": record_id, "run": run_id}
    return {
        "id": run_id,
        "rule_id": rule["id"],
        "rule_version": rule["version"],
        "event_id": cause.event_id,
        "due_at": cause.due_at,
        "entity": rule["entity"],
        "record_id": record_id,
        "run_as_id": rule["run_as_id"],
        "tries": 1,
        "chain": [*cause.chain, step],
        "started_at": tx.now,
    }


def try_again(tx: Tx, runtime: Runtime, rules: Ruleset, run: Record, rule: Rule | None) -> str:
    """Try a failed run again, with the rule as it is now (None: it is off); returns the state it ended in."""
    values: dict[str, Any] = {"state": "skipped", "error": None, "tries": run["tries"] + 1}
    if rule is not None:
        values |= {"rule_version": rule["version"], "run_as_id": rule["run_as_id"]}
        try:
            if run["record_id"] in rules.matching(rule, [run["record_id"]]):
                values |= _attempt(
                    tx, runtime, rules, rule, run["record_id"], run["id"], values["tries"], set()
                )
        except SamvadError as error:
            values |= {"state": "gave_up", "error": error.message[:500]}
    values["finished_at"] = None if values["state"] == "failed" else tx.now
    tx.execute(rule_runs.update().where(rule_runs.c.id == run["id"]).values(**values))
    if rule is not None:
        _after(tx, rules, rule, {**run, **values})
    return str(values["state"])


def retry_now(tx: Tx, rule_id: str, run_id: str) -> None:
    """Let a run of this rule that failed or was given up be tried again at once: what it lacked is there now.
    Who lets it run may change the rule.

    Raises Forbidden, NotFound, Conflict."""
    tx.require("update", RULE.name)
    rule = get(tx, RULE, rule_id)
    may_lend(tx.actor, None, rule)
    run = get(tx, RULE_RUN, run_id)
    if run["rule_id"] != rule["id"]:
        raise NotFound("This rule has no such run")
    # First the timer, then the run, as who tries it again does: neither waits for the other for ever.
    set_timer(tx, RETRY, run_id, tx.now)
    still = rule_runs.update().where(rule_runs.c.id == run_id, rule_runs.c.state.in_(TRIED_AGAIN))
    if tx.execute(still.values(state="failed", finished_at=None)).rowcount != 1:
        raise Conflict(f"A run that ended as {run['state']} is not tried again")


def _goes_round(rule: Rule, record_id: str, cause: Cause) -> bool:
    again = sum(step["rule"] == rule["id"] and step["record"] == record_id for step in cause.chain)
    return again >= SAME_RECORD or len(cause.chain) >= DEPTH


def path_of(chain: list[Mapping[str, str]]) -> str:
    """The rules of a chain by name: `Rule A → Rule B → Rule A`."""
    return " → ".join(step["name"] for step in chain)


def _attempt(
    tx: Tx,
    runtime: Runtime,
    rules: Ruleset,
    rule: Rule,
    record_id: str,
    run_id: str,
    tries: int,
    touched: set[str],
) -> dict[str, Any]:
    """Carry the actions out, adding to `touched` the fields that changed; what went wrong as state and words,
    with nothing of it done."""
    try:
        outcomes = _done(tx, runtime, rules, rule, record_id, run_id, touched)
    except (sa.exc.OperationalError, sa.exc.InterfaceError):
        raise  # the database itself: the whole batch is done again
    except Forbidden as error:
        return {"state": "gave_up", "error": error.message[:500]}
    except SamvadError as error:
        words = error.message
    except Exception as error:
        # Neither log shows what the database refused: it may be somebody's name.
        at = extract_tb(error.__traceback__)[-1]
        place = f"{at.filename}:{at.lineno}"
        _log.error("rule_failed", rule=rule["id"], run=run_id, error=type(error).__name__, at=place)
        words = f"{type(error).__name__}: a fault of the program; the worker's log says where"
    else:
        changes = [outcome.logged() for outcome in outcomes]
        return {"state": "done", "error": None, "changes": changes}
    return {"state": "gave_up" if tries > len(PAUSES) else "failed", "error": words[:500]}


def _done(
    tx: Tx, runtime: Runtime, rules: Ruleset, rule: Rule, record_id: str, run_id: str, touched: set[str]
) -> list[Outcome]:
    actor, entity = rules.actor(rule), rules.entity(rule)
    caused = {"correlation_id": f"{_CAUSED}{run_id}", "reason": f"rule: {rule['name']}"}
    for attempt in range(_AT_ONCE):
        try:
            with tx.acting(actor, **caused), tx.savepoint():
                context = Context(tx, runtime, rule, entity, record_id, run_id)
                outcomes = carry_out(context)
            touched |= context.touched
            return outcomes
        except VersionConflict:  # somebody changed the record this very moment: look again
            if attempt + 1 == _AT_ONCE:
                raise
    raise AssertionError("unreachable")


def _after(tx: Tx, rules: Ruleset, rule: Rule, run: Mapping[str, Any]) -> None:
    """What a run's end asks for: another try, somebody to be told, a rule switched off."""
    state = run["state"]
    metrics.RULE_RUNS.labels(state).inc()
    if state == "failed":
        set_timer(tx, RETRY, run["id"], tx.now + PAUSES[run["tries"] - 1])
    elif state == "gave_up":
        if _count(tx, rule, "gave_up", TOLD_AGAIN) == 1:
            _tell(tx, rule, "notify.rule_failed", run["error"])
    elif state == "stopped":
        _log.warning("rule_stopped", rule=rule["id"], chain=run["error"])
        if _count(tx, rule, "stopped", STOPS_WITHIN) < STOPS:
            _tell(tx, rule, "notify.rule_stopped", run["error"])
        elif rules.has(rule):
            _switch_off(tx, rules, rule, run["error"])


def _count(tx: Tx, rule: Rule, state: str, within: timedelta) -> int:
    """How many runs of the rule ended so in this time."""
    recent = (
        sa.select(sa.func.count())
        .select_from(rule_runs)
        .where(
            rule_runs.c.rule_id == rule["id"],
            rule_runs.c.state == state,
            rule_runs.c.finished_at > tx.now - within,
        )
    )
    return int(tx.execute(recent).scalar_one())


def _switch_off(tx: Tx, rules: Ruleset, rule: Rule, chain: str) -> None:
    row = find(tx, RULE, rule["id"])
    if row is not None:
        update(tx, RULE, row, {"active": False}, action="switched_off", reason=chain[:200])
    rules.drop(rule)
    _tell(tx, rule, "notify.rule_switched_off", chain)


def _tell(tx: Tx, rule: Rule, key: str, error: str) -> None:
    """Tell admins and whoever the rule runs as."""
    with tx.acting(SYSTEM):
        admins = {user["id"] for user in staff_to_tell(tx, ("admin",))}
        for user_id in sorted(admins | {rule["run_as_id"]}):
            link = link_to(RULE.name, rule["id"]) if user_id in admins else "/console"
            notify_user(tx, user_id, key, {"rule": rule["name"], "error": error}, link)
