"""The Twilio adapter: signature, parse, send, files. It serves three channels: sms, whatsapp, voice."""

import base64
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, urlsplit

import aiohttp
from twilio.base.exceptions import TwilioException  # type: ignore[import-untyped]
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]
from twilio.rest import Client  # type: ignore[import-untyped]

from bot.adapter import Check, Features, Listener, MediaLimit
from bot.channels.twilio.checks import look
from bot.channels.twilio.client import API_URL, HttpClient, make_client, translated
from bot.channels.twilio.errors import to_channel_error
from bot.channels.twilio.parse import EMPTY_TWIML, join_address, parse_message, parse_status
from bot.channels.twilio.segments import lean
from bot.channels.twilio.templates import read_content, variables
from bot.channels.twilio.twiml import Line
from bot.channels.twilio.voice import read_call
from bot.errors import ChannelRejected, ChannelRetryable, NotFound, SignatureInvalid, Unavailable, Unreadable
from bot.messages import (
    ChannelName,
    Media,
    MediaKind,
    OutboundMessage,
    Parsed,
    Receipt,
    Template,
    WebhookRequest,
    clean,
)
from bot.settings import Settings

TEXT_LIMIT = 1600
_MB = 1024 * 1024
_AUDIO = ("audio/aac", "audio/mp4", "audio/mpeg", "audio/amr", "audio/ogg")
_LINKS_TAKE = 600
_SMS = Features(
    text_limit=TEXT_LIMIT,
    # To North America they go as MMS, which holds 5 MB; elsewhere as links in the text.
    media={kind: MediaLimit(5 * _MB) for kind in MediaKind},
    captioned=frozenset(MediaKind),
    caption_limit=TEXT_LIMIT - _LINKS_TAKE,
    by_link=True,
    receipts=True,
    stop_is_silent=True,
)
_WHATSAPP = Features(
    text_limit=TEXT_LIMIT,
    media={
        MediaKind.IMAGE: MediaLimit(5 * _MB, ("image/jpeg", "image/png")),
        MediaKind.AUDIO: MediaLimit(16 * _MB, _AUDIO),
        MediaKind.VOICE: MediaLimit(16 * _MB, ("audio/ogg",)),
        MediaKind.VIDEO: MediaLimit(16 * _MB, ("video/mp4", "video/3gpp")),
        MediaKind.DOCUMENT: MediaLimit(16 * _MB),
    },
    captioned=frozenset({MediaKind.IMAGE}),
    caption_limit=1024,
    by_link=True,
    window=timedelta(hours=24),
    templates=True,
    receipts=True,
)
_MOST_TEMPLATES = 6000
_VOICE = Features(text_limit=0, gather_ms=0)
_FEATURES = {"sms": _SMS, "whatsapp": _WHATSAPP, "voice": _VOICE}
_FILE_LIMIT = 16 * _MB
_FILE_TIMEOUT = aiohttp.ClientTimeout(total=60, connect=5)
_TWILIO_HOSTS = (".twilio.com", ".twiliocdn.com")


class _Form(dict[str, list[str]]):
    """Form fields as the SDK's validator reads them: a repeated name has all its values signed."""

    def getlist(self, name: str) -> list[str]:
        return self.get(name, [])


