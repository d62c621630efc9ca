"""The classifier: its laws, its two stages, and what it says of its own examples."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.dialogs.understanding import ridge
from bot.dialogs.understanding.examples import NONE, Example
from bot.dialogs.understanding.model import Guess, Model, kernel
from bot.dialogs.understanding.review import review
from bot.dialogs.understanding.text import terms
from bot.dialogs.understanding.train import train
from bot.errors import ConfigurationInvalid
from bot.evaluate.understanding import evaluate_understanding, matthews
from bot.knowledge.embeddings import embed_kept


def _kernel(points: np.ndarray[Any, Any], others: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return kernel((points @ others.T).astype(np.float32))


def test_scores_of_the_left_out_are_those_of_a_training_without_them() -> None:
    random = np.random.default_rng(7)
    points = random.normal(size=(24, 6))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    labels = np.arange(24) % 3
    whole = ridge.solve(_kernel(points, points), labels, 3, 0.2)
    # The bias stays that of the whole: the closed form is of the same problem. Labels as frequent as the
    # others weigh 1.
    problem = _kernel(points, points) + np.float32(0.2) * np.eye(24, dtype=np.float32)

    def without(rows: list[int]) -> np.ndarray[Any, Any]:
        rest = [row for row in range(24) if row not in rows]
        dual = np.linalg.solve(problem[np.ix_(rest, rest)], (whole.targets - whole.bias)[rest])
        scores: np.ndarray[Any, Any] = _kernel(points[rows], points[rest]) @ dual + whole.bias
        return scores

    left_out = whole.left_out()
    assert all(np.allclose(left_out[row], without([row])[0], atol=2e-3) for row in range(24))


def test_steepness_is_found_again() -> None:
    random = np.random.default_rng(3)
    scores = random.normal(size=(4000, 4)).astype(np.float32)
    chances = ridge.softmax(scores, 3.0)
    labels = np.array([random.choice(4, p=row / row.sum()) for row in chances.astype(float)])
    assert ridge.calibrate(scores, labels)[0] == pytest.approx(3.0, abs=0.5)


def assert_as_good_as(read: Guess | None, made: Guess | None) -> None:
    """Numbers lie on the disk with half of their digits."""
    if read is None or made is None:
        assert read is made
        return
    assert read.sure == made.sure and [label for label, _ in read.ranked] == [
        label for label, _ in made.ranked
    ]
    assert np.allclose(
        [chance for _, chance in read.ranked], [chance for _, chance in made.ranked], atol=1e-3
    )


def test_words_and_their_beginnings() -> None:
    found = terms("Mera AC kharaab hai?")
    assert found.words == ["mera", "ac", "kharaab", "hai"]
    assert "kharaab hai" in found.phrases and "?" in found.phrases and "khar hai" in found.stems


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Model:
    said = {
        "price": "what does it cost/how much is it/price please/kitne ka hai/rate batao",
        "hours": "when do you open/opening hours/open on sunday/kab khulta hai/dukan kab band hoti hai",
        "broken": "it does not work/my fan is broken/kharab ho gaya/it stopped/opening hours of the shop",
        NONE: "the moon is far away/who won the match",
    }
    rows = [Example(text, label, "en") for label, texts in said.items() for text in texts.split("/")]
    return train(rows, tmp_path_factory.mktemp("cache") / "embeddings.npz")


def test_both_stages_serve_what_was_trained(small: Model, tmp_path: Path) -> None:
    assert small.labels == ("broken", "hours", "price")
    quick = small.fast("how much is it")
    assert quick is None or (quick.sure and quick.label == "price")
    assert small.full("when does your shop open?").label == "hours"
    assert not small.full("12345").ranked and small.fast("") is None
    small.save(tmp_path / "model.npz")
    again = Model.read(tmp_path / "model.npz")
    for text in ("kitne ka milega", "my cooler is broken", "blue moon"):
        assert_as_good_as(again.full(text), small.full(text))
        assert_as_good_as(again.fast(text), small.fast(text))


def test_an_answer_is_explained_and_a_misplaced_example_found(small: Model) -> None:
    nearest = small.nearest("at what time do you open", 2)
    assert {label for _, label, _ in nearest} == {"hours"} and nearest[0][2] >= nearest[1][2]
    found = review(small)
    assert any(one.text == "opening hours of the shop" and one.taken_for == "hours" for one in found.weak)
    assert ("broken", "hours") in {(label, other) for label, other, _ in found.confused}


def test_one_intent_is_nothing_to_tell_apart(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationInvalid, match="two intents"):
        train([Example("hello", "greeting", "en")], tmp_path / "cache.npz")


def test_embeddings_are_kept_and_a_broken_cache_is_made_anew(tmp_path: Path) -> None:
    file = tmp_path / "cache.npz"
    first = embed_kept(["one text", "another"], file)
    assert np.array_equal(embed_kept(["another", "one text", "another"], file), first[[1, 0, 1]])
    file.write_bytes(b"PK\x03\x04 cut off")
    assert np.allclose(embed_kept(["one text"], file), first[:1], atol=1e-3)


def test_matthews() -> None:
    assert matthews(["a", "b", "a", "c"], ["a", "b", "a", "c"]) == pytest.approx(1)
    assert matthews(["a", "b"], ["a", "a"]) == 0
    assert matthews(["a", "a", "b", "b"], ["a", "b", "b", "b"]) == pytest.approx(1 / 3**0.5)


@pytest.mark.slow
def test_few_examples_an_intent_suffice_and_the_rest_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_data: Callable[[str], Path]
) -> None:
    data = shared_data("understanding")
    monkeypatch.setenv("SAMVAD_DATA_DIR", str(tmp_path))
    rows = [json.loads(line) for line in (data / "clinc150.train.jsonl").read_text("utf-8").splitlines()]
    names = sorted({row["intent"] for row in rows} - {NONE})[::4]
    kept = [row for name in names for row in [row for row in rows if row["intent"] == name][:10]]
    tests = [json.loads(line) for line in (data / "clinc150.dev.jsonl").read_text("utf-8").splitlines()]
    asked = [row for row in tests if row["intent"] in (*names, NONE)][::4]
    for name, part in (("train", kept), ("test", asked)):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(json.dumps(row) for row in part), "utf-8")
    figures = evaluate_understanding(tmp_path / "train.jsonl", tmp_path / "test.jsonl")
    assert figures["accuracy_forced"] > 0.9 and figures["oos_recall"] > 0.6
    assert figures["accuracy_forced"] - figures["accuracy_in_scope"] < 0.05
