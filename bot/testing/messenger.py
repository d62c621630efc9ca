"""Meta's Messenger Platform on the loopback, for a Page and its Instagram account."""

import json
import time
import uuid
from typing import Any

import aiohttp
from aiohttp import web

from bot.testing.meta import Json, MetaServer, refusal
from bot.testing.server import cut, retry_headers

_DAY = 24 * 3600
_TYPES = ("image", "audio", "video", "file")
_FIELDS = {"text", "attachment", "quick_replies", "metadata"}


class MessengerEmulator(MetaServer):
    """One Page. `speaks` says whether its customers write on `messenger` or `instagram`."""

    path = "/channels/messenger"

    def __init__(
        self,
        target: str = "",
        *,
        speaks: str = "messenger",
        page_id: str = "700800900",
        instagram_id: str = "17841400000000000",
        access_token: str = "page-access-token",
        app_secret: str = "page-app-secret",
        verify_token: str = "page-verify-token",
        auto_status: bool = False,
    ) -> None:
        super().__init__(target, access_token, app_secret, verify_token)
        self.speaks = speaks
        self.page_id = page_id
        self.instagram_id = instagram_id
        self.auto_status = auto_status
        self.human_agent = True
        """Whether the app was granted the Human Agent permission."""
        self.wrote: dict[str, float] = {}
        """When each customer last wrote: from then on there are 24 hours."""
        self._app.router.add_post("/{version}/{page}/messages", self._messages)
        self._app.router.add_post("/{version}/{page}/message_attachments", self._upload)
        self._app.router.add_get("/file/{name}", self._file)
        self._app.router.add_get("/{version}/debug_token", self.debug_token)
        self._app.router.add_get("/{version}/{page}/subscribed_apps", self._subscribed_apps)
        self._app.router.add_get("/{version}/{app}/subscriptions", self._subscriptions)
        self._app.router.add_get("/{version}/{page}", self._page)

    @property
    def settings(self) -> dict[str, str]:
        """Keyword arguments for `load_settings`."""
        return {
            "messenger_api_url": self.url,
            "messenger_page_id": self.page_id,
            "messenger_access_token": self.access_token,
            "messenger_app_secret": self.app_secret,
            "messenger_verify_token": self.verify_token,
            "messenger_instagram_id": self.instagram_id,
        }

    @property
    def account(self) -> str:
        """Our side of what its customers write."""
        return self.instagram_id if self.speaks == "instagram" else self.page_id

    async def say(
        self,
        text: str,
        *,
        sender: str,
        name: str = "Asha",
        message_id: str | None = None,
        button: str | None = None,
    ) -> int:
        """A customer writes, or taps the quick reply `button`. Meta's webhooks carry no names."""
        message: Json = {"mid": message_id or f"m_{uuid.uuid4().hex}", "text": text}
        if button is not None:
            message["quick_reply"] = {"payload": button}
        return await self.deliver(sender, message=message)

    async def deliver(self, sender: str, **content: Any) -> int:
        """An event of any kind from a customer: `message`, `postback`, `reaction`, `read` and so on."""
        if "message" in content or "postback" in content:
            self.wrote[sender] = time.time()
        return await self.post(
            {"sender": {"id": sender}, "recipient": {"id": self.account}, "timestamp": _now(), **content}
        )

    async def post(self, item: Json) -> int:
        """Sign and post one event."""
        kind = "instagram" if self.speaks == "instagram" else "page"
        entry = {"id": self.account, "time": _now(), "messaging": [item]}
        return await self.post_json({"object": kind, "entry": [entry]})

    async def replies(self, sender: str) -> list[str]:
        """The texts sent to that customer so far."""
        return [
            str(body["message"].get("text", "")) for body in self.sent if body["recipient"]["id"] == sender
        ]

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        fault = await self.next_fault()
        if fault is not None and not fault.cut:
            return _error(fault.status, 613 if fault.status == 429 else 1200, headers=retry_headers(fault))
        if (refused := self._who_is_it(request)) is not None:
            return refused
        try:
            body = await request.json()
        except ValueError:
            return _error(400, 100, words="Malformed JSON")
        code, subcode, words = self._what_is_wrong(body)
        if code:
            return _error(400, code, subcode, words)
        mid = f"m_{uuid.uuid4().hex}"
        self.sent.append(body | {"mid": mid, "at": time.time()})
        if self.auto_status and self.target:
            self.later(self._report(body, mid))
        if fault is not None:
            return cut(request)
        return web.json_response({"recipient_id": body["recipient"]["id"], "message_id": mid})

    def _who_is_it(self, request: web.Request) -> web.Response | None:
        if (refused := self.stranger(request)) is not None:
            return refused
        if request.match_info["page"] != self.page_id:
            return _error(400, 100, 33, "Unsupported post request. Object does not exist.")
        return None

    def _what_is_wrong(self, body: Json) -> tuple[int, int, str]:
        """Code, subcode and words of what Meta's documents refuse; zeros when nothing."""
        person = body.get("recipient", {}).get("id")
        if person not in self.wrote:
            return 100, 2018001, "No matching user found"
        tagged = body.get("messaging_type") == "MESSAGE_TAG"
        if tagged and body.get("tag") != "HUMAN_AGENT":
            return 100, 0, "Invalid message tag"
        if tagged and not self.human_agent:
            return 10, 0, "To use Human Agent, your use of this endpoint must be reviewed."
        if not tagged and body.get("messaging_type") != "RESPONSE":
            return 100, 0, "Param messaging_type must be RESPONSE or MESSAGE_TAG"
        if time.time() - self.wrote[person] > (7 * _DAY if tagged else _DAY):
            subcode = 2534022 if self.speaks == "instagram" else 2018278
            return 10, subcode, "This message is sent outside of allowed window."
        wrong = what_is_wrong(body.get("message"), self.speaks, self.files)
        return (100, 0, wrong) if wrong else (0, 0, "")

    async def _report(self, body: Json, mid: str) -> None:
        person = body["recipient"]["id"]
        echo = {"is_echo": True, "mid": mid, "app_id": 1, **body["message"]}
        try:
            await self.post(
                {
                    "sender": {"id": self.account},
                    "recipient": {"id": person},
                    "timestamp": _now(),
                    "message": echo,
                }
            )
            if self.speaks == "instagram":
                await self.deliver(person, read={"mid": mid})
            else:
                await self.deliver(person, delivery={"mids": [mid], "watermark": _now()})
        except aiohttp.ClientError:
            return

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        if (refused := self._who_is_it(request)) is not None:
            return refused
        form = await request.post()
        file = form.get("filedata")
        try:
            kind = json.loads(str(form.get("message")))["attachment"]["type"]
        except (ValueError, KeyError, TypeError):
            kind = None
        if kind not in _TYPES or not isinstance(file, web.FileField):
            return _error(400, 100, 2018047, "Upload attachment failure.")
        if (form.get("platform") == "instagram") != (self.speaks == "instagram"):
            return _error(400, 100, 0, "The attachment is for another platform.")
        attachment_id = str(uuid.uuid4().int)[:16]
        self.files[attachment_id] = file.file.read()
        return web.json_response({"attachment_id": attachment_id})

    async def _page(self, request: web.Request) -> web.StreamResponse:
        if (refused := self._who_is_it(request) or self.wrong_proof(request)) is not None:
            return refused
        linked = {"id": self.instagram_id, "username": "ashakitchens"}
        return web.json_response(
            {"id": self.page_id, "name": "Asha Kitchens", "instagram_business_account": linked}
        )

    async def _subscribed_apps(self, request: web.Request) -> web.StreamResponse:
        if (refused := self._who_is_it(request)) is not None:
            return refused
        fields = ["messages", "messaging_postbacks", "message_deliveries", "message_reads"]
        apps = [{"id": self.app_id, "name": "Samvad", "subscribed_fields": fields}] if self.subscribed else []
        return web.json_response({"data": apps})

    async def _subscriptions(self, request: web.Request) -> web.StreamResponse:
        login = f"Bearer {self.app_id}|{self.app_secret}"
        if request.match_info["app"] != self.app_id or request.headers.get("Authorization") != login:
            return _error(400, 190, words="Invalid OAuth access token signature.")
        fields = [{"name": "messages", "version": "v26.0"}]
        places = [
            {"object": kind, "callback_url": self.callback, "active": True, "fields": fields}
            for kind in ("page", "instagram")
        ]
        return web.json_response({"data": places if self.callback else []})

    async def _file(self, request: web.Request) -> web.StreamResponse:
        # The links carry their own key: a token sent along would be a token given away.
        if "Authorization" in request.headers or request.match_info["name"] not in self.files:
            return web.Response(status=403)
        return web.Response(body=self.files[request.match_info["name"]])


