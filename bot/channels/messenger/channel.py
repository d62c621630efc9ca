"""The Messenger adapter: signature, parse, send, files. It serves two channels, messenger and instagram."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
from pydantic import SecretStr

from bot.adapter import Check, Features, Listener, MediaLimit
from bot.channels.checking import attempt, webhook
from bot.channels.messenger import compose
from bot.channels.messenger.errors import OUTSIDE_WINDOW, to_channel_error
from bot.channels.messenger.parse import parse_payload
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
from bot.errors import ChannelRejected, ChannelRetryable
from bot.messages import (
    ChannelName,
    Media,
    MediaKind,
    OutboundMessage,
    Parsed,
    Receipt,
    WebhookRequest,
)
from bot.settings import Settings

_MB = 1024 * 1024
_FILE_LIMIT = 25 * _MB
_IMAGE = MediaLimit(8 * _MB, ("image/jpeg", "image/png", "image/gif"))
_AUDIO = MediaLimit(_FILE_LIMIT, ("audio/aac", "audio/mp4", "audio/x-m4a", "audio/wav", "audio/x-wav"))
_VIDEO = MediaLimit(
    _FILE_LIMIT, ("video/mp4", "video/ogg", "video/x-msvideo", "video/quicktime", "video/webm")
)
_MESSENGER = Features(
    text_limit=compose.TEXT_LIMIT,
    buttons=compose.QUICK_REPLIES,
    button_title_limit=compose.TITLE_LIMIT,
    media={
        MediaKind.IMAGE: _IMAGE,
        MediaKind.AUDIO: MediaLimit(_FILE_LIMIT),
        MediaKind.VOICE: MediaLimit(_FILE_LIMIT, ("audio/mp4", "audio/mpeg")),
        MediaKind.VIDEO: MediaLimit(_FILE_LIMIT),
        MediaKind.DOCUMENT: MediaLimit(_FILE_LIMIT),
        MediaKind.STICKER: _IMAGE,
    },
    window=timedelta(hours=24),
    staff_window=timedelta(days=7),
    receipts=True,
)
_INSTAGRAM = Features(
    # Instagram counts bytes and the core counts characters: those of Indian scripts have three.
    text_limit=compose.INSTAGRAM_BYTES // 3,
    buttons=compose.QUICK_REPLIES,
    button_title_limit=compose.TITLE_LIMIT,
    media={
        MediaKind.IMAGE: _IMAGE,
        MediaKind.AUDIO: _AUDIO,
        MediaKind.VOICE: _AUDIO,
        MediaKind.VIDEO: _VIDEO,
        MediaKind.DOCUMENT: MediaLimit(_FILE_LIMIT, ("application/pdf",)),
    },
    window=timedelta(hours=24),
    staff_window=timedelta(days=7),
    receipts=True,
)
FIELDS = "messages, messaging_postbacks, message_deliveries, message_reads"
"""What the Page's webhook must be subscribed to."""
_META_HOSTS = (".fbsbx.com", ".fbcdn.net", ".cdninstagram.com", ".facebook.com", ".instagram.com")


