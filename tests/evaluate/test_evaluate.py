"""`samvad eval`: figures against gold."""

import json

import pytest
from typer.testing import CliRunner

from bot.cli import cli
from bot.commands.evaluation import run_evaluation
from bot.errors import InvalidInput
from bot.evaluate import EVALUATIONS

BOUNCE = "From: MAILER-DAEMON@x.test\nSubject: failure notice\n\n<{0}>:\n550 5.1.1 user unknown\n"


@pytest.fixture
def rows(tmp_path):
    """Writes rows as JSONL."""

    def write(*rows: dict) -> str:
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
        return str(path)

    return write


def figures(name: str, path: str) -> dict:
    """Through the command: the last line is the object."""
    result = CliRunner().invoke(cli, ["eval", name, "--test", path])
    assert result.exit_code == 0, result.output
    return json.loads(result.output.strip().splitlines()[-1])


def test_bounces(rows):
    found = figures(
        "bounces",
        rows(
            {
                "file": "1",
                "raw": BOUNCE.format("a@x.test"),
                "gold": [{"addresses": ["A@x.test"], "temporary": False}],
            },
            {
                "file": "2",
                "raw": BOUNCE.format("a@x.test"),
                "gold": [{"addresses": ["b@x.test"], "temporary": True}],
            },
            {"file": "3", "raw": "From: a@x.test\n\nHello", "gold": []},
            {
                "path": "4",
                "raw": BOUNCE.format("a@x.test"),
                "gold": [{"reason": "userunknown", "hardbounce": True}],
            },
            {
                "path": "5",
                "raw": "From: a@x.test\n\nHello",
                "gold": [{"reason": "feedback", "hardbounce": False}],
            },
            {"path": "6", "raw": "From: a@x.test\n\nHello", "gold": None, "not_bounce": True},
            {"path": "7", "raw": "whatever", "gold": None, "not_bounce": False},
            {
                "path": "8",
                "raw": "From: a@x.test\n\nHello",
                "gold": [{"reason": "expired", "hardbounce": False}],
            },
        ),
    )
    assert found["rows"] == 8
    assert found["asked"] == {"bounce_or_not": 7, "recipient": 2, "hard_or_soft": 4}
    assert found["bounce_or_not"] == pytest.approx(6 / 7, abs=1e-4)
    assert (found["recipient"], found["hard_or_soft"]) == (0.5, 0.5)
    assert found["wrong"]["recipient"] == ["2"]


def test_replies(rows):
    found = figures(
        "replies",
        rows(
            {"id": "1", "kind": "text", "input": "Yes\n\nOn 1 May 2025, H wrote:\n> x", "expected": "Yes"},
            {"id": "2", "kind": "text", "input": "Yes", "expected": "No"},
            {"id": "3", "kind": "text", "input": "Yes", "expected": None},
            {"id": "4", "kind": "eml", "input": "From: a@b.test\n\nYes\n\n> x", "expected": "Yes"},
            {"id": "5", "kind": "html", "input": "<p>Yes</p>", "expected_html_no_whitespace": "<p>Yes</p>"},
            {"id": "6", "kind": "signature", "input": "Yes\n-- \nA", "expected_signature": "-- \nA\n"},
        ),
    )
    assert (found["text"], found["eml"], found["html"], found["signature"]) == (0.5, 1.0, 1.0, 1.0)
    assert found["rows"] == 6


def test_language(rows):
    found = figures(
        "language",
        rows(
            {"text": "where is my order", "lang": "en"},
            {"text": "mera order kahan hai", "lang": "hi-Latn"},
            {"text": "ok", "lang": "en"},
            {"text": "மணி என்ன?", "lang": "te"},
        ),
    )
    assert found["accuracy"] == 0.75 and found["taken_for"] == {"te>ta": 1}
    assert found["accuracy_by_lang"] == {"en": 1.0, "hi-Latn": 1.0, "te": 0.0}


def test_slots(tmp_path):
    def says(utterance: str, *given: tuple[str, str], asked: str = "") -> list[dict]:
        acts = [{"act": "INFORM", "slot": slot, "canonical_values": [value]} for slot, value in given]
        return [
            {"speaker": "SYSTEM", "frames": [{"actions": [{"act": "REQUEST", "slot": asked}]}]},
            {"speaker": "USER", "utterance": utterance, "frames": [{"actions": acts}]},
        ]

    turns = [
        *says("from March 9th to the 12th", ("pickup_date", "2019-03-09"), ("dropoff_date", "2019-03-12")),
        *says("send 1,200 bucks", ("amount", "1200")),
        *says("the 11th", ("date", "2019-03-11"), asked="date"),
        *says("3", ("number_of_rooms", "3"), asked="number_of_rooms"),
        *says("3", ("number_of_rooms", "3"), asked="city"),  # nobody asked for it
        *says("anything", ("category", "Music"), ("time", "dontcare")),  # no type of ours, no value
        *says("at 6 pm", ("time", "19:00")),
    ]
    path = tmp_path / "dialogues.json"
    path.write_text(json.dumps([{"dialogue_id": "1", "turns": turns}]))
    found = figures("slots", str(path))
    assert found["given"] == {"date": 3, "money": 1, "quantity": 2, "time": 1}
    assert found["right_by_type"] == {"date": 1.0, "money": 1.0, "quantity": 0.5, "time": 0.0}
    path.write_text("{}")
    with pytest.raises(InvalidInput, match="no list of dialogues"):
        EVALUATIONS["slots"](path)


def test_strings_may_hold_any_line_end(rows):
    assert figures("replies", rows({"kind": "text", "input": "a\u2028b\x85c", "expected": "x"}))["rows"] == 1


@pytest.mark.parametrize("text", ["{", "[]", "\ud800"])
def test_unreadable_gold_names_the_line(tmp_path, text):
    path = tmp_path / "gold.jsonl"
    path.write_bytes(b"{}\n" + text.encode("utf-8", "surrogatepass"))
    for name in ("bounces", "replies"):
        with pytest.raises(InvalidInput, match=r"gold\.jsonl"):
            EVALUATIONS[name](path)


def test_wrong_use_is_a_sentence(tmp_path):
    with pytest.raises(InvalidInput, match="bounces"):
        run_evaluation("nothing", {}, print)
    with pytest.raises(InvalidInput, match="needs --test"):
        run_evaluation("replies", {"test": None}, print)
    with pytest.raises(InvalidInput, match="takes no --holdout-weeks"):
        run_evaluation("replies", {"test": tmp_path, "holdout_weeks": 3}, print)


def test_the_shared_sets(tmp_path):
    from pathlib import Path

    folder = Path(__file__).parents[3] / "shared" / "data" / "email"
    if not folder.exists():
        pytest.skip("no shared data")
    assert figures("replies", str(folder / "replies_talon.jsonl"))["text"] >= 0.9
