"""`samvad eval payloads` over a folder of recordings, and over the shared ones where they are."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.evaluate.payloads import evaluate_payloads
from tests.support.world import share_model


@pytest.fixture(autouse=True)
def installation(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    data_dir = tmp_path_factory.mktemp("installation")
    share_model(data_dir)
    monkeypatch.setenv("SAMVAD_DATA_DIR", str(data_dir))


CAPTURED = Path(__file__).parents[2] / "bot" / "channels"


def _folder(tmp_path: Path) -> Path:
    whatsapp = tmp_path / "whatsapp_cloud_pywa"
    whatsapp.mkdir()
    text = json.loads((CAPTURED / "whatsapp" / "payloads" / "text.json").read_text("utf-8"))
    (whatsapp / "message.json").write_text(json.dumps({"text": text, "broken": {"entry": 1}}))
    telegram = json.loads((CAPTURED / "telegram" / "payloads" / "text.json").read_text("utf-8"))
    (tmp_path / "opsdroid").mkdir()
    row = {"channel": "telegram", "name": "text", "payload": telegram}
    (tmp_path / "opsdroid" / "payloads.jsonl").write_text(json.dumps(row) + "\n")
    return tmp_path


def test_what_was_read_is_told_and_what_was_not_is_named(tmp_path: Path) -> None:
    lines: list[str] = []
    found = evaluate_payloads(_folder(tmp_path), lines.append)
    assert found["answers"] == {"200": 3}
    assert found["read_as"] == {"message": 2, "unreadable": 1}
    assert found["failed"] == ["whatsapp message/broken"]
    assert any("is the blue one in stock" in line for line in lines)


def test_recorded_payloads_are_taken(shared_data: Callable[[str], Path]) -> None:
    found = evaluate_payloads(shared_data("channels"), lambda _: None)
    assert set(found["answers"]) == {"200"}
    assert found["payloads"] > 50
    # Without ids of sender or message there is nobody to answer and nothing to tell twice from once.
    assert all(name.startswith("messenger") for name in found["failed"]), found["failed"]
