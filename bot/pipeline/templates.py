"""Our copy of the providers' templates: read at start, every six hours, and when one of them changed."""

import asyncio
from datetime import timedelta

from bot.conversations import template
from bot.errors import ChannelError
from bot.logs import logger
from bot.messages import Templated
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
            try:
                await self.sync()
            except Exception as error:
                _log.error("templates_not_read", error=explain(error))
            try:
                async with asyncio.timeout(EVERY.total_seconds()):
                    await self._awake.wait()
            except TimeoutError:
                continue

    async def sync(self) -> int:
        """Read all accounts' templates; returns how many changed. One process at a time."""
        runtime, changed = self._runtime, 0
        sources = {
            account: source
            for (adapter, _, _), account in runtime.accounts.items()
            if isinstance(source := runtime.channels.get(adapter), Templated)
            and runtime.features(account).templates
        }
        if not sources:
            return 0
        if not await runtime.store.run(lease.hold, SYSTEM, "templates", runtime.holder, _LEASE):
            return 0
        try:
            for account, source in sources.items():
                try:
                    found = await source.templates()
                except ChannelError as error:
                    _log.warning("templates_not_read", account=account, error=explain(error))
                    continue
                changed += await runtime.store.run(template.keep, SYSTEM, account, found)
        finally:
            await runtime.store.run(lease.let_go, SYSTEM, "templates", runtime.holder)
        return changed
