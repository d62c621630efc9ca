"""The lint: what ships has no finding; each kind of mistake is found at its step, with its line."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli import cli
from bot.dialogs.commands import Cancel, Chitchat, Handoff
from bot.dialogs.flows import Flows, load_flows
from bot.dialogs.flows.model import Collect, Confirm
from bot.dialogs.lint import lint
from bot.dialogs.state import Frame
from bot.dialogs.walk import leaves, stuck

HEAD = "name: odd\nversion: 1\ndescription: d\n"


def test_the_flows_that_ship_have_no_finding(flows: Flows) -> None:
    assert lint(flows) == []


def test_two_turns_lead_out_of_every_question_that_ships(flows: Flows) -> None:
    asking = (Collect, Confirm)
    assert sum(isinstance(step, asking) for flow in flows.values() for step in flow.steps) > 10
    assert [found for flow in flows.values() for found in stuck(flow, flows)] == []


def test_the_walk_sees_when_a_command_does_not_lead_out(flows: Flows) -> None:
    waits = [Frame("capture_lead", flows["capture_lead"].version, "need")]
    assert leaves(waits, flows, Cancel()) and leaves(waits, flows, Handoff())
    assert not leaves(waits, flows, Chitchat("thanks")), "courtesy is answered, and the question asked again"


@pytest.mark.parametrize(
    ("steps", "step", "error", "said"),
    [
        ("[{goto: end}, {id: x, say: greet.hello}]", "x", False, "no step leads here"),
        ("[{id: x, collect: a, ask: greet.hello}, {goto: x}]", "x", True, "never ends"),
        ("[{id: x, say: greet.hello}, {branch: a == 1, then: x}]", "x", True, "without a question"),
        ("[{id: x, branch: a == 1, then: end}]", "x", True, "nothing has filled a"),
        ("[{id: x, call: odd2, takes: {b: a}}]", "x", True, "nothing has filled a"),
        (
            "[{id: x, collect: a, type: choice, choices_from: b, ask: greet.hello}]",
            "x",
            True,
            "nothing has filled b",
        ),
        (
            "[{collect: a, type: choice, choices: {y: answer.yes}, words: {z: [zed]}, ask: greet.hello}]",
            "a",
            False,
            "words for z",
        ),
    ],
)
def test_each_mistake_is_found(tmp_path: Path, steps: str, step: str, error: bool, said: str) -> None:
    (tmp_path / "odd.yaml").write_text(f"{HEAD}steps: {steps}\n")
    (tmp_path / "odd2.yaml").write_text(HEAD.replace("odd", "odd2") + "steps: [{say: greet.hello}]\n")
    found = [one for one in lint(load_flows(tmp_path)) if one.step == step and said in one.text]
    assert [one.error for one in found] == [error], lint(load_flows(tmp_path))


@pytest.mark.parametrize(
    "steps",
    [
        "[{do: recall_lead}, {branch: a == 1, then: end}]",
        "[{branch: a is known, then: end}, {collect: a, ask: greet.hello}]",
        "[{set: {a: 1}}, {branch: a == 1, then: end}]",
        "[{id: x, collect: a, ask: greet.hello}, {branch: a == 1, then: x}]",
    ],
)
def test_what_is_sound_has_no_finding(tmp_path: Path, steps: str) -> None:
    (tmp_path / "sound.yaml").write_text(f"{HEAD}steps: {steps}\n")
    assert lint(load_flows(tmp_path)) == []


def test_a_keyword_of_two_flows_is_an_error_whatever_its_language(tmp_path: Path) -> None:
    for name, keywords in (("odd", "{en: [Bill]}"), ("odd2", "{hi: [bill!]}"), ("odd3", "{en: [bills]}")):
        head = HEAD.replace("odd", name)
        (tmp_path / f"{name}.yaml").write_text(f"{head}keywords: {keywords}\nsteps: [{{say: greet.hello}}]\n")
    found = lint(load_flows(tmp_path))
    assert [(one.flow, one.error) for one in found] == [("odd", True), ("odd2", True)], found
    assert 'the keyword "bill" belongs to the flow odd2' in found[0].text


def test_the_command_names_file_and_line_and_fails_on_errors(tmp_path: Path) -> None:
    run = CliRunner().invoke
    assert run(cli, ["flows", "check"]).exit_code == 0
    (tmp_path / "odd.yaml").write_text(f"{HEAD}steps:\n  - goto: end\n  - say: greet.hello\n")
    warned = run(cli, ["flows", "check", str(tmp_path)])
    assert warned.exit_code == 0 and "warning: odd.yaml:6: no step leads here" in warned.output
    (tmp_path / "odd.yaml").write_text(f"{HEAD}steps:\n  - id: x\n    say: greet.hello\n  - goto: x\n")
    failed = run(cli, ["flows", "check", str(tmp_path)])
    assert failed.exit_code == 1
