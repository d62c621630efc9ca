"""SMS, and WhatsApp, through Twilio. See README.md."""

from bot.channels.twilio.channel import Twilio

__all__ = ["Twilio"]
