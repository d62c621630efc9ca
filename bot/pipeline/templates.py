"""Our copy of the providers' templates: read at start, every six hours, and when one of them changed."""

import asyncio
from datetime import timedelta

from bot.adapter import Templated
from bot.conversations import template
from bot.errors import ChannelError
from bot.logs import logger
from bot.pipeline.runtime import Runtime
from bot.records import lease
from bot.records.actor import SYSTEM
from bot.records.store import explain

EVERY = timedelta(hours=6)
_LEASE = timedelta(seconds=90)
_log = logger("templates")


class Templates:
    """Reads them for one process."""

    def __init__(self, runtime: Runtime) -> None:
        """`runtime` is shared with the rest of the pipe."""
        self._runtime = runtime
        self._awake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Start, with a look at once."""
        self._task = asyncio.create_task(self._work())

    def wake(self) -> None:
        """A provider told of a change, or somebody asked."""
        self._awake.set()

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            self._awake.clear()
            pause = EVERY
            try:
                if not await self.sync():
                    pause = _LEASE  # another process is at it, or was and has died
            except Exception as error:
                _log.error("templates_not_read", error=explain(error))
            try:
                async with asyncio.timeout(pause.total_seconds()):
                    await self._awake.wait()
            except TimeoutError:
                continue

    async def sync(self) -> bool:
        """Read all accounts' templates; False when another process is reading them."""
        runtime = self._runtime
        sources = {
            account: source
            for adapter, source in runtime.channels.items()
            if isinstance(source, Templated)
            for channel, address in source.accounts
            if source.features(channel).templates
            and (account := runtime.accounts.get((adapter, channel, address))) is not None
        }
        if not sources:
            return True
        if not await runtime.store.run(lease.hold, SYSTEM, "templates", runtime.holder, _LEASE):
            return False
        try:
            for account, source in sources.items():
                try:
                    found = await source.templates()
                except ChannelError as error:
                    _log.warning("templates_not_read", account=account, error=explain(error))
                    continue
                await runtime.store.run(template.keep, SYSTEM, account, found)
        finally:
            await runtime.store.run(lease.let_go, SYSTEM, "templates", runtime.holder)
        return True
