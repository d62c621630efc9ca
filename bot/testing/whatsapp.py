"""Meta's Cloud API on the loopback: refuses what Meta refuses, and signs what Meta signs."""

import asyncio
import re
import time
import uuid
from collections.abc import Sequence
from typing import Any

import aiohttp
from aiohttp import web

from bot.testing.meta import Json, MetaServer, refusal
from bot.testing.server import cut, retry_headers


class WhatsAppEmulator(MetaServer):
    """One phone number. Set `.url` as SAMVAD_WHATSAPP_API_URL and the four attributes as credentials."""

    path = "/channels/whatsapp"

    def __init__(
        self,
        target: str = "",
        *,
        phone_number_id: str = "100200300",
        access_token: str = "wa-access-token",
        app_secret: str = "wa-app-secret",
        verify_token: str = "wa-verify-token",
        auto_status: bool = False,
    ) -> None:
        super().__init__(target, access_token, app_secret, verify_token)
        self.phone_number_id = phone_number_id
        self.auto_status = auto_status
        self._app.router.add_post("/{version}/{account}/messages", self._messages)
        self._app.router.add_post("/{version}/{account}/media", self._upload)
        self.business_account_id = "900800700"
        self.templates: list[Json] = []
        """Templates of the business account, as Meta lists them."""
        self._app.router.add_get("/{version}/{business}/message_templates", self._list_templates)
        self._app.router.add_get("/{version}/{business}/phone_numbers", self._numbers_of)
        self._app.router.add_get("/file/{media}", self._file)
        self._app.router.add_get("/{version}/debug_token", self.debug_token)
        self._app.router.add_get("/{version}/{waba}/subscribed_apps", self._subscribed_apps)
        self._app.router.add_get("/{version}/{media}", self._find)

    @property
    def settings(self) -> dict[str, str]:
        """Keyword arguments for `load_settings`."""
        return {
            "whatsapp_api_url": self.url,
            "whatsapp_phone_number_id": self.phone_number_id,
            "whatsapp_access_token": self.access_token,
            "whatsapp_app_secret": self.app_secret,
            "whatsapp_verify_token": self.verify_token,
        }

    async def say(
        self,
        text: str,
        *,
        sender: str,
        name: str = "Asha",
        message_id: str | None = None,
        button: str | None = None,
        at: float | None = None,
    ) -> int:
        """A customer writes. `sender` is their number in digits, or an id like `IN.123`."""
        if button is None:
            content: Json = {"type": "text", "text": {"body": text}}
        else:
            reply = {"type": "button_reply", "button_reply": {"id": button, "title": text}}
            content = {"type": "interactive", "interactive": reply}
        return await self.deliver(sender, message_id, name=name, at=at, **content)

    async def deliver(
        self,
        sender: str,
        message_id: str | None = None,
        *,
        name: str = "Asha",
        at: float | None = None,
        **content: Any,
    ) -> int:
        """A message of any kind: `type` and what goes with it, as Meta documents it."""
        item: Json = {
            "id": message_id or f"wamid.{uuid.uuid4().hex}",
            "timestamp": str(int(at if at is not None else time.time())),
            **content,
        }
        contact: Json = {"profile": {"name": name}}
        if sender.isdigit():
            item["from"] = contact["wa_id"] = sender
        else:
            item["from_user_id"] = contact["user_id"] = sender
        return await self.post({"contacts": [contact], "messages": [item]})

    async def status(
        self, external_id: str, status: str, *, outbox_id: str | None = None, code: int | None = None
    ) -> int:
        """Report what became of a message of ours."""
        item: Json = {"id": external_id, "status": status, "timestamp": str(int(time.time()))}
        found = next((body for body in self.sent if body["id"] == external_id), None)
        if found is not None:
            item["recipient_id"] = found.get("to") or found.get("recipient")
        outbox_id = outbox_id or (found or {}).get("biz_opaque_callback_data")
        if outbox_id:
            item["biz_opaque_callback_data"] = outbox_id
        if code is not None:
            item["errors"] = [{"code": code, "title": f"Error {code}"}]
        return await self.post({"statuses": [item]})

    async def post(self, value: Json) -> int:
        """Sign and post one change of field `messages`."""
        return await self.change("messages", value)

    async def change(self, field: str, value: Json) -> int:
        """Sign and post one change of any field."""
        value = {
            "messaging_product": "whatsapp",
            "metadata": {"display_phone_number": "15550001", "phone_number_id": self.phone_number_id},
        } | value
        entry = {"id": "1", "changes": [{"field": field, "value": value}]}
        return await self.post_json({"object": "whatsapp_business_account", "entry": [entry]})

    async def replies(self, sender: str) -> list[str]:
        """The texts sent to that customer so far."""
        return [text_of(body) for body in self.sent if sender in (body.get("to"), body.get("recipient"))]

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        fault = await self.next_fault()
        if fault is not None and not fault.cut:
            code = 130429 if fault.status == 429 else 131000
            return _error(fault.status, code, "Fault", retry_headers(fault))
        if (refused := self.stranger(request)) is not None:
            return refused
        if request.match_info["account"] != self.phone_number_id:
            return _error(400, 100, "Unsupported post request. Object does not exist.")
        try:
            body = await request.json()
        except ValueError:
            return _error(400, 100, "Malformed JSON")
        if body.get("status") == "read":
            return self._read(body)
        wrong = what_is_wrong(body, self.templates)
        if wrong:
            return _error(400, 100 if "receiver" in wrong else 131009, wrong)
        message_id = f"wamid.{uuid.uuid4().hex}"
        self.sent.append(body | {"id": message_id, "at": time.time()})
        if self.auto_status and self.target:
            self.later(self._report(message_id))
        if fault is not None:
            return cut(request)
        receiver = body.get("to") or body.get("recipient")
        return web.json_response(
            {
                "messaging_product": "whatsapp",
                "contacts": [{"input": receiver, "wa_id": receiver}],
                "messages": [{"id": message_id}],
            }
        )

    def _read(self, body: Json) -> web.StreamResponse:
        if not str(body.get("message_id", "")).startswith("wamid."):
            return _error(400, 100, "Invalid parameter: message_id")
        if body.get("typing_indicator") == {"type": "text"}:
            self.typing.append(str(body["message_id"]))
        return web.json_response({"success": True})

    async def _report(self, message_id: str) -> None:
        for status in ("sent", "delivered"):
            try:
                await self.status(message_id, status)
            except aiohttp.ClientError:
                return
            await asyncio.sleep(0)

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        if (refused := self.stranger(request)) is not None:
            return refused
        form = await request.post()
        file = form.get("file")
        if form.get("messaging_product") != "whatsapp" or not isinstance(file, web.FileField):
            return _error(400, 100, "(#100) The parameter file is required.")
        media_id = uuid.uuid4().hex
        self.files[media_id] = file.file.read()
        return web.json_response({"id": media_id})

    async def _numbers_of(self, request: web.Request) -> web.StreamResponse:
        if (refused := self.stranger(request)) is not None:
            return refused
        ours = request.match_info["business"] == self.business_account_id
        return web.json_response({"data": [{"id": self.phone_number_id}] if ours else []})

    async def _list_templates(self, request: web.Request) -> web.StreamResponse:
        if (refused := self.stranger(request)) is not None:
            return refused
        if request.match_info["business"] != self.business_account_id:
            return _error(400, 100, "Unsupported get request. Object does not exist.")
        begin, limit = int(request.query.get("after") or 0), int(request.query.get("limit", "25"))
        page = self.templates[begin : begin + limit]
        answer: Json = {"data": page, "paging": {"cursors": {"after": str(begin + len(page))}}}
        if begin + len(page) < len(self.templates):
            answer["paging"]["next"] = f"{self.url}{request.path}?after={begin + len(page)}"
        return web.json_response(answer)

    async def _find(self, request: web.Request) -> web.StreamResponse:
        media = request.match_info["media"]
        if media == self.phone_number_id:
            return self._number(request)
        if media not in self.files:
            return _error(400, 100, "Unsupported get request. Object does not exist.")
        return web.json_response({"id": media, "url": f"{self.url}/file/{media}"})

    def _number(self, request: web.Request) -> web.StreamResponse:
        """The number's own facts."""
        if (refused := self.stranger(request) or self.wrong_proof(request)) is not None:
            return refused
        found: Json = {"id": self.phone_number_id}
        if "display_phone_number" in request.query.get("fields", ""):
            found |= {
                "display_phone_number": "+91 98765 00001",
                "verified_name": "Asha Kitchens",
                "quality_rating": "GREEN",
                "webhook_configuration": {"application": self.callback} if self.callback else {},
            }
        return web.json_response(found)

    async def _subscribed_apps(self, request: web.Request) -> web.StreamResponse:
        if (refused := self.stranger(request)) is not None:
            return refused
        apps = (
            [{"whatsapp_business_api_data": {"id": self.app_id, "name": "Samvad"}}] if self.subscribed else []
        )
        return web.json_response({"data": apps})

    async def _file(self, request: web.Request) -> web.StreamResponse:
        if (refused := self.stranger(request)) is not None:
            return refused
        return web.Response(body=self.files[request.match_info["media"]])


