"""A business's own flows: drafted, checked, published, retired. Below them stand the flows that ship.

Each process serves `served(tx)`; a change posts the notice `flows` after its commit.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import sqlalchemy as sa

from bot.crm.flow_version import FLOW_VERSION
from bot.dialogs import flows as shipped_flows
from bot.dialogs.actions import ACTIONS
from bot.dialogs.flows import load_flows
from bot.dialogs.flows.check import Known, faults
from bot.dialogs.flows.model import Flow, Flows
from bot.dialogs.flows.read import Reader
from bot.dialogs.lint import lint, shared_keywords
from bot.errors import Conflict, InvalidInput
from bot.i18n import Words
from bot.logs import logger
from bot.records.lock import lock
from bot.records.tx import Record, Tx
from bot.records.write import create, get, update
from bot.yaml_text import trap_in

LONGEST = 100_000
"""Characters of a flow's YAML."""
_LOCK = "flows"
"""What is sound is so beside all others: one publishes at a time."""
OURS = frozenset({"stop", "start"})
"""Flows that no business changes: STOP and START are heard as the law and the carriers want it."""
_table = FLOW_VERSION.table
_log = logger("flows")


@lru_cache(maxsize=1)
def shipped() -> Flows:
    """The flows that come with the program."""
    return load_flows(actions=ACTIONS, knows=Words.load().has)


def shipped_source(name: str) -> str:
    """The YAML of a flow that ships; empty when none of this name does."""
    if name not in shipped():
        return ""
    return (Path(shipped_flows.__file__).parent / f"{name}.yaml").read_text(encoding="utf-8")


def source_in_force(tx: Tx, name: str) -> str:
    """The YAML that is served of a flow; empty when none is."""
    tx.require("read", FLOW_VERSION.name)
    published = [row["source"] for row in _versions(tx, name) if row["state"] == "published"]
    return str(published[0]) if published else shipped_source(name)


def drafted(tx: Tx, source: str) -> tuple[Flow, Flows]:
    """A flow as far as its YAML can be read, and all flows as they would be with it.

    Raises InvalidInput when not even its name can be read, Forbidden."""
    tx.require("read", FLOW_VERSION.name)
    flow = _read(source)[0]
    now = served(tx)
    earlier = {(one.name, one.version): one for one in now.values() if one.name != flow.name}
    return flow, Flows({**now, flow.name: flow}, earlier)


def save_draft(tx: Tx, source: str) -> str:
    """Keep a flow's YAML as its draft, whatever is still wrong with it; returns the record's id.

    Raises InvalidInput when not even its name can be read, Forbidden."""
    name = _read(source)[0].name
    rows = _versions(tx, name)
    draft = next((row for row in rows if row["state"] == "draft"), None)
    if draft is not None:
        update(tx, FLOW_VERSION, draft, {"source": source, "made_by": tx.actor.id})
        return str(draft["id"])
    known = shipped().get(name)
    number = max([row["number"] for row in rows] + [known.version if known is not None else 0]) + 1
    values = {"name": name, "number": number, "source": source, "made_by": tx.actor.id}
    return create(tx, FLOW_VERSION, values)


def check_source(tx: Tx, source: str) -> tuple[list[str], list[str]]:
    """(errors, warnings) of a flow's YAML beside the flows that are served, each with its line."""
    tx.require("read", FLOW_VERSION.name)
    return _checked(tx, source)


def publish(tx: Tx, version_id: str) -> None:
    """Serve a version from now on; the one before it finishes what it began.

    Raises InvalidInput with every error found, Conflict for a flow that cannot be changed, Forbidden."""
    tx.require("update", FLOW_VERSION.name)
    lock(tx, _LOCK)
    row = get(tx, FLOW_VERSION, version_id)
    errors, _ = _checked(tx, row["source"])
    if errors:
        told = "This flow cannot be published. Please mend:\n" + "\n".join(errors)
        raise InvalidInput(told, problems=errors, field="source")
    _retire(tx, row["name"])
    by = {"published_at": tx.now, "published_by": tx.actor.id}
    update(tx, FLOW_VERSION, row, {"state": "published", **by})


def retire(tx: Tx, name: str) -> None:
    """Serve the flow that ships again, or none of this name. Raises Conflict where others call it."""
    tx.require("update", FLOW_VERSION.name)
    lock(tx, _LOCK)
    before = _faults(_newest(_in_force(tx)[0]))
    _retire(tx, name)
    tx.flush()
    after = _newest(_in_force(tx)[0])
    broken = [fault for fault in _told(_faults(after)) if fault not in _told(before)]
    if name in after:
        broken += shared_keywords(after[name], after)
    if broken:
        raise Conflict(f"{name} must stay as it is: {broken[0]}", problems=broken)


