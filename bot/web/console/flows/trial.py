"""Talking to a draft: the engine decides by its flows, what it looks up is real, and nothing is written."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot import clock
from bot.app import App
from bot.crm.flow_version import FLOW_VERSION
from bot.dialogs.engine import decide
from bot.dialogs.flows.model import Flow, Flows
from bot.dialogs.publishing import check_source, drafted
from bot.dialogs.render import Rendered, render
from bot.dialogs.shown import show_value
from bot.dialogs.state import from_json
from bot.dialogs.turn import Business, Customer, Plan, Turn
from bot.dialogs.understanding import Understanding
from bot.errors import InvalidInput
from bot.i18n import Key
from bot.ids import new_id
from bot.messages import InboundMessage
from bot.pipeline.answers import answer_need
from bot.pipeline.load import LaneState
from bot.records.actor import Actor
from bot.records.tx import Tx

LONGEST_STATE = 50_000
_MADE = {"case_number": "C-…", "lead_number": "L-…", "calendar_url": "…"}
"""What a conversation in earnest would have written is only hinted at."""
_NOWHERE = LaneState({"contact_id": None, "id": "", "stopped_at": None}, (), None)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the bot says, what it knows by now, and the step it waits at (empty: the flow is over)."""

    said: str
    texts: Sequence[Rendered]
    slots: Sequence[tuple[str, str]]
    waits: str
    state: str
    lang: str
    writes: int


def _flows(tx: Tx, source: str) -> tuple[Flow, Flows]:
    tx.require("update", FLOW_VERSION.name)
    errors, _ = check_source(tx, source)
    if errors:
        raise InvalidInput("This flow has errors", field="source", problems=errors)
    return drafted(tx, source)


async def speak(app: App, actor: Actor, source: str, stored: str, text: str, button: str, lang: str) -> Reply:
    """One turn with a draft; without a text or a button it begins anew.

    Raises InvalidInput while the draft has errors, Forbidden."""
    flow, flows = await app.store.read(_flows, actor, source)
    begins = not text.strip() and not button
    pressed = f"flow:{flow.name}" if begins else button
    profile = app.profile
    message = InboundMessage(new_id(), "webchat", "", "trial", "", text=text, button=pressed or None)
    turn = Turn(
        now=clock.now(),
        channel="webchat",
        business=Business(
            profile.name, profile.country, profile.time_zone, profile.languages, profile.currency
        ),
        customer=Customer(lang=lang if lang in profile.languages else None),
        messages=(message,),
        state={} if begins else _state(stored),
        article_base_url=f"{app.settings.public_url}/help",
    )
    # The examples of a draft are not learned yet: whatever is served understands it.
    understood = await Understanding(flows, app.words, app.understanding.model).understand(turn)
    plan = await _decide(app, turn, understood, flows)
    return _reply(app, plan, flows, text)


async def _decide(app: App, turn: Turn, understood: Any, flows: Flows) -> Plan:
    deciding, answer = decide(turn, understood, flows), None
    while True:
        try:
            need = deciding.send(answer)
        except StopIteration as done:
            plan: Plan = done.value
            return plan
        answer = await answer_need(app.runtime, _NOWHERE, turn, need, {})


def _state(stored: str) -> Mapping[str, Any]:
    """The state that the page keeps; a fresh one where it is none."""
    try:
        found = json.loads(stored[:LONGEST_STATE])
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _reply(app: App, plan: Plan, flows: Flows, said: str) -> Reply:
    top = from_json(plan.state).top
    flow = flows.version(top.flow, top.version) if top is not None else None
    slots = []
    for name, value in (top.slots if top is not None else {}).items():
        step = flow.collect(name) if flow is not None else None
        shown = show_value(step.type if step is not None else "text", value, plan.lang)
        words = app.words.say(shown.key, plan.lang) if isinstance(shown, Key) else str(shown)
        slots.append((name, words))
    return Reply(
        said,
        render(plan, _MADE, app.words, "webchat"),
        slots,
        top.step if top is not None else "",
        json.dumps(plan.state),
        plan.lang,
        len(plan.writes),
    )
