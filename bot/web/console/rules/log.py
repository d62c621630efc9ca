"""A rule's log: its runs, newest first, in pages; and its versions, with what each changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot.automation.run import RETRY, TRIED_AGAIN
from bot.crm.rule import RULE_RUN, RULE_VERSION
from bot.records.entity import Entity
from bot.records.query import page, parse
from bot.records.show import shown
from bot.records.timer import timers
from bot.records.tx import Record, Tx
from bot.web.console.records.layout import LAYOUTS, address_of
from bot.web.console.records.names import names_of
from bot.web.console.records.reader import Names, Reader
from bot.web.console.rules.said import Line, differences, named_by, named_in
from bot.web.console.rules.trial import Deed, deed_of

PAGE = 20
_TONES = {"done": "", "failed": "warn", "gave_up": "bad", "stopped": "bad", "skipped": "plain"}


@dataclass(frozen=True, slots=True)
class Run:
    """One run. `again`: when it is tried next; `failed`: it may be tried by hand."""

    id: str
    when: datetime
    title: str
    href: str
    state: str
    tone: str
    tries: int
    version: int
    error: str
    again: str
    deeds: Sequence[Deed]
    failed: bool


@dataclass(frozen=True, slots=True)
class Version:
    """One version: what differs from the one before."""

    number: int
    when: datetime
    who: str
    lines: Sequence[Line]


def _newest(tx: Tx, entity: Entity, rule_id: str, order: str, after: str) -> tuple[list[Record], str]:
    query = parse(
        tx.schema,
        entity,
        tx.actor,
        where=f"rule_id = {rule_id}",
        order=order,
        limit=PAGE,
        cursor=after or None,
    )
    found = page(tx, entity, query)
    return found.rows, found.next_cursor or ""


def runs(tx: Tx, reader: Reader, rule_id: str, after: str) -> tuple[list[Run], str]:
    """A page of runs, and the cursor of the next: a statement for them, for the next tries, and for the
    names of each kind."""
    rows, following = _newest(tx, RULE_RUN, rule_id, "id desc", after)
    # What a rule did to fields that are hidden from this reader stays hidden.
    steps = {one["id"]: one.get("changes") or () for one in shown(tx, RULE_RUN, rows, ("changes",))}
    again = _again(tx, [row["id"] for row in rows if row["state"] == "failed"])
    wanted = {(row["entity"], row["record_id"]) for row in rows}
    for row in rows:
        wanted |= set(named_in(tx, row["entity"], steps[row["id"]]))
    names = names_of(tx, reader, wanted)
    return [_run(tx, reader, row, steps[row["id"]], names, again) for row in rows], following


def _again(tx: Tx, run_ids: list[str]) -> Mapping[str, datetime]:
    if not run_ids:
        return {}
    waiting = sa.select(timers.c.subject_id, timers.c.due_at).where(
        timers.c.kind == RETRY, timers.c.subject_id.in_(run_ids)
    )
    return {row["subject_id"]: row["due_at"] for row in tx.rows(waiting)}


def _run(
    tx: Tx,
    reader: Reader,
    row: Record,
    steps: Sequence[Mapping[str, Any]],
    names: Names,
    again: Mapping[str, datetime],
) -> Run:
    kind, record_id = row["entity"], row["record_id"]
    known = (kind, record_id) in names and kind in LAYOUTS
    return Run(
        row["id"],
        row["started_at"],
        names.get((kind, record_id)) or f"{reader.kind(kind)} {record_id[-6:]}",
        address_of(tx.schema.entity(kind), record_id) if known else "",
        reader.value(RULE_RUN, "state", row["state"]),
        _TONES[row["state"]],
        row.get("tries", 0),
        row.get("rule_version", 0),
        row.get("error") or "",
        reader.moment(again[row["id"]]) if row["id"] in again else "",
        [deed_of(tx, reader, kind, one, names) for one in steps],
        row["state"] in TRIED_AGAIN,
    )


def versions(tx: Tx, reader: Reader, rule_id: str, after: str) -> tuple[list[Version], str]:
    """A page of versions, and the cursor of the next. The oldest of a page is compared with one more."""
    rows, following = _newest(tx, RULE_VERSION, rule_id, "number desc", after)
    older = _before(tx, rows[-1]) if rows else None
    befores = [*rows[1:], *([older] if older is not None else [])]
    wanted = {("users", row["changed_by"]) for row in rows if row["changed_by"]}
    for row in (*rows, *befores):
        wanted |= set(named_by(row["definition"]))
    names = names_of(tx, reader, wanted)
    told = []
    for place, row in enumerate(rows):
        before = befores[place]["definition"] if place < len(befores) else None
        lines = differences(reader, tx, before, row["definition"], names) if before is not None else []
        who = names.get(("users", row["changed_by"] or "")) or reader.say("told.by.system")
        told.append(Version(row["number"], row["changed_at"], who, lines))
    return told, following


def _before(tx: Tx, row: Record) -> Record | None:
    table = RULE_VERSION.table
    older = sa.select(table).where(table.c.rule_id == row["rule_id"], table.c.number < row["number"])
    return tx.row(older.order_by(table.c.number.desc()).limit(1))
