"""What a draft would do: which records its condition selects now, and a trial on some of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bot.automation.dry_run import Tried, sound, try_rule
from bot.crm.rule import RULE
from bot.crm.rule_check import may_lend, selecting, watched
from bot.errors import InvalidInput
from bot.pipeline.business import Standing
from bot.records.permissions import visible
from bot.records.query import Order, page
from bot.records.tx import Tx
from bot.web.console.records.layout import LAYOUTS, address_of
from bot.web.console.records.names import names_of
from bot.web.console.records.reader import Names, Reader
from bot.web.console.rules.draft import Draft, as_given
from bot.web.console.rules.editor import Wrong, action_words, wrong_of
from bot.web.console.rules.said import Line, changes_of, named_in, told_of

_COUNTED, _SHOWN = 100, 5


@dataclass(frozen=True, slots=True)
class Match:
    """How many records the condition selects now (`more`: at least so many), and the newest of them."""

    count: int = 0
    more: bool = False
    lines: Sequence[tuple[str, str]] = ()
    wrong: Wrong | None = None


@dataclass(frozen=True, slots=True)
class Deed:
    """What one action would do, in words."""

    label: str
    lines: Sequence[Line]
    text: str


@dataclass(frozen=True, slots=True)
class Result:
    """The trial on one record."""

    title: str
    href: str
    matches: bool
    due: str
    error: str
    deeds: Sequence[Deed]


@dataclass(frozen=True, slots=True)
class Trial:
    """All results; or what is wrong with the draft."""

    results: Sequence[Result] = ()
    wrong: Wrong | None = None


def match(tx: Tx, reader: Reader, draft: Draft) -> Match:
    """Ask the condition as it is typed, as the user whom the rule runs as. No exact count of very many."""
    tx.require("update", RULE.name)
    rule = as_given(draft)
    try:
        may_lend(tx.actor, None, rule)
        entity, actor = watched(tx, rule)
        query = selecting(tx, entity, actor, draft.values["condition"])
    except InvalidInput as error:
        return Match(wrong=wrong_of(error, draft, reader))
    titled = [name for name in (entity.title, "number") if name in entity.fields]
    titled = [name for name in titled if visible(actor, entity, name) and visible(tx.actor, entity, name)]
    newest = replace(query, order=(Order("id", descending=True),), limit=_COUNTED, fields=("id", *titled))
    with tx.acting(actor):
        found = page(tx, entity, newest, reader.zone, reader.currency)
    lines = [
        (reader.title(entity, row), address_of(entity, row["id"]) if entity.name in LAYOUTS else "")
        for row in found.rows[:_SHOWN]
    ]
    return Match(len(found.rows), found.next_cursor is not None, lines)


def attempt(tx: Tx, reader: Reader, standing: Standing, draft: Draft, record_id: str) -> Trial:
    """Try the draft on a record, or on the newest: nothing is written."""
    rule = dict(as_given(draft))
    if draft.id:
        rule |= {"id": draft.id, "version": draft.version}
    try:
        whole = sound(tx, rule)
    except InvalidInput as error:
        return Trial(wrong=wrong_of(error, draft, reader))
    tried = try_rule(tx, standing, whole, record_id=record_id)
    kind = whole["entity"]
    names = names_of(tx, reader, set(_named(tx, kind, tried)))
    return Trial([_result(tx, reader, kind, one, names) for one in tried])


def _named(tx: Tx, kind: str, tried: Iterable[Tried]) -> Iterable[tuple[str, str]]:
    for one in tried:
        yield kind, one.record_id
        yield from named_in(tx, kind, one.actions)


def _result(tx: Tx, reader: Reader, kind: str, tried: Tried, names: Names) -> Result:
    entity = tx.schema.entity(kind)
    return Result(
        names.get((kind, tried.record_id), tried.record_id[-6:]),
        address_of(entity, tried.record_id) if kind in LAYOUTS else "",
        tried.matches,
        reader.moment(tried.due_at) if tried.due_at else "",
        tried.error,
        [deed_of(tx, reader, kind, one, names) for one in tried.actions],
    )


def deed_of(tx: Tx, reader: Reader, kind: str, action: Mapping[str, Any], names: Names) -> Deed:
    """One action's outcome, of a trial or as the log keeps it."""
    lines = [
        *changes_of(reader, tx.schema.entity(kind), action.get("changes") or {}, names),
        *told_of(reader, tx.schema.entity(kind), action, names),
    ]
    return Deed(action_words(reader, action["action"]), lines, action.get("text", ""))
