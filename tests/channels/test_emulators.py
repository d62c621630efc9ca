"""One scenario over every emulator: a customer writes, presses a button, and is answered."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import openai
import pytest
from aiohttp import web

from bot.adapter import Channel
from bot.channels import build_channels
from bot.messages import OutboundMessage, Parsed, WebhookRequest
from bot.settings import load_settings
from bot.testing import (
    CustomerEmulator,
    LLMEmulator,
    MailEmulator,
    MessengerEmulator,
    Server,
    TelegramEmulator,
    TwilioEmulator,
    WhatsAppEmulator,
)
from bot.testing.mail import free_port

CUSTOMERS = {
    "whatsapp": (WhatsAppEmulator, "whatsapp", "919876543210"),
    "twilio-sms": (TwilioEmulator, "twilio", "+919876543210"),
    "twilio-whatsapp": (lambda: TwilioEmulator(speaks="whatsapp"), "twilio", "+919876543210"),
    "telegram": (TelegramEmulator, "telegram", "4001"),
    "messenger": (MessengerEmulator, "messenger", "24512345678901"),
    "instagram": (lambda: MessengerEmulator(speaks="instagram"), "messenger", "17841498765432"),
    "email": (MailEmulator, "email", "asha@customer.test"),
}


class Echo(Server):
    """A tiny Samvad: says everything back through the channel it came by."""

    def __init__(self) -> None:
        super().__init__()
        self.channel: Channel
        self.statuses: list[str] = []
        self._app.router.add_post("/channels/{tail:.*}", self._hook)

    async def _hook(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        url = f"{self.url}{request.path_qs}"
        parsed = self.channel.parse(WebhookRequest("POST", url, headers, await request.read()))
        await self.take(parsed)
        return web.Response(text=parsed.response, content_type=parsed.response_type)

    async def take(self, parsed: Parsed) -> None:
        self.statuses.extend(status.status for status in parsed.statuses)
        for got in parsed.messages:
            text = f"{got.button or ''}|{got.text}"
            await self.channel.send(
                OutboundMessage(f"o-{got.event_key}"[:60], got.channel, got.account, got.address, text)
            )


@pytest.fixture(params=CUSTOMERS)
async def scene(request) -> AsyncIterator[tuple[CustomerEmulator, Echo, str]]:
    make, name, sender = CUSTOMERS[request.param]
    async with make() as emulator, Echo() as app:
        given = dict(emulator.settings)
        emulator.target = app.url
        if name == "email":
            emulator.target = given["email_listen"] = f"127.0.0.1:{free_port()}"
        if hasattr(emulator, "auto_status"):
            emulator.auto_status = True
        channels = build_channels(load_settings(base_url=app.url, **given), lambda *_: asyncio.sleep(0))
        app.channel = channels[name]
        await app.channel.open()
        tasks = [
            asyncio.create_task(listener.run(app.take))  # type: ignore[arg-type]
            for listener in app.channel.listeners()
        ]
        await asyncio.sleep(0.05)
        yield emulator, app, sender
        if hasattr(emulator, "settle"):
            await emulator.settle()
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await app.channel.close()


async def test_a_customer_is_answered(scene):
    emulator, app, sender = scene
    assert await emulator.say("नमस्ते", sender=sender, name="Asha") in (200, 250)
    assert await emulator.wait_reply(sender) == ["|नमस्ते"]
    await emulator.say("Yes", sender=sender, button="affirm")
    pressed = "|Yes" if isinstance(emulator, MailEmulator) else "affirm|Yes"
    assert await emulator.wait_reply(sender, 2) == ["|नमस्ते", pressed]
    assert await emulator.replies("nobody") == []
    if hasattr(emulator, "auto_status"):
        await emulator.settle()
        # Instagram tells only what was seen.
        seen_only = getattr(emulator, "speaks", "") == "instagram"
        assert app.statuses == (["read"] if seen_only else ["sent", "delivered"]) * 2
    with pytest.raises(TimeoutError):
        await emulator.wait_reply(sender, 3, timeout=0.05)


async def test_llm():
    async with LLMEmulator("plain") as llm:
        client = openai.AsyncOpenAI(base_url=llm.base_url, api_key="x", max_retries=0, timeout=1)

        async def ask() -> str | None:
            answer = await client.chat.completions.create(
                model="m",
                messages=[{"role": "user", "content": "hi"}],
                response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": {}}},
            )
            return answer.choices[0].message.content

        llm.script = [{"a": 1}, lambda body: body["messages"][0]["content"]]
        assert [await ask(), await ask(), await ask()] == ['{"a": 1}', "hi", "plain"]
        llm.fail_next(status=500)
        with pytest.raises(openai.InternalServerError):
            await ask()
        llm.cut_next()
        with pytest.raises(openai.APIConnectionError):
            await ask()
        llm.delay = 2
        with pytest.raises(openai.APITimeoutError):
            await ask()
        llm.delay, llm.garbage = 0, True
        with pytest.raises((ValueError, openai.APIError)):
            await ask()
        assert len(llm.requests) == 7
        await client.close()
