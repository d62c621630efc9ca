"""What the emulators of Meta's products share: signed webhooks, tokens, errors in Meta's form."""

import hashlib
import hmac
import json
from typing import Any

from aiohttp import web

from bot.testing.customers import Waits
from bot.testing.server import Server

Json = dict[str, Any]


class MetaServer(Server, Waits):
    """The Graph API for one access token, posting to `path` of the target what an app secret signs."""

    path = ""
    auto_status = False
    """After each message taken, tell what Meta tells of it."""

    def __init__(self, target: str, access_token: str, app_secret: str, verify_token: str) -> None:
        super().__init__(target)
        self.access_token = access_token
        self.app_secret = app_secret
        self.verify_token = verify_token
        self.sent: list[Json] = []
        """Bodies taken, in order, each with the id it was given."""
        self.typing: list[str] = []
        """Ids of messages at which we were shown to be writing, in order."""
        self.files: dict[str, bytes] = {}
        """Uploads and customers' files by id or name."""
        self.app_id = "400500600"
        self.token_until = 0
        """When the access token ends, in seconds; 0: never."""
        self.callback = ""
        """The address that the app's webhooks go to."""
        self.subscribed = True
        """Whether the app gets the account's webhooks."""

    def sign(self, body: bytes) -> str:
        """Meta's signature header."""
        return "sha256=" + hmac.new(self.app_secret.encode(), body, hashlib.sha256).hexdigest()

    async def post_raw(self, body: bytes) -> int:
        """Sign and post any bytes."""
        headers = {"X-Hub-Signature-256": self.sign(body), "Content-Type": "application/json"}
        async with self.http.post(f"{self.target}{self.path}", data=body, headers=headers) as response:
            await response.read()
            return response.status

    async def post_json(self, body: Json) -> int:
        """Sign and post a payload."""
        return await self.post_raw(json.dumps(body).encode())

    def wrong_proof(self, request: web.Request) -> web.Response | None:
        """The refusal of a proof that another app secret made."""
        proof = hmac.new(self.app_secret.encode(), self.access_token.encode(), hashlib.sha256).hexdigest()
        if request.query.get("appsecret_proof", proof) == proof:
            return None
        return refusal(400, 100, "Invalid appsecret_proof provided in the API argument")

    async def debug_token(self, request: web.Request) -> web.StreamResponse:
        """What Meta tells of a token to whoever holds it."""
        if (refused := self.stranger(request)) is not None:
            return refused
        data = {
            "app_id": self.app_id,
            "type": "SYSTEM_USER",
            "is_valid": True,
            "expires_at": self.token_until,
            "granular_scopes": [{"scope": "whatsapp_business_management", "target_ids": ["900800700"]}],
        }
        return web.json_response({"data": data})

    def stranger(self, request: web.Request) -> web.Response | None:
        """The refusal of a caller without our token."""
        if request.headers.get("Authorization") == f"Bearer {self.access_token}":
            return None
        return refusal(401, 190, "Invalid OAuth access token.")


def refusal(
    status: int,
    code: int,
    words: str = "Fault",
    *,
    headers: dict[str, str] | None = None,
    **more: Any,
) -> web.Response:
    """An error in Meta's form; `more` are further fields of it."""
    error = {
        "message": f"(#{code}) {words}",
        "type": "OAuthException",
        "code": code,
        "fbtrace_id": "emulated",
        **more,
    }
    return web.json_response({"error": error}, status=status, headers=headers)
