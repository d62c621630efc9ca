"""Telegram's Bot API on the loopback, with webhook or polling."""

import asyncio
import itertools
import json
import time
from typing import Any

from aiohttp import web

from bot.testing.customers import Waits
from bot.testing.server import Fault, Server, cut

Json = dict[str, Any]


class TelegramEmulator(Server, Waits):
    """One bot. Updates go to the target when it is set, else they wait for getUpdates."""

    def __init__(
        self,
        target: str = "",
        *,
        token: str = "4242:telegram-token",
        secret_token: str = "telegram-secret",
    ) -> None:
        super().__init__(target)
        self.token = token
        self.secret_token = secret_token
        self.webhook = ""
        """What setWebhook was called with."""
        self.last_error = ""
        """What Telegram met when it last called the webhook."""
        self.sent: list[Json] = []
        """Parameters of messages taken, in order, each with the `message_id` it was given."""
        self.answered: list[str] = []
        """Callback query ids answered."""
        self.confirmed = 0
        """The highest offset asked for: updates below it are gone."""
        self.files: dict[str, bytes] = {}
        self.commands: dict[str, list[Json]] = {}
        """What setMyCommands was called with, by language; "" for all others."""
        self.typing: list[str] = []
        """Chats in which we were shown to be writing, in order."""
        self._updates: list[Json] = []
        self._ids = itertools.count(1)
        self._update_ids = itertools.count(1)
        self._said: dict[str, int] = {}
        self._app.router.add_route("*", "/bot{token}/{method}", self._method)
        self._app.router.add_get("/file/bot{token}/{path:.+}", self._download)

    @property
    def settings(self) -> dict[str, str]:
        """Keyword arguments for `load_settings`."""
        return {
            "telegram_api_url": self.url,
            "telegram_bot_token": self.token,
            "telegram_secret_token": self.secret_token,
        }

    async def say(
        self,
        text: str,
        *,
        sender: str,
        name: str = "Asha",
        message_id: str | None = None,
        button: str | None = None,
    ) -> int:
        """A customer writes. `sender` is their numeric id; the same `message_id` is the same update."""
        if message_id is None:
            update_id = next(self._update_ids)
        else:
            update_id = self._said.setdefault(message_id, next(self._update_ids))
        user = {"id": int(sender), "is_bot": False, "first_name": name}
        message: Json = {
            "message_id": update_id,
            "date": int(time.time()),
            "chat": {"id": int(sender), "type": "private", "first_name": name},
        }
        if button is None:
            return await self.post(
                {"update_id": update_id, "message": message | {"from": user, "text": text}}
            )
        keyboard = {"inline_keyboard": [[{"text": text, "callback_data": button}]]}
        query = {
            "id": f"q{update_id}",
            "from": user,
            "chat_instance": "1",
            "data": button,
            "message": message | {"text": "…", "reply_markup": keyboard},
        }
        return await self.post({"update_id": update_id, "callback_query": query})

    async def post(self, update: Json) -> int:
        """Deliver an update: to the webhook, or into the queue of getUpdates (then 200)."""
        if not self.target:
            self._updates.append(update)
            return 200
        headers = {"X-Telegram-Bot-Api-Secret-Token": self.secret_token}
        url = f"{self.target}/channels/telegram"
        async with self.http.post(url, json=update, headers=headers) as response:
            await response.read()
            return response.status

    async def replies(self, sender: str) -> list[str]:
        """The texts sent to that customer so far."""
        return [
            str(item.get("text") or item.get("caption") or "")
            for item in self.sent
            if str(item["chat_id"]) == sender
        ]

    async def _method(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["token"] != self.token:
            return _error(401, "Unauthorized")
        method = request.match_info["method"]
        given: Json = dict(request.query)
        if request.method == "POST":
            form = await request.post()
            given |= {
                name: value.file.read() if isinstance(value, web.FileField) else str(value)
                for name, value in form.items()
            }
        if method.startswith("send") and method != "sendChatAction":
            return await self._send(request, method, given)
        return await self._other(method, given)

    async def _other(self, method: str, given: Json) -> web.StreamResponse:
        if method == "getMe":
            bot_id = int(self.token.partition(":")[0])
            return _ok({"id": bot_id, "is_bot": True, "first_name": "Bot", "username": "samvad_bot"})
        if method == "setWebhook":
            self.webhook = str(given.get("url", ""))
            self.secret_token = str(given.get("secret_token", self.secret_token))
            return _ok(True)
        if method == "getWebhookInfo":
            info: Json = {"url": self.webhook, "has_custom_certificate": False}
            info["pending_update_count"] = len(self._updates)
            if self.last_error:
                info |= {"last_error_date": int(time.time()), "last_error_message": self.last_error}
            return _ok(info)
        if method == "deleteWebhook":
            self.webhook = ""
            return _ok(True)
        if method == "answerCallbackQuery":
            self.answered.append(str(given["callback_query_id"]))
            return _ok(True)
        if method == "sendChatAction":
            self.typing.append(str(given["chat_id"]))
            return _ok(True)
        if method == "setMyCommands":
            self.commands[str(given.get("language_code", ""))] = json.loads(str(given["commands"]))
            return _ok(True)
        if method == "getFile":
            return self._get_file(str(given.get("file_id", "")))
        if method == "getUpdates":
            return await self._get_updates(int(given.get("offset", 0)))
        return _error(404, "Not Found")

    async def _send(self, request: web.Request, method: str, given: Json) -> web.StreamResponse:
        fault = await self.next_fault()
        if fault is not None and not fault.cut:
            return _refused(fault)
        wrong = what_is_wrong(method, given)
        if wrong:
            return _error(400, f"Bad Request: {wrong}")
        message_id = next(self._ids)
        self.sent.append(given | {"message_id": message_id, "method": method})
        if fault is not None:
            return cut(request)
        chat = int(given["chat_id"])
        return _ok(
            {
                "message_id": message_id,
                "date": int(time.time()),
                "chat": {"id": chat, "type": "private"},
                "text": given.get("text", ""),
            }
        )

    async def _get_updates(self, offset: int) -> web.StreamResponse:
        if self.webhook:
            return _error(409, "Conflict: can't use getUpdates method while webhook is active")
        fault = await self.next_fault()
        if fault is not None:
            return _refused(fault)
        self.confirmed = max(self.confirmed, offset)
        # A short poll whatever was asked for, so that tests end at once.
        for _ in range(20):
            self._updates = [item for item in self._updates if item["update_id"] >= self.confirmed]
            if self._updates:
                break
            await asyncio.sleep(0.01)
        return _ok(self._updates)

    def _get_file(self, file_id: str) -> web.StreamResponse:
        if file_id not in self.files:
            return _error(400, "Bad Request: invalid file_id")
        return _ok({"file_id": file_id, "file_unique_id": file_id, "file_path": f"files/{file_id}"})

    async def _download(self, request: web.Request) -> web.StreamResponse:
        body = self.files.get(request.match_info["path"].removeprefix("files/"))
        return web.Response(status=404) if body is None else web.Response(body=body)


def what_is_wrong(method: str, given: Json) -> str:
    """What Telegram refuses in a message; empty when nothing."""
    if not str(given.get("chat_id", "")).lstrip("-").isdigit():
        return "chat not found"
    if method == "sendMessage" and not given.get("text", "").strip():
        return "message text is empty"
    if len(given.get("text", "")) > 4096:
        return "message is too long"
    if len(given.get("caption", "")) > 1024:
        return "message caption is too long"
    for row in json.loads(given.get("reply_markup") or "{}").get("inline_keyboard", []):
        for button in row:
            if not 0 < len(str(button.get("callback_data", "")).encode()) <= 64:
                return "BUTTON_DATA_INVALID"
    return ""


def _refused(fault: Fault) -> web.Response:
    if fault.status == 429:
        wait = fault.retry_after or 1
        return _error(429, f"Too Many Requests: retry after {wait}", {"retry_after": wait})
    return _error(fault.status, "Fault")


def _ok(result: object) -> web.Response:
    return web.json_response({"ok": True, "result": result})


def _error(status: int, description: str, parameters: Json | None = None) -> web.Response:
    body: Json = {"ok": False, "error_code": status, "description": description}
    if parameters:
        body["parameters"] = parameters
    return web.json_response(body, status=status)
