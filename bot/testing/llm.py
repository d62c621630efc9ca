"""An OpenAI-compatible endpoint that answers from a script."""

import inspect
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from bot.testing.server import Server, cut, retry_headers

Json = dict[str, Any]
Answer = str | Json | Callable[[Json], Any]
"""A text; a dict, answered as JSON text; or a function of the request's body to either, async or not."""


class LLMEmulator(Server):
    """Set `.base_url` as SAMVAD_LLM_BASE_URL. Faults: `fail_next`, `cut_next`, `delay`, `garbage`."""

    def __init__(self, answer: Answer = "Hello.", *, model: str = "emulated", api_key: str = "") -> None:
        super().__init__()
        self.answer: Answer = answer
        """What to say when the script is used up."""
        self.script: list[Answer] = []
        """Said once each, in order."""
        self.garbage = False
        """Answer 200 with something that is no completion."""
        self.requests: list[Json] = []
        """Bodies of all calls, refused ones too."""
        self.knows = ("json_schema", "json_object", "text")
        """Forms of an answer that it takes: many servers know no schema."""
        self.refusal = ""
        """What it says instead of an answer, as a model that will not."""
        self.usage = (1, 1)
        """Tokens in and out of each call."""
        self.model = model
        self.api_key = api_key
        self._app.router.add_post("/v1/chat/completions", self._complete)
        self._app.router.add_get("/v1/models", self._models)

    @property
    def base_url(self) -> str:
        """The address with `/v1`."""
        return f"{self.url}/v1"

    @property
    def settings(self) -> dict[str, str]:
        """Keyword arguments for `load_settings`."""
        return {
            "llm_base_url": self.base_url,
            "llm_model": self.model,
            "llm_api_key": self.api_key or "unused",
        }

    async def _models(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"object": "list", "data": [{"id": self.model, "object": "model"}]})

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        try:
            body = await request.json()
        except ValueError:
            return _error(400, "body is not JSON")
        self.requests.append(body)
        fault = await self.next_fault()
        if fault is not None:
            return cut(request) if fault.cut else _error(fault.status, "fault", retry_headers(fault))
        if self.api_key and request.headers.get("Authorization") != f"Bearer {self.api_key}":
            return _error(401, "Incorrect API key provided")
        if not isinstance(body.get("messages"), list) or not body["messages"]:
            return _error(400, "messages is required")
        form = (body.get("response_format") or {}).get("type", "text")
        if form not in self.knows:
            return _error(400, f"response_format {form} is not supported")
        if self.garbage:
            return web.Response(
                text='{"choices": [{"message": {"content": "{\\"half', content_type="application/json"
            )
        text = await self._say(body)
        return web.json_response(
            {
                "id": f"chatcmpl-{len(self.requests)}",
                "object": "chat.completion",
                "created": int(time.time()),
                "model": body.get("model", self.model),
                "choices": [
                    {
                        "index": 0,
                        "finish_reason": "stop",
                        "message": {
                            "role": "assistant",
                            "content": None if self.refusal else text,
                            "refusal": self.refusal or None,
                        },
                    }
                ],
                "usage": {
                    "prompt_tokens": self.usage[0],
                    "completion_tokens": self.usage[1],
                    "total_tokens": sum(self.usage),
                },
            }
        )

    async def _say(self, body: Json) -> str:
        answer = self.script.pop(0) if self.script else self.answer
        said: Any = answer(body) if callable(answer) else answer
        if inspect.isawaitable(said):
            said = await _awaited(said)
        return said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)


async def _awaited(value: Awaitable[Any]) -> Any:
    return await value


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    body = {"error": {"message": message, "type": "invalid_request_error", "code": None}}
    return web.json_response(body, status=status, headers=headers)
