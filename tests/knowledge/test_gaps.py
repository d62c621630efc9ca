"""Grouping questions that mean the same."""

import numpy as np

from bot.knowledge.gaps import NEAR_BY_WORDS, by_words, grouped, most_central


def test_every_question_is_in_one_group_and_the_largest_comes_first() -> None:
    vectors = np.array([[1, 0], [0, 1], [0.995, 0.0999], [0.98, 0.199], [0.1, 0.995]], np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    groups = grouped(vectors, 0.97)
    assert [sorted(group.members) for group in groups] == [[0, 2, 3], [1, 4]]
    assert groups[0].central == 2
    assert [len(group.members) for group in grouped(vectors, 1.1)] == [1] * 5, "nothing is that near"
    assert grouped(np.zeros((0, 2), np.float32)) == []
    assert most_central(vectors[[0, 2, 3]]) == 1


def test_without_embeddings_words_in_common_count() -> None:
    texts = ["do you sell bicycles", "sell bicycles?", "where is the parking", "parking where", "?!"]
    groups = grouped(by_words(texts), NEAR_BY_WORDS)
    assert [sorted(group.members) for group in groups] == [[0, 1], [2, 3], [4]]
