"""Replaying recorded conversations: where a flow no longer does what was recorded.

found = await replay(recording, flows, understanding, words)     # the first difference, None: as recorded
"""

from collections.abc import Set
from dataclasses import dataclass, replace
from typing import Any

from bot.dialogs.flows.model import Flows
from bot.dialogs.plain import of, same
from bot.dialogs.recordings import WRITES, Exchange, Recording
from bot.dialogs.rehearsal import RESULTS, Rehearsal
from bot.dialogs.state import DialogState, from_json
from bot.dialogs.turn import Plan, Say
from bot.dialogs.understanding import Understanding
from bot.i18n import Words


@dataclass(frozen=True, slots=True)
class Replayed:
    """How a recording went. `line` and `difference` of the first difference, 0 and "" where there is none;
    `flows` that took part."""

    flows: Set[str]
    line: int = 0
    difference: str = ""


async def replay(recording: Recording, flows: Flows, understanding: Understanding, words: Words) -> Replayed:
    """Play a recording to its end, or to the first difference."""
    customer = Rehearsal(flows, channel=recording.channel, now=recording.now, **recording.knows)
    seen: set[str] = set()
    for exchange in recording.turns:
        customer = replace(customer, now=customer.now + exchange.after, **exchange.knows)
        before = from_json(customer.state)
        if exchange.button and exchange.button not in [choice.id for choice in before.offered]:
            offered = ", ".join(choice.id for choice in before.offered) or "no buttons"
            return Replayed(seen, exchange.line, f"{exchange.button} was not offered, but {offered}")
        turn = customer.turn(exchange.user, button=exchange.button or None)
        plan = customer.play(turn, await understanding.understand(turn))
        after = from_json(plan.state)
        seen |= {plan.flow, *(frame.flow for frame in (*before.frames, *after.frames))}
        difference = (
            _spoke(exchange, plan, recording, words)
            or _stands(exchange, after, flows)
            or _wrote(exchange, plan)
        )
        if difference:
            return Replayed(seen, exchange.line, difference)
    return Replayed(seen)


def _spoke(exchange: Exchange, plan: Plan, recording: Recording, words: Words) -> str:
    """How its texts differ."""
    texts = [_text(say, plan, words, recording.channel) for say in plan.says]
    for index, wanted in enumerate(exchange.bot or ()):
        if index >= len(texts):
            return f"the bot does not say {wanted}"
        if plan.says[index].key != wanted and (words.has(wanted) or wanted not in texts[index]):
            return f"the bot says {_named(plan.says[index], texts[index])}, not {wanted}"
    if exchange.bot is not None and len(texts) > len(exchange.bot):
        more = len(exchange.bot)
        return f"the bot says {_named(plan.says[more], texts[more])} besides"
    lang = exchange.lang or recording.lang
    return f"the bot speaks {plan.lang}, not {lang}" if lang and texts and plan.lang != lang else ""


def _text(say: Say, plan: Plan, words: Words, channel: str) -> str:
    return words.say(say.key, plan.lang, channel, **{**say.values, **RESULTS}) if say.key else say.text


def _named(say: Say, text: str) -> str:
    return f'{say.key} ("{text}")' if say.key else f'"{text}"'


def _stands(exchange: Exchange, state: DialogState, flows: Flows) -> str:
    """How the running flow differs."""
    wanted, top = exchange.state, state.top
    flow = top.flow if top is not None else None
    if "flow" in wanted and flow != wanted["flow"]:
        return f"{flow or 'no flow'} runs, not {wanted['flow'] or 'none'}"
    step = state.awaited(flows)
    asked = step.slot if step is not None else "confirm" if state.confirming(flows) is not None else None
    if "asks" in wanted and asked != wanted["asks"]:
        return f"{asked or 'nothing'} is asked for, not {wanted['asks'] or 'nothing'}"
    slots: dict[str, Any] = top.slots if top is not None else {}
    for slot, value in wanted.get("slots", {}).items():
        if not same(value, slots.get(slot)):
            return f"{slot} is {slots.get(slot)!r}, not {value!r}"
    return ""


def _wrote(exchange: Exchange, plan: Plan) -> str:
    """How its writes differ."""
    if exchange.writes == () and plan.writes:
        return f"{_name(plan.writes[0])} is written, where nothing was"
    for name, wanted in exchange.writes or ():
        written = [write for write in plan.writes if isinstance(write, WRITES[name])]
        if not written:
            return f"{name} is not written; written is {', '.join(map(_name, plan.writes)) or 'nothing'}"
        if not any(same(wanted, write) for write in written):
            field = next(field for field, value in wanted.items() if not same(value, of(written[0], field)))
            return f"{name} has {field} {of(written[0], field)!r}, not {wanted[field]!r}"
    return ""


def _name(write: Any) -> str:
    return next(name for name, kind in WRITES.items() if isinstance(write, kind))
