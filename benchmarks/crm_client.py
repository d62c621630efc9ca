"""Requests to the API, four in flight, from a process of its own that imports nothing of Samvad.

    python benchmarks/crm_client.py URL KEY < requests

One JSON object a line: {"path": …} or {"path": …, "body": …}. Prints how many were answered a second.
"""

import asyncio
import json
import sys
import time
from typing import Any
from urllib.parse import quote

import aiohttp

IN_FLIGHT = 4


async def _send(url: str, key: str, requests: list[dict[str, Any]]) -> float:
    headers = {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(headers=headers) as http:

        async def work() -> None:
            while requests:
                asked = requests.pop()
                address = url + quote(asked["path"], safe="/?&=")
                method = "POST" if "body" in asked else "GET"
                async with http.request(method, address, json=asked.get("body")) as response:
                    text = await response.text()
                    if response.status >= 300:
                        raise RuntimeError(f"{response.status} {address}: {text[:300]}")

        count, start = len(requests), time.perf_counter()
        await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
        return count / (time.perf_counter() - start)


def main() -> None:
    """The client's process."""
    requests = [json.loads(line) for line in sys.stdin]
    print(asyncio.run(_send(sys.argv[1], sys.argv[2], requests)))


if __name__ == "__main__":
    main()
