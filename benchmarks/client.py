"""A provider that sends signed WhatsApp webhooks at a steady pace, from a process of its own.

    python -c CLIENT URL COUNT PER_SECOND [SENDERS]

Prints {"seconds": [...], "failed": n}. Open loop: a slow answer does not slow the next call down.
"""

import asyncio
import hashlib
import hmac
import json
import sys
import time
import uuid

import aiohttp

from benchmarks.rig import PHONE_ID
from benchmarks.script import line

CLIENT = "from benchmarks.client import main; main()"
"""What a Python of its own runs to be this provider."""

SECRET = b"a secret of the app"


def body_of(sender: str, text: str, message_id: str = "", account: str = PHONE_ID) -> bytes:
    """One WhatsApp Cloud API message webhook."""
    message = {
        "from": sender,
        "id": message_id or f"wamid.{uuid.uuid4()}",
        "timestamp": str(int(time.time())),
        "type": "text",
        "text": {"body": text},
    }
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550000000", "phone_number_id": account},
        "contacts": [{"profile": {"name": "Asha"}, "wa_id": sender}],
        "messages": [message],
    }
    change = {"id": "1", "changes": [{"field": "messages", "value": value}]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [change]}).encode()


async def run(url: str, count: int, pace: float, senders: int) -> dict[str, object]:
    """Send and measure."""
    seconds: list[float] = []
    failed = 0

    async def post(session: aiohttp.ClientSession, number: int) -> None:
        nonlocal failed
        body = body_of(f"9197{number % senders:08d}", line(number // senders))
        signature = "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest()
        start = time.perf_counter()
        try:
            async with session.post(url, data=body, headers={"X-Hub-Signature-256": signature}) as answer:
                await answer.read()
                failed += answer.status != 200
        except (aiohttp.ClientError, TimeoutError):
            failed += 1
        seconds.append(time.perf_counter() - start)

    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(60)
    ) as session:
        begin = time.perf_counter()
        tasks = []
        for number in range(count):
            await asyncio.sleep(max(0.0, begin + number / pace - time.perf_counter()))
            tasks.append(asyncio.create_task(post(session, number)))
        await asyncio.gather(*tasks)
    return {"seconds": seconds, "failed": failed}


def main() -> None:
    """Read the arguments, send, print."""
    url, count, pace, *rest = sys.argv[1:]
    found = asyncio.run(run(url, int(count), float(pace), int(rest[0]) if rest else 64))
    print(json.dumps(found))
