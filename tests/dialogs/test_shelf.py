"""Models on disk: made once and whole, whatever happens while they are made; swapped while messages come."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.dialogs.commands import StartFlow
from bot.dialogs.flows import Flows
from bot.dialogs.understanding import Model, Understanding, shelf
from bot.dialogs.understanding.examples import NONE, Example
from bot.dialogs.understanding.learner import LONGEST_WAIT_S, Learner
from bot.errors import ConfigurationInvalid
from bot.i18n import Words

SAID = {
    "price": "what does it cost/how much is it/price please/kitne ka hai/rate batao",
    "hours": "when do you open/opening hours/open on sunday/kab khulta hai/dukan kab band hoti hai",
    NONE: "the moon is far away/who won the match",
}
ROWS = [Example(text, label, "en") for label, texts in SAID.items() for text in texts.split("/")]
MANY = [Example(f"{row.text} no {'i' * count}", row.label, "en") for count in range(300) for row in ROWS]
"""Takes a minute to learn."""


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def until(check: Callable[[], object], seconds: float = 60) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while not check():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.02)


async def test_a_model_is_made_once_for_what_it_learned(tmp_path: Path) -> None:
    assert await shelf.made(ROWS, tmp_path, "words") is None
    models = await asyncio.gather(*(shelf.make(ROWS, tmp_path, "words") for _ in range(3)))
    file = shelf.file_of(ROWS, tmp_path, "words")
    made = file.stat().st_mtime_ns
    assert [model.labels for model in models] == [("hours", "price")] * 3
    await shelf.make(ROWS, tmp_path, "words")
    assert file.stat().st_mtime_ns == made and files(tmp_path) == {file.name, "words.lock"}
    assert shelf.file_of(ROWS[1:], tmp_path, "words") != file
    words = await shelf.made(ROWS, tmp_path, "words")
    assert words is not None and words.meaning is None
    nearest = words.nearest("Opening hours?", 2)
    assert nearest[0][:2] == ("opening hours", "hours") and nearest[0][2] > 0.9 > nearest[1][2]


async def test_what_cannot_be_learned_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationInvalid, match="two intents"):
        await shelf.make(ROWS[:2], tmp_path, "words")
    assert files(tmp_path) == {"words.lock"}


async def test_a_cut_off_file_is_no_model_and_is_made_anew(tmp_path: Path) -> None:
    await shelf.make(ROWS, tmp_path, "words")
    file = shelf.file_of(ROWS, tmp_path, "words")
    whole = file.read_bytes()
    for left in (0, 10, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:left])
        assert await shelf.made(ROWS, tmp_path, "words") is None and not file.exists()
    assert (await shelf.make(ROWS, tmp_path, "words")).labels == ("hours", "price")


def trainings(folder: Path) -> list[int]:
    """The processes that train for this folder."""
    found = []
    for one in Path("/proc").glob("[0-9]*"):
        try:
            words = (one / "cmdline").read_bytes().split(b"\0")
            state = (one / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        ours = any(str(folder).encode() in word for word in words)
        if ours and b"bot.dialogs.understanding.train" in words and state != "Z":
            found.append(int(one.name))
    return found


@asynccontextmanager
async def learning(folder: Path) -> AsyncIterator["asyncio.Task[Any]"]:
    """A long training that has begun."""
    task = asyncio.create_task(shelf.make(MANY, folder, "meaning"))
    await until(lambda: trainings(folder))
    yield task
    await asyncio.gather(task, return_exceptions=True)


async def test_a_training_that_is_killed_or_given_up_leaves_no_model(tmp_path: Path) -> None:
    async with learning(tmp_path) as task:
        for pid in trainings(tmp_path):
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(ConfigurationInvalid):
            await task
    async with learning(tmp_path) as task:
        task.cancel()
    assert task.cancelled() and not trainings(tmp_path)
    assert files(tmp_path) == {"meaning.lock"} and await shelf.made(MANY, tmp_path, "meaning") is None


async def test_a_training_ends_with_who_began_it_and_is_begun_again(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys; from pathlib import Path; from tests.dialogs.test_shelf import MANY, shelf;"
        "asyncio.run(shelf.make(MANY, Path(sys.argv[1]), 'meaning'))"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    worker = await asyncio.create_subprocess_exec(sys.executable, "-c", program, str(tmp_path), env=env)
    await until(lambda: trainings(tmp_path))
    worker.kill()
    await worker.wait()
    await until(lambda: not trainings(tmp_path))
    assert any(name.endswith(".work") for name in files(tmp_path))
    whole = await shelf.make(ROWS, tmp_path, "meaning")
    assert whole.meaning is not None and whole.full("when does your shop open?").label == "hours"
    assert files(tmp_path) == {"meaning.lock", shelf.CACHE, shelf.file_of(ROWS, tmp_path, "meaning").name}


async def test_a_new_example_is_understood_from_the_next_message_on(
    tmp_path: Path, flows: Flows, words: Words, model: Model, conversation: Any
) -> None:
    text = "pappadam goes squelch"
    learner = Learner(tmp_path, meaning=False)
    understanding = Understanding(flows, words, model)
    turn = conversation().turn(text)
    assert not any(isinstance(one, StartFlow) for one in (await understanding.understand(turn)).commands)
    case = flows["open_case"]
    taught = {**case.examples, "en": (*case.examples["en"], text, f"my {text}", f"the {text} again")}
    published = {**flows, "open_case": replace(case, examples=taught)}
    understanding.learn(published, await learner.best(published))
    [command] = (await understanding.understand(turn)).commands
    assert isinstance(command, StartFlow) and command.flow == "open_case"
    assert not learner.lacks(understanding.model)


async def test_what_cannot_be_learned_is_tried_again_ever_more_seldom(
    tmp_path: Path, flows: Flows, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("bot.dialogs.understanding.learner.monotonic", lambda: now)
    (tmp_path / "full").touch()
    learner = Learner(tmp_path / "full", meaning=True)

    async def fails(given: Flows) -> float:
        """How long it then waits."""
        with capture_logs() as logs:
            assert learner.begin(given, list)
            await until(lambda: logs)
        return float(logs[0]["again_in_s"])

    waits: list[float] = []
    while not waits or waits[-1] < LONGEST_WAIT_S:
        waits.append(await fails(flows))
        now += waits[-1] - 1
        assert not learner.begin(flows, list)
        now += 1
    assert waits[:3] == [60, 120, 240] and waits[-1] == 86_400
    fewer = Flows({name: flow for name, flow in flows.items() if name != "open_case"})
    await fails(flows)
    assert await fails(fewer) == 60, "what is published next is tried at once"
    await learner.close()