class Twilio:
    """One Twilio account with a number for SMS, for WhatsApp, for calls, or for several of them."""

    name = "twilio"

    def __init__(self, settings: Settings) -> None:
        self._account_sid = settings.twilio_account_sid
        self._auth_token = settings.twilio_auth_token.get_secret_value()
        self._numbers: dict[ChannelName, str] = {}
        if settings.twilio_sms_from:
            self._numbers["sms"] = settings.twilio_sms_from
        if settings.twilio_whatsapp_from:
            self._numbers["whatsapp"] = settings.twilio_whatsapp_from.removeprefix("whatsapp:")
        if settings.twilio_voice_from:
            self._numbers["voice"] = settings.twilio_voice_from
        self._line = Line(
            f"{settings.public_url}/channels/twilio/voice",
            settings.twilio_voice_forward_to,
            self._auth_token,
        )
        self._service = settings.twilio_messaging_service_sid
        self._root = settings.twilio_api_url or API_URL
        self._callback = f"{settings.public_url}/channels/twilio/status"
        self._incoming = f"{settings.public_url}/channels/twilio/messages"
        self._validator = RequestValidator(self._auth_token)
        self._client: Client | None = None
        self._http: HttpClient | None = None

    @property
    def accounts(self) -> Sequence[tuple[ChannelName, str]]:
        """Our numbers."""
        return tuple(self._numbers.items())

    def features(self, channel: ChannelName) -> Features:
        """What Twilio takes for SMS and for WhatsApp; into a call nothing is written."""
        return _FEATURES[channel]

    def listeners(self) -> Sequence[Listener]:
        """None: Twilio calls us."""
        return ()

    def verify(self, request: WebhookRequest) -> str:
        """Twilio has no hand-shake. Raises NotFound."""
        raise NotFound("Twilio has no hand-shake")

    def parse(self, request: WebhookRequest) -> Parsed:
        """Check Twilio's signature over URL and fields, then read. Raises SignatureInvalid, Unreadable."""
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            query = parse_qs(urlsplit(request.url).query)
            body = request.body.decode()
            is_json = content_type == "application/json" or "bodySHA256" in query
            fields = [] if is_json else parse_qsl(body, keep_blank_values=True)
        except ValueError as error:
            raise SignatureInvalid("neither URL nor body can be checked") from error
        form = _Form()
        for name, value in fields:
            form.setdefault(name, []).append(value)
        self._check(request, body if is_json else form, "bodySHA256" in query)
        if is_json:
            return Parsed(unhandled=("json",))
        first = {name: clean(values[0]) for name, values in form.items()}
        asked = {name: clean(values[0]) for name, values in query.items()}
        return self._read(urlsplit(request.url).path, first, asked)

    def _read(self, path: str, form: dict[str, str], query: dict[str, str]) -> Parsed:
        """Route by the path Twilio called, or by the fields when it is another one."""
        if path.endswith("/voice") or "CallSid" in form:
            if "voice" in self._numbers:
                return read_call(self._line, form, query)
            return Parsed(unhandled=("voice",), response=EMPTY_TWIML, response_type="text/xml")
        is_status = path.endswith("/status") or (
            not path.endswith("/messages")
            and "Body" not in form
            and bool({"MessageStatus", "SmsStatus"} & set(form))
        )
        if is_status:
            if not form.get("From") and form.get("MessagingServiceSid"):
                # The service failed before it had chosen one of our numbers.
                form = form | {"From": self._numbers.get("sms", "")}
            return parse_status(form, query.get("id") or None)
        if "MessageSid" not in form and "SmsSid" not in form and "SmsMessageSid" not in form:
            raise Unreadable("neither a message nor a status", fields=sorted(form)[:20])
        return parse_message(form)

    def _check(self, request: WebhookRequest, params: str | _Form, has_hash: bool) -> None:
        signature = request.headers.get("x-twilio-signature", "")
        # Without its hash in the URL a JSON body would not be covered by the signature at all.
        if not signature or (isinstance(params, str) and not has_hash):
            raise SignatureInvalid("Twilio did not sign this")
        try:
            valid = self._validator.validate(request.url, params, signature)
        except (ValueError, TypeError) as error:
            raise SignatureInvalid("the URL cannot be checked") from error
        if not valid:
            raise SignatureInvalid("Twilio did not sign this")

    async def open(self) -> None:
        """Open the SDK's client."""
        self._client, self._http = make_client(self._account_sid, self._auth_token, self._root)

    async def close(self) -> None:
        """Close it."""
        if self._http is not None:
            await self._http.close()
        self._client = self._http = None

    async def send(self, message: OutboundMessage) -> Receipt:
        """Hand a message to Twilio. Raises ChannelRetryable, ChannelRejected."""
        if self._client is None:
            raise Unavailable("the Twilio channel is not open")
        number = message.account or self._numbers.get(message.channel, "")
        if message.channel == "voice":
            raise ChannelRejected("A caller cannot be answered in writing. Call them.")
        if not number:
            raise ChannelRejected(f"No Twilio number is set for {message.channel}.")
        given = self._sender(message.channel, number)
        if message.template is not None:
            sid = message.template.template.external_id
            given |= {"content_sid": sid, "content_variables": variables(message.template)}
        else:
            given |= _content(message)
        given["to"] = join_address(message.channel, message.address)
        given["status_callback"] = f"{self._callback}?id={quote(message.id, safe='')}"
        try:
            sent = await self._client.messages.create_async(**given)
        except TwilioException as error:
            raise translated(error) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            # A 201 whose body the SDK cannot read: most likely taken.
            raise ChannelRetryable("Twilio's answer cannot be read", maybe_sent=True) from error
        if not sent.sid:
            raise ChannelRetryable("Twilio's answer has no message id", maybe_sent=True)
        return Receipt(sent.sid)

    def _sender(self, channel: ChannelName, number: str) -> dict[str, Any]:
        """Our number; for SMS the Messaging Service, where there is one, chooses it."""
        if channel == "sms" and self._service:
            return {"messaging_service_sid": self._service}
        return {"from_": join_address(channel, number)}

    async def templates(self) -> Sequence[Template]:
        """The contents that were handed in to WhatsApp. Raises ChannelRetryable, ChannelRejected."""
        if self._client is None:
            raise Unavailable("the Twilio channel is not open")
        try:
            items = await self._client.content.v1.content_and_approvals.list_async(limit=_MOST_TEMPLATES)
        except TwilioException as error:
            raise translated(error) from error
        return [one for item in items if (one := read_content(item)) is not None]

    async def check(self) -> tuple[Check, ...]:
        """The account, its numbers, the Messaging Service, and where what comes in goes."""
        client, http = make_client(self._account_sid, self._auth_token, self._root)
        try:
            return await look(client, self._account_sid, self._numbers, self._service, self._incoming)
        except TwilioException as error:
            raise translated(error) from error
        finally:
            await http.close()

    async def fetch_media(self, media: Media) -> AsyncIterator[bytes]:
        """Stream a customer's file. Raises ChannelRetryable, ChannelRejected."""
        host = urlsplit(media.ref).hostname or ""
        if not (host.endswith(_TWILIO_HOSTS) or media.ref.startswith(f"{self._root}/")):
            # Our credentials go to Twilio only, whatever a webhook names.
            raise ChannelRejected("The file does not lie at Twilio.")
        login = base64.b64encode(f"{self._account_sid}:{self._auth_token}".encode()).decode()
        taken = 0
        try:
            async with (
                aiohttp.ClientSession(timeout=_FILE_TIMEOUT) as session,
                session.get(media.ref, headers={"Authorization": f"Basic {login}"}) as response,
            ):
                if response.status >= 400:
                    raise to_channel_error(response.status, None, "", response.headers.get("Retry-After"))
                async for chunk in response.content.iter_chunked(65_536):
                    taken += len(chunk)
                    if taken > _FILE_LIMIT:
                        told = f"The file is larger than {_FILE_LIMIT // _MB} MB."
                        raise ChannelRejected(told, limit=_FILE_LIMIT)
                    yield chunk
        except (TimeoutError, aiohttp.ClientError, ConnectionError) as error:
            raise ChannelRetryable(f"Twilio did not send the file: {type(error).__name__}") from error


def _content(message: OutboundMessage) -> dict[str, Any]:
    """Text and files. Files go on WhatsApp and to North America (MMS); elsewhere an SMS has links."""
    links = [_public_link(media) for media in message.media]
    text = message.text
    if message.channel == "sms":
        if not message.address.startswith("+1"):
            text, links = "\n".join([*filter(None, [text]), *links]), []
        shorter = lean(text)
        # An ellipsis becomes three dots: the cheaper text may be the longer one.
        text = shorter if len(shorter) <= TEXT_LIMIT else text
    return ({"body": text} if text else {}) | ({"media_url": links} if links else {})


def _public_link(media: Media) -> str:
    if not media.ref.startswith(("https://", "http://")):
        raise ChannelRejected("Twilio fetches files from public links only.")
    return media.ref
