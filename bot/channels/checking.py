"""What the adapters' live tests share: bounded in time, failures as findings, webhooks compared."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from bot.adapter import Channel, Check
from bot.errors import ChannelRejected, ChannelRetryable, Unavailable

PATIENCE_S = 20.0
T = TypeVar("T")


async def examine(channel: Channel) -> tuple[Check, ...]:
    """The channel's live test, in at most twenty seconds; what goes wrong is a finding like any other."""
    found = await attempt(_bounded(channel.check()))
    return (found,) if isinstance(found, Check) else found


async def attempt(work: Awaitable[T]) -> T | Check:
    """The answer of one call to a provider, or the finding that it failed."""
    try:
        return await work
    except TimeoutError:
        return Check("check.slow", "bad", {"seconds": int(PATIENCE_S)})
    except ChannelRejected as error:
        return Check("check.refused", "bad", {"said": error.reason})
    except (ChannelRetryable, Unavailable) as error:
        return Check("check.unreachable", "bad", {"said": error.message})


async def _bounded(work: Awaitable[T]) -> T:
    async with asyncio.timeout(PATIENCE_S):
        return await work


def webhook(found: str, ours: str) -> Check:
    """Whether the provider calls our address."""
    if found == ours:
        return Check("check.webhook.ours", "ok", {"url": ours})
    if not found:
        return Check("check.webhook.none", "bad", {"url": ours})
    return Check("check.webhook.elsewhere", "bad", {"url": ours, "found": found})
