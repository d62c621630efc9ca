"""One question to a language model: a prompt file in, a checked JSON object out, None when that fails.

The plain path must answer then, so nothing here raises for what a model or its network does.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from contextvars import ContextVar
from functools import lru_cache
from math import inf
from pathlib import Path
from time import perf_counter
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bot.llm.mask import Mask
from bot.settings import Settings

log = logging.getLogger(__name__)

RETRIES = 1
LONGEST_ANSWER = 800
"""Tokens an answer may have."""

_NO_COMPLETION = (ValueError, TypeError, AttributeError, KeyError)
"""What the SDK itself raises over an answer that is no completion: a cut body, a page of HTML."""

Observe = Callable[[str, str, float], None]
"""(prompt, outcome, seconds): ok, timeout, error or nonsense."""


_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


def within(seconds: float) -> None:
    """From here on all calls of this task together may take so long: a customer waits for their sum."""
    _deadline.set(perf_counter() + seconds)


def _left() -> float:
    until = _deadline.get()
    return inf if until is None else max(0.0, until - perf_counter())


class LLM:
    """An endpoint and its model. `observe` is told how each call went."""

    def __init__(
        self, base_url: str, api_key: str, model: str, timeout_s: float = 4.0, observe: Observe | None = None
    ) -> None:
        # Importing the SDK takes over a second: only those who configure a model wait for it.
        import openai

        self.model = model
        self._failures = (openai.OpenAIError, *_NO_COMPLETION)
        self._timeout_s = timeout_s
        self._observe = observe or (lambda prompt, outcome, seconds: None)
        # Without a key the SDK looks into the environment and refuses to start; local servers need none.
        self._client = openai.AsyncOpenAI(
            base_url=base_url, api_key=api_key or "none", timeout=timeout_s, max_retries=RETRIES
        )

    @classmethod
    def from_settings(cls, settings: Settings, observe: Observe | None = None) -> "LLM | None":
        """The configured model; None without one."""
        if not settings.llm_base_url:
            return None
        key = settings.llm_api_key.get_secret_value()
        return cls(settings.llm_base_url, key, settings.llm_model, settings.llm_timeout_s, observe)

    async def structured(self, prompt: str, schema: dict[str, Any], **values: Any) -> dict[str, Any] | None:
        """Fill `prompts/<prompt>.j2` and ask for an object of this schema; None on time-out or nonsense.

        Phone numbers and e-mail addresses leave as placeholders and are put back into the answer.
        """
        mask = Mask()
        text = mask.hide(_prompts().get_template(f"{prompt}.j2").render(values))
        began = perf_counter()
        outcome, answer = "error", None
        try:
            async with asyncio.timeout(min(self._timeout_s, _left())):
                answer = _object(await self._ask(prompt, text, schema))
            outcome = "ok" if answer is not None else "nonsense"
        except TimeoutError:
            outcome = "timeout"
        except self._failures as error:
            log.warning(
                "the language model did not answer", extra={"prompt": prompt, "error": type(error).__name__}
            )
        self._observe(prompt, outcome, perf_counter() - began)
        return mask.show(answer) if answer is not None else None

    async def _ask(self, prompt: str, text: str, schema: dict[str, Any]) -> str:
        completion = await self._client.chat.completions.create(
            model=self.model,
            messages=[{"role": "user", "content": text}],
            response_format={
                "type": "json_schema",
                "json_schema": {"name": prompt, "schema": schema, "strict": True},
            },
            temperature=0,
            max_tokens=LONGEST_ANSWER,
        )
        # An endpoint that is only nearly compatible leaves out what the SDK's types promise.
        choices = completion.choices or []
        return (choices[0].message.content or "") if choices and choices[0].message else ""

    async def close(self) -> None:
        """Close its connections."""
        await self._client.close()


def _object(text: str) -> dict[str, Any] | None:
    try:
        answer = json.loads(text)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


@lru_cache(maxsize=1)
def _prompts() -> Environment:
    # Prompts are plain text for a model: HTML escaping would only garble what customers wrote.
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "prompts"),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701
        trim_blocks=True,
        lstrip_blocks=True,
    )
