"""Flows are data: one YAML file each, checked as a whole before any of them runs.

`load_flows()` raises ConfigurationInvalid with every problem found: file, line, what to do.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from bot.dialogs.flows.check import Known, faults
from bot.dialogs.flows.conditions import Condition
from bot.dialogs.flows.model import Branch, Call, Collect, Confirm, Do, Flow, Flows, Goto, Set, Step, Tell
from bot.dialogs.flows.read import Reader
from bot.errors import ConfigurationInvalid

__all__ = [
    "Branch",
    "Call",
    "Collect",
    "Condition",
    "Confirm",
    "Do",
    "Flow",
    "Flows",
    "Goto",
    "Set",
    "Step",
    "Tell",
    "load_flows",
    "read_folder",
]


def load_flows(
    folder: Path | None = None,
    *,
    actions: Iterable[str] | None = None,
    knows: Callable[[str], bool] | None = None,
) -> Flows:
    """Read and check every `*.yaml` of `folder`, by default the shipped flows, by name.

    `actions` are the names a step may `do`; `knows(key)` says whether there are words for a key.
    """
    return read_folder(folder, actions=actions, knows=knows)[0]


def read_folder(
    folder: Path | None = None,
    *,
    actions: Iterable[str] | None = None,
    knows: Callable[[str], bool] | None = None,
    beside: Mapping[str, Flow] = MappingProxyType({}),
) -> tuple[Flows, dict[str, Reader]]:
    """As `load_flows`, and by each flow's name what it was read with: its file, the lines of its steps.
    `beside` are flows that are there already, for these to call."""
    folder = folder or Path(__file__).parent
    texts = {file.name: file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.yaml"))}
    problems: list[str] = []
    read: list[tuple[Reader, Flow]] = []
    for file, text in texts.items():
        reader = Reader(file, problems)
        flow = reader.read(text)
        if flow is not None:
            read.append((reader, flow))
    flows: dict[str, Flow] = {}
    for reader, flow in read:
        if flow.name in flows:
            reader.problem(1, f"there is already a flow named {flow.name}; choose another name")
        flows[flow.name] = flow
    known = Known({**beside, **flows}, None if actions is None else frozenset(actions), knows)
    for reader, flow in read:
        for step, fault in faults(flow, known):
            reader.problem(reader.lines.get(step, 1), fault)
    if not flows and not problems:
        problems.append(f"{folder} holds no flows; put *.yaml files there")
    if problems:
        raise ConfigurationInvalid("Please mend these flows:\n" + "\n".join(problems), problems=problems)
    return Flows(flows), {flow.name: reader for reader, flow in read}
