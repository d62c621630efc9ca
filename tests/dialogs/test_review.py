"""`samvad flows review`: what an admin is told of the examples, and of a message."""

from pathlib import Path

from bot.app import open_store
from bot.commands.understanding import explained, reviewed
from bot.dialogs.publishing import publish, save_draft, shipped_source
from bot.records.actor import SYSTEM
from bot.settings import load_settings
from tests.support.world import share_model


def test_an_admin_sees_confused_intents_weak_examples_and_why_a_message_is_understood(tmp_path: Path) -> None:
    share_model(tmp_path / "data")
    settings = load_settings(data_dir=tmp_path / "data", embeddings=False)
    lines = list(reviewed(settings))
    assert any(" is taken for " in line for line in lines[:5])
    weak = [line for line in lines if line.startswith("weak: ")]
    likely = [int(line.rsplit("(", 1)[1].rstrip("%)")) for line in weak]
    assert weak and likely == sorted(likely) and max(likely) < 20
    assert lines[-1].endswith("weak.") and " examples of " in lines[-1]
    first, *rest = explained(settings, "mera fan kharab hai")
    assert first == "open_case, by its words" and rest[0].endswith(" open_case")
    assert sum(" near (" in line and "open_case" in line for line in rest) >= 1
    assert next(explained(settings, "zxcv poiu")) == "nothing, by its words"


def test_the_flows_of_the_business_are_reviewed(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, embeddings=False)
    head = "examples:\n  en:\n"
    source = shipped_source("feedback").replace(head, f"{head}    - my pappadam goes squelch\n")
    store = open_store(settings)
    try:
        store.write_now(publish, SYSTEM, store.write_now(save_draft, SYSTEM, source))
    finally:
        store.close()
    assert any("'my pappadam goes squelch'" in line for line in explained(settings, "pappadam squelch"))
