"""What is wrong with flows that can only be seen once all of them are read: steps, actions, slots, words and
flows that are not there."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from bot.dialogs.flows.model import END, Call, Collect, Confirm, Do, Flow, Step, Tell, targets


@dataclass(frozen=True, slots=True)
class Known:
    """What flows may name. None: not looked at."""

    flows: Mapping[str, Flow]
    actions: frozenset[str] | None = None
    words: Callable[[str], bool] | None = None


def faults(flow: Flow, known: Known) -> Iterator[tuple[str, str]]:
    """(step id, what is wrong and what to do); an empty id is the flow as a whole."""
    if flow.takes_trigger and flow.collect(flow.takes_trigger) is None:
        yield "", f"takes_trigger {flow.takes_trigger} is no slot this flow collects"
    if flow.calls_only and (flow.examples or flow.keywords):
        yield "", "a flow that is only called has no examples and no keywords; remove them or `calls_only`"
    for field, action in (("on_change", flow.on_change), ("on_cancel", flow.on_cancel)):
        if known.actions is not None and action and action not in known.actions:
            yield "", f"{field}: there is no action {action}"
    for step in flow.steps:
        for fault in _step(step, flow, known):
            yield step.id, fault
    if known.words is not None:
        for id, key in keys(flow):
            if not known.words(key):
                yield id, f"there are no words for {key}; add it to locales/en"


def _step(step: Step, flow: Flow, known: Known) -> Iterator[str]:
    for target in targets(step):
        if target != END and target not in flow.positions:
            yield f"there is no step {target}; the end is `{END}`"
    if isinstance(step, Do) and known.actions is not None and step.action not in known.actions:
        yield f"there is no action {step.action}"
    if isinstance(step, Collect):
        for limit in (step.after, step.before):
            if limit and limit != "now" and flow.collect(limit) is None:
                yield f"after and before name `now` or a slot this flow collects, not {limit}"
    if isinstance(step, Call):
        yield from _call(step, flow, known)


def _call(step: Call, flow: Flow, known: Known) -> Iterator[str]:
    called = known.flows.get(step.flow)
    if called is None:
        yield f"there is no flow {step.flow} to call"
    elif _reaches(called, flow.name, known.flows):
        yield f"{step.flow} calls {flow.name} again, without end; break the circle"


def _reaches(flow: Flow, name: str, flows: Mapping[str, Flow]) -> bool:
    """Whether a flow is, or calls, another one, however deep."""
    seen, open = set(), [flow]
    while open:
        one = open.pop()
        if one.name == name:
            return True
        if one.name not in seen:
            seen.add(one.name)
            open += [flows[step.flow] for step in one.steps if isinstance(step, Call) and step.flow in flows]
    return False


def keys(flow: Flow) -> Iterator[tuple[str, str]]:
    """(step id, key) of every text a flow may say."""
    if flow.title:
        yield "", flow.title
    for step in flow.steps:
        if isinstance(step, Tell):
            yield step.id, step.key
        if isinstance(step, Confirm):
            yield step.id, step.ask
        if isinstance(step, Collect):
            yield step.id, step.ask
            yield step.id, step.invalid
            if step.label:
                yield step.id, step.label
            yield from ((step.id, key) for key in step.repairs.values())
        if isinstance(step, Tell | Collect):
            yield from ((step.id, key) for key in step.choices.values())
