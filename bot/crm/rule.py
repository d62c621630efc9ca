"""Rules: on an event or at a due time, when a condition holds, then actions. What a rule is and what makes it
sound stands here; `bot.automation` carries rules out.
"""

from typing import Any

import sqlalchemy as sa

from bot.crm import rule_check
from bot.ids import new_id
from bot.records.entity import EVERYTHING, Entity, describe, entity
from bot.records.tx import Record, Tx
from bot.storage import Id, Instant, Json, metadata

RUN_STATES = ("done", "failed", "gave_up", "stopped", "skipped")
"""failed: it is tried again; gave_up: no more; stopped: it would have gone round in a circle; skipped: when
it was tried again, its condition held no longer."""
DEFINING = (
    *("name", "entity", "trigger", "changed", "condition", "due_field", "due_minutes", "actions"),
    *("position", "active", "stop_after", "run_as_id"),
)
"""The fields that make a version."""


def _prepare(tx: Tx, before: Record | None, values: dict[str, Any]) -> None:
    """A sound rule, and the row of its new version."""
    if before is None:
        values["run_as_id"] = values.get("run_as_id") or tx.actor.id
    whole = {**(before or {}), **values}
    values.update(rule_check.checked(tx, before, whole, changed=frozenset(values)))
    whole |= values
    if before is not None and all(before.get(name) == whole.get(name) for name in DEFINING):
        return
    row = {
        "id": new_id(),
        "rule_id": values.setdefault("id", new_id()) if before is None else before["id"],
        "number": 1 if before is None else before["version"] + 1,
        "definition": {name: whole.get(name) for name in DEFINING},
        "changed_by": tx.actor.id,
        "changed_at": tx.now,
    }
    tx.insert_later(_versions, tuple(row), [row])


def _revive(tx: Tx, row: Record) -> None:
    """Who brings a rule back answers for it as who makes it."""
    rule_check.checked(tx, row, row, changed=frozenset({"deleted_at"}))


RULE: Entity = entity(
    "rules",
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("entity", sa.String(40), nullable=False),
    sa.Column("trigger", sa.String(40), nullable=False),
    sa.Column("changed", Json),
    sa.Column("condition", sa.Text, nullable=False),
    sa.Column("due_field", sa.String(60)),
    sa.Column("due_minutes", sa.Integer),
    sa.Column("actions", Json, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("stop_after", sa.Boolean, nullable=False),
    sa.Column("run_as_id", Id, sa.ForeignKey("users.id"), nullable=False),
    defaults={"condition": "", "position": 0, "active": True, "stop_after": False, "run_as_id": None},
    texts=("changed",),
    structures=("actions",),
    prepare=_prepare,
    revive=_revive,
    takes=EVERYTHING,
    scope="open",
    title="name",
)
"""`trigger` is an action of docs/events.md or `due`; `changed` names fields of which one must have changed;
`due_minutes` are counted from `due_field`, backwards where negative; rules of one event go by `position`;
after a rule with `stop_after` that ran, no later one does; `run_as_id` is whose permissions it has."""

_versions = sa.Table(
    "rule_versions",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("rule_id", Id, sa.ForeignKey("rules.id"), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("definition", Json, nullable=False),
    sa.Column("changed_by", Id, sa.ForeignKey("users.id")),
    sa.Column("changed_at", Instant, nullable=False),
    sa.UniqueConstraint("rule_id", "number"),
)
RULE_VERSION: Entity = describe("rule_versions", _versions, scope="open", computed=tuple(_versions.c.keys()))
"""What a rule was, who made it so and when; `number` is the rule's `version` from then on."""

rule_runs = sa.Table(
    "rule_runs",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("rule_id", Id, sa.ForeignKey("rules.id"), nullable=False),
    sa.Column("rule_version", sa.Integer, nullable=False),
    # What it answered: an event, or a moment that fell due. Either is answered once.
    sa.Column("event_id", Id),
    sa.Column("due_at", Instant),
    sa.Column("entity", sa.String(40), nullable=False),
    sa.Column("record_id", Id, nullable=False),
    sa.Column("run_as_id", Id, nullable=False),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("error", sa.String(500)),
    sa.Column("changes", Json),
    # The runs that led here, oldest first, this one last.
    sa.Column("chain", Json, nullable=False),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("finished_at", Instant),
    sa.UniqueConstraint("rule_id", "event_id"),
    sa.UniqueConstraint("rule_id", "record_id", "due_at"),
    sa.Index("ix_rule_runs_rule", "rule_id", "id"),
    sa.Index("ix_rule_runs_record", "record_id", "id"),
    sa.Index("ix_rule_runs_state", "rule_id", "state", "finished_at"),
)
RULE_RUN: Entity = describe(
    "rule_runs",
    rule_runs,
    enums={"state": RUN_STATES},
    computed=tuple(rule_runs.c.keys()),
    to={"run_as_id": "users"},
    internal=("chain",),
    scope="parent",
    parent=lambda actor, _writing: None if actor.sees_everything else rule_runs.c.run_as_id == actor.id,
)
"""The run log. Values of personal fields are not in `changes`, only their names."""

consumers = sa.Table(
    "consumers",
    metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("xid", sa.BigInteger, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
)
"""How far each consumer of the log has read. It moves in the transaction that does what they ask for."""