def what_is_wrong(message: Any, speaks: str, files: dict[str, bytes]) -> str:
    """What Meta's documents refuse in a message; empty when nothing."""
    if not isinstance(message, dict) or set(message) - _FIELDS:
        return "Invalid keys were found in param message"
    text, attachment = message.get("text"), message.get("attachment")
    if (text is None) == (attachment is None):
        return "Message cannot be empty, must provide valid attachment or text"
    if text is not None and not _fits(text, speaks):
        return "Length of param message[text] is too long"
    if len(str(message.get("metadata", ""))) > 1000:
        return "Length of param message[metadata] must be at most 1000"
    if attachment is not None:
        payload = attachment.get("payload", {})
        if attachment.get("type") not in _TYPES or bool(payload.get("url")) == bool(
            payload.get("attachment_id")
        ):
            return "Exactly one of url and attachment_id is required"
        if payload.get("attachment_id") and payload["attachment_id"] not in files:
            return "Invalid or not owned attachment id"
    return _wrong_choices(message.get("quick_replies"))


def _fits(text: Any, speaks: str) -> bool:
    if not isinstance(text, str) or not text.strip():
        return False
    return len(text.encode()) <= 1000 if speaks == "instagram" else len(text) <= 2000


def _wrong_choices(choices: Any) -> str:
    if choices is None:
        return ""
    if not isinstance(choices, list) or not 0 < len(choices) <= 13:
        return "Param message[quick_replies] must have 1 to 13 elements"
    for choice in choices:
        title, payload = str(choice.get("title", "")), str(choice.get("payload", ""))
        if choice.get("content_type") != "text" or not 0 < len(title) <= 20 or not 0 < len(payload) <= 1000:
            return "A quick reply needs a title of 1 to 20 characters and a payload of 1 to 1000"
    return ""


def _now() -> int:
    return int(time.time() * 1000)


def _error(
    status: int, code: int, subcode: int = 0, words: str = "Fault", headers: dict[str, str] | None = None
) -> web.Response:
    more = {"error_subcode": subcode} if subcode else {}
    return refusal(status, code, words, headers=headers, **more)
