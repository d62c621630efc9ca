"""Playing one conversation to its end over the real pipe."""

import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from bot.conversations.conversation import CONVERSATION
from bot.conversations.lane import lanes
from bot.dialogs.state import from_json
from bot.evaluate.simulation.customer import Customer, Said, Scene
from bot.evaluate.simulation.lines import Line
from bot.evaluate.simulation.records import Records, read_records, said_to
from bot.evaluate.simulation.script import Conversation, Kind
from bot.evaluate.simulation.shop import Shop
from bot.records.actor import SYSTEM
from bot.records.tx import Record, Tx

TURNS = 25
"""Messages after which a customer gives up."""


@dataclass
class Played:
    """One conversation as it went. `turns`: the customer's messages; `seconds` all of them took together;
    `answered`: the slots whose answer they gave; `unsaid`: the kinds of twists it never came to."""

    conversation: Conversation
    records: Records = field(default_factory=Records)
    transcript: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    answered: frozenset[str] = frozenset()
    unsaid: tuple[Kind, ...] = ()
    turns: int = 0
    seconds: float = 0.0

    @property
    def wanted(self) -> dict[str, Any]:
        """What must be on record, as the corrections left it that were said."""
        wanted = dict(self.conversation.expects)
        for twist in self.conversation.twists:
            if twist.kind not in self.unsaid:
                wanted.update(twist.expects)
        return wanted


async def play(shop: Shop, conversation: Conversation, customer: Customer) -> Played:
    """Play it; the shop has forgotten all other customers before, and forgets this one afterwards."""
    played = Played(conversation)
    lines: dict[str, Line] = {}
    async with AsyncExitStack() as stack:
        with shop.day():

            async def line_of(channel: str) -> Line:
                if channel not in lines:
                    lines[channel] = await stack.enter_async_context(shop.line(channel))
                return lines[channel]

            line = await line_of(customer.channel)
            if conversation.flow == "change_appointment":
                await shop.has_visit(line)
            scene = await _say(shop, line, customer.opening(), played)
            while played.turns < TURNS:
                said_next = await customer.next(scene, shop.flows)
                if said_next is None:
                    break
                line = await line_of(customer.channel)
                scene = await _say(shop, line, (said_next,), played)
            lane_ids = [shop.lane_id(one) for one in lines.values()]
            played.records = await shop.app.store.read(read_records, SYSTEM, shop.app.words, lane_ids)
            await shop.forget()
    played.answered, played.unsaid = frozenset(customer.answered), customer.unsaid
    return played


async def _say(shop: Shop, line: Line, burst: Sequence[Said], played: Played) -> Scene:
    """Write one message right after the other; what is before the customer's eyes then."""
    began = time.perf_counter()
    before = await _heard(shop, line)
    for said in burst:
        await line.say(said.text, said.button)
    await shop.settled()
    played.seconds += time.perf_counter() - began
    played.turns += len(burst)
    played.said += [said.text for said in burst]
    conversation, texts = await shop.app.store.read(_read, SYSTEM, shop.lane_id(line))
    state = from_json((conversation or {}).get("state") or {})
    heard = tuple(texts[len(before) :])
    where = f"{line.channel} " if played.conversation.channel != line.channel else ""
    played.transcript += [
        f"{where}> {said.text}" + (f"  [{said.button}]" if said.button else "") for said in burst
    ]
    played.transcript += [f"< {text}" for text in heard]
    human = conversation is not None and conversation["owner"] == "human"
    awaited = state.top
    if awaited is not None:
        played.transcript.append(f"  ({awaited.flow}: {awaited.step})")
    return Scene(state, heard, human, await shop.code())


async def _heard(shop: Shop, line: Line) -> list[str]:
    _, texts = await shop.app.store.read(_read, SYSTEM, shop.lane_id(line))
    return texts


def _read(tx: Tx, lane_id: str) -> tuple[Record | None, list[str]]:
    """A lane's conversation, and what was said in it to the customer."""
    lane = tx.row(sa.select(lanes.c.conversation_id).where(lanes.c.id == lane_id))
    if lane is None or lane["conversation_id"] is None:
        return None, []
    table = CONVERSATION.table
    conversation = tx.row(sa.select(table).where(table.c.id == lane["conversation_id"]))
    return conversation, said_to(tx, [lane["conversation_id"]])
