"""A business's order system, as docs/orders.md describes it."""

import asyncio
import json
from typing import Any

from aiohttp import web

from bot.testing.server import Server, cut, retry_headers


class OrdersEmulator(Server):
    """Set `.settings`. Faults: `fail_next`, `cut_next`, `delay`, `garbage`, `chunks`."""

    def __init__(self, key: str = "order-key") -> None:
        super().__init__()
        self.key = key
        self.orders: dict[str, dict[str, Any]] = {}
        """By number, as they are answered."""
        self.garbage = False
        """Answer 200 with something that is no order."""
        self.chunks = False
        """Answer in two parts, a moment between."""
        self.asked: list[str] = []
        """Numbers asked for, refused calls too."""
        self._app.router.add_get("/orders/{number}", self._order)

    @property
    def settings(self) -> dict[str, str]:
        """Keyword arguments for `load_settings`."""
        return {"orders_url": self.url, "orders_key": self.key}

    def add(self, number: str, status: str = "shipped", **told: Any) -> None:
        """Put an order in."""
        self.orders[number] = {"number": number, "status": status, **told}

    async def _order(self, request: web.Request) -> web.StreamResponse:
        number = request.match_info["number"]
        self.asked.append(number)
        fault = await self.next_fault()
        if fault is not None:
            if fault.cut:
                return cut(request)
            return web.Response(status=fault.status, headers=retry_headers(fault))
        if request.headers.get("Authorization") != f"Bearer {self.key}":
            return web.json_response({"error": "unauthorized"}, status=401)
        if self.garbage:
            return web.Response(text="<html>Login</html>", content_type="text/html")
        found = self.orders.get(number)
        if found is None:
            return web.json_response({"error": "not found"}, status=404)
        if self.chunks:
            return await self._in_parts(request, json.dumps(found).encode())
        return web.json_response(found)

    async def _in_parts(self, request: web.Request, body: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
        await asyncio.sleep(0.02)
        await response.write(body[len(body) // 2 :])
        return response
