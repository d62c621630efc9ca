"""Twilio on the loopback: messages by SMS and WhatsApp, and phone calls."""

import base64
import json
import uuid
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp
from aiohttp import web
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from bot.testing.customers import Waits
from bot.testing.server import Server, cut, retry_headers
from bot.testing.twilio_calls import Deed, PhoneCall

_PREFIX = "whatsapp:"


class TwilioEmulator(Server, Waits):
    """One account. `speaks` says whether its customers write by `sms` or `whatsapp`."""

    def __init__(
        self,
        target: str = "",
        *,
        speaks: str = "sms",
        account_sid: str = "AC" + "0" * 32,
        auth_token: str = "twilio-auth-token",
        sms_from: str = "+15550001111",
        whatsapp_from: str = "+15550002222",
        voice_from: str = "",
        messaging_service_sid: str = "",
        public_url: str = "",
        auto_status: bool = False,
    ) -> None:
        super().__init__(target)
        self.speaks = speaks
        self.account_sid = account_sid
        self.auth_token = auth_token
        self.sms_from = sms_from
        self.whatsapp_from = whatsapp_from
        self.voice_from = voice_from
        """The number that is called; empty: none."""
        self.messaging_service_sid = messaging_service_sid
        """A Messaging Service with `sms_from` as its one number; empty: none."""
        self.public_url = public_url
        """SAMVAD_BASE_URL, over which signatures are computed; unset: the target."""
        self.auto_status = auto_status
        """Post `sent` and `delivered` to the status callback after each message taken."""
        self.sent: list[dict[str, str]] = []
        """Form fields taken, in order, each with the `Sid` it was given."""
        self.unsubscribed: set[str] = set()
        """Numbers that have sent STOP: refused with 21610."""
        self.contents: list[dict[str, Any]] = []
        """Contents with their approvals, as Twilio lists them."""
        self.sound = b"ID3 a voice message"
        """What the file of every recording holds."""
        self.person = "no-answer"
        """What becomes of a call that is put through: `completed`, `no-answer`, `busy`, `failed`."""
        self.sms_url = ""
        """Where the SMS number's messages go."""
        self.status_of_account = "active"
        self._app.router.add_post("/2010-04-01/Accounts/{sid}/Messages.json", self._messages)
        self._app.router.add_get("/2010-04-01/Accounts/{sid}/IncomingPhoneNumbers.json", self._numbers)
        self._app.router.add_get("/2010-04-01/Accounts/{sid}/Recordings/{name}", self._recording)
        self._app.router.add_get("/2010-04-01/Accounts/{sid}.json", self._account)
        self._app.router.add_get("/v1/ContentAndApprovals", self._contents)
        self._app.router.add_get("/v1/Services/{service}", self._service)

    @property
    def settings(self) -> dict[str, str]:
        """Keyword arguments for `load_settings`."""
        return {
            "twilio_api_url": self.url,
            "twilio_account_sid": self.account_sid,
            "twilio_auth_token": self.auth_token,
            "twilio_sms_from": self.sms_from,
            "twilio_whatsapp_from": self.whatsapp_from,
            "twilio_voice_from": self.voice_from,
            "twilio_messaging_service_sid": self.messaging_service_sid,
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
        """A customer writes. `sender` is their number, `+91…`."""
        sid = message_id or f"SM{uuid.uuid4().hex}"
        prefix = _PREFIX if self.speaks == "whatsapp" else ""
        ours = self.whatsapp_from if self.speaks == "whatsapp" else self.sms_from
        form = {
            "AccountSid": self.account_sid,
            "ApiVersion": "2010-04-01",
            "MessageSid": sid,
            "SmsSid": sid,
            "SmsMessageSid": sid,
            "SmsStatus": "received",
            "From": f"{prefix}{sender}",
            "To": f"{prefix}{ours}",
            "Body": text,
            "NumMedia": "0",
            "NumSegments": "1",
        }
        if self.speaks == "whatsapp":
            form |= {"ProfileName": name, "WaId": sender.lstrip("+")}
        if button is not None:
            form |= {"ButtonPayload": button, "ButtonText": text}
        return await self.post("/channels/twilio/messages", form)

    async def call(self, caller: str, *script: Deed, reports: bool = True) -> PhoneCall:
        """Somebody calls, does what `script` says, and hangs up. `caller` is their number, or what Twilio
        shows of a hidden one. Without `reports` the callbacks that follow are left to the test."""
        fields = {"AccountSid": self.account_sid, "From": caller, "Caller": caller}
        fields |= {"To": self.voice_from, "Called": self.voice_from}
        call = PhoneCall(
            self._post_to,
            f"{self.public_url or self.target}/channels/twilio/voice",
            fields,
            script,
            recordings_url=f"{self.url}/2010-04-01/Accounts/{self.account_sid}/Recordings",
            dial_status=self.person,
        )
        await call.run()
        if reports:
            await call.report_end()
            await call.report_recordings()
        return call

    async def _post_to(self, url: str, form: dict[str, str]) -> tuple[int, str]:
        split = urlsplit(url)
        path = f"{split.path}?{split.query}" if split.query else split.path
        return await self.exchange(path, form, signed_url=url)

    async def status(self, sid: str, status: str, *, code: int | None = None) -> int:
        """Report what became of a message of ours to the status callback it was sent with."""
        sent = next(item for item in self.sent if item["Sid"] == sid)
        form = {
            "AccountSid": self.account_sid,
            "MessageSid": sid,
            "SmsSid": sid,
            "MessageStatus": status,
            "SmsStatus": status,
            "From": sent["From"],
            "To": sent["To"],
        }
        if "MessagingServiceSid" in sent:
            form["MessagingServiceSid"] = sent["MessagingServiceSid"]
        if code is not None:
            form["ErrorCode"] = str(code)
        callback = urlsplit(sent["StatusCallback"])
        path = f"{callback.path}?{callback.query}" if callback.query else callback.path
        return await self.post(path, form, signed_url=sent["StatusCallback"])

    async def post(self, path: str, form: dict[str, str], signed_url: str = "") -> int:
        """Sign and post a form."""
        return (await self.exchange(path, form, signed_url))[0]

    async def exchange(self, path: str, form: dict[str, str], signed_url: str = "") -> tuple[int, str]:
        """Sign and post a form; the status and what came back."""
        signed_url = signed_url or f"{self.public_url or self.target}{path}"
        headers = {
            "X-Twilio-Signature": self.sign(signed_url, form),
            "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
        }
        async with self.http.post(
            f"{self.target}{path}", data=urlencode(form).encode(), headers=headers
        ) as response:
            return response.status, await response.text()

    def sign(self, url: str, form: dict[str, str]) -> str:
        """Twilio's signature header."""
        signature: str = RequestValidator(self.auth_token).compute_signature(url, form)
        return signature

    async def replies(self, sender: str) -> list[str]:
        """The texts sent to that customer so far, on the channel this emulator speaks."""
        address = f"{_PREFIX}{sender}" if self.speaks == "whatsapp" else sender
        return [item.get("Body", "") for item in self.sent if item["To"] == address]

    async def _recording(self, request: web.Request) -> web.StreamResponse:
        fault = await self.next_fault()
        if fault is not None:
            return cut(request) if fault.cut else _error(fault.status, 20500, "Fault", retry_headers(fault))
        if (refused := self._stranger(request)) is not None:
            return refused
        kind = "audio/mpeg" if request.match_info["name"].endswith(".mp3") else "audio/x-wav"
        return web.Response(body=self.sound, content_type=kind)

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        fault = await self.next_fault()
        if fault is not None and not fault.cut:
            code = 20429 if fault.status == 429 else 20500
            return _error(fault.status, code, "Fault", retry_headers(fault))
        if (refused := self._stranger(request)) is not None:
            return refused
        form = {name: str(value) for name, value in (await request.post()).items()}
        service = form.get("MessagingServiceSid", "")
        if service and service == self.messaging_service_sid:
            form.setdefault("From", self.sms_from)
        code, words = self._what_is_wrong(form)
        if code:
            return _error(400, code, words)
        sid = f"SM{uuid.uuid4().hex}"
        self.sent.append(form | {"Sid": sid})
        if self.auto_status and self.target and form.get("StatusCallback"):
            self.later(self._report(sid))
        if fault is not None:
            return cut(request)
        return web.json_response(self._resource(form, sid), status=201)

    async def _contents(self, request: web.Request) -> web.StreamResponse:
        if (refused := self._stranger(request)) is not None:
            return refused
        begin, size = int(request.query.get("Page", 0)), int(request.query.get("PageSize", 50))
        page = self.contents[begin * size : (begin + 1) * size]
        more = (begin + 1) * size < len(self.contents)
        url = f"https://content.twilio.com{request.path}"
        meta = {
            "key": "contents",
            "page": begin,
            "page_size": size,
            "url": url,
            "first_page_url": url,
            "previous_page_url": None,
            "next_page_url": f"{url}?PageSize={size}&Page={begin + 1}" if more else None,
        }
        return web.json_response({"contents": page, "meta": meta})

    def _wrong_content(self, form: dict[str, str]) -> tuple[int, str]:
        """A content goes when WhatsApp approved it and each of its variables has a value."""
        known = next((one for one in self.contents if one["sid"] == form["ContentSid"]), None)
        if known is None or known["approval_requests"]["status"] != "approved":
            return 63016, "Failed to send freeform message: use a Message Template."
        given = json.loads(form.get("ContentVariables") or "{}")
        if set(given) != set(known["variables"]) or not all(given.values()):
            return 21656, "The ContentVariables parameter is invalid."
        return 0, ""

    def _stranger(self, request: web.Request) -> web.Response | None:
        """The refusal of a caller without our account and token."""
        auth = "Basic " + base64.b64encode(f"{self.account_sid}:{self.auth_token}".encode()).decode()
        sid = request.match_info.get("sid", self.account_sid)
        if request.headers.get("Authorization") == auth and sid == self.account_sid:
            return None
        return _error(401, 20003, "Authenticate")

    async def _account(self, request: web.Request) -> web.StreamResponse:
        if (refused := self._stranger(request)) is not None:
            return refused
        found = {"sid": self.account_sid, "friendly_name": "Asha Kitchens", "type": "Full"}
        return web.json_response(found | {"status": self.status_of_account})

    async def _numbers(self, request: web.Request) -> web.StreamResponse:
        if (refused := self._stranger(request)) is not None:
            return refused
        ours = request.query.get("PhoneNumber") == self.sms_from
        number = {"sid": "PN1", "phone_number": self.sms_from, "sms_url": self.sms_url, "sms_method": "POST"}
        found = {"incoming_phone_numbers": [number] if ours else [], "page": 0, "page_size": 1}
        return web.json_response(found | {"next_page_uri": None, "uri": request.path})

    async def _service(self, request: web.Request) -> web.StreamResponse:
        if (refused := self._stranger(request)) is not None:
            return refused
        if request.match_info["service"] != self.messaging_service_sid:
            return _error(404, 20404, "The requested resource was not found")
        return web.json_response(
            {
                "sid": self.messaging_service_sid,
                "friendly_name": "Customers",
                "inbound_request_url": None,
                "use_inbound_webhook_on_number": True,
            }
        )

    def _what_is_wrong(self, form: dict[str, str]) -> tuple[int, str]:
        receiver, sender = form.get("To", ""), form.get("From", "")
        number = receiver.removeprefix(_PREFIX)
        if form.get("MessagingServiceSid", self.messaging_service_sid) != self.messaging_service_sid:
            return 21705, "The Messaging Service is invalid."
        if not receiver:
            return 21604, "A 'To' phone number is required."
        if not (number.startswith("+") and number[1:].isdigit() and 7 <= len(number) <= 16):
            return 21211, f"Invalid 'To' Phone Number: {number}"
        if not sender:
            return 21603, "A 'From' phone number is required."
        expected = f"{_PREFIX}{self.whatsapp_from}" if receiver != number else self.sms_from
        if sender != expected:
            return (63007 if receiver != number else 21606), f"{sender} cannot send to {receiver}"
        if form.get("MediaUrl") and receiver == number and not number.startswith("+1"):
            return 21612, "Files cannot be sent to this region."
        if form.get("ContentSid"):
            return self._wrong_content(form)
        if not form.get("Body") and not form.get("MediaUrl"):
            return 21602, "Message body is required."
        if len(form.get("Body", "")) > 1600:
            return 21617, "The concatenated message body exceeds the 1600 character limit."
        if number in self.unsubscribed and receiver == number:
            return 21610, "Attempt to send to unsubscribed recipient"
        return 0, ""

    def _resource(self, form: dict[str, str], sid: str) -> dict[str, Any]:
        """The message as Twilio's API answers it."""
        return {
            "sid": sid,
            "account_sid": self.account_sid,
            "api_version": "2010-04-01",
            "body": form.get("Body", ""),
            "from": form.get("From"),
            "to": form.get("To"),
            "status": "queued",
            "direction": "outbound-api",
            "num_media": "0",
            "num_segments": "1",
            "error_code": None,
            "error_message": None,
            "date_created": "Sat, 21 Nov 2026 10:00:00 +0000",
            "date_updated": "Sat, 21 Nov 2026 10:00:00 +0000",
            "date_sent": None,
            "price": None,
            "price_unit": "USD",
            "messaging_service_sid": form.get("MessagingServiceSid"),
            "subresource_uris": {},
            "uri": f"/2010-04-01/Accounts/{self.account_sid}/Messages/{sid}.json",
        }

    async def _report(self, sid: str) -> None:
        for status in ("sent", "delivered"):
            try:
                await self.status(sid, status)
            except aiohttp.ClientError:
                return


def _error(status: int, code: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    body = {
        "code": code,
        "message": message,
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    return web.json_response(body, status=status, headers=headers)
