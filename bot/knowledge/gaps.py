"""Grouping questions that mean the same, so that a person sees twenty gaps and not two hundred questions.

Greedy and deterministic: the question with most others near it, and those others, are a group; then the same
of what is left. That is one product of matrices for 2,000 questions, where merging the nearest two
groups again and again takes minutes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.knowledge.tokens import terms

NEAR = 0.91
"""Cosine from which two questions are of one group, by the bundled model, whose cosines lie between 0.75 and
1: see docs/knowledge-loop.md for how it was measured."""
NEAR_BY_WORDS = 0.5
"""The same where only words are compared: half of them in common."""
Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Group:
    """Places of questions that mean the same; `central` names the group."""

    central: int
    members: tuple[int, ...]


def grouped(vectors: Vectors, near: float = NEAR) -> list[Group]:
    """Groups of vectors of length one, the largest first; every question is in exactly one."""
    if not len(vectors):
        return []
    alike = vectors @ vectors.T
    close = alike >= near
    np.fill_diagonal(close, True)
    left = np.ones(len(vectors), dtype=bool)
    found = []
    while left.any():
        neighbours = (close & left).sum(axis=1) * left
        centre = int(neighbours.argmax())
        members = np.flatnonzero(close[centre] & left)
        central = int(members[most_central(vectors[members])])
        found.append(Group(central, tuple(int(one) for one in members)))
        left[members] = False
    return sorted(found, key=lambda group: (-len(group.members), group.central))


def by_words(texts: Sequence[str]) -> Vectors:
    """Vectors of the words alone, where there are no embeddings."""
    words = [sorted(set(terms(text))) or [text] for text in texts]
    place = {word: at for at, word in enumerate(dict.fromkeys(word for row in words for word in row))}
    vectors = np.zeros((len(texts), max(len(place), 1)), np.float32)
    for at, row in enumerate(words):
        vectors[at, [place[word] for word in row]] = 1 / np.sqrt(len(row))
    return vectors


def most_central(vectors: Vectors) -> int:
    """The one that is nearest to all the others."""
    return int((vectors @ vectors.T).mean(axis=1).argmax())
