"""The adapters of one process: those of the settings stay, those of the console come, change and go.

Every process reads the same rows: told by the bus, or looking by itself while it cannot be heard. A change
loses nothing: what is leaving finishes on the old adapter, what comes in is stored by whichever took it.
"""

import asyncio
from collections.abc import Mapping

from pydantic import SecretStr

from bot.adapter import Channel
from bot.channels import CHANNELS
from bot.conversations.channel_account import connected, unsealed
from bot.errors import SamvadError
from bot.logs import logger
from bot.pipeline.deliver import SEND_TIMEOUT_S
from bot.pipeline.pipe import Pipe
from bot.pipeline.runtime import Runtime
from bot.records.actor import SYSTEM
from bot.records.store import explain
from bot.settings import Settings

_log = logger("connections")
_AGAIN_S = 2.0
_SECRETS = frozenset(name for name, spec in Settings.model_fields.items() if spec.annotation is SecretStr)


def is_secret(name: str) -> bool:
    """Whether a setting is never shown again."""
    return name in _SECRETS


def overlaid(settings: Settings, values: Mapping[str, str]) -> Settings:
    """The settings with what the console was given in them."""
    given = {name: SecretStr(value) if is_secret(name) else value for name, value in values.items()}
    return settings.model_copy(update=given)


class Connections:
    """Keeps `runtime.channels` as settings and console say."""

    def __init__(self, runtime: Runtime, fixed: frozenset[str]) -> None:
        """`fixed` adapters are those of the settings: the console does not touch them."""
        self.fixed = fixed
        self.unusable: dict[str, str] = {}
        """Adapters whose credentials cannot be used here, and why."""
        self._runtime = runtime
        self._pipe: Pipe | None = None
        self._built_of: dict[str, str] = {}
        self._retired: dict[asyncio.Task[None], Channel] = {}
        self._one_at_a_time = asyncio.Lock()

    def serve(self, pipe: Pipe) -> None:
        """From now on changes also move this process's listeners."""
        self._pipe = pipe

    async def watch(self) -> None:
        """Follow the rows for as long as the process runs."""
        async for notice in self._runtime.bus.listen():
            while notice is None or notice.topic == "channels":
                try:
                    await self.refresh()
                    break
                except Exception as error:  # the database may be away: look again until it is back
                    _log.error("channels_unread", error=explain(error))
                    await asyncio.sleep(_AGAIN_S)

    async def refresh(self) -> None:
        """Take up what changed since the last look; calling it for nothing changes nothing."""
        async with self._one_at_a_time:
            found = await self._runtime.store.read(connected, SYSTEM)
            for adapter in CHANNELS:
                sealed = found.get(adapter)
                if adapter not in self.fixed and sealed != self._built_of.get(adapter):
                    await self._swap(adapter, sealed)

    async def _swap(self, adapter: str, sealed: str | None) -> None:
        """The new one is open before the old one goes."""
        new = None if sealed is None else await self._opened(adapter, sealed)
        await self._runtime.know_all()
        old = self._runtime.channels.pop(adapter, None)
        if new is not None:
            self._runtime.channels[adapter] = new
        if sealed is None:
            self._built_of.pop(adapter, None)
        else:
            self._built_of[adapter] = sealed
        if self._pipe is not None:
            await self._pipe.listen_to(adapter)
            self._pipe.deliverer.forget_paces()
            self._pipe.templates.wake()
        if old is not None:
            self._retired[asyncio.create_task(_close_later(old))] = old
        _log.info("channel_changed", adapter=adapter, on=new is not None)

    async def _opened(self, adapter: str, sealed: str) -> Channel | None:
        self.unusable.pop(adapter, None)
        try:
            values = await self._runtime.store.read(unsealed, SYSTEM, adapter, sealed)
            channel = CHANNELS[adapter].build(overlaid(self._runtime.settings, values))
            if channel is not None:
                await channel.open()
            return channel
        except SamvadError as error:  # another secret key by now, or a rule that a later version brought
            self.unusable[adapter] = error.message
            _log.error("channel_unusable", adapter=adapter, error=error.message)
            return None

    async def close(self) -> None:
        """Close what the console connected."""
        for task in self._retired:
            task.cancel()
        await asyncio.gather(*self._retired, return_exceptions=True)
        mine = [one for name, one in self._runtime.channels.items() if name in self._built_of]
        for channel in (*self._retired.values(), *mine):
            await channel.close()


async def _close_later(channel: Channel) -> None:
    """When nothing that began with it can still be running."""
    await asyncio.sleep(SEND_TIMEOUT_S)
    await channel.close()
