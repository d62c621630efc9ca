"""The WhatsApp adapter: signature, parse, send, files."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import aiohttp

from bot.adapter import Check, Features, Listener, MediaLimit
from bot.channels.checking import attempt, webhook
from bot.channels.meta import (
    GRAPH_URL,
    GRAPH_VERSION,
    Graph,
    Webhook,
    is_link,
    secret_check,
    token_check,
    token_facts,
)
from bot.channels.whatsapp.compose import CAPTION_LIMIT, LIST_ROWS, TEXT_LIMIT, TITLE_LIMIT, compose
from bot.channels.whatsapp.errors import to_channel_error
from bot.channels.whatsapp.parse import parse_payload
from bot.channels.whatsapp.templates import FIELDS, read_template
from bot.errors import ChannelRejected, ChannelRetryable
from bot.messages import (
    ChannelName,
    InboundMessage,
    Media,
    MediaKind,
    OutboundMessage,
    Parsed,
    Receipt,
    Template,
    WebhookRequest,
)
from bot.settings import Settings

_MB = 1024 * 1024
_TYPING_SECONDS = 24.0  # WhatsApp shows it for 25, or until the answer comes
_AUDIO = ("audio/aac", "audio/mp4", "audio/mpeg", "audio/amr", "audio/ogg")
_FEATURES = Features(
    text_limit=TEXT_LIMIT,
    buttons=LIST_ROWS,
    button_title_limit=TITLE_LIMIT,
    media={
        MediaKind.IMAGE: MediaLimit(5 * _MB, ("image/jpeg", "image/png")),
        MediaKind.AUDIO: MediaLimit(16 * _MB, _AUDIO),
        # Only Opus in Ogg is shown as a voice note.
        MediaKind.VOICE: MediaLimit(16 * _MB, ("audio/ogg",)),
        MediaKind.VIDEO: MediaLimit(16 * _MB, ("video/mp4", "video/3gpp")),
        MediaKind.DOCUMENT: MediaLimit(100 * _MB),
        MediaKind.STICKER: MediaLimit(500 * 1024, ("image/webp",)),
    },
    captioned=frozenset({MediaKind.IMAGE, MediaKind.VIDEO, MediaKind.DOCUMENT}),
    caption_limit=CAPTION_LIMIT,
    window=timedelta(hours=24),
    templates=True,
    typing=True,
    receipts=True,
)
_MOST_PAGES = 60


class WhatsApp:
    """One phone number at Meta's Cloud API."""

    name = "whatsapp"

    def __init__(self, settings: Settings) -> None:
        self._account = settings.whatsapp_phone_number_id
        self._business = settings.whatsapp_business_account_id
        self._root = f"{settings.whatsapp_api_url or GRAPH_URL}/{GRAPH_VERSION}"
        self._callback = f"{settings.public_url}/channels/whatsapp"
        self._token, self._secret = settings.whatsapp_access_token, settings.whatsapp_app_secret
        self._webhook = Webhook(settings.whatsapp_app_secret, settings.whatsapp_verify_token)
        self._graph = Graph("WhatsApp", settings.whatsapp_access_token, to_channel_error)

    @property
    def accounts(self) -> Sequence[tuple[ChannelName, str]]:
        """The phone number id."""
        return (("whatsapp", self._account),)

    def features(self, channel: ChannelName) -> Features:
        """What the Cloud API takes."""
        return _FEATURES

    def listeners(self) -> Sequence[Listener]:
        """None: Meta calls us."""
        return ()

    def verify(self, request: WebhookRequest) -> str:
        """Echo the challenge when Meta knows our verify token. Raises SignatureInvalid."""
        return self._webhook.verify(request)

    def parse(self, request: WebhookRequest) -> Parsed:
        """Check Meta's signature over the raw bytes, then read. Raises SignatureInvalid, Unreadable."""
        return parse_payload(self._webhook.payload(request), self._account)

    async def open(self) -> None:
        """Open the connection pool."""
        await self._graph.open()

    async def close(self) -> None:
        """Close it."""
        await self._graph.close()

    async def send(self, message: OutboundMessage) -> Receipt:
        """Hand a message to Meta. Raises ChannelRetryable, ChannelRejected."""
        account = message.account or self._account
        media_id = await self._upload(account, message.media[0]) if message.media else None
        answer = await self._graph.call(
            "POST", self._url(account, "messages"), json=compose(message, media_id)
        )
        try:
            return Receipt(str(answer["messages"][0]["id"]))
        except (KeyError, IndexError, TypeError) as error:
            # A 200 without an id: most likely taken, but we cannot tell which message it became.
            raise ChannelRetryable("WhatsApp's answer has no message id", maybe_sent=True) from error

    async def templates(self) -> Sequence[Template]:
        """All templates of the business account. Raises ChannelRetryable, ChannelRejected."""
        found: list[Template] = []
        business = await self._business_account()
        query = {"fields": FIELDS, "limit": "100"}
        for _ in range(_MOST_PAGES):
            answer = await self._graph.call("GET", self._url(business, "message_templates"), params=query)
            items = answer.get("data")
            for item in items if isinstance(items, list) else ():
                if isinstance(item, dict) and (one := read_template(item)) is not None:
                    found.append(one)
            paging = answer.get("paging")
            if not (isinstance(paging, dict) and paging.get("next")):
                return found
            query["after"] = str((paging.get("cursors") or {}).get("after", ""))
        return found

    async def typing(self, said: InboundMessage) -> float:
        """Show that we are writing, which also marks the message as read.

        Raises ChannelRetryable, ChannelRejected."""
        shown = {
            "messaging_product": "whatsapp",
            "status": "read",
            "message_id": said.external_id,
            "typing_indicator": {"type": "text"},
        }
        await self._graph.call("POST", self._url(said.account or self._account, "messages"), json=shown)
        return _TYPING_SECONDS

    async def _business_account(self) -> str:
        """The account that has the number and its templates: the one that is set, else that the token names.

        Raises ChannelRejected when neither tells."""
        if self._business:
            return self._business
        for one in _accounts_of(await token_facts(self._graph, self._root, self._token)):
            answer = await self._graph.call("GET", self._url(one, "phone_numbers"), params={"fields": "id"})
            numbers = answer.get("data")
            if any(
                isinstance(number, dict) and str(number.get("id")) == self._account
                for number in (numbers if isinstance(numbers, list) else ())
            ):
                return one
        raise ChannelRejected("The token does not name the business account. Set it, to read its templates.")

    async def fetch_media(self, media: Media) -> AsyncIterator[bytes]:
        """Stream a customer's file. Raises ChannelRetryable, ChannelRejected."""
        limit = _FEATURES.media[media.kind].max_bytes
        found = await self._graph.call("GET", self._url(media.ref))
        url = found.get("url")
        if not isinstance(url, str):
            raise ChannelRejected("WhatsApp no longer has this file.")
        async for chunk in self._graph.stream(url, limit, login=True):
            yield chunk

    async def check(self) -> tuple[Check, ...]:
        """The number, the app secret, the token's life, the subscription, the webhook's address."""
        async with self._graph.apart() as graph:
            url = self._url(self._account)
            fields = "display_phone_number,verified_name,quality_rating,webhook_configuration"
            number = await graph.call("GET", url, params={"fields": fields})
            found = [_number_check(number), await secret_check(graph, url, self._token, self._secret)]
            facts = await attempt(token_facts(graph, self._root, self._token))
            if isinstance(facts, Check):
                found.append(facts)
            else:
                found.append(token_check(facts))
                found += [await self._subscribed(graph, one) for one in _accounts_of(facts)]
        places = number.get("webhook_configuration")
        places = places if isinstance(places, dict) else {}
        order = ("phone_number", "whatsapp_business_account", "application")
        goes_to = next((str(places[name]) for name in order if places.get(name)), "")
        return (*found, webhook(goes_to, self._callback))

    async def _subscribed(self, graph: Graph, account: str) -> Check:
        apps = await attempt(graph.call("GET", self._url(account, "subscribed_apps")))
        if isinstance(apps, Check):
            return apps
        if apps.get("data"):
            return Check("check.meta.subscribed")
        return Check("check.meta.not_subscribed", "bad", {"fields": "messages"})

    async def _upload(self, account: str, media: Media) -> str | None:
        """Give Meta a file's bytes; None when it is a public link that Meta fetches by itself."""
        if is_link(media):
            return None
        form = aiohttp.FormData({"messaging_product": "whatsapp", "type": media.mime})
        form.add_field(
            "file", media.content, filename=media.filename or media.kind.value, content_type=media.mime
        )
        return await self._graph.upload(self._url(account, "media"), form)

    def _url(self, *parts: str) -> str:
        return "/".join([self._root, *(quote(part, safe="") for part in parts)])


def _number_check(number: Mapping[str, Any]) -> Check:
    values = {
        "number": number.get("display_phone_number") or "?",
        "name": number.get("verified_name") or "?",
        "quality": number.get("quality_rating") or "UNKNOWN",
    }
    return Check("check.whatsapp.number", "warn" if values["quality"] == "RED" else "ok", values)


def _accounts_of(facts: Mapping[str, Any]) -> list[str]:
    """The WhatsApp Business accounts that the token reaches; Meta names none for a token that reaches all."""
    scopes = facts.get("granular_scopes")
    for scope in scopes if isinstance(scopes, list) else ():
        if isinstance(scope, dict) and scope.get("scope") == "whatsapp_business_management":
            return [str(one) for one in scope.get("target_ids") or ()][:3]
    return []