def _retire(tx: Tx, name: str) -> None:
    for row in _versions(tx, name):
        if row["state"] == "published":
            update(tx, FLOW_VERSION, row, {"state": "retired"})


def served(tx: Tx) -> Flows:
    """The flows that are in force: published ones over those that ship, with the versions before them. One
    that the program does not fit any more is left out: its version before stands in, then the one that ships.
    """
    own, earlier = _in_force(tx)
    while unsound := {name: told for name, told in _faults(_newest(own)).items() if own.get(name)}:
        for name, told in unsound.items():
            left_out = own[name].pop()
            _log.error("published_flow_unsound", flow=name, number=left_out.version, problems=told)
    newest = _newest(own)
    known = _known(newest)
    return Flows(newest, {key: flow for key, flow in earlier.items() if not any(faults(flow, known))})


def _in_force(tx: Tx) -> tuple[dict[str, list[Flow]], dict[tuple[str, int], Flow]]:
    """The business's own versions by the name of each flow that is published, the one in force last; and
    every version that ever was."""
    own: dict[str, list[Flow]] = defaultdict(list)
    earlier = {(flow.name, flow.version): flow for flow in shipped().values()}
    rows = list(_rows(tx, sa.and_(_table.c.published_at.is_not(None), _table.c.deleted_at.is_(None))))
    published = {row["name"] for row in rows if row["state"] == "published"}
    for row in sorted(rows, key=lambda row: row["published_at"]):
        flow = _flow(row)
        if flow is None:
            continue
        earlier[flow.name, flow.version] = flow
        if flow.name in published:
            own[flow.name].append(flow)
    return own, earlier


def _newest(own: Mapping[str, list[Flow]]) -> dict[str, Flow]:
    return {**shipped(), **{name: versions[-1] for name, versions in own.items() if versions}}


def _flow(row: Record) -> Flow | None:
    """A stored version as a flow; None where this program cannot read it any more."""
    try:
        return replace(_read(row["source"])[0], version=row["number"])
    except InvalidInput as error:
        _log.error("stored_flow_unreadable", flow=row["name"], number=row["number"], error=error.message)
        return None


def _checked(tx: Tx, source: str) -> tuple[list[str], list[str]]:
    try:
        flow, lines, problems = _read(source)
    except InvalidInput as error:
        return list(error.data["problems"]), []
    if flow.name in OURS:
        return [f"1: {flow.name} cannot be changed: STOP and START must always be heard"], []
    together = {**served(tx), flow.name: flow}
    errors = list(problems)
    errors += [f"{lines.get(step, 1)}: {fault}" for step, fault in faults(flow, _known(together))]
    if errors:
        return errors, []
    errors += _told(_faults(together))
    found = lint(Flows(together), flow.name)
    errors += [f"{lines.get(one.step, 1)}: {one.text}" for one in found if one.error]
    return errors, [f"{lines.get(one.step, 1)}: {one.text}" for one in found if not one.error]


def _faults(flows: Mapping[str, Flow]) -> dict[str, list[str]]:
    """By the name of each flow that has any."""
    known = _known(flows)
    found = {flow.name: [fault for _, fault in faults(flow, known)] for flow in flows.values()}
    return {name: told for name, told in found.items() if told}


def _told(found: Mapping[str, list[str]]) -> list[str]:
    return [f"{name}: {fault}" for name, told in found.items() for fault in told]


def _known(flows: Mapping[str, Flow]) -> Known:
    return Known(flows, frozenset(ACTIONS), Words.load().has)


@lru_cache(maxsize=256)
def _read(source: str) -> tuple[Flow, dict[str, int], tuple[str, ...]]:
    """A YAML as a flow with its lines and problems. Raises InvalidInput when it has no name."""
    if len(source) > LONGEST:
        raise InvalidInput(
            f"A flow is at most {LONGEST:,} characters long", field="source", problems=["1: too long"]
        )
    if trap := trap_in(source):
        trapped = f"{trap[0]}: {trap[1]}"
        raise InvalidInput(f"This is no flow: {trapped}", field="source", problems=[trapped])
    problems: list[str] = []
    reader = Reader("", problems)
    flow = reader.read(source)
    told = tuple(problem.removeprefix(":") for problem in problems)
    if flow is None or not flow.name:
        raise InvalidInput("This is no flow: " + "; ".join(told), field="source", problems=list(told))
    return flow, reader.lines, told


def _versions(tx: Tx, name: str) -> list[Record]:
    return list(_rows(tx, sa.and_(_table.c.name == name, _table.c.deleted_at.is_(None))))


def _rows(tx: Tx, where: sa.ColumnElement[bool]) -> Iterator[Record]:
    yield from tx.rows(sa.select(_table).where(where).order_by(_table.c.name, _table.c.number))
