"""Flows: what is wrong is said with file, line and remedy; what ships is right."""

from pathlib import Path

import pytest

from bot.dialogs.actions import ACTIONS
from bot.dialogs.flows import Flows, load_flows
from bot.dialogs.flows.conditions import read_condition
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
        ("- {id: end, say: greet.hello}", 6, "cannot be called end"),
        ("- branch: x < many\n    then: end", 6, "with a number or a date"),
        ("- branch:\n    - {when: x > 5, then: end}\n    - {when: x ~ 5, then: end}", 8, "must read"),
        ("- branch:\n    - {when: x > 5}", 6, "a branch names a step in `then`"),
        ("- branch: [{when: x > 5, then: there}]", 6, "there is no step there"),
        ("- call: nobody", 6, "there is no flow nobody to call"),
        ("- call: bad", 6, "calls bad again, without end"),
        ("- confirm: no.such.key", 6, "there are no words for no.such.key"),
        ("- {confirm: greet.hello, otherwise: there}", 6, "there is no step there"),
        ("- set: 5", 6, "set needs slots and their values"),
        ("- set: {x: [1]}", 6, "set x: give a text"),
        ("- {collect: x, ask: greet.hello, min: few}", 6, "min must be a number"),
        ("- {collect: x, ask: greet.hello, min: 5, max: 2}", 6, "min 5 is more than max 2"),
        ("- {collect: x, type: date, ask: greet.hello, max: 2}", 6, "min and max go with"),
        ("- {collect: x, ask: greet.hello, after: now}", 6, "after and before go with"),
        ("- {collect: x, type: date, ask: greet.hello, after: y}", 6, "name `now` or a slot"),
        ("- {collect: x, type: money, ask: greet.hello, digits: 6}", 6, "digits goes with text"),
        ("- {collect: x, ask: greet.hello, tries: -1}", 6, "tries must be a whole number"),
        ("- {collect: x, ask: greet.hello, tries: 2, otherwise: there}", 6, "there is no step there"),
        ("- {collect: x, ask: greet.hello, repairs: {too_odd: y}}", 6, "too_odd is none of"),
        ("- {collect: x, ask: greet.hello, repairs: {too_short: no.key}}", 6, "no words for no.key"),
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


@pytest.mark.parametrize(
    ("condition", "slots", "holds"),
    [
        ("a == x", {"a": "x"}, True),
        ("a == true", {"a": True}, True),
        ("a != x", {}, True),
        ("a in 1, 2", {"a": 2}, True),
        ("a is known", {"a": 0}, True),
        ("a is unknown", {"a": None}, True),
        ("a < 5", {"a": 4}, True),
        ("a < 5", {"a": "5"}, False),
        ("a >= 5", {"a": "5.0"}, True),
        ("a < 5", {}, False),
        ("a > 5", {"a": "many"}, False),
        ("a > 5", {"a": True}, False),
        ("a > 1", {"a": ["x", "y"]}, True),
        ("a <= 5000", {"a": {"minor": 500_000, "currency": "INR"}}, True),
        ("a > 4999.99", {"a": {"minor": 500_000, "currency": "INR"}}, True),
        ("a > 2", {"a": {"amount": 3, "unit": "kg"}}, True),
        ("a >= 2026-12-01", {"a": "2026-12-01T09:00+05:30"}, True),
        ("a < 2026-12-01", {"a": "2026-11-30"}, True),
        ("a < 2026-12-01", {"a": 5}, False),
    ],
)
def test_conditions(condition: str, slots: dict[str, object], holds: bool) -> None:
    read = read_condition(condition)
    assert read is not None and read.holds(slots) is holds and str(read) == condition


def test_a_flow_that_is_only_called_has_no_examples(tmp_path: Path) -> None:
    text = (
        "name: bad\nversion: 1\ndescription: d\ncalls_only: true\nremembers: {}\n"
        "examples: {{en: [hello]}}\nsteps: [{{end: true}}]\n"
    )
    assert "has no examples" in _problems(tmp_path, text.format("7d"))[0]
    assert "remembers must be as" in _problems(tmp_path, text.format("soon"))[0]


def test_trained_flows_have_examples_in_every_language(flows: Flows) -> None:
    for name in TRAINED:
        for lang in ("en", "hi", "hi-Latn", "ur"):
            assert len(flows[name].examples[lang]) >= 12, (name, lang)
