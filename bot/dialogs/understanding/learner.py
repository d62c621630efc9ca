"""Which model serves the flows, and the training of a better one beside the work of a process."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from bot.dialogs.flows.model import Flows
from bot.dialogs.understanding import shelf
from bot.dialogs.understanding.examples import Example, examples
from bot.dialogs.understanding.model import Model
from bot.logs import logger

FIRST_WAIT_S, LONGEST_WAIT_S = 60.0, 86_400.0
"""How long a training that failed is let be; twice as long each time that it fails again."""
_log = logger("understanding")


class Learner:
    """One for the process; used from its loop. What it trains it trains in processes of their own."""

    def __init__(self, folder: Path, *, meaning: bool) -> None:
        """`folder` holds the models; without `meaning` words alone are ever learned."""
        self._folder = folder
        self._meaning = meaning
        self._learns: tuple[Example, ...] = ()
        self._task: asyncio.Task[None] | None = None
        self._wait_s = FIRST_WAIT_S
        self._not_before = 0.0

    async def best(self, flows: Flows) -> Model:
        """The best model there is of these flows; where there is none, that of their words, made in a second
        or two."""
        return await self.whole(flows) or await shelf.make(examples(flows), self._folder, "words")

    async def whole(self, flows: Flows) -> Model | None:
        """That of words and meaning, once it was trained."""
        return await shelf.made(examples(flows), self._folder, "meaning") if self._meaning else None

    def lacks(self, model: Model) -> bool:
        """Whether a better one than this is to be had by training."""
        return self._meaning and model.meaning is None

    def begin(self, flows: Flows, done: Callable[[], None]) -> bool:
        """Start to train the whole model of these flows and call `done` when it is there. Their training
        goes on where it runs, and is let be for a while where it failed, False then; that of former flows is
        given up."""
        rows = examples(flows)
        runs = self._task is not None and not self._task.done()
        if rows != self._learns:
            self._wait_s, self._not_before = FIRST_WAIT_S, 0.0
        elif runs or monotonic() < self._not_before:
            return False
        if self._task is not None:
            self._task.cancel()
        self._learns = rows
        self._task = asyncio.create_task(self._train(rows, done))
        return True

    async def _train(self, rows: tuple[Example, ...], done: Callable[[], None]) -> None:
        try:
            await shelf.make(rows, self._folder, "meaning")
        except Exception as error:
            told = f"{type(error).__name__}: {error}"[:500]
            _log.error("not_learned", error=told, again_in_s=self._wait_s)
            self._not_before = monotonic() + self._wait_s
            self._wait_s = min(self._wait_s * 2, LONGEST_WAIT_S)
            return
        done()

    async def close(self) -> None:
        """Give up what is being learned."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
