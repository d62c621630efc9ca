"""Telegram bots. See README.md."""

from bot.channels.telegram.channel import Telegram

__all__ = ["Telegram"]
