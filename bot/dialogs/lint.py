"""What makes a flow that can be read a poor one: steps nobody reaches, ends that never come, circles without
a question, slots read before they can be known, questions that neither "cancel" nor a person gets one out of,
keywords of another flow.

`lint(flows)` looks at flows that passed `bot.dialogs.flows.check`; an error keeps one from being published.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bot.dialogs.flows.model import (
    END,
    Branch,
    Call,
    Collect,
    Confirm,
    Do,
    Flow,
    Flows,
    Goto,
    Set,
    Step,
    targets,
)
from bot.dialogs.understanding.exact import bare
from bot.dialogs.walk import stuck

ANYTHING = "*"
"""What an action may fill."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`step` is empty for the flow as a whole."""

    flow: str
    step: str
    error: bool
    text: str


def lint(flows: Flows, only: str = "") -> list[Finding]:
    """The findings of all flows, or of one among them."""
    chosen = [flows[only]] if only else list(flows.values())
    found = [finding for flow in chosen for finding in _lint(flow, flows)]
    for flow in chosen:
        found += [Finding(flow.name, step, True, text) for step, text in stuck(flow, flows)]
    return found


def shared_keywords(flow: Flow, flows: Mapping[str, Flow]) -> Iterator[str]:
    """What is said of each keyword that is another flow's too: a message that is nothing else starts one."""
    owners = {
        word: other.name for other in flows.values() if other.name != flow.name for word in _bare(other)
    }
    for word in sorted(_bare(flow) & owners.keys()):
        yield f'the keyword "{word}" belongs to the flow {owners[word]}; take it out of one of them'


def _bare(flow: Flow) -> set[str]:
    return {bare(word) for words in flow.keywords.values() for word in words}


def _lint(flow: Flow, flows: Flows) -> Iterator[Finding]:
    yield from (Finding(flow.name, "", True, text) for text in shared_keywords(flow, flows))
    if not flow.steps:
        return
    graph = following(flow)
    reached = _reached(graph, flow.steps[0].id)
    for step in flow.steps:
        if step.id not in reached:
            yield Finding(flow.name, step.id, False, "no step leads here; remove it or go to it")
    for id in flow.positions:
        if id in reached and END not in _reached(graph, id):
            yield Finding(flow.name, id, True, f"from here the flow never ends; lead it to `{END}`")
    for id in _circles(flow, graph):
        yield Finding(flow.name, id, True, "this goes round without a question; ask something in between")
    called = {step.flow for one in flows.values() for step in one.steps if isinstance(step, Call)}
    if flow.calls_only and flow.name not in called:
        yield Finding(flow.name, "", False, "no flow calls it, and customers cannot start it")
    yield from _unknown(flow, graph)
    for step in flow.collects():
        for value in {*step.words, *step.hints, *step.examples} - {*step.choices}:
            yield Finding(flow.name, step.id, False, f"there are words for {value}, which is no choice")


def following(flow: Flow) -> dict[str, tuple[str, ...]]:
    """Step id -> the steps it may lead to."""
    graph: dict[str, tuple[str, ...]] = {}
    for index, step in enumerate(flow.steps):
        after = flow.steps[index + 1].id if index + 1 < len(flow.steps) else END
        named = tuple(targets(step))
        goes_on = not isinstance(step, Goto) and not (isinstance(step, Branch) and step.otherwise)
        graph[step.id] = tuple(dict.fromkeys((*named, *((after,) if goes_on else ()))))
    return graph


def _reached(graph: Mapping[str, tuple[str, ...]], start: str) -> set[str]:
    seen, open = set(), [start]
    while open:
        id = open.pop()
        if id not in seen:
            seen.add(id)
            open += graph.get(id, ())
    return seen


def _circles(flow: Flow, graph: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """The first step of each circle that neither asks nor calls."""
    silent = {step.id for step in flow.steps if not isinstance(step, Collect | Confirm | Call)}
    quiet = {id: tuple(to for to in graph[id] if to in silent) for id in graph if id in silent}
    told: set[str] = set()
    for id in quiet:
        around = {to for after in quiet[id] for to in _reached(quiet, after)}
        if id in around and not told & around:
            told |= around
            yield id


def _unknown(flow: Flow, graph: Mapping[str, tuple[str, ...]]) -> Iterator[Finding]:
    """Slots that are read where nothing can have filled them yet."""
    given = {its for step in flow.steps for its in _fills(step)}
    known = _known(flow, graph)
    for step in flow.steps:
        before = known.get(step.id)
        if before is None or ANYTHING in before:
            continue
        for slot in _reads(step):
            if slot in before or (slot in given and isinstance(step, Branch)):
                # A branch may ask whether something was said early.
                continue
            yield Finding(
                flow.name, step.id, True, f"nothing has filled {slot} here yet; collect or set it before"
            )


def _known(flow: Flow, graph: Mapping[str, tuple[str, ...]]) -> dict[str, set[str]]:
    """Step id -> the slots that may be filled when it is reached."""
    steps = {step.id: step for step in flow.steps}
    # A called flow is given slots by its callers; which, they say.
    start = {ANYTHING} if flow.calls_only else set[str]()
    known: dict[str, set[str]] = {flow.steps[0].id: start}
    open = [flow.steps[0].id]
    while open:
        id = open.pop()
        after = known[id] | set(_fills(steps[id]))
        for to in graph[id]:
            if to in steps and (to not in known or not after <= known[to]):
                known[to] = known.get(to, set()) | after
                open.append(to)
    return known


def _fills(step: Step) -> tuple[str, ...]:
    if isinstance(step, Collect):
        return (step.slot,)
    if isinstance(step, Set):
        return tuple(slot for slot, value in step.slots.items() if value is not None)
    if isinstance(step, Call):
        return tuple(step.gives)
    return (ANYTHING,) if isinstance(step, Do) else ()


def _reads(step: Step) -> tuple[str, ...]:
    if isinstance(step, Branch):
        return tuple(dict.fromkeys(case.when.slot for case in step.cases))
    if isinstance(step, Call):
        return tuple(step.takes.values())
    if isinstance(step, Collect):
        return tuple(slot for slot in (step.choices_from, step.after, step.before) if slot not in ("", "now"))
    return ()
