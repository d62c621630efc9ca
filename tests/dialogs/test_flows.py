"""Flows: what is wrong is said with file, line and remedy; what ships is right."""

from pathlib import Path

import pytest

from bot.dialogs.actions import ACTIONS
from bot.dialogs.flows import Condition, Flows, load_flows
from bot.errors import ConfigurationInvalid
from bot.i18n import Words

TRAINED = ("capture_lead", "open_case", "case_status", "add_to_case", "ask_knowledge", "talk_to_person")


def _problems(tmp_path: Path, text: str) -> list[str]:
    (tmp_path / "bad.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationInvalid) as caught:
        load_flows(tmp_path, actions=ACTIONS, knows=Words.load().has)
    problems: list[str] = caught.value.data["problems"]
    return problems


@pytest.mark.parametrize(
    ("step", "line", "said"),
    [
        ("- shout: hello", 6, "a step is one of"),
        ("- collect: x\n    type: colour\n    ask: lead.ask_need", 6, "type 'colour' is none of"),
        ("- collect: x\n    type: choice\n    ask: lead.ask_need", 6, "needs `choices`"),
        ("- collect: x", 6, "needs `ask`"),
        ("- branch: x maybe y\n    then: end", 6, "must read `slot == value`"),
        ("- goto: nowhere", 6, "there is no step nowhere"),
        ("- do: fly", 6, "there is no action fly"),
        ("- say: no.such.key", 6, "there are no words for no.such.key"),
        ("- say: greet.hello\n    colour: red", 6, "colour is not known here"),
        ("- say: greet.hello\n  - {id: say-0, say: greet.hello}", 7, "two steps are called say-0"),
    ],
)
def test_a_wrong_step_is_named_with_its_line(tmp_path: Path, step: str, line: int, said: str) -> None:
    text = f"name: bad\nversion: 1\ndescription: d\naudience: customer\nsteps:\n  {step}\n"
    problems = _problems(tmp_path, text)
    assert any(problem.startswith(f"bad.yaml:{line}: ") and said in problem for problem in problems), problems


def test_what_is_no_flow_is_named(tmp_path: Path) -> None:
    assert "bad.yaml:1: not YAML" in _problems(tmp_path, "a: [")[0]
    assert "version is missing" in " ".join(_problems(tmp_path, "name: bad\n"))
    assert "a flow is a mapping" in _problems(tmp_path, "- a\n")[0]


def test_conditions() -> None:
    assert Condition("a", "==", "x").holds({"a": "x"})
    assert Condition("a", "!=", "x").holds({})
    assert Condition("a", "in", ("1", "2")).holds({"a": 2})
    assert Condition("a", "known").holds({"a": 0}) and Condition("a", "unknown").holds({"a": None})


def test_trained_flows_have_examples_in_every_language(flows: Flows) -> None:
    for name in TRAINED:
        for lang in ("en", "hi", "hi-Latn", "ur"):
            assert len(flows[name].examples[lang]) >= 12, (name, lang)
