"""`samvad bench knowledge`: a question against many articles, of which its own embedding is the floor."""

import random
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from benchmarks.rig import percentile
from bot.knowledge.answer import answer
from bot.knowledge.embeddings import SIZE, embed
from bot.knowledge.index import KnowledgeIndex
from bot.knowledge.passages import ArticleText, texts_of
from bot.knowledge.retrieve import Asked

SIZES = (2_000, 100_000)
WORDS = 20_000
"""Different words, of which the first are frequent and the last rare, as in any language."""


def bench_knowledge(quick: bool, say: Callable[[str], Any]) -> dict[str, Any]:
    """Milliseconds from a question to its answer at both sizes, p50 and p95, in interleaved rounds; vectors
    of the articles are made up, the question's is a real one."""
    chance = random.Random(11)
    indexes = {}
    for size in SIZES:
        say(f"making {size:,} passages")
        indexes[size] = _index(size, chance)
    questions = [f"how long does {' '.join(_words(chance, 7))} take" for _ in range(20 if quick else 100)]
    embed(questions[:2])
    took: dict[str, list[float]] = {"floor": [], **{str(size): [] for size in SIZES}}
    for question in questions:
        began = time.perf_counter()
        meant = embed([question])[0]
        embedded = time.perf_counter() - began
        took["floor"].append(embedded)
        for size, index in indexes.items():
            began = time.perf_counter()
            answer(index, Asked(question, meant), "en")
            took[str(size)].append(embedded + time.perf_counter() - began)
    figures = {name: _figures(times) for name, times in took.items()}
    small, large = (figures[str(size)]["p50_ms"] for size in SIZES)
    say(
        f"{SIZES[0]:,} passages {small} ms, {SIZES[1]:,} {large} ms, the embedding alone {figures['floor']['p50_ms']}"
    )
    return {"passages": figures, "ratio": round(large / small, 2)}


def _figures(seconds: list[float]) -> dict[str, float]:
    return {f"p{part}_ms": round(percentile(seconds, part / 100) * 1000, 2) for part in (50, 95)}


def _index(size: int, chance: random.Random) -> KnowledgeIndex:
    articles = [
        ArticleText(
            str(number), f"a{number}", "en", " ".join(_words(chance, 5)).title(), " ".join(_words(chance, 60))
        )
        for number in range(size)
    ]
    random_vectors = np.random.default_rng(7)
    known = {}
    for article in articles:
        for text in texts_of(article):
            vector = random_vectors.normal(size=SIZE).astype(np.float32)
            known[text] = vector / np.linalg.norm(vector)
    return KnowledgeIndex.build(articles, known)


def _words(chance: random.Random, count: int) -> Iterable[str]:
    return (f"w{int(WORDS ** chance.random())}" for _ in range(count))
