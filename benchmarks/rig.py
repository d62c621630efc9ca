"""What the benchmarks share: a Samvad opened on each database, a provider that costs nothing, counters."""

import asyncio
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bot.app import App, open_app
from bot.channels.whatsapp import WhatsApp
from bot.knowledge.files import import_articles
from bot.messages import OutboundMessage, Receipt
from bot.records.actor import SYSTEM
from bot.records.store import Store
from bot.settings import Settings, load_settings
from bot.shipped import shipped
from bot.storage import Database

IN_FLIGHT = 16
PHONE_ID = "100000000000001"


class FreeProvider(WhatsApp):
    """The WhatsApp adapter with a provider that accepts at once: what is measured is ours alone."""

    async def send(self, message: OutboundMessage) -> Receipt:
        """Accepted."""
        return Receipt(f"wamid.{message.id}")


@dataclass(slots=True)
class Counters:
    """Statements and commits of the write and read engines since the last reset."""

    statements: int = 0
    commits: int = 0
    by_operation: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def reset(self) -> None:
        """Begin again."""
        self.statements = self.commits = 0
        self.by_operation.clear()


def count_on(database: Database, counters: Counters) -> None:
    """Count every statement issued (an executemany is one) and every writing transaction's commit."""
    write, read = database.engines

    def statement(*_: Any) -> None:
        counters.statements += 1

    def commit(_: Any) -> None:
        counters.commits += 1

    for engine in (write, read):
        sa.event.listen(engine, "before_cursor_execute", statement)
    sa.event.listen(write, "commit", commit)


def time_operations(store: Store, counters: Counters) -> None:
    """Add up the CPU time of every storage operation by its name (this thread's, not waiting)."""
    for method in ("write_now", "read_now", "step_now"):
        plain = getattr(store, method)

        def timed(
            operation: Any, *args: Any, _plain: Any = plain, _method: str = method, **kwargs: Any
        ) -> Any:
            start = time.thread_time()
            try:
                return _plain(operation, *args, **kwargs)
            finally:
                with counters.lock:
                    counters.by_operation[operation.__name__] += time.thread_time() - start
                    # In PostgreSQL a step commits by itself, without a COMMIT that could be heard.
                    counters.commits += _method == "step_now" and store.database.dialect == "postgresql"

        setattr(store, method, timed)


def settings_for(folder: str, database_url: str) -> Settings:
    """Settings of a Samvad with one WhatsApp number."""
    return load_settings(
        data_dir=Path(folder),
        database_url=database_url,
        gather_ms=0,
        api_rate=0,
        flood_sender=0,
        flood_account=0,
        flood_kept=0,
        whatsapp_phone_number_id=PHONE_ID,
        whatsapp_access_token="token",
        whatsapp_app_secret="a secret of the app",
        whatsapp_verify_token="verify",
        log_level="error",
    )


@asynccontextmanager
async def opened(database_url: str) -> AsyncIterator[tuple[App, Counters]]:
    """A Samvad with the starter articles on a fresh database."""
    with tempfile.TemporaryDirectory(prefix="samvad-bench-") as folder:
        settings = settings_for(folder, database_url)
        channel = FreeProvider(settings)
        async with open_app(settings, channels={"whatsapp": channel}) as app:
            await app.store.run(import_articles, SYSTEM, shipped("knowledge_base"))
            await app.library.refresh()
            counters = Counters()
            count_on(app.store.database, counters)
            time_operations(app.store, counters)
            yield app, counters


@contextmanager
def databases(quick: bool) -> Iterator[dict[str, str]]:
    """{"sqlite": "", "postgresql": URL of a durable server of our own}."""
    from bot.testing.postgresql import postgres_server

    with ExitStack() as stack:
        server = stack.enter_context(postgres_server(durable=True))
        server.execute("CREATE DATABASE bench")
        yield {"sqlite": "", "postgresql": server.url("bench")}


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of them lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


async def in_flight(count: int, jobs: Sequence[Any]) -> list[float]:
    """Run coroutine functions, `count` at a time; returns each one's seconds."""
    queue = list(reversed(jobs))
    took: list[float] = []

    async def work() -> None:
        while queue:
            job = queue.pop()
            start = time.perf_counter()
            await job()
            took.append(time.perf_counter() - start)

    await asyncio.gather(*(work() for _ in range(count)))
    return took
