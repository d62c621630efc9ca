"""Messenger, and Instagram messages, through Meta's Messenger Platform. See README.md."""

from bot.channels.messenger.channel import Messenger

__all__ = ["Messenger"]
