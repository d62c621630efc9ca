"""Chat on our own web page. See README.md."""

from bot.channels.webchat.channel import (
    FILES_LIMIT,
    Publish,
    WebChat,
    identified,
    inbound_from_page,
    seen_by_page,
)

__all__ = ["FILES_LIMIT", "Publish", "WebChat", "identified", "inbound_from_page", "seen_by_page"]