class Messenger:
    """One Facebook Page, and the Instagram account that is linked to it."""

    name = "messenger"

    def __init__(self, settings: Settings) -> None:
        self._page = settings.messenger_page_id
        self._instagram = settings.messenger_instagram_id
        self._root = settings.messenger_api_url or GRAPH_URL
        self._callback = f"{settings.public_url}/channels/messenger"
        self._token, self._secret = settings.messenger_access_token, settings.messenger_app_secret
        self._webhook = Webhook(settings.messenger_app_secret, settings.messenger_verify_token)
        self._graph = Graph("Meta", settings.messenger_access_token, to_channel_error)

    @property
    def accounts(self) -> Sequence[tuple[ChannelName, str]]:
        """The Page's id, and the Instagram account's where it is set."""
        page: tuple[ChannelName, str] = ("messenger", self._page)
        return (page, ("instagram", self._instagram)) if self._instagram else (page,)

    def features(self, channel: ChannelName) -> Features:
        """What the Send API takes for Messenger and for Instagram."""
        return _INSTAGRAM if channel == "instagram" else _MESSENGER

    def listeners(self) -> Sequence[Listener]:
        """None: Meta calls us."""
        return ()

    def verify(self, request: WebhookRequest) -> str:
        """Echo the challenge when Meta knows our verify token. Raises SignatureInvalid."""
        return self._webhook.verify(request)

    def parse(self, request: WebhookRequest) -> Parsed:
        """Check Meta's signature over the raw bytes, then read. Raises SignatureInvalid, Unreadable."""
        return parse_payload(self._webhook.payload(request), self._page)

    async def open(self) -> None:
        """Open the connection pool."""
        await self._graph.open()

    async def close(self) -> None:
        """Close it."""
        await self._graph.close()

    async def send(self, message: OutboundMessage) -> Receipt:
        """Hand a message to Meta. Raises ChannelRetryable, ChannelRejected."""
        uploaded = [await self._upload(message.channel, media) for media in message.media]
        sent = ""
        for content in compose.contents(message, uploaded):
            try:
                answer = await self._deliver(message, content)
            except ChannelRetryable as error:
                # A file that went before its text has reached the customer.
                error.maybe_sent = error.maybe_sent or bool(sent)
                raise
            sent = str(answer.get("message_id") or "")
            if not sent:
                # A 200 without an id: most likely taken, but we cannot tell which message it became.
                raise ChannelRetryable("Meta's answer has no message id", maybe_sent=True)
        return Receipt(sent)

    async def _deliver(self, message: OutboundMessage, content: dict[str, Any]) -> dict[str, Any]:
        """One call. Outside the 24 hours a person may still answer, for seven days: Meta wants that said."""
        url = self._url("messages")
        try:
            return await self._graph.call("POST", url, json=compose.envelope(message, content))
        except ChannelRejected as error:
            if message.automatic or error.data.get("provider_subcode") not in OUTSIDE_WINDOW:
                raise
        return await self._graph.call("POST", url, json=compose.envelope(message, content, by_person=True))

    async def fetch_media(self, media: Media) -> AsyncIterator[bytes]:
        """Stream a customer's file. Raises ChannelRetryable, ChannelRejected."""
        url = urlsplit(media.ref)
        ours = self._root != GRAPH_URL and media.ref.startswith(f"{self._root}/")
        if not ours and (url.scheme != "https" or not f".{url.hostname}".endswith(_META_HOSTS)):
            raise ChannelRejected("The file does not lie at Meta.")
        # The link itself is the key to the file; our token does not go along.
        async for chunk in self._graph.stream(media.ref, _FILE_LIMIT, login=False):
            yield chunk

    async def check(self) -> tuple[Check, ...]:
        """The Page, its Instagram account, the app secret, the token's life, subscription and webhook."""
        async with self._graph.apart() as graph:
            fields = "name,instagram_business_account{id,username}"
            page = await graph.call("GET", self._url(), params={"fields": fields})
            found = [Check("check.messenger.page", "ok", {"name": page.get("name") or self._page})]
            if self._instagram:
                found.append(_instagram_check(page, self._instagram))
            found.append(await secret_check(graph, self._url(), self._token, self._secret))
            found.append(await self._subscribed(graph))
            facts = await attempt(token_facts(graph, f"{self._root}/{GRAPH_VERSION}", self._token))
            if isinstance(facts, Check):
                return (*found, facts)
        return (*found, token_check(facts), await self._goes_to(str(facts.get("app_id") or "")))

    async def _subscribed(self, graph: Graph) -> Check:
        apps = await attempt(graph.call("GET", self._url("subscribed_apps")))
        if isinstance(apps, Check):
            return apps
        fields = {name for app in apps.get("data") or () for name in app.get("subscribed_fields") or ()}
        if "messages" in fields:
            return Check("check.meta.subscribed")
        return Check("check.meta.not_subscribed", "bad", {"fields": FIELDS})

    async def _goes_to(self, app_id: str) -> Check:
        """Where the app's webhooks go: told to the app itself only, whose login is its id and secret."""
        url = f"{self._root}/{GRAPH_VERSION}/{quote(app_id, safe='')}/subscriptions"
        login = SecretStr(f"{app_id}|{self._secret.get_secret_value()}")
        async with self._graph.apart(login) as graph:
            answer = await attempt(graph.call("GET", url))
        if isinstance(answer, Check):
            return answer
        places = {str(one.get("object")): str(one.get("callback_url")) for one in answer.get("data") or ()}
        kinds = ("page", "instagram") if self._instagram else ("page",)
        wrong = [places.get(kind, "") for kind in kinds if places.get(kind) != self._callback]
        return webhook(wrong[0] if wrong else self._callback, self._callback)

    async def _upload(self, channel: ChannelName, media: Media) -> str | None:
        """Give Meta a file's bytes; None when it is a public link that Meta fetches by itself."""
        if is_link(media):
            return None
        kind = compose.attachment_type(media)
        attachment = {"attachment": {"type": kind, "payload": {"is_reusable": True}}}
        form = aiohttp.FormData({"message": json.dumps(attachment)})
        if channel == "instagram":
            form.add_field("platform", "instagram")
        name = media.filename or media.kind.value
        form.add_field("filedata", media.content, filename=name, content_type=media.mime)
        return await self._graph.upload(self._url("message_attachments"), form)

    def _url(self, edge: str = "") -> str:
        # Instagram's messages too are sent through the Page.
        return f"{self._root}/{GRAPH_VERSION}/{quote(self._page, safe='')}{f'/{edge}' if edge else ''}"


def _instagram_check(page: Mapping[str, Any], ours: str) -> Check:
    linked = page.get("instagram_business_account")
    linked = linked if isinstance(linked, dict) else {}
    if linked.get("id") != ours:
        return Check("check.messenger.instagram_other", "bad", {"id": ours})
    return Check("check.messenger.instagram", "ok", {"name": linked.get("username") or ours})
