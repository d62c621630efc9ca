"""Trying a rule: what it would match and what each action would change, with nothing written."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from bot.automation.actions import Context, carry_out
from bot.automation.due import moment_of
from bot.automation.ruleset import Rule, Ruleset
from bot.crm.rule import RULE
from bot.crm.rule_check import DUE, checked, selecting
from bot.errors import InvalidInput, SamvadError
from bot.ids import new_id
from bot.pipeline.business import Standing
from bot.records.query import Order, one, page
from bot.records.tx import Record, Tx

MOST = 50


@dataclass(frozen=True, slots=True)
class Tried:
    """What the rule would do to one record. `error`: why it could not."""

    record_id: str
    matches: bool
    due_at: datetime | None = None
    actions: tuple[Mapping[str, Any], ...] = ()
    error: str = ""


class _Undo(Exception):
    """Ends a trial: what it wrote is rolled back."""


def sound(tx: Tx, rule: Mapping[str, Any]) -> Rule:
    """A rule, saved or not, as one that can be tried.

    Raises Forbidden, InvalidInput for one that could not be saved so."""
    tx.require("update", RULE.name)
    whole: dict[str, Any] = {"name": "", **RULE.defaults, "run_as_id": tx.actor.id, **rule}
    whole |= {"id": whole.get("id") or new_id(), "version": whole.get("version") or 1, "active": True}
    whole |= checked(tx, None, whole, changed=frozenset(whole))
    if whole["trigger"] == "deleted":
        raise InvalidInput(
            "A rule on `deleted` cannot be tried: no record is deleted for it",
            field="trigger",
            reason="untried",
        )
    return whole


def try_rule(
    tx: Tx,
    runtime: Standing,
    rule: Rule,
    *,
    record_id: str = "",
    where: str = "",
    limit: int = 10,
) -> list[Tried]:
    """Try a sound rule on one record or on the newest that `where` selects.

    Raises QueryInvalid, NotFound."""
    entity = tx.schema.entity(rule["entity"])
    if record_id:
        records = [one(tx, entity, record_id)]
    else:
        query = selecting(tx, entity, tx.actor, where)
        newest = replace(query, order=(Order("id", descending=True),), limit=min(limit, MOST))
        profile = runtime.profile
        records = page(tx, entity, newest, ZoneInfo(profile.time_zone), profile.currency).rows
    rules = Ruleset(tx, runtime.profile, [rule])
    matching = rules.matching(rule, [record["id"] for record in records])
    return [_try(tx, runtime, rules, rule, record, record["id"] in matching) for record in records]


def _try(tx: Tx, runtime: Standing, rules: Ruleset, rule: Rule, record: Record, matches: bool) -> Tried:
    entity, record_id = rules.entity(rule), record["id"]
    due_at = None
    if rule["trigger"] == DUE:
        due_at = moment_of(rule, entity, record, rules.zone)
    if not matches:
        return Tried(record_id, False, due_at)
    outcomes: tuple[Mapping[str, Any], ...] = ()
    try:
        with tx.acting(rules.actor(rule)), tx.savepoint():
            done = carry_out(Context(tx, runtime, rule, entity, record_id))
            outcomes = tuple(outcome.shown() for outcome in done)
            raise _Undo
    except _Undo:
        return Tried(record_id, True, due_at, outcomes)
    except SamvadError as error:
        return Tried(record_id, True, due_at, error=error.message)
