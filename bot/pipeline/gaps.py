"""Finding the gaps of the knowledge base, beside the other work of a worker process.

Each question is embedded once and its vector kept, so that a further finding only looks at what is new.
"""

import asyncio
from functools import partial

import numpy as np

from bot.crm import gap
from bot.knowledge.embeddings import SIZE, embed, model_name
from bot.knowledge.gaps import NEAR, NEAR_BY_WORDS, Group, Vectors, by_words, grouped
from bot.llm.mask import Mask
from bot.logs import logger
from bot.pipeline.runtime import Runtime
from bot.records.actor import SYSTEM
from bot.records.store import explain
from bot.records.tx import Record

AT_ONCE = 64
"""Questions that are embedded between two looks at how far it has come: a second or two."""
_KEPT = np.float16
"""Half the bytes; a cosine changes in its fourth digit."""
_log = logger("gaps")


class Gaps:
    """One for the process; used from its loop."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._task: asyncio.Task[bool] | None = None

    async def begin(self) -> bool:
        """Start a finding if one is wanted and none runs here. False otherwise."""
        if self._task is not None and not self._task.done():
            return False
        if not await self._runtime.store.read(gap.is_wanted, SYSTEM):
            return False
        self._task = asyncio.create_task(self._work())
        return True

    async def close(self) -> None:
        """Give up what runs: another process takes it up when its lease is over."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _work(self) -> bool:
        try:
            return await find_gaps(self._runtime)
        except Exception as error:
            _log.error("gaps_not_found", error=explain(error))
            await self._runtime.store.run(gap.failed, SYSTEM)
            return False


async def find_gaps(runtime: Runtime) -> bool:
    """Find the gaps now; False while another process does."""
    store = runtime.store
    rows = await store.run(gap.claim, SYSTEM)
    if rows is None:
        return False
    if runtime.settings.embeddings:
        vectors, near = await _vectors(runtime, rows), NEAR
    else:
        vectors, near = await store.aside(partial(by_words, [row["text"] for row in rows])), NEAR_BY_WORDS
    groups = await store.aside(partial(grouped, vectors, near))
    await store.run(gap.finish, SYSTEM, [_told(group, rows) for group in groups])
    return True


def _told(group: Group, rows: list[Record]) -> dict[str, object]:
    """As the finding is stored: ids and counts, no words."""
    central, members = rows[group.central], [rows[one] for one in group.members]
    others = [row["id"] for row in members if row is not central]
    return {
        "question": central["id"],
        "ids": [central["id"], *others],
        "none": sum(row["outcome"] == "none" for row in members),
        "unsure": sum(row["outcome"] == "unsure" for row in members),
        "bad": sum(row["helpful"] == "no" for row in members),
        "langs": sorted({row["lang"] for row in members}),
    }


async def _vectors(runtime: Runtime, rows: list[Record]) -> Vectors:
    """A vector for each question; those not known yet are made, a few at a time."""
    store, model = runtime.store, model_name()
    known = {row["id"]: row["vector"] for row in rows if row["model"] == model}
    missing = [row for row in rows if row["id"] not in known]
    for first in range(0, len(missing), AT_ONCE):
        some = missing[first : first + AT_ONCE]
        made = await store.aside(partial(embed, [Mask().hide(row["text"]) for row in some]))
        fresh = {row["id"]: one.astype(_KEPT).tobytes() for row, one in zip(some, made, strict=True)}
        known |= fresh
        await store.run(gap.keep_vectors, SYSTEM, model, fresh, len(known), len(rows))
    if not rows:
        return np.zeros((0, SIZE), np.float32)
    return np.stack([np.frombuffer(known[row["id"]], _KEPT) for row in rows]).astype(np.float32)
