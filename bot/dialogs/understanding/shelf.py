"""The trained models on disk, each named by what it learned from: made once, in a process of its own.

    await make(rows, folder, "words")     # a second or two
    await make(rows, folder, "meaning")   # the whole one: seconds to a minute

Examples that were learned before, by the same code, are never learned again. A file appears in one move, so
that a training cut off leaves nothing that is taken for a model.
"""

import asyncio
import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal, TextIO
from weakref import WeakValueDictionary
from zipfile import BadZipFile

from bot.dialogs.understanding import train
from bot.dialogs.understanding.examples import Example, digest, to_json
from bot.dialogs.understanding.model import Model
from bot.errors import ConfigurationInvalid
from bot.logs import logger

Kind = Literal["words", "meaning"]
"""What a model knows: the words alone, or the meaning too."""

CACHE = "embeddings.npz"
KEPT = 8
"""Models of each kind that are kept: publishing former flows again costs nothing."""
TIMEOUT_S = 1800.0
_LOOK_S = 0.1
_read: WeakValueDictionary[tuple[int, int, int], Model] = WeakValueDictionary()
_log = logger("understanding")


def file_of(rows: Sequence[Example], folder: Path, kind: Kind) -> Path:
    """Where the model of these examples lies, once it is made."""
    return folder / f"{kind}-{digest(rows)}.npz"


def read(file: Path) -> Model | None:
    """The model of a file; None where there is none. What cannot be read is removed, to be made anew.

    Whoever asks for it while it is in use gets the one that is in memory: it has some hundred megabytes."""
    try:
        stat = file.stat()
        key = (stat.st_dev, stat.st_ino, stat.st_mtime_ns)
        model = _read.get(key)
        if model is None:
            model = _read[key] = Model.read(file)
        return model
    except FileNotFoundError:
        return None
    except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
        _log.warning("model_unreadable", file=file.name, error=str(error)[:200])
        file.unlink(missing_ok=True)
        return None


async def made(rows: Sequence[Example], folder: Path, kind: Kind) -> Model | None:
    """The model of these examples, if it was made."""
    return await asyncio.to_thread(read, file_of(rows, folder, kind))


async def make(rows: Sequence[Example], folder: Path, kind: Kind) -> Model:
    """The model of these examples; trained now where it is missing. Cancelled, it ends the training.

    Raises ConfigurationInvalid when they cannot be learned."""
    file = file_of(rows, folder, kind)
    # Several processes hear of new flows at once: one of them trains, the others wait for its file.
    async with _alone(folder / f"{kind}.lock"):
        model = await made(rows, folder, kind)
        if model is None:
            _clear(folder, kind)
            await _train(rows, folder, file, kind)
            model = await made(rows, folder, kind)
    if model is None:
        raise ConfigurationInvalid(f"The classifier's file {file.name} cannot be read: is the disk sound?")
    return model


@asynccontextmanager
async def _alone(file: Path) -> AsyncIterator[None]:
    """While nobody else on this machine holds the lock; a process that dies lets go of it."""
    with _opened(file) as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(_LOOK_S)
        yield


def _opened(lock: Path) -> TextIO:
    lock.parent.mkdir(parents=True, exist_ok=True)
    return lock.open("w")


def _clear(folder: Path, kind: Kind) -> None:
    """Remove what a training that was killed left behind, and models of long ago."""
    for left in folder.glob(f"{kind}-*.work"):
        shutil.rmtree(left, ignore_errors=True)
    if kind == "meaning":
        for part in folder.glob(f"{Path(CACHE).stem}.*.part"):
            part.unlink(missing_ok=True)
    made = sorted(folder.glob(f"{kind}-*.npz"), key=_age, reverse=True)
    for old in made[KEPT - 1 :]:
        old.unlink(missing_ok=True)


def _age(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:  # removed meanwhile
        return 0.0


async def _train(rows: Sequence[Example], folder: Path, file: Path, kind: Kind) -> None:
    work = Path(tempfile.mkdtemp(prefix=f"{kind}-", suffix=".work", dir=folder))
    try:
        (work / train.GIVEN).write_text(to_json(rows), encoding="utf-8")
        command = [sys.executable, "-m", train.__name__, str(work)]
        if kind == "meaning":
            command += ["--cache", str(folder / CACHE)]
        await _run(command)
        (work / train.MADE).replace(file)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    _log.info("trained", kind=kind, examples=len(rows), file=file.name)


async def _run(command: Sequence[str]) -> None:
    """Our own program, to its end; it ends with us."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,  # held open: its end is ours
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        start_new_session=True,  # a Ctrl+C in the terminal is for us to pass on
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(TIMEOUT_S):
            said = await process.stderr.read()
            code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if code != 0:
        reason = said.decode(errors="replace").strip().splitlines()[-1:] or ["no reason given"]
        raise ConfigurationInvalid(f"The classifier could not be trained: {reason[0]}")
