"""Whole conversations as customers type them, recorded: understanding, engine and words together."""

from dataclasses import fields
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli import cli
from bot.dialogs.flows import Flows
from bot.dialogs.recordings import KNOWN, RECORDED, Recording, read_recordings
from bot.dialogs.rehearsal import Rehearsal
from bot.dialogs.replay import replay
from bot.dialogs.understanding import Understanding
from bot.errors import ConfigurationInvalid, InvalidInput
from bot.i18n import Words
from tests.support.world import share_model

RECORDINGS = read_recordings(None, Words.load())
OWN = """name: table
version: 1
description: A table for the evening.
examples: {en: [book me a table, a table for tonight please, I need a table]}
steps:
  - collect: guests
    type: quantity
    ask: lead.ask_need
  - say: lead.thanks
"""
ASKED = "- name: n\n  turns:\n    - user: I need a table\n      "


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda one: f"{one.file}:{one.line}")
async def test_what_ships_goes_as_it_was_recorded(
    recording: Recording, flows: Flows, understanding: Understanding, words: Words
) -> None:
    assert (await replay(recording, flows, understanding, words)).difference == ""


def test_every_flow_that_ships_has_recordings_in_several_languages(flows: Flows) -> None:
    files = [recording.file.removesuffix(".yaml") for recording in RECORDINGS]
    assert set(files) == set(flows), "a file a flow"
    assert min(files.count(name) for name in files) >= 2
    spoken = {
        name: {one.lang or one.turns[-1].lang for one in RECORDINGS if one.file == f"{name}.yaml"} - {""}
        for name in (
            "capture_lead",
            "open_case",
            "book_appointment",
            "call_back",
            "return_item",
            "order_status",
        )
    }
    assert all(langs == {"en", "hi", "hi-Latn", "ur"} for langs in spoken.values()), spoken


@pytest.mark.parametrize(
    ("turn", "line", "said"),
    [
        ("bot: [lead.ask_name]", 3, 'the bot says lead.ask_need ("'),
        ("bot: [Wonderful]", 3, "not Wonderful"),
        ("bot: [lead.ask_need, lead.thanks]", 3, "the bot does not say lead.thanks"),
        ("bot: []", 3, "besides"),
        ("lang: hi", 3, "the bot speaks en, not hi"),
        ("state: {flow: capture_lead}", 3, "table runs, not capture_lead"),
        ("state: {flow: null}", 3, "table runs, not none"),
        ("state: {asks: name}", 3, "guests is asked for, not name"),
        ("state: {slots: {guests: 4}}", 3, "guests is None, not 4"),
        ("writes: [open_case]", 3, "open_case is not written; written is nothing"),
        ("bot: [lead.ask_need]\n    - button: 'flow:help'", 5, "flow:help was not offered, but no buttons"),
        ("after: 2d\n    - user: '4'\n      after: 2d\n      bot: [lead.thanks]", 5, "the bot says "),
    ],
)
def test_the_command_names_the_first_difference_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, turn: str, line: int, said: str
) -> None:
    share_model(tmp_path / "data")
    monkeypatch.setenv("SAMVAD_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "table.yaml").write_text(OWN)
    (tmp_path / RECORDED).mkdir()
    file = tmp_path / RECORDED / "table.yaml"
    file.write_text(ASKED + turn + "\n")
    failed = CliRunner().invoke(cli, ["flows", "test", str(tmp_path)])
    assert failed.exit_code == 1 and "✗ table.yaml:1: n" in failed.output, failed.output
    assert f"    table.yaml:{line}: " in failed.output and said in failed.output, failed.output
    file.write_text(
        ASKED + "bot: [lead.ask_need]\n      state: {flow: table, asks: guests}\n      writes: []\n"
    )
    passed = CliRunner().invoke(cli, ["flows", "test", str(tmp_path)])
    assert passed.exit_code == 0 and "1 recordings are as they were" in passed.output, passed.output


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: 1", 1, "is a list"),
        ("- name: [", 1, "not YAML"),
        ("- turns: [{user: hi}]", 1, "has a `name`"),
        ("- name: n\n  turns: []", 1, "list of `turns`"),
        ("- name: n\n  turns:\n    - user: hi\n      bott: x", 3, "bott is not known here"),
        ("- name: n\n  turns:\n    - bot: x", 3, "in `user`, or presses in `button`"),
        ("- name: n\n  turns:\n    - user: 5", 3, "as text"),
        ("- name: n\n  turns: [hi]", 1, "a turn is a mapping"),
        ("- name: n\n  channel: fax\n  turns: [{user: hi}]", 1, "channel 'fax' is none of"),
        ("- name: n\n  lang: fr\n  turns: [{user: hi}]", 1, "no words in fr"),
        ("- name: n\n  now: soon\n  turns: [{user: hi}]", 1, "soon"),
        ("- name: n\n  turns: [{user: hi, after: soon}]", 2, "after must be as"),
        ("- name: n\n  turns: [{user: hi, bot: [greet.helo]}]", 2, "no words for greet.helo"),
        ("- name: n\n  turns: [{user: hi, bot: [yes]}]", 2, "quote yes"),
        ("- name: n\n  turns: [{user: hi, state: x}]", 2, "state is as"),
        ("- name: n\n  turns: [{user: hi, writes: [open_cas]}]", 2, "writes lists some of"),
        ("- name: n\n  turns: [{user: hi, writes: [open_case: {colour: 1}]}]", 2, "open_case has no colour"),
        ("- name: n\n  knows: {weather: 1}\n  turns: [{user: hi}]", 2, "weather is not known here"),
        ("- name: n\n  knows: {order: {state: lost}}\n  turns: [{user: hi}]", 2, "'lost' is none of"),
        ("- name: n\n  knows: {cases: 1}\n  turns: [{user: hi}]", 2, "cases is a list"),
        ("- name: n\n  knows: {customer: {name: 5}}\n  turns: [{user: hi}]", 2, "5 must be a str"),
        ("- name: n\n  knows: {customer: {age: 5}}\n  turns: [{user: hi}]", 2, "age is not known here"),
    ],
)
def test_a_poor_recording_is_named_with_its_line(tmp_path: Path, text: str, line: int, said: str) -> None:
    (tmp_path / RECORDED).mkdir()
    (tmp_path / RECORDED / "odd.yaml").write_text(text)
    with pytest.raises(ConfigurationInvalid) as refused:
        read_recordings(tmp_path, Words.load())
    assert any(
        one.startswith(f"odd.yaml:{line}: ") and said in one for one in refused.value.data["problems"]
    ), refused.value.message


def test_a_folder_without_recordings_says_where_they_go(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="recorded"):
        read_recordings(tmp_path, Words.load())


def test_what_a_recording_knows_is_what_the_bot_is_told() -> None:

    assert KNOWN.keys() <= {spec.name for spec in fields(Rehearsal)}
