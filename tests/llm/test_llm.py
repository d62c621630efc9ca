"""A language model as a second opinion: checked, masked, and never missed when it fails."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.dialogs.actions import ACTIONS
from bot.dialogs.commands import Handoff, NotUnderstood, StartFlow
from bot.dialogs.flows import load_flows
from bot.dialogs.turn import Business, Customer, Turn
from bot.dialogs.understanding import Model, Understanding
from bot.i18n import Words
from bot.knowledge.compose import compose
from bot.knowledge.index import ArticleText, KnowledgeIndex
from bot.llm import LLM
from bot.llm.mask import Mask
from bot.messages import InboundMessage
from bot.settings import load_settings
from bot.testing.llm import LLMEmulator
from tests.support.world import trained

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
INDEX = KnowledgeIndex.build(
    [
        ArticleText(
            "1",
            "return",
            "en",
            "Can I return a product?",
            "You can return a product within 7 days of the bill.",
        )
    ]
)


@pytest.fixture
async def emulator() -> AsyncIterator[LLMEmulator]:
    async with LLMEmulator() as running:
        yield running


@pytest.fixture
async def llm(emulator: LLMEmulator) -> AsyncIterator[LLM]:
    model = LLM(emulator.base_url, "", "emulated", timeout_s=2)
    yield model
    await model.close()


@pytest.fixture(scope="module")
def understanding() -> Any:
    words = Words.load()
    flows = load_flows(actions=ACTIONS)
    model = Model.read(trained())
    return lambda llm: Understanding(flows, words, model, llm)


def _turn(text: str) -> Turn:
    business = Business("Shop", "IN", "Asia/Kolkata", ("en", "hi"), "INR")
    message = InboundMessage("k", "webchat", "us", "them", "x", text=text)
    return Turn(datetime(2026, 11, 21, tzinfo=UTC), "webchat", business, Customer(), (message,))


def _row(command: str, **fields: str) -> dict[str, Any]:
    return {"commands": [{"command": command, "flow": "", "name": "", "value": "", **fields}]}


def test_none_without_settings() -> None:
    assert LLM.from_settings(load_settings()) is None


async def test_an_object_comes_back(emulator: LLMEmulator, llm: LLM) -> None:
    emulator.answer = {"a": "b"}
    said = await llm.structured("answer", SCHEMA, question="q", passages=[], language="English")
    assert said == {"a": "b"}
    [request] = emulator.requests
    assert request["response_format"]["json_schema"]["schema"] == SCHEMA


async def test_personal_data_does_not_leave_and_comes_back(emulator: LLMEmulator, llm: LLM) -> None:
    emulator.answer = lambda body: {"a": "call [phone-2], write [email-1]"}
    question = "I am asha@example.com, +91 98765 43210, budget 45,000"
    said = await llm.structured("answer", SCHEMA, question=question, passages=[], language="English")
    sent = emulator.requests[0]["messages"][0]["content"]
    assert "asha@" not in sent and "98765" not in sent and "45,000" in sent
    assert said == {"a": "call +91 98765 43210, write asha@example.com"}


def test_the_same_value_has_the_same_place() -> None:
    mask = Mask()
    assert mask.hide("a@b.in 9876543210 a@b.in") == "[email-1] [phone-2] [email-1]"
    assert mask.show(["[email-1]", "[email-9]"]) == ["a@b.in", "[email-9]"]


async def test_time_out_error_and_nonsense_are_none(emulator: LLMEmulator) -> None:
    outcomes: list[str] = []
    llm = LLM(emulator.base_url, "", "m", 1.0, lambda prompt, outcome, seconds: outcomes.append(outcome))
    values = {"question": "q", "passages": [], "language": "English"}
    emulator.delay = 5.0
    assert await llm.structured("answer", SCHEMA, **values) is None
    emulator.delay = 0.0
    emulator.answer = "not json"
    assert await llm.structured("answer", SCHEMA, **values) is None
    emulator.garbage = True
    assert await llm.structured("answer", SCHEMA, **values) is None
    await emulator.__aexit__(None, None, None)
    assert await llm.structured("answer", SCHEMA, **values) is None
    assert outcomes[0] == "timeout" and outcomes[1] == "nonsense" and len(outcomes) == 4
    await llm.close()


async def test_the_model_understands_what_the_classifier_does_not(
    emulator: LLMEmulator, llm: LLM, understanding: Any
) -> None:
    emulator.answer = _row("start_flow", flow="open_case")
    said = await understanding(llm).understand(_turn("the moon rises over the lake"))
    assert said.source == "llm" and said.commands == (StartFlow("open_case", {}),)


@pytest.mark.parametrize(
    "nonsense",
    [
        {"commands": []},
        {"commands": "no"},
        {"commands": [{"command": "delete_everything"}]},
        _row("start_flow", flow="no_such_flow"),
        _row("start_flow", flow="stop"),
        _row("set_slot", name="name", value="Invented Person"),
        _row("set_slot", name="no_such_slot", value="the"),
        "plain words",
    ],
)
async def test_nonsense_leaves_the_classifiers_answer(
    emulator: LLMEmulator, llm: LLM, understanding: Any, nonsense: Any
) -> None:
    emulator.answer = nonsense
    text = "the moon rises over the lake"
    said = await understanding(llm).understand(_turn(text))
    assert said.commands == (NotUnderstood(text),)


async def test_what_is_exact_asks_no_model(emulator: LLMEmulator, llm: LLM, understanding: Any) -> None:
    assert (await understanding(llm).understand(_turn("agent"))).commands == (Handoff(),)
    assert emulator.requests == []


async def test_a_models_words_are_said_when_they_stand(emulator: LLMEmulator, llm: LLM) -> None:
    emulator.answer = {"passage": 1, "answer": "Yes, return the product within 7 days of the bill."}
    said = await compose(INDEX, "can I return it?", "en", llm, base_url="http://x")
    assert said.text.startswith("Yes, return") and said.url == "http://x/en/return"


@pytest.mark.parametrize(
    "said",
    [
        {"passage": 1, "answer": "Yes, return the product within 30 days of the bill."},
        {"passage": 9, "answer": "You can return a product within 7 days."},
        {"passage": 1, "answer": ""},
        {"passage": "1"},
        "words",
    ],
)
async def test_else_the_article_is_quoted(emulator: LLMEmulator, llm: LLM, said: Any) -> None:
    emulator.answer = said
    found = await compose(INDEX, "can I return it?", "en", llm)
    assert found.text == "You can return a product within 7 days of the bill."


async def test_a_model_is_not_asked_what_no_article_answers(emulator: LLMEmulator, llm: LLM) -> None:
    assert (await compose(INDEX, "who is the president?", "en", llm)).kind == "none"
    assert emulator.requests == []
