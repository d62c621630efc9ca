"""Chat on our own web page. See README.md."""

from bot.channels.webchat.channel import Publish, WebChat, inbound_from_page

__all__ = ["Publish", "WebChat", "inbound_from_page"]
