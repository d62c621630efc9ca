"""What the pages of flows show: the flows that there are, their versions, what is said of their examples."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from markupsafe import Markup

from bot.crm.flow_version import FLOW_VERSION
from bot.dialogs.drawing import draw
from bot.dialogs.flows.model import Flow, Flows
from bot.dialogs.lint import lint
from bot.dialogs.publishing import OURS, check_source, drafted, served, shipped, source_in_force
from bot.dialogs.understanding.model import Model
from bot.dialogs.understanding.review import Weak, review
from bot.difference import Line, difference
from bot.errors import InvalidInput, NotFound
from bot.i18n import Words
from bot.records.tx import Record, Tx
from bot.web.console.records.names import names_of
from bot.web.console.records.reader import Reader

_VERSIONS, _WEAK = 50, 6
_table = FLOW_VERSION.table


@dataclass(frozen=True, slots=True)
class Card:
    """A flow in the list. `number`: the version that is served, 0 for none; `own`: it is the business's."""

    name: str
    title: str
    description: str
    number: int
    own: bool
    draft: bool
    fixed: bool
    examples: int
    warnings: int
    changed: datetime | None


@dataclass(frozen=True, slots=True)
class Version:
    """A version that the business made."""

    id: str
    number: int
    state: str
    who: str
    when: datetime


@dataclass(frozen=True, slots=True)
class Fault:
    """What the check says: at which line (0: none), and whether it keeps the flow from being published."""

    line: int
    text: str
    error: bool


@dataclass(frozen=True, slots=True)
class Sheet:
    """A YAML with all that is said of it. `faults` is None for what was not looked at."""

    source: str
    name: str
    faults: Sequence[Fault]
    picture: Markup | None


@dataclass(frozen=True, slots=True)
class Leaf:
    """The page of a flow. `flow` is None while there is only a draft that cannot be read."""

    card: Card
    flow: Flow | None
    picture: Markup | None
    warnings: Sequence[str]
    versions: Sequence[Version]
    can_go_back: bool


@dataclass(frozen=True, slots=True)
class Change:
    """A version beside what is served: its lines as `difference` tells them, and what the check says."""

    version: Version
    sheet: Sheet
    lines: Sequence[Line]


def title_of(flow: Flow, words: Words, lang: str) -> str:
    """What a flow is called."""
    return words.say(flow.title, lang) if words.has(flow.title) else flow.name.replace("_", " ")


def cards(tx: Tx, words: Words, lang: str) -> list[Card]:
    """Every flow that is served or drafted."""
    tx.require("read", FLOW_VERSION.name)
    flows = served(tx)
    rows: dict[str, list[Record]] = {}
    for row in tx.rows(_known().order_by(_table.c.number)):
        rows.setdefault(row["name"], []).append(row)
    warned = [finding.flow for finding in lint(flows)]
    made = [_card(flow.name, flows, rows.get(flow.name, []), words, lang, warned) for flow in flows.values()]
    made += [_card(name, flows, rows[name], words, lang, warned) for name in rows if name not in flows]
    return sorted(made, key=lambda card: (not card.own, not card.draft, card.title.casefold()))


def _known() -> sa.Select[tuple[object, ...]]:
    columns = [column for column in _table.c if column.name != "source"]
    return sa.select(*columns).where(_table.c.deleted_at.is_(None))


def _card(
    name: str, flows: Flows, rows: Sequence[Record], words: Words, lang: str, warned: Sequence[str]
) -> Card:
    flow = flows.get(name)
    return Card(
        name,
        title_of(flow, words, lang) if flow is not None else name.replace("_", " "),
        flow.description if flow is not None else "",
        flow.version if flow is not None else 0,
        any(row["state"] == "published" for row in rows),
        any(row["state"] == "draft" for row in rows),
        name in OURS,
        sum(map(len, flow.examples.values())) if flow is not None else 0,
        warned.count(name),
        max((row["updated_at"] for row in rows), default=None),
    )


