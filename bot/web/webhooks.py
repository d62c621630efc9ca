"""The providers' way in, `/channels/…`: the adapter checks and reads, we commit, then answer."""

import asyncio

from aiohttp import web

from bot import metrics
from bot.adapter import Channel
from bot.errors import NotFound, SignatureInvalid, TooLarge, Unreadable
from bot.ids import new_id
from bot.logs import correlation, logger
from bot.messages import WebhookRequest
from bot.pipeline.calls import answer_call
from bot.web.keys import APP

MAX_BODY = 2 * 1024 * 1024
"""Far above any provider's webhook (Meta sends at most 3 MB of batched updates a day apart, single ones are a
few kilobytes); files come by reference."""
LIMITS = {"email": 40 * 1024 * 1024}
"""Mails come whole, their files in them: SendGrid takes up to 30 MB, and its form adds to that."""
LARGE = 100 * 1024
"""Reading so much would hold the loop: it is done in a thread."""
PATHS = {
    "/channels/whatsapp": "whatsapp",
    "/channels/twilio/messages": "twilio",
    "/channels/twilio/status": "twilio",
    "/channels/twilio/voice": "twilio",
    "/channels/telegram": "telegram",
    "/channels/messenger": "messenger",
    "/channels/email": "email",
}
HANDSHAKES = ("/channels/whatsapp", "/channels/messenger")
"""Where Meta asks with a GET whether we know the verify token."""
_log = logger("webhooks")


def setup(web_app: web.Application) -> None:
    """Register the routes; a channel that is off answers 404."""
    for path, adapter in PATHS.items():
        web_app.router.add_post(path, _handler(adapter))
    for path in HANDSHAKES:
        web_app.router.add_get(path, _verify)


def _channel(request: web.Request, adapter: str) -> Channel:
    channel = request.app[APP].channels.get(adapter)
    if channel is None:
        raise NotFound(f"The channel {adapter} is not set up here")
    return channel


async def _read(request: web.Request, method: str) -> WebhookRequest:
    limit = LIMITS.get(PATHS[request.path], MAX_BODY)
    too_large = TooLarge(f"A webhook may have at most {limit // 1024 // 1024} MB here", limit=limit)
    if (request.content_length or 0) > limit:
        raise too_large
    body = bytearray()
    while request.can_read_body and len(body) <= limit and not request.content.at_eof():
        body += await request.content.read(limit + 1 - len(body))
    if len(body) > limit:
        raise too_large
    # What the provider signed is our public address, whatever proxy stands between.
    url = request.app[APP].settings.public_url + request.raw_path
    headers = {name.lower(): value for name, value in request.headers.items()}
    return WebhookRequest(method, url, headers, bytes(body))


async def _verify(request: web.Request) -> web.Response:
    channel = _channel(request, PATHS[request.path])
    return web.Response(text=channel.verify(await _read(request, "GET")))


def _handler(adapter: str) -> "web.types.Handler":  # type: ignore[name-defined]
    async def handle(request: web.Request) -> web.Response:
        app = request.app[APP]
        correlation.set(new_id())
        channel = _channel(request, adapter)
        received = await _read(request, "POST")
        try:
            if len(received.body) > LARGE:
                parsed = await asyncio.to_thread(channel.parse, received)
            else:
                parsed = channel.parse(received)
        except SignatureInvalid:
            metrics.INBOX.labels(adapter, "forged").inc()
            _log.warning("signature_invalid", adapter=adapter)
            raise
        except Unreadable as error:
            assert app.pipe is not None
            await app.pipe.receiver.quarantine(adapter, received, str(error))
            return web.Response()
        await app.receive(parsed, adapter)
        if parsed.call is not None:
            words = await answer_call(app.runtime, adapter, parsed.call)
            return web.Response(text=words, content_type=parsed.response_type)
        return web.Response(text=parsed.response, content_type=parsed.response_type)

    return handle