def text_of(body: Json) -> str:
    """What the customer reads."""
    kind = body.get("type", "text")
    if kind == "interactive":
        return str(body["interactive"]["body"]["text"])
    if kind == "text":
        return str(body["text"]["body"])
    return str(body.get(kind, {}).get("caption", ""))


def what_is_wrong(body: Json, templates: Sequence[Json] = ()) -> str:
    """What Meta's documents refuse in a message; empty when nothing."""
    if body.get("messaging_product") != "whatsapp":
        return "messaging_product must be whatsapp"
    if not (body.get("to") or body.get("recipient")):
        return "a receiver is required: to or recipient"
    if len(str(body.get("biz_opaque_callback_data", ""))) > 512:
        return "biz_opaque_callback_data is too long"
    kind = body.get("type", "text")
    if kind == "text":
        text = body.get("text", {}).get("body")
        if not isinstance(text, str) or not 0 < len(text) <= 4096:
            return "text.body must have 1 to 4096 characters"
        return ""
    if kind == "interactive":
        return _wrong_interactive(body.get("interactive", {}))
    if kind == "template":
        return _wrong_template(body.get("template", {}), templates)
    item = body.get(kind)
    if kind not in ("image", "audio", "video", "document", "sticker") or not isinstance(item, dict):
        return f"type {kind} is not supported"
    if bool(item.get("id")) == bool(item.get("link")):
        return "exactly one of id and link is required"
    return "caption is too long" if len(str(item.get("caption", ""))) > 1024 else ""


