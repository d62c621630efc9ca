"""Played customers over the whole program (bot/evaluate/simulation): they get what they came for."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.errors import InvalidInput
from bot.evaluate.conversations import Result, figures, played_in
from bot.evaluate.simulation.goals import customers
from bot.evaluate.simulation.judge import judge
from bot.evaluate.simulation.llm_customer import LLMCustomer
from bot.evaluate.simulation.play import Played
from bot.evaluate.simulation.script import Conversation, Twist, read_conversation, read_conversations
from bot.evaluate.simulation.shop import Shop, open_shop
from bot.i18n import Words
from bot.llm import LLM
from bot.settings import load_settings
from bot.testing import LLMEmulator
from tests.support.world import MODELS, share_model, share_schema, trained

WRITTEN = Path(__file__).parent / "data" / "conversations.jsonl"
"""Written by people who had not seen the flows' examples (the first hundred), then mended for."""
SAMPLE = slice(0, None, 13)
NAMED = {"id": "1", "lang": "en", "channel": "webchat", "flow": "feedback"}


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    share_model(tmp_path / "data")
    share_schema(tmp_path / "data")
    async with open_shop(tmp_path / "data", embeddings=False) as opened:
        yield opened


async def played(shop: Shop, talks: list[Conversation], times: int = 1) -> list[Result]:
    return [result async for result in played_in(shop, talks, times, lambda line: None)]


def failed(results: list[Result]) -> dict[str, Any]:
    return {
        f"{one.talk.id}/{one.seed}": [*one.problems, *one.played.transcript]
        for one in results
        if one.problems
    }


async def test_customers_made_from_parts_get_what_they_want(shop: Shop) -> None:
    moved = Conversation(
        *("moved", "en", "webchat", "order_status", ("where is my order",)),
        answers={"order_number": "48213", "code": "{code}"},
        twists=(Twist("moves", after="order_number", to="whatsapp"),),
        expects={"order_number": "48213"},
    )
    results = await played(shop, [*customers(19), moved])
    assert failed(results) == {}
    assert sum(one.played.turns for one in results) > 50


async def test_a_sample_of_written_conversations(shop: Shop) -> None:
    results = await played(shop, read_conversations(WRITTEN)[SAMPLE])
    # By words alone: the whole model, which knows meaning too, is for the slow suite.
    assert len(failed(results)) <= 2, failed(results)


async def test_who_gets_the_wrong_thing_has_not_passed(shop: Shop) -> None:
    wrong = Conversation(
        "w", "en", "webchat", "open_case", ("my fridge is not cooling",), expects={"description": "oven"}
    )
    mute = Conversation("m", "en", "whatsapp", "talk_to_person", ("my fridge is not cooling",))
    first, second = await played(shop, [wrong, mute])
    assert "without 'oven'" not in str(first.problems)  # never said, so it need not be there
    assert second.problems == ["not handed over to a person"]
    asked = Conversation("a", "en", "webchat", "return_item", ("my fridge is not cooling",))
    (third,) = await played(shop, [asked])
    assert third.problems[0] == "a case of another category"
    found = figures([first, second, third], 1)
    assert (found["passed"], found["failed"], found["pass^1"]) == (1, 2, 0.3333)


def test_what_is_on_record_is_judged_not_what_was_said() -> None:
    talk = Conversation(
        "b", "en", "webchat", "book_appointment", ("x",), expects={"starts_at": "2026-11-24T17:00"}
    )
    assert judge(Played(talk), Words.load()) == ["no visit"]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"id": "1", "lang": "en", "channel": "webchat"}, "flow"),
        ({**NAMED, "channel": "fax", "opening": ["x"]}, "channel"),
        ({**NAMED, "opening": "x"}, "opening"),
        (
            {
                "id": "1",
                "lang": "en",
                "channel": "webchat",
                "flow": "feedback",
                "opening": ["x"],
                "twists": [{"kind": "cancel"}],
            },
            "after, say",
        ),
    ],
)
def test_a_conversation_that_cannot_be_played_is_named(row: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        read_conversation(row, "file, row 1")


# --- slow ------------------------------------------------------------------------------------------


@pytest.fixture
async def whole_shop(tmp_path: Path) -> AsyncIterator[Shop]:
    """With the model that knows meaning too."""
    trained("meaning")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "models").symlink_to(MODELS)
    share_schema(tmp_path / "data")
    async with open_shop(tmp_path / "data") as opened:
        yield opened


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_every_written_conversation(whole_shop: Shop) -> None:
    results = await played(whole_shop, read_conversations(WRITTEN))
    assert figures(results, 1)["pass_rate"] >= 0.97, failed(results)


@pytest.mark.slow
@pytest.mark.timeout(1500)
async def test_hundreds_of_customers_who_mistype_three_times_over(whole_shop: Shop) -> None:
    found = figures(await played(whole_shop, customers(300, seed=2), times=3), 3)
    assert found["pass_at_1"] >= 0.95 and found["pass^3"] >= 0.9, found


@pytest.mark.slow
async def test_a_language_model_as_the_customer(whole_shop: Shop) -> None:
    model = LLM.from_settings(load_settings(llm_timeout_s=60.0))
    if model is None:
        pytest.skip("no language model is configured: set SAMVAD_LLM_BASE_URL and SAMVAD_LLM_MODEL")
    talks = [replace(talk, twists=()) for talk in customers(20, seed=3)]
    try:
        results = [
            result
            async for result in played_in(
                whole_shop,
                *(talks, 1, lambda line: None),
                lambda talk, seed: LLMCustomer(model, talk, whole_shop.flows),
            )
        ]
    finally:
        await model.close()
    assert figures(results, 1)["pass_rate"] >= 0.5, failed(results)


async def test_a_language_model_plays_a_customer_to_the_end(shop: Shop) -> None:
    async with LLMEmulator() as emulator:
        emulator.script = [{"message": text, "done": False} for text in ("2", "too slow")]
        model = LLM.from_settings(load_settings(**emulator.settings))
        assert model is not None
        talk = Conversation(
            *("f", "en", "webchat", "feedback", ("i want to give feedback",)),
            answers={"rating": "2", "comment": "too slow"},
            expects={"rating": 2, "comment": "slow"},
        )
        results = [
            result
            async for result in played_in(
                shop, [talk], 1, lambda line: None, lambda one, seed: LLMCustomer(model, one, shop.flows)
            )
        ]
        await model.close()
    assert failed(results) == {} and results[0].played.turns == 3
