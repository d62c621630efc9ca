"""WhatsApp by Meta's Cloud API. See README.md."""

from bot.channels.whatsapp.channel import WhatsApp

__all__ = ["WhatsApp"]