def _wrong_template(given: Json, templates: Sequence[Json]) -> str:
    """A template goes when it is approved in that language and all that it asks for is there, in order."""
    name, lang = given.get("name"), given.get("language", {}).get("code")
    known = next((one for one in templates if (one["name"], one["language"]) == (name, lang)), None)
    if known is None or known["status"] != "APPROVED":
        return f"template name ({name}) does not exist in {lang}"
    components = {(one["type"], one.get("index")): one["parameters"] for one in given.get("components", ())}
    for one in known["components"]:
        wanted = len(set(re.findall(r"\{\{\w+\}\}", one.get("text", ""))))
        if one["type"] == "HEADER" and one.get("format", "TEXT") != "TEXT":
            wanted = 1
        texts = components.pop((one["type"].lower(), None), [])
        if len(texts) != wanted:
            return f"{one['type'].lower()}: number of parameters does not match"
        if any(re.search(r"[\n\t]| {5}", str(text.get("text", ""))) for text in texts):
            return "Param text cannot have new-line/tab characters or more than 4 consecutive spaces"
        for place, button in enumerate(one.get("buttons", ())):
            asks = "{{" in button.get("url", "") or button["type"] in ("COPY_CODE", "OTP")
            if asks != bool(components.pop(("button", str(place)), [])):
                return f"button {place}: number of parameters does not match"
    return f"unexpected components {sorted(map(str, components))}" if components else ""


def _wrong_interactive(item: Json) -> str:
    text = item.get("body", {}).get("text")
    if not isinstance(text, str) or not 0 < len(text) <= 1024:
        return "interactive.body.text must have 1 to 1024 characters"
    action = item.get("action", {})
    if item.get("type") == "button":
        options = [button.get("reply", {}) for button in action.get("buttons", [])]
        most, title_limit, id_limit = 3, 20, 256
    elif item.get("type") == "list":
        if not 0 < len(str(action.get("button", ""))) <= 20:
            return "action.button must have 1 to 20 characters"
        options = [row for section in action.get("sections", []) for row in section.get("rows", [])]
        most, title_limit, id_limit = 10, 24, 200
    else:
        return "interactive.type is not supported"
    titles = [str(option.get("title", "")) for option in options]
    ids = [str(option.get("id", "")) for option in options]
    if not 0 < len(options) <= most:
        return f"1 to {most} options are required"
    if any(not 0 < len(title) <= title_limit for title in titles):
        return f"a title must have 1 to {title_limit} characters"
    if any(not 0 < len(option) <= id_limit for option in ids):
        return f"an id must have 1 to {id_limit} characters"
    if len(set(titles)) < len(titles) or len(set(ids)) < len(ids):
        return "titles and ids must be unique"
    return ""


def _error(status: int, code: int, words: str, headers: dict[str, str] | None = None) -> web.Response:
    data = {"messaging_product": "whatsapp", "details": words}
    return refusal(status, code, words, headers=headers, error_data=data)
