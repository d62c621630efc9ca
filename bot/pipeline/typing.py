"""Showing the customer that an answer is being made, when that takes longer than a moment."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.adapter import Channel, ShowsTyping
from bot.errors import SamvadError
from bot.logs import logger
from bot.messages import InboundMessage
from bot.records.store import explain

AFTER_S = 1.0
_log = logger("typing")


@asynccontextmanager
async def typing(channel: Channel | None, said: InboundMessage) -> AsyncIterator[None]:
    """While the block runs, from one second on, where the channel can show it."""
    if not isinstance(channel, ShowsTyping):
        yield
        return
    task = asyncio.create_task(_show(channel, said))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _show(channel: ShowsTyping, said: InboundMessage) -> None:
    pause = AFTER_S
    try:
        while True:
            await asyncio.sleep(pause)
            pause = await channel.typing(said)
    except SamvadError as error:  # a courtesy: the answer itself will tell what is wrong
        _log.info("typing_not_shown", channel=said.channel, error=explain(error))
