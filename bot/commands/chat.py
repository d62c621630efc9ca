"""`samvad chat`: the web chat's protocol from a terminal."""

import asyncio
import sys

import aiohttp
from rich.console import Console

from bot.errors import Unavailable
from bot.ids import new_id


async def run_chat(url: str, lang: str) -> int:
    """Talk to the Samvad at `url` until an empty line or the end of the input."""
    console = Console(highlight=False)
    async with aiohttp.ClientSession() as session:
        try:
            socket = await session.ws_connect(f"{url}/widget/ws", heartbeat=30)
        except aiohttp.ClientError as error:
            raise Unavailable(f"Nothing answers at {url}. Start it with `samvad up`.") from error
        await socket.send_json({"type": "hello", "token": None, "lang": lang, "after": None})
        reader = asyncio.create_task(_show(socket, console))
        try:
            await _write(socket)
        finally:
            await asyncio.sleep(1.5)
            reader.cancel()
            await socket.close()
    return 0


async def _show(socket: aiohttp.ClientWebSocketResponse, console: Console) -> None:
    async for frame in socket:
        data = frame.json()
        if data["type"] == "welcome":
            console.print(f"[dim]{data['business']}[/]")
        elif data["type"] == "message" and data["message"].get("author") != "contact":
            console.print(f"[cyan]‹[/] {data['message']['text']}", markup=True)
            for button in data["message"].get("buttons") or ():
                console.print(f"   [dim]· {button['title']}[/]")


async def _write(socket: aiohttp.ClientWebSocketResponse) -> None:
    while True:
        line = await asyncio.to_thread(sys.stdin.readline)
        if not line.strip():
            return
        await socket.send_json({"type": "message", "id": new_id(), "text": line.strip()})
        await asyncio.sleep(0.05)
