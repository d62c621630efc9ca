"""One question to a language model: a prompt file in, a JSON object out, None when that fails.

The plain path must answer then, so nothing here raises for what a model or its network does. A model that
keeps failing is left alone for a while, and one that has spent the day's money until the next day.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from math import inf
from pathlib import Path
from time import perf_counter
from types import MappingProxyType
from typing import Any, Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bot import clock
from bot.breaker import Breaker
from bot.llm.fence import fenced
from bot.llm.mask import Mask
from bot.settings import Settings

log = logging.getLogger(__name__)

RETRIES = 0
"""The classifier has answered already: nobody waits for a second try."""
LONGEST_ANSWER = 800
"""Tokens an answer may have."""
LONGEST_TEXT = 20_000
"""And characters, where a server does not keep to that."""
AT_ONCE = 8

_NO_COMPLETION = (ValueError, TypeError, AttributeError, KeyError)
"""What the SDK itself raises over an answer that is no completion: a cut body, a page of HTML."""


@dataclass(frozen=True, slots=True)
class Call:
    """How one call went. `outcome`: ok, nonsense, refused, too_long, one of `bot.llm.failures`, or why it was
    not made: busy, paused, over_budget. `cost` is in the currency of the prices."""

    prompt: str
    outcome: str
    seconds: float = 0.0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0


Observe = Callable[[Call], None]
Ledger = Callable[[str, float], Awaitable[float]]
"""(day, cost) -> what that day has cost with it."""

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


def within(seconds: float) -> None:
    """From here on all calls of this task together may take so long: a customer waits for their sum."""
    _deadline.set(perf_counter() + seconds)


def _left() -> float:
    until = _deadline.get()
    return inf if until is None else max(0.0, until - perf_counter())


@dataclass(frozen=True, slots=True)
class Budget:
    """Prices of a million tokens, and what a day may cost (0: anything)."""

    price_in: float = 0.0
    price_out: float = 0.0
    a_day: float = 0.0

    def cost(self, tokens_in: int, tokens_out: int) -> float:
        """Of one call."""
        return (tokens_in * self.price_in + tokens_out * self.price_out) / 1_000_000


@dataclass(frozen=True, slots=True)
class _Said:
    text: str
    reason: Literal["ok", "refused", "too_long"]
    tokens_in: int
    tokens_out: int


class LLM:
    """An endpoint and its model. `observe` is told how each call went; `ledger` adds up what it costs."""

    def __init__(
        self,
        base_url: str,
        api_key: str,
        model: str,
        timeout_s: float = 4.0,
        observe: Observe | None = None,
        *,
        at_once: int = AT_ONCE,
        budget: Budget | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        # Importing the SDK takes over a second: only those who configure a model wait for it.
        import openai

        from bot.llm import failures

        self.model = model
        self._openai, self._failures = openai, failures
        self._timeout_s = timeout_s
        self._observe = observe or (lambda call: None)
        self._budget, self._ledger = budget or Budget(), ledger
        self._breaker = Breaker()
        self._few = asyncio.Semaphore(at_once)
        self._knows_schema = True
        # Without a key the SDK looks into the environment and refuses to start; local servers need none.
        self._client = openai.AsyncOpenAI(
            base_url=base_url, api_key=api_key or "none", timeout=None, max_retries=RETRIES
        )

    @classmethod
    def from_settings(
        cls, settings: Settings, observe: Observe | None = None, ledger: Ledger | None = None
    ) -> "LLM | None":
        """The configured model; None without one."""
        if not settings.llm_base_url:
            return None
        return cls(
            settings.llm_base_url,
            settings.llm_api_key.get_secret_value(),
            settings.llm_model,
            settings.llm_timeout_s,
            observe,
            at_once=settings.llm_at_once,
            budget=Budget(settings.llm_price_in, settings.llm_price_out, settings.llm_daily_limit),
            ledger=ledger,
        )

    async def structured(
        self,
        prompt: str,
        schema: dict[str, Any],
        *,
        private: Mapping[str, str] = MappingProxyType({}),
        timeout_s: float = 0.0,
        **values: Any,
    ) -> dict[str, Any] | None:
        """Fill `prompts/<prompt>.j2` and ask for an object of this schema; None on time-out or nonsense.
        `timeout_s`: where somebody waits longer for it than a customer does.

        Phone numbers, e-mail addresses and the `private` values (value -> what it is) leave as placeholders
        and are put back into the answer."""
        mask = Mask(private)
        messages = _messages(prompt, values, mask)
        began = perf_counter()
        said, outcome = await self._guarded(prompt, messages, schema, timeout_s or self._timeout_s)
        answer = None
        if said is not None and outcome == "ok":
            answer = _object(said.text)
            outcome = "ok" if answer is not None else "nonsense"
        used = (said.tokens_in, said.tokens_out) if said is not None else (0, 0)
        cost = self._budget.cost(*used)
        if cost and self._ledger is not None:
            await self._ledger(_day(), cost)
        self._observe(Call(prompt, outcome, perf_counter() - began, *used, cost))
        return mask.show(answer) if answer is not None else None

    async def _guarded(
        self, prompt: str, messages: list[dict[str, str]], schema: dict[str, Any], timeout_s: float
    ) -> tuple[_Said | None, str]:
        """(what it said, outcome): not asked while it is paused, spent or busy."""
        if not self._breaker.closed():
            return None, "paused"
        if await self._spent():
            return None, "over_budget"
        waiting = True
        try:
            async with asyncio.timeout(min(timeout_s, _left())):
                async with self._few:
                    waiting = False
                    said = await self._ask(prompt, messages, schema)
        except (TimeoutError, self._openai.OpenAIError, *_NO_COMPLETION) as error:
            if waiting:
                return None, "busy"  # our own doing: it says nothing of the endpoint
            outcome = self._failures.outcome_of(error)
            if self._failures.of_one_message(error):
                self._breaker.answered()
            else:
                self._breaker.failed(self._failures.pause_of(error))
            log.warning(
                "the language model did not answer",
                extra={"prompt": prompt, "outcome": outcome, "error": type(error).__name__},
            )
            return None, outcome
        self._breaker.answered()
        return said, said.reason

    async def _spent(self) -> bool:
        """Whether the day's money is."""
        if not self._budget.a_day or self._ledger is None:
            return False
        return await self._ledger(_day(), 0.0) >= self._budget.a_day

    async def _ask(self, prompt: str, messages: list[dict[str, str]], schema: dict[str, Any]) -> _Said:
        """By JSON schema; from a server that does not know it, by `json_object` with the schema in words."""
        if self._knows_schema:
            try:
                form = {"name": prompt, "schema": schema, "strict": True}
                return await self._complete(messages, {"type": "json_schema", "json_schema": form})
            except (self._openai.BadRequestError, self._openai.UnprocessableEntityError):
                said = await self._complete(_told(messages, schema), {"type": "json_object"})
                self._knows_schema = False
                return said
        return await self._complete(_told(messages, schema), {"type": "json_object"})

    async def _complete(self, messages: list[dict[str, str]], form: dict[str, Any]) -> _Said:
        ask: Any = self._client.chat.completions.create
        completion = await ask(
            model=self.model,
            messages=messages,
            response_format=form,
            temperature=0,
            max_tokens=LONGEST_ANSWER,
        )
        # An endpoint that is only nearly compatible leaves out what the SDK's types promise.
        first = completion.choices[0] if completion.choices else None
        message = first.message if first is not None else None
        text = (message.content or "") if message is not None else ""
        reason: Literal["ok", "refused", "too_long"] = "ok"
        if message is not None and getattr(message, "refusal", None):
            reason = "refused"
        elif len(text) > LONGEST_TEXT or getattr(first, "finish_reason", "") == "length":
            reason = "too_long"
        used = completion.usage
        return _Said(
            text, reason, used.prompt_tokens or 0 if used else 0, used.completion_tokens or 0 if used else 0
        )

    async def close(self) -> None:
        """Close its connections."""
        await self._client.close()


def _day() -> str:
    return clock.now().date().isoformat()


def _told(messages: list[dict[str, str]], schema: dict[str, Any]) -> list[dict[str, str]]:
    """The messages, the first of which says in words what the answer must look like."""
    first, *rest = messages
    words = f"{first['content']}\n\nAnswer with one JSON object of this JSON schema:\n{json.dumps(schema)}"
    return [{**first, "content": words}, *rest]


def _object(text: str) -> dict[str, Any] | None:
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _messages(prompt: str, values: Mapping[str, Any], mask: Mask) -> list[dict[str, str]]:
    """The blocks of a prompt file: what we say (`system`), and what others wrote (`user`)."""
    template = _prompts().get_template(f"{prompt}.j2")
    context = template.new_context(dict(values))
    return [
        {"role": role, "content": mask.hide("".join(template.blocks[role](context)).strip())}
        for role in ("system", "user")
    ]


@lru_cache(maxsize=1)
def _prompts() -> Environment:
    # Prompts are plain text for a model: HTML escaping would only garble what customers wrote.
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "prompts"),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=fenced,
    )
