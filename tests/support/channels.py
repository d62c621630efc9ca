"""What the adapters' tests share."""

import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

from hypothesis import strategies as st

from bot.adapter import Channel
from bot.messages import WebhookRequest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
"""Any JSON value, small."""
C = TypeVar("C", bound=Channel)


@asynccontextmanager
async def opened(channel: C) -> AsyncIterator[C]:
    """The channel, open; it must take being closed twice."""
    await channel.open()
    yield channel
    await channel.close()
    await channel.close()


def signed_by_meta(url: str, body: bytes, secret: bytes) -> WebhookRequest:
    """A webhook as Meta signs it."""
    signature = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
    return WebhookRequest("POST", url, {"x-hub-signature-256": signature}, body)