def leaf(tx: Tx, reader: Reader, name: str, lang: str) -> Leaf:
    """All that the page of a flow shows; `lang` is the picture's. Raises NotFound."""
    tx.require("read", FLOW_VERSION.name)
    flows = served(tx)
    rows = tx.rows(_known().where(_table.c.name == name).order_by(_table.c.number.desc()).limit(_VERSIONS))
    if name not in flows and not rows:
        raise NotFound("There is no such flow")
    flow = flows.get(name)
    findings = lint(flows, name) if flow is not None else []
    card = _card(name, flows, rows, reader.words, reader.lang, [finding.flow for finding in findings])
    warnings = [f"{finding.step}: {finding.text}" if finding.step else finding.text for finding in findings]
    picture = _picture(flow, flows, reader.words, lang) if flow is not None else None
    return Leaf(card, flow, picture, warnings, _versions(tx, reader, rows), card.own and name in shipped())


def _versions(tx: Tx, reader: Reader, rows: Sequence[Record]) -> list[Version]:
    people = {row["published_by"] or row["made_by"] for row in rows}
    names = names_of(tx, reader, {("users", one) for one in people if one})
    system = reader.say("told.by.system")
    return [
        Version(
            row["id"],
            row["number"],
            row["state"],
            names.get(("users", row["published_by"] or row["made_by"] or ""), system),
            row["published_at"] or row["updated_at"],
        )
        for row in rows
    ]


def _picture(flow: Flow, flows: Flows, words: Words, lang: str) -> Markup | None:
    try:
        # The template escapes what it is given.
        return Markup(draw(flow, flows, words, lang, alone=False))  # noqa: S704
    except InvalidInput:
        return None


def sheet(tx: Tx, words: Words, lang: str, source: str) -> Sheet:
    """What the check says of a YAML, and its picture as far as it can be drawn. Nothing is written."""
    errors, warnings = check_source(tx, source)
    faults = [*_faults(errors, True), *_faults(warnings, False)]
    try:
        flow, flows = drafted(tx, source)
    except InvalidInput:
        return Sheet(source, "", faults, None)
    return Sheet(source, flow.name, faults, _picture(flow, flows, words, lang) if flow.steps else None)


def _faults(told: Sequence[str], error: bool) -> Iterator[Fault]:
    for one in told:
        line, colon, text = one.partition(": ")
        numbered = bool(colon) and line.isascii() and line.isdigit()
        yield Fault(int(line), text, error) if numbered else Fault(0, one, error)


def source_to_edit(tx: Tx, name: str, version_id: str) -> str:
    """The YAML that the editor begins with: of a version, else the draft, else what is served.

    Raises NotFound."""
    tx.require("read", FLOW_VERSION.name)
    found = sa.select(_table.c.source).where(_table.c.name == name, _table.c.deleted_at.is_(None))
    wanted = _table.c.id == version_id if version_id else _table.c.state == "draft"
    row = tx.row(found.where(wanted))
    source = row["source"] if row is not None else "" if version_id else source_in_force(tx, name)
    if not source:
        raise NotFound("There is no such flow")
    return str(source)


def change(tx: Tx, reader: Reader, name: str, version_id: str) -> Change:
    """A version beside what is served now. Raises NotFound."""
    tx.require("read", FLOW_VERSION.name)
    chosen = sa.select(_table).where(_table.c.id == version_id, _table.c.name == name)
    row = tx.row(chosen.where(_table.c.deleted_at.is_(None)))
    if row is None:
        raise NotFound("There is no such version")
    now = source_in_force(tx, name)
    [version] = _versions(tx, reader, [row])
    told = difference(now, row["source"])
    return Change(version, sheet(tx, reader.words, reader.lang, row["source"]), told)


@dataclass(frozen=True, slots=True)
class Heard:
    """How well a flow's examples are told from those of others: (flow, how many), and the weakest."""

    confused: Sequence[tuple[str, int]]
    weak: Sequence[Weak]
    few: int | None


def heard(model: Model, name: str) -> Heard:
    """What the trained model says of a flow's examples."""
    found = review(model)
    return Heard(
        [(taken_for, count) for label, taken_for, count in found.confused if label == name],
        [one for one in found.weak if one.label == name][:_WEAK],
        next((count for label, count in found.few if label == name), None),
    )
